"""score: what alignment gained and what it cost, with how sure each number is.

It reads the texts before and after, the reward model, and a held-out reward. It writes a row for
each text and model, from which every number can be made again; the headline of one arm,
`score.arm`, before and after; and all arms with two spreads, over the texts of one model and over
training seeds.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.token_texts import check_lengths
from genlab.preference.rewards import check_two_models, load_reward
from pipelines.alignment import metrics as outcome
from pipelines.alignment.sampling import BEFORE, decode

app = stage_app()


def check(max_len: int, cap: int, num_beams: int) -> None:
    """Raise InputError unless the texts can be cut from what was generated."""
    check_lengths(max_len, cap, num_beams)


@app.command()
def main(
    generated: Path,
    base: Path,
    reward_model: Path,
    held_out_reward: Path,
    output: Path,
    arms_output: Path,
    metrics: Annotated[Path, Option(help="before and after, of one arm")],
    details: Annotated[Path, Option(help="all arms, with both kinds of interval")],
    histogram: Annotated[Path, Option(help="rewards before and after, for dvc plots")],
    front: Annotated[Path, Option(help="reward against diversity, for dvc plots")],
    arm: Annotated[str, Option(help="the arm of the headline; before: the first")],
    max_len: Annotated[int, Option(min=1, help="new tokens of each text that are scored")],
    cap: Annotated[int, Option(min=1, help="new tokens that were generated")],
    num_beams: Annotated[int, Option(min=1)],
    batch_size: Annotated[int, Option(min=1, help="texts a model reads at a time")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Rate and measure the texts of every model."""
    from genlab.models.loading import load_tokenizer

    check(max_len, cap, num_beams)
    check_two_models(reward_model, held_out_reward)
    rows = outcome.cut_rows(read_table(generated), max_len)
    names = rows["arm"].unique(maintain_order=True).to_list()
    if arm not in names:
        raise InputError(
            f"score.arm={arm} wrote no texts; compared.arms has {', '.join(names[1:])}"
        )
    texts = decode(load_tokenizer(base), rows["tokens"].to_list())
    rows = rows.with_columns(text=pl.Series(texts))

    asked = rows["prompt"].to_list(), texts
    rates = [load_reward(folder, batch_size)(*asked) for folder in (reward_model, held_out_reward)]
    rows = rows.with_columns(reward=pl.Series(rates[0]), held_out_reward=pl.Series(rates[1]))

    measured, summaries = {}, {}
    for name in names:
        models = rows.filter(pl.col("arm") == name).partition_by("seed", maintain_order=True)
        measured[name] = [
            outcome.measure_model(
                model, model["reward"].to_numpy(), model["held_out_reward"].to_numpy()
            )
            for model in models
        ]
        distinct = [outcome.distinct_numbers(model["tokens"].to_list()) for model in models]
        summaries[name] = outcome.summarize_arm(measured[name], distinct, seed)

    # The texts before stand beside those of every seed, so that they can be paired with each.
    seeds = rows["seed"].unique(maintain_order=True).to_list()[1:]
    measured[BEFORE] = [
        measured[BEFORE][0].with_columns(seed=pl.lit(training_seed)) for training_seed in seeds
    ]
    schema = outcome.ROW_SCHEMA
    tables = {name: pl.concat(models).select(schema.names()) for name, models in measured.items()}
    write_table(output, [tables[arm]], schema)
    write_table(arms_output, tables.values(), schema)
    after = arm if arm != BEFORE else names[1]
    write_json(
        metrics,
        {BEFORE: outcome.headline(summaries[BEFORE]), "after": outcome.headline(summaries[after])},
    )
    write_json(details, summaries)
    shown = {name: tables[name]["reward"].to_numpy() for name in dict.fromkeys((BEFORE, after))}
    write_json(histogram, outcome.reward_histogram(shown))
    write_json(front, outcome.front(summaries))
    print(outcome.table_of(summaries))


if __name__ == "__main__":
    run(app)
