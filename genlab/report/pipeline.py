"""Write the pipeline's report: its numbers and charts on one page.

    python -m genlab report report/index.html --receipt metrics/receipt.json \
        --plots_library report/vega.js

The last stage of a pipeline. The page needs no network and works from disk. What it says first is
in report.yaml. Beside it come the receipt, which says what the run stood on, and the library that
draws `dvc plots show`.
"""

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import md5_of
from genlab.core.params_file import text_of
from genlab.core.pipeline import check_pipeline_here, left_over, read_entries
from genlab.core.program import run, stage_app
from genlab.core.shapes import reading
from genlab.core.stand_ins import rankers_of
from genlab.core.templating import OUTPUTS
from genlab.experiments.claims_file import read_asked
from genlab.experiments.layout import read_layout
from genlab.experiments.receipts import make_receipt
from genlab.experiments.revisions import parse_params
from genlab.report.charts import Chart, draw_charts, read_plots
from genlab.report.findings import find_findings
from genlab.report.opening import OPENING, Opening, read_opening, say_about, say_headline
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
from genlab.report.shown_texts import TENTHS, Shown, read_examples
from genlab.report.written import tell_written

PIPELINE, PARAMS, CLAIMS = Path("dvc.yaml"), Path("params.yaml"), Path("claims.yaml")
DATA, METRICS = Path("data"), Path("metrics")
TITLES = {  # part of the page -> its id and how a link calls it
    "headline": ("result", "The result"),
    "examples": ("examples", "Good, middling, bad"),
    "claims": ("claims", "Claims"),
    "numbers": ("numbers", "Numbers"),
    "charts": ("charts", "Charts"),
    "more_examples": ("more-examples", "More examples"),
}

OF_OTHER_RUNS = (  # a heading of the claims, which a user's corpus has not changed
    "These are of the committed runs, not of this one, whose {rows} is another: of other data, "
    "models or params they say nothing"
)

app = stage_app()


@dataclass(frozen=True)
class Run:
    """What the page of the pipeline in this folder is made from."""

    opening: Opening
    values: dict  # what a sentence can name: `params`, and each file of numbers
    receipt: dict


@app.command()
def main(
    output: Path,
    receipt: Annotated[Path, Option(help="what the run stood on, as JSON")],
    plots_library: Annotated[Path, Option(help="JavaScript that draws `dvc plots show`")],
) -> None:
    """Write the page, the receipt and the plots library."""
    check_pipeline_here()
    made = read_run()
    page = render_run(made, read_numbers(PIPELINE), draw_charts(PIPELINE))
    write_report(output, page, receipt, made.receipt, plots_library)
    print(f"the report is {output}; open it in a browser. {NEXT}")


def read_run() -> Run:
    """Return what this folder's page is made from."""
    data = [path for path in DATA.iterdir() if path.name != "check.txt"]
    receipt = make_receipt(PARAMS, data, left_over(PIPELINE))
    values = {"params": parse_params(text_of(PARAMS), None)}
    values |= read_metrics(METRICS, [*names_of_numbers(PIPELINE), "score_details"])
    values["fetch"] = read_fetched(METRICS)
    return Run(read_opening(OPENING), values, receipt)


def read_fetched(metrics: Path) -> dict[str, dict]:
    """Return what was counted when data and models were fetched: metrics/fetch/NAME.json by NAME.

    A dvc.yaml lists those that its report.yaml names among the deps of the report.
    """
    return read_metrics(metrics / "fetch", sorted(p.stem for p in metrics.glob("fetch/*.json")))


def render_run(
    made: Run,
    numbers: dict[str, list[Table]],
    charts: list[Chart],
    examples: list[Shown] | None = None,
    more_examples: dict[str, list[Table]] | None = None,
    findings: dict[str, str] | None = None,
) -> str:
    """Return the HTML of a pipeline's page.

    numbers: heading -> its tables; examples: the pipeline's own, used instead of those in
    report.yaml; findings: title -> description, of charts that are not plots in dvc.yaml.
    """
    name, opening, values = Path.cwd().name, made.opening, made.values
    note = opening.examples.note if opening.examples else ""
    if examples is None:
        examples, note = pick_rows(opening, values), f"{note} {TENTHS}"
    first = {"score": numbers["score"]} if "score" in numbers else {}
    parts: dict[str, object] = {
        "headline": say_headline(opening, values),
        "examples": examples,
        "claims": read_claims(
            read_metrics(METRICS, ["claims"]).get("claims", {}), values["params"]
        ),
        "numbers": first | numbers,
        "charts": charts,
        "more_examples": more_examples or {},
    }
    return render(
        "pipeline.html",
        title=name,
        question=read_question(PIPELINE),
        about=[("name", name), *say_about(opening, values), tell_written(made.receipt)],
        params=text_of(PARAMS),
        links=[TITLES[name] for name, part in parts.items() if part],
        examples_note=note,
        notes=opening.numbers,
        findings=find_findings(PIPELINE) | (findings or {}),
        receipt=made.receipt,
        **parts,  # type: ignore[arg-type]  # none is called script
    )


def pick_rows(opening: Opening, values: dict) -> list[Shown]:
    """Return the three texts that report.yaml asks for."""
    if opening.examples is None:
        return []
    return read_examples(opening.examples, read_layout(CLAIMS), values)


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
        with reading([METRICS / "score.json", METRICS / "score_details.json"]):
            found["score"] = with_intervals(found["score"], details)
    with reading(METRICS / f"{name}.json" for name in found):
        tables = {name: number_tables(content) for name, content in found.items()}
    return {name: shown for name, shown in tables.items() if shown}


def names_of_numbers(pipeline: Path) -> list[str]:
    """Return NAME of every metrics/NAME.json of dvc.yaml that is no plot, detail or text."""
    entries = read_entries(pipeline).values()
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


def read_claims(settled: dict, params: dict) -> dict[str, list[Table]]:
    """Return the table of the settled claims, in claims.yaml's words; nothing if there are none."""
    if not settled.get("claims"):
        return {}
    asked = read_asked(CLAIMS, read_layout(CLAIMS)) if CLAIMS.is_file() else {}
    rows = asked.get("rows", {}).get("path", "")
    with reading([METRICS / "claims.json"], "run `python -m genlab claims`"):
        heading = "" if is_settled_on(settled, rows) else OF_OTHER_RUNS.format(rows=rows)
        return {heading: [claims_table(settled["claims"], asked, rankers_of(params))]}


def is_settled_on(settled: dict, rows: str) -> bool:
    """Return whether this run's rows are among those that claims were settled on, by their md5.

    rows: the table's path. Also true for a record that does not name its rows.
    """
    recorded = [each for each in settled.get("rows", {}).values() if each["path"] == rows]
    hashes = {md5 for each in recorded for md5 in each["md5"].values()}
    return not hashes or (Path(rows).is_file() and md5_of(Path(rows)) in hashes)


if __name__ == "__main__":
    run(app)
