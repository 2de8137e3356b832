"""report: the result, examples of altered texts, the numbers, and a ladder for each judge.

The page works from disk. Its examples are texts of the collections, so it is never committed.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.program import run, stage_app
from genlab.core.tables import read_table
from genlab.report.charts import Chart, draw, draw_charts, find_template, read_plots, read_rows
from genlab.report.findings import tell
from genlab.report.page import (
    NEXT,
    Table,
    number_tables,
    read_metrics,
    with_intervals,
    write_report,
)
from genlab.report.pipeline import Run, read_numbers, read_run, render_run
from genlab.report.sentences import describe_source
from pipelines.rankers.examples import examples_by_judge, first_examples

PIPELINE, METRICS = Path("dvc.yaml"), Path("metrics")
COUNTED = "counted on each collection"
GAINS = {"fooled": "wrong_with_query", "helped": "answer_with_query"}  # as summary.py has them
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
    made = with_sources(read_run())
    tables, ladders = examples_by_judge(read_table(probes), altered), draw_ladders()
    page = render_run(
        made,
        numbers=read_numbers(PIPELINE)
        | {"score": score_tables(made.values)}
        | quality_tables([*made.values["params"]["rankers"]]),
        charts=[*ladders, *(c for c in draw_charts(PIPELINE) if c.title != LADDER)],
        findings={chart.title: finding for chart, finding in ladders.items()},
        examples=first_examples(tables),
        more_examples={f"examples: {judge}": [tables[judge]] for judge in sorted(tables)},
    )
    write_report(output, page, receipt, made.receipt, plots_library)
    print(f"the report is {output}; open it in a browser. {NEXT}")


def with_sources(made: Run) -> Run:
    """Return the run with the names and sources of its collections and rankers in words."""
    told = {
        group: [
            f"{name} ({tell_source(each)})" for name, each in made.values["params"][group].items()
        ]
        for group in ("collections", "rankers")
    }
    return replace(made, values=made.values | told)


def tell_source(described: dict) -> str:
    """Return where a collection or a ranker is from; BM25 is nowhere from."""
    return COUNTED if described.get("kind") == "bm25" else describe_source(described)


def score_tables(values: dict) -> list[Table]:
    """Return the headline numbers with their intervals: fooled and helped are gains of probes."""
    scores, details = values["score"], values["score_details"]
    with_gains = {
        judge: own
        | {name: details[judge]["probes"][probe]["gain"] for name, probe in GAINS.items()}
        for judge, own in with_intervals(scores, details).items()
    }
    return number_tables(with_gains)


def draw_ladders() -> dict[Chart, str]:
    """Return a chart for each judge, all probes between first place and chance, and its finding."""
    charts = {}
    for plot in [plot for plot in read_plots(PIPELINE) if plot.template == LADDER]:
        rows, template = read_rows(plot, Path()), find_template(Path(), plot.template)
        for judge in dict.fromkeys(row["judge"] for row in rows):
            own = [row for row in rows if row["judge"] == judge]
            chart = replace(draw(plot, own, template), title=f"{judge}: every probe")
            charts[chart] = tell(plot, own, template)
    return charts


def quality_tables(names: list[str]) -> dict[str, list[Table]]:
    """Return how many queries each ranker was judged on, and its quality with intervals."""
    found = read_metrics(METRICS / "score_candidates", sorted(names))
    return {f"quality of {name}": number_tables(content) for name, content in found.items()}


if __name__ == "__main__":
    run(app)
