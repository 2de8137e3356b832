"""Write a page of two runs: what differs, and what was changed.

`python -m genlab beside BASE [OTHER]` compares two runs, each a commit, branch, tag or experiment
(OTHER, if not said: the workspace), and writes report/beside.html. Every difference is paired and
has its interval and verdict, as in `python -m genlab compare`. If the runs' reports contain their
texts (the flagship's do), these are shown side by side; for other pipelines, three texts that
report.yaml names. Nothing is scored again and nothing is checked out.
"""

from dataclasses import dataclass
from pathlib import Path

import typer

from genlab.core.files import written_whole
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.compare import compare_revisions
from genlab.experiments.comparison import Difference
from genlab.experiments.comparison_views import Comparison, as_rows, legend, short
from genlab.experiments.layout import Layout, read_layout
from genlab.experiments.revisions import WORKSPACE, named, read_bytes
from genlab.experiments.verdict_words import IDENTICAL, tell_size
from genlab.report.opening import OPENING, TextsAsked, read_opening
from genlab.report.page import Table, render
from genlab.report.texts import LABELS, PAYLOAD, read_payload, render_texts
from genlab.report.texts_beside import TextPair, pair_texts

app = stage_app()

IN_ORDER = (
    "A tenth of all gains more than the first, half more than the second, nine tenths the third."
)
REPORT, CLAIMS = Path("report/index.html"), Path("claims.yaml")


@dataclass(frozen=True)
class Compared:
    """What a page says of how two runs differ."""

    names: tuple[str, str]
    result: list[str]  # the headline metric in words, for each group
    changed: Table  # params, with their two values
    differences: Table
    notes: list[str]  # what was paired, and what to beware of
    legend: list[str]


def compare(layout: Layout, base: str, other: str | None) -> Compared:
    """Return how two runs differ; InputError if one's rows cannot be read."""
    comparison, _ = compare_revisions(layout, [base], [other], [])
    names = (base, named(other))
    rows = [[key, *map(str, values)] for key, values in comparison.changed.items()]
    first = layout.shown[0]
    return Compared(
        names=names,
        result=[say(each, names) for each in comparison.differences if each.metric == first],
        changed=[["param", *names], *rows],
        differences=as_rows(comparison),
        notes=describe_sides(comparison),
        legend=legend(comparison),
    )


def say(each: Difference, names: tuple[str, str]) -> str:
    """Return a difference in words."""
    metric = LABELS.get(each.metric, each.metric)
    what = f"{each.group}: {metric}".removeprefix(": ").replace("_", " ")
    if each.n == 0 or each.verdict == IDENTICAL:
        return f"{what}: {each.verdict}."
    return (
        f"{what} is {short(each.base)} in {names[0]} and {short(each.other)} in {names[1]}: a "
        f"difference of {short(each.difference, '+')} [{short(each.low, '+')}, "
        f"{short(each.high, '+')}], {each.verdict}"
        f"{tell_size(each.verdict, each.low, each.high, each.margin)}."
    )


def describe_sides(comparison: Comparison) -> list[str]:
    """Return what was paired, and reasons why the two sides may not be comparable."""
    sides = f"BASE: {comparison.base}; OTHER: {comparison.other}"
    return [sides, *comparison.units, *(f"Warning: {text}" for text in comparison.warnings)]


def read_payloads(base: str, other: str | None) -> tuple[dict, dict] | None:
    """Return the payloads of both runs' reports; None if this pipeline's hold none."""
    pages = {
        f"{REPORT} of {named(each)}": read_bytes(REPORT, each).decode("utf-8", errors="replace")
        for each in (base, other)
    }
    if not any(PAYLOAD.search(page) for page in pages.values()):
        return None
    first, *rest = (read_payload(page, name) for name, page in pages.items())
    return first, rest[0] if rest else first  # a run beside itself has one page


def read_pairs(layout: Layout, base: str, other: str | None) -> tuple[list[TextPair], str]:
    """Return three units' texts in both runs, and a note on them or the reason for having none."""
    asked = read_opening(OPENING).examples
    if asked is None or asked == TextsAsked(
        note=asked.note, label=asked.label
    ):  # the pipeline picks its own
        return [], ""
    try:
        return pair_texts(asked, layout, base, other), f"{asked.note} {IN_ORDER}"
    except InputError as error:
        return [], f"No texts: {error}"


@app.command()
def main(
    base: str = typer.Argument(..., help="commit, branch, tag or experiment"),
    other: str | None = typer.Argument(None, help="the same; the workspace if left out"),
    output: Path = typer.Option(Path("report/beside.html"), help="the page"),
) -> None:
    """Write one page of two runs."""
    check_pipeline_here()
    other = None if other == WORKSPACE else other
    layout = read_layout(CLAIMS)
    compared = compare(layout, base, other)
    payloads = read_payloads(base, other)
    if payloads is None:
        pairs, note = read_pairs(layout, base, other)
        page = render(
            "beside.html", title=Path.cwd().name, compared=compared, pairs=pairs, pairs_note=note
        )
    else:
        first, second = payloads
        page = render_texts(first, other=second, names=compared.names, compared=compared)
    with written_whole(output) as partial:
        partial.write_text(page, encoding="utf-8")
    print(f"{base} beside {named(other)}: open {output} in a browser")


if __name__ == "__main__":
    run(app)
