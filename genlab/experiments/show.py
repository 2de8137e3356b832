"""Show the experiments on the current commit, one line each.

`dvc exp show` prints every metric of every ranker; here the params that differ stand beside one
metric (`--metric`, by default average_loc). Failed experiments are left out.
"""

import csv
import subprocess
from pathlib import Path

import typer
import yaml

from genlab.core.params import flatten
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table

app = stage_app()

SHOW = ["dvc", "exp", "show", "--csv", "--hide-failed"]


def columns_to_show(rows: list[list[str]], params: list[str], metric: str) -> list[int]:
    """Return the positions of the metric under every ranker and of the params that differ.

    `rows` begins with the header. Raises InputError if there is no such metric.
    """
    header, *body = rows
    metrics = [i for i, name in enumerate(header) if name.endswith("." + metric)]
    if not metrics:
        raise InputError(f"there is no metric named {metric}; see `dvc metrics show`")
    differing = [
        i
        for i, name in enumerate(header)
        if name.removeprefix("params.yaml:") in params and len({row[i] for row in body}) > 1
    ]
    return metrics + differing


def shortened(cell: str) -> str:
    """Return a number's cell with three decimals, any other cell as it is."""
    try:
        return f"{float(cell):.3f}" if "." in cell else cell
    except ValueError:
        return cell


def names_of_params() -> list[str]:
    """Return the dotted names of all params of the pipeline in this folder."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    return list(flatten(params))


@app.command()
def main(metric: str = typer.Option("average_loc", help="shown under every ranker")) -> None:
    """Print the experiments with their changed params and one metric."""
    shown = subprocess.run(SHOW, capture_output=True, text=True)
    if shown.returncode:
        raise InputError(shown.stderr)
    header, *rows = csv.reader(shown.stdout.splitlines())
    positions = columns_to_show([header, *rows], names_of_params(), metric)
    names = [row[header.index("Experiment")] or row[header.index("rev")] for row in rows]
    cells = [
        [name, *(shortened(row[i]) for i in positions)]
        for name, row in zip(names, rows, strict=True)
    ]
    print(table(cells, ["experiment", *(header[i] for i in positions)]))


if __name__ == "__main__":
    run(app)
