"""report: the numbers, a ladder for each collection and ranker, and examples, on one page.

The page works from disk. Its examples are texts of the collections, so it is never committed.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import run, stage_app
from genlab.core.tables import read_table
from genlab.experiments.receipts import make_receipt
from genlab.report.charts import Chart, draw, draw_charts, find_template, read_plots, read_rows
from genlab.report.page import NEXT, Table, number_tables, read_metrics, render, write_report
from genlab.report.pipeline import read_claims, read_numbers, read_question
from pipelines.rankers.examples import find_examples

PIPELINE, PARAMS, METRICS = Path("dvc.yaml"), Path("params.yaml"), Path("metrics")
LADDER = "ladder"  # a plot's template: one chart for each judge on the page

app = stage_app()


@app.command()
def main(
    probes: Path,
    altered: Path,
    output: Path,
    receipt: Annotated[Path, Option(help="what the run stood on, as JSON")],
    plots_library: Annotated[Path, Option(help="JavaScript that draws `dvc plots show`")],
) -> None:
    """Write the page, the receipt and the plots library."""
    data = [path for path in sorted(Path("data").iterdir()) if path.name != "check.txt"]
    stood_on = make_receipt(PARAMS, data)
    numbers = read_numbers(PIPELINE)
    charts = [chart for chart in draw_charts(PIPELINE) if chart.title != LADDER]
    page = render(
        "pipeline.html",
        title=Path.cwd().name,
        question=read_question(PIPELINE),
        numbers={name: numbers.pop(name) for name in ["score"] if name in numbers},
        more_numbers=numbers | quality_tables() | examples(read_table(probes), altered),
        charts=[*ladders(), *charts],
        claims=read_claims(read_metrics(METRICS, ["claims"]).get("claims", {})),
        params=PARAMS.read_text(encoding="utf-8"),
        receipt=stood_on,
    )
    write_report(output, page, receipt, stood_on, plots_library)
    print(f"the report is {output}; open it in a browser. {NEXT}")


def ladders() -> list[Chart]:
    """Return a chart for each judge: all probes between first place and chance."""
    charts = []
    for plot in [plot for plot in read_plots(PIPELINE) if plot.template == LADDER]:
        rows = read_rows(plot, Path())
        for judge in dict.fromkeys(row["judge"] for row in rows):
            own = [row for row in rows if row["judge"] == judge]
            chart = draw(plot, own, find_template(Path(), plot.template))
            charts.append(Chart(f"{judge}: every probe", chart.caption, chart.svg))
    return charts


def quality_tables() -> dict[str, list[Table]]:
    """Return how many queries each ranker was judged on, and its quality with intervals."""
    found = {
        path.stem: read_metrics(path.parent, [path.stem])[path.stem]
        for path in sorted((METRICS / "score_candidates").glob("*.json"))
    }
    return {f"quality of {name}": number_tables(content) for name, content in found.items()}


def examples(placed: pl.DataFrame, altered: Path) -> dict[str, list[Table]]:
    """Return a table of examples for each judge."""
    tables = {}
    for (judge, collection), own in placed.group_by("judge", "collection", maintain_order=True):
        texts = read_table(altered / f"{collection}.parquet")
        tables[f"examples: {judge}"] = [find_examples(own, texts)]
    return tables


if __name__ == "__main__":
    run(app)
