"""Write the pipeline's report: its numbers and charts on one page.

    python -m genlab report report/index.html --receipt metrics/receipt.json \
        --plots_library report/vega.js

The last stage of a pipeline. The page needs no network and works from disk. Beside it come the
receipt, which says what the run stood on, and the library that draws `dvc plots show`.
"""

import re
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import yaml
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import run, stage_app
from genlab.experiments.receipts import make_receipt
from genlab.report.charts import draw_charts, write_plots_library
from genlab.report.page import Table, number_tables, read_metrics, render

PIPELINE, PARAMS = Path("dvc.yaml"), Path("params.yaml")
DATA, METRICS = Path("data"), Path("metrics")

app = stage_app()


@app.command()
def main(
    output: Path,
    receipt: Annotated[Path, Option(help="what the run stood on, as JSON")],
    plots_library: Annotated[Path, Option(help="JavaScript that draws `dvc plots show`")],
) -> None:
    """Write the page, the receipt and the plots library."""
    stood_on = make_receipt(PARAMS, [path for path in DATA.iterdir() if path.name != "check.txt"])
    numbers = read_numbers(PIPELINE)
    page = render(
        "pipeline.html",
        title=Path.cwd().name,
        question=read_question(PIPELINE),
        numbers={name: numbers.pop(name) for name in ["score"] if name in numbers},
        more_numbers=numbers,
        charts=draw_charts(PIPELINE),
        params=PARAMS.read_text(encoding="utf-8"),
        receipt=stood_on,
    )
    with written_whole(output) as partial:
        partial.write_text(page, encoding="utf-8")
    write_plots_library(plots_library)
    write_json(receipt, stood_on)
    print(f"the report is {output}; open it in a browser")


def read_question(pipeline: Path) -> str:
    """Return the first sentence of the comment that a dvc.yaml begins with: what it asks."""
    lines = pipeline.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in takewhile(lambda x: x.startswith("#"), lines))
    return (re.match(r".*?[.?!](?= |$)", comment) or [""])[0]


def read_numbers(pipeline: Path) -> dict[str, list[Table]]:
    """Return the tables of each file that dvc.yaml lists as metrics."""
    entries = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"].values()
    listed = [next(iter(out)) for entry in entries for out in entry.get("metrics", [])]
    names = [Path(name).stem for name in listed if Path(name).parent == METRICS]
    found = read_metrics(METRICS, names)
    tables = {name: number_tables(content) for name, content in found.items()}
    return {name: shown for name, shown in tables.items() if shown}


if __name__ == "__main__":
    run(app)
