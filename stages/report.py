"""report: write one page for a browser, what a visitor is shown first, and the receipt of the run.

Reads the tables and metrics of a run; a missing metrics file is left out. Writes a page that shows
every generated text among the real passages and works from disk without a network; three texts and
the first plot of dvc.yaml, for README; a receipt; and the library that draws `dvc plots show`,
which else comes from the network.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table
from genlab.experiments.receipts import make_receipt
from genlab.report.charts import draw_charts
from genlab.report.examples import pick_examples, stand_alone
from genlab.report.page import NEXT, leakage_table, number_tables, read_metrics, write_report
from genlab.report.texts import make_payload, references_table, render_texts

PIPELINE = Path("dvc.yaml")

app = stage_app()

NUMBERS = {
    "audit": "Do the texts stop, and are they read?",
    "probe": "What does repeating the query buy?",
    "leakage": "Queries that are like one of training",
}

CEILING = "Beside a passage that answers (queries that have one, lists without it)"

# What of the data folder a receipt names, where a pipeline has it.
RECORDED = ("fetch", "dedup.parquet", "train", "generate.parquet", "candidates", "score.parquet")


@app.command()
def main(
    queries: Path,
    candidates: Path,
    rows: Path,
    metrics: Path,
    params: Path,
    output: Path,
    receipt: Annotated[Path, Option(help="what the run stood on, as JSON")],
    examples: Annotated[Path, Option(help="a good, a middling and a bad text, as JSON")],
    picture: Annotated[Path, Option(help="the first plot of dvc.yaml, as SVG")],
    plots_library: Annotated[Path, Option(help="JavaScript that draws `dvc plots show`")],
    n_queries: Annotated[int, Option(min=0, help="evaluated queries on the page; 0: all")],
) -> None:
    """Write the page, the examples, the picture, the receipt and the plots library."""
    found = read_metrics(metrics, ["score", "score_details", *NUMBERS])
    scores, details = found.get("score", {}), found.get("score_details", {})
    payload = make_payload(read_table(rows), queries, candidates, scores, details, n_queries)
    recorded = [path for name in RECORDED if (path := queries.parent / name).exists()]

    stood_on, charts = make_receipt(params, recorded), draw_charts(PIPELINE)
    page = render_texts(
        payload,
        charts=charts,
        numbers={CEILING: [references_table(details)]}
        | {
            title: [leakage_table(found[name])] if name == "leakage" else number_tables(found[name])
            for name, title in NUMBERS.items()
            if name in found
        },
        receipt=stood_on,
    )
    write_report(output, page, receipt, stood_on, plots_library)
    write_json(examples, pick_examples(payload))
    with written_whole(picture) as partial:
        partial.write_text(stand_alone(charts), encoding="utf-8")
    print(f"{len(payload['queries'])} queries on {output}; open it in a browser. {NEXT}")


if __name__ == "__main__":
    run(app)
