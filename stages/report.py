"""report: write one page for a browser, what a visitor is shown first, and the receipt of the run.

Reads the tables and metrics of a run; a missing metrics file is left out. Writes a page that says
the result, as report.yaml words it, and shows every generated text among the real passages; it
works from disk without a network. Beside it: three texts and the first plot of dvc.yaml, for
README; a receipt; and the library that draws `dvc plots show`, which else comes from the network.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.params_file import text_of
from genlab.core.pipeline import left_over
from genlab.core.program import run, stage_app
from genlab.core.shapes import reading
from genlab.core.stand_ins import rankers_of, with_shown_names
from genlab.core.tables import read_table
from genlab.experiments.receipts import make_receipt
from genlab.experiments.revisions import parse_params
from genlab.ranking.leakage import FEW
from genlab.report.charts import draw_charts
from genlab.report.examples import pick_examples, stand_alone
from genlab.report.findings import find_findings
from genlab.report.opening import OPENING, read_opening, say_about, say_headline, tell_placed
from genlab.report.page import (
    NEXT,
    Table,
    leakage_table,
    number_tables,
    read_metrics,
    write_report,
)
from genlab.report.pipeline import read_claims, read_fetched
from genlab.report.shown_texts import TENTHS, show_picked, tell_label
from genlab.report.texts import make_payload, references_table, render_texts
from genlab.report.written import tell_written

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
    found = read_metrics(metrics, ["score", "score_details", "claims", *NUMBERS])
    scores, details = found.get("score", {}), found.get("score_details", {})
    placed, words = read_table(rows), text_of(params)
    with reading([metrics / "score.json", metrics / "score_details.json"]):
        payload = make_payload(placed, queries, candidates, scores, details, n_queries)
    recorded = [path for name in RECORDED if (path := queries.parent / name).exists()]

    stood_on = make_receipt(params, recorded, left_over(PIPELINE))
    charts = draw_charts(PIPELINE)
    opening, picked = read_opening(OPENING), pick_examples(payload)
    values = found | {"params": parse_params(words, None), "fetch": read_fetched(metrics)}
    rankers = rankers_of(values["params"])
    with reading([metrics / "score.json", metrics / "score_details.json"]):
        values["placed"] = tell_placed(placed, payload, rankers)
        references = references_table(with_shown_names(details, rankers))
    tables = {}
    for name in (name for name in NUMBERS if name in found):
        with reading([metrics / f"{name}.json"]):
            tables[name] = tables_of(name, found[name], rankers)
    titles = {"ceiling": CEILING} | NUMBERS
    page = render_texts(
        payload,
        about=[*say_about(opening, values), tell_written(stood_on)],
        params=words,
        headline=say_headline(opening, values),
        examples=show_picked(picked, tell_label(opening.examples, values)),
        examples_note=f"{opening.examples.note} {TENTHS}" if opening.examples else TENTHS,
        claims=read_claims(found.get("claims", {}), values["params"]),
        numbers={CEILING: [references]} | {NUMBERS[name]: shown for name, shown in tables.items()},
        notes={titles.get(name, name): note for name, note in opening.numbers.items()},
        charts=charts,
        findings=find_findings(PIPELINE),
        receipt=stood_on,
    )
    write_report(output, page, receipt, stood_on, plots_library)
    write_json(examples, picked)
    with written_whole(picture) as partial:
        partial.write_text(stand_alone(charts), encoding="utf-8")
    print(f"{len(payload['queries'])} queries on {output}; open it in a browser. {NEXT}")


def tables_of(name: str, numbers: dict, rankers: dict) -> list[Table]:
    """Return the tables of a file of NUMBERS; a small ranker in another's place is called so."""
    if name == "leakage":
        named = {kind: with_shown_names(each, rankers) for kind, each in numbers.items()}
        return [leakage_table(named, FEW)]
    return number_tables(with_shown_names(numbers, rankers))


if __name__ == "__main__":
    run(app)
