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

from typer import Option

from genlab.core.pipeline import OUTPUTS
from genlab.core.program import run, stage_app
from genlab.core.yaml_text import load_yaml
from genlab.experiments.receipts import make_receipt
from genlab.report.charts import draw_charts, read_plots
from genlab.report.page import (
    NEXT,
    Table,
    claims_table,
    number_tables,
    read_metrics,
    render,
    with_intervals,
    write_report,
)

PIPELINE, PARAMS, CLAIMS = Path("dvc.yaml"), Path("params.yaml"), Path("claims.yaml")
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
    claims = read_metrics(METRICS, ["claims"]).get("claims", {})
    page = render(
        "pipeline.html",
        title=Path.cwd().name,
        question=read_question(PIPELINE),
        numbers={name: numbers.pop(name) for name in ["score"] if name in numbers},
        more_numbers=numbers,
        charts=draw_charts(PIPELINE),
        claims=read_claims(claims),
        params=PARAMS.read_text(encoding="utf-8"),
        receipt=stood_on,
    )
    write_report(output, page, receipt, stood_on, plots_library)
    print(f"the report is {output}; open it in a browser. {NEXT}")


def read_question(pipeline: Path) -> str:
    """Return the first sentence of the comment that a dvc.yaml begins with: what it asks."""
    lines = pipeline.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in takewhile(lambda x: x.startswith("#"), lines))
    return (re.match(r".*?[.?!](?= |$)", comment) or [""])[0]


def read_numbers(pipeline: Path) -> dict[str, list[Table]]:
    """Return the tables of each file of numbers that dvc.yaml lists, score's with intervals."""
    found = read_metrics(METRICS, [*names_of_numbers(pipeline), "score_details"])
    details = found.pop("score_details", {})
    if "score" in found:
        found["score"] = with_intervals(found["score"], details)
    tables = {name: number_tables(content) for name, content in found.items()}
    return {name: shown for name, shown in tables.items() if shown}


def names_of_numbers(pipeline: Path) -> list[str]:
    """Return NAME of every metrics/NAME.json of dvc.yaml that is no plot, detail or text."""
    entries = load_yaml(pipeline.read_text(encoding="utf-8"))["stages"].values()
    outs = [out for entry in entries for key in OUTPUTS for out in entry.get(key, [])]
    listed = [Path(next(iter(out))) for out in outs if isinstance(out, dict)]
    drawn = {Path(name) for plot in read_plots(pipeline) for name in plot.y}
    names = [path.stem for path in listed if path.parent == METRICS and path.suffix == ".json"]
    return [
        name
        for name in names
        if METRICS / f"{name}.json" not in drawn
        and name not in ("receipt", "examples")
        and not name.endswith("_details")
    ]


def read_claims(settled: dict) -> dict[str, list[Table]]:
    """Return the table of the settled claims, in claims.yaml's words; nothing if there are none."""
    if not settled.get("claims"):
        return {}
    asked = load_yaml(CLAIMS.read_text(encoding="utf-8")) if CLAIMS.is_file() else {}
    return {"": [claims_table(settled["claims"], asked.get("claims", {}))]}


if __name__ == "__main__":
    run(app)
