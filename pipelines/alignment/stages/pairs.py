"""pairs: winners and losers for preference training, by one strategy.

In: the rewarded texts. Out: a row a pair. A text that was cut at the cap stays, but is marked: no
end-of-text is put behind it later, or it would teach to stop there.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.preference.pairs import Strategy, choose_pairs, measure_pairs

app = stage_app()

SIDES = ("chosen", "rejected")
PAIR_SCHEMA = pl.Schema(
    {
        "prompt": pl.String,
        "prompt_tokens": pl.List(pl.Int32),
        **{
            f"{side}_{name}": kind
            for side in SIDES
            for name, kind in (
                ("id", pl.String),
                ("tokens", pl.List(pl.Int32)),
                ("finished", pl.Boolean),
                ("reward", pl.Float32),
            )
        },
    }
)


@app.command()
def main(
    texts: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    strategy: Annotated[Strategy, Option(help="which two texts of a prompt make a pair")],
    n_pairs: Annotated[int, Option(min=1)],
    margin: Annotated[float, Option(min=0.0, help="strategy margin: rewards are further apart")],
    threshold: Annotated[float, Option(help="strategy threshold: one reward above, one below")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Choose the pairs."""
    rows = read_table(texts)

    pairs, fates = choose_pairs(rows, strategy, n_pairs, margin, threshold, seed)

    columns = {"prompt": rows["prompt"], "prompt_tokens": rows["prompt_tokens"]}
    table = {name: column.gather(pairs[:, 0]) for name, column in columns.items()}
    for side, numbers in zip(SIDES, pairs.T, strict=True):
        table |= {
            f"{side}_id": rows["text_id"].gather(numbers),
            f"{side}_tokens": rows["tokens"].gather(numbers),
            f"{side}_finished": rows["finished"].gather(numbers),
            f"{side}_reward": rows["reward"].gather(numbers),
        }
    write_table(output, [pl.DataFrame(table, PAIR_SCHEMA)], PAIR_SCHEMA)
    counts = {f"skipped_{reason}": n for reason, n in fates.items()}
    write_json(metrics, measure_pairs(rows, pairs) | counts)


if __name__ == "__main__":
    run(app)
