"""pairs: winners and losers for preference training, by one strategy.

Reads the rewarded texts and writes a row per pair. A text that was cut at the cap stays and is
marked as unfinished: training then puts no end-of-text after it, which would teach to stop there.
A strategy that no compared arm needs gives an empty table.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.chosen import Chosen, is_wanted
from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.preference.pairs import PAIR_SCHEMA, Strategy, choose_pairs, measure_pairs, pair_table

app = stage_app()


@app.command()
def main(
    texts: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    chosen: Chosen,
    strategy: Annotated[Strategy, Option(help="which two texts of a prompt make a pair")],
    n_pairs: Annotated[int, Option(min=1)],
    margin: Annotated[float, Option(min=0.0, help="strategy margin: rewards are further apart")],
    threshold: Annotated[float, Option(help="strategy threshold: one reward above, one below")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Choose the pairs."""
    if not is_wanted(chosen):
        write_table(output, [], PAIR_SCHEMA)
        write_json(metrics, {"pairs": 0})
        return
    rows = read_table(texts)

    pairs, dropped = choose_pairs(rows, strategy, n_pairs, margin, threshold, seed)

    write_table(output, [pair_table(rows, pairs)], PAIR_SCHEMA)
    counts = {f"skipped_{reason}": n for reason, n in dropped.items()}
    write_json(metrics, measure_pairs(rows, pairs) | counts)


if __name__ == "__main__":
    run(app)
