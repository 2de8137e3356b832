"""score: what alignment gained and what it cost, with how sure each number is.

Reads the texts before and after, the reward model, and a held-out reward. Writes a row per text and
model, from which every number can be made again; the headline of one arm, `score.arm`, before and
after; and all arms with their intervals over texts.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.token_texts import MaxBlankShare, check_blanks, check_lengths, cut_texts
from genlab.preference.rewards import check_two_models, load_reward
from pipelines.alignment import metrics as measures
from pipelines.alignment.arms import BEFORE

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
    details: Annotated[Path, Option(help="all arms, with their intervals")],
    histogram: Annotated[Path, Option(help="rewards before and after, for dvc plots")],
    front: Annotated[Path, Option(help="reward against diversity, for dvc plots")],
    arm: Annotated[str, Option(help="the arm of the headline; before: the first")],
    max_len: Annotated[int, Option(min=1, help="new tokens of each text that are scored")],
    cap: Annotated[int, Option(min=1, help="new tokens that were generated")],
    num_beams: Annotated[int, Option(min=1, help="beams they were generated with")],
    max_blank_share: MaxBlankShare,
    batch_size: Annotated[int, Option(min=1, help="texts a model reads at a time")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Rate and measure the texts of every model."""
    from genlab.models.loading import load_tokenizer

    check(max_len, cap, num_beams)
    check_two_models(reward_model, held_out_reward)
    rows = read_table(generated)
    names = rows["arm"].unique(maintain_order=True).to_list()
    if arm not in names:
        raise InputError(
            f"score.arm={arm} wrote no texts; compared.arms has {', '.join(names[1:])}"
        )
    texts = cut_texts(rows, load_tokenizer(base), max_len, strip_query=True)
    check_blanks(texts, max_blank_share)
    models = {"reward": reward_model, "held_out_reward": held_out_reward}
    rewards = {
        name: load_reward(folder, batch_size)(rows["prompt"].to_list(), texts)
        for name, folder in models.items()
    }
    rows = measures.cut_rows(rows, max_len).with_columns(text=pl.Series(texts), **rewards)

    tables, summaries = measures.measure_arms(rows, seed)

    schema = measures.ROW_SCHEMA
    write_table(output, [tables[arm]], schema)
    write_table(arms_output, tables.values(), schema)
    after = arm if arm != BEFORE else names[1]
    ends = {BEFORE: summaries[BEFORE], "after": summaries[after]}
    write_json(metrics, {name: measures.headline(summary) for name, summary in ends.items()})
    write_json(details, summaries)
    shown = {name: tables[name]["reward"].to_numpy() for name in (BEFORE, after)}
    write_json(histogram, measures.reward_histogram(shown))
    write_json(front, measures.front(summaries))
    print(measures.table_of(summaries))


if __name__ == "__main__":
    run(app)
