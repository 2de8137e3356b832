"""README's tables of claims and arms, made from metrics/claims.json.

settled: the content of that file; names: group -> the name to show, where that differs.
"""

from collections.abc import Sequence

from genlab.core.markdown import markdown_table
from genlab.experiments.claims_file import WHY
from genlab.experiments.comparison_views import rounded_up
from genlab.experiments.layout import Layout
from genlab.experiments.published import FLAG, numbers_of
from genlab.experiments.verdict_words import (
    IDENTICAL,
    NO_DIFFERENCE,
    NOT_SETTLED,
    UNSTABLE,
    count_tests,
    tell_size,
)

NO_TEST = "no pair differs, or too few could"
WITHIN = (
    "*Within M*: the interval of such a difference lies within M, a margin of claims.yaml, so it "
    "is sure and of no size that matters."
)
MEANINGS = {  # of the verdicts that begin so
    NO_DIFFERENCE: "*No difference beyond M*: the interval lies within M, a margin of "
    "claims.yaml; it is not corrected for the number of tests.",
    NOT_SETTLED: "*Not settled*: neither; after *needs* the number of pairs (or trainings) "
    "that would settle it, if the difference and its spread stay.",
    UNSTABLE: "*Unstable over trainings*: one training shows it significantly, and another its "
    "opposite.",
    IDENTICAL: "*Identical*: both arms are the same texts, so nothing was tested.",
}


def with_interval(numbers: dict[str, float]) -> str:
    """Return "4.56 (4.31-4.80)"."""
    return f"{numbers['value']:.2f} ({numbers['low']:.2f}-{numbers['high']:.2f})"


def in_words(name: str) -> str:
    """Return a name of ours as words."""
    return name.replace("_", " ")


def keys_of(tables: dict[str, dict]) -> list[str]:
    """Return all keys of these tables, in order of appearance."""
    return list(dict.fromkeys(key for table in tables.values() for key in table))


def arms_table(settled: dict, layout: Layout, published: dict, names: dict[str, str]) -> str:
    """Return every arm that is an experiment, with intervals, and what was published for it.

    names: group -> the name to show, where that differs (`stand_ins`).
    """
    first = layout.shown[0]
    header = [layout.group or "", "arm", *layout.shown]
    has_split = any(
        "error_from" in found.get(first, {})
        for groups in settled["arms"].values()
        for found in groups.values()
    )
    if has_split:
        header.append(f"error of {first} from units / sampling / training")
    rows = [[*header, f"published {first}"] if published else header]
    for group in keys_of(settled["arms"]):
        for arm, groups in settled["arms"].items():
            found = groups.get(group, {})
            cells = [with_interval(found[m]) if m in found else "" for m in layout.shown]
            if has_split:
                cells.append(split_cell(found.get(first, {})))
            if published:
                cells.append(published_cell(published, arm, group, first))
            rows.append([names.get(group, group), in_words(arm), *cells])
    return markdown_table(rows)


def split_cell(numbers: dict) -> str:
    """Return "62 / 8 / 30 %": how one training's squared error divides among its sources."""
    shares = numbers.get("error_from", {}).values()
    return f"{' / '.join(f'{100 * share:.0f}' for share in shares)} %" if shares else ""


def published_cell(published: dict, arm: str, group: str, metric: str) -> str:
    """Return an arm's published number, marked if it is about other data or another model."""
    numbers = numbers_of(published, arm, group)
    if metric not in numbers:
        return ""
    world = "same" if published["arms"][arm][FLAG] else "other"
    return f"{numbers[metric]:.2f} on {world} data and model"


def claims_table(
    settled: dict,
    claims: dict,
    reread: dict,
    layout: Layout,
    names: dict[str, str],
    elsewhere: dict[str, str] | None = None,
) -> str:
    """Return every claim with its paired difference and verdict in every group; names as above.

    layout: the head of their claims.yaml, which has the margins. elsewhere: claim -> its result
    with other rankers and passages; adds a column unless it is empty.
    """
    groups = keys_of(settled["arms"])
    beside = ["in the study's own numbers"] if reread else []
    beside += ["on real rankers and passages"] if elsewhere else []
    rows = [["claim", "pairs", *(names.get(group, group or "result") for group in groups), *beside]]
    for name, claim in claims.items():
        found = settled["claims"].get(name, {})
        n = "/".join(str(n) for n in dict.fromkeys(found[g]["n"] for g in groups if g in found))
        margin = margin_of(claim, layout)
        cells = [
            claim_cell(found[group], margin) if group in found else "not run" for group in groups
        ]
        if reread:
            checked = reread["claims"].get(name, {})
            cells.append(", ".join(f"{g} {agreeing(cells)}" for g, cells in checked.items()))
        if elsewhere:
            cells.append(elsewhere.get(name, ""))
        rows.append([in_full(claim), n, *cells])
    return markdown_table(rows)


def margin_of(claim: dict, layout: Layout) -> float | None:
    """Return the margin of a claim's metric; None if claims.yaml gives none."""
    return layout.metrics[claim["metric"]].margin


def in_full(claim: dict) -> str:
    """Return a claim's sentence from claims.yaml, with its explanation if it has one."""
    return f"{claim['claim']} *{claim[WHY]}*" if WHY in claim else str(claim["claim"])


def claim_cell(found: dict, margin: float | None = None) -> str:
    """Return a verdict with its numbers or, if nothing could be tested, with the reason.

    margin: the metric's; a significant difference within it is marked as such.
    """
    verdict = f"**{found['verdict']}**"
    if "why" in found:
        return f"{verdict}: {found['why']}"
    if found["verdict"] == IDENTICAL:
        return verdict
    interval = f"({found['low']:+z.3f} to {found['high']:+z.3f})"
    size = tell_size(found["verdict"], found["low"], found["high"], margin)
    return (
        f"{verdict}{size and f'{size}:'} {found['difference']:+z.3f} {interval}{tell_needed(found)}"
    )


def tell_needed(found: dict) -> str:
    """Return ", needs 1,300", of pairs, "7 trainings", or both; "" if none would settle it."""
    needed = [f"{rounded_up(found['n_needed']):,}"] if found.get("n_needed") else []
    if found.get("trainings_needed"):
        needed.append(f"{rounded_up(found['trainings_needed']):,} trainings")
    return f", needs {' and '.join(needed)}" if needed else ""


def verdicts_line(
    settled: dict,
    claims: dict,
    layout: Layout,
    *,
    trained: Sequence[str] = (),
    called: tuple[str, str] = ("supported", "contradicted"),
) -> str:
    """Return the text above the claims: the unit, Holm's family and the verdicts' meaning.

    trained: the params that differ between trainings; called: the names of the two significant
    verdicts in the table. Returns "" for an older record without the number of tests.
    """
    cells = [cell for groups in settled["claims"].values() for cell in groups.values()]
    if not any("n_tests" in cell for cell in cells):
        return ""
    lines = [line_of_tests(cells, layout, called)]
    if any(
        tell_size(cell["verdict"], cell["low"], cell["high"], margin_of(claims[name], layout))
        for name, groups in settled["claims"].items()
        if name in claims
        for cell in groups.values()
    ):
        lines.append(WITHIN)
    lines += lines_of_trainings(cells, layout, trained)
    if clusters := {cell["n_clusters"] for cell in cells if cell.get("n_clusters")}:
        lines.append(
            f"Resampled by {layout.cluster}, of {' or '.join(map(str, sorted(clusters)))}."
        )
    lines += [
        meaning
        for start, meaning in MEANINGS.items()
        if any(cell["verdict"].startswith(start) for cell in cells)
    ]
    return " ".join(lines) + "\n\n"


def line_of_tests(cells: list[dict], layout: Layout, called: tuple[str, str]) -> str:
    """Return the text that explains a cell, and when a difference is significant."""
    n_tests = max(cell.get("n_tests", 0) for cell in cells)
    no_test = sum(cell.get("p_adjusted") is None for cell in cells)
    return (
        f"Each cell is B - A, paired by {layout.unit}, with its 95 % interval. "
        f"*{called[0].capitalize()}* and *{called[1]}*: the interval excludes "
        "zero, and so does p < 0.05 after Holm's correction "
        f"for the {count_tests(n_tests)} in this table"
        + (f" ({count_of(no_test, 'more cell')} no test: {NO_TEST})." if no_test else ".")
    )


def lines_of_trainings(cells: list[dict], layout: Layout, trained: Sequence[str]) -> list[str]:
    """Return the text that says whether intervals cover new trainings; "" if nothing is trained."""
    n_trainings = max(cell.get("n_trainings", 1) for cell in cells)
    if n_trainings > 1:
        return [
            f"Each arm was trained {n_trainings} times with seeds of its own{seeds_of(trained)}: "
            f"intervals and p are for other {layout.unit}s and other trainings"
            f"{of_one_training(cells)}."
        ]
    once = (
        f"Each arm was trained once: intervals and p are for other {layout.unit}s, and another "
        "training may turn a verdict round."
    )
    return [once] if trained else []


def seeds_of(trained: Sequence[str]) -> str:
    """Return " (base.seed, train.seed)" if trainings differ in more than train.seed, else ""."""
    others = [name for name in trained if name.endswith(".seed") and name != "train.seed"]
    return f" ({', '.join(trained)})" if others else ""


def of_one_training(cells: list[dict]) -> str:
    """Return the text that counts the cells in which all trainings give the same values."""
    n = sum(cell.get("n_trainings") == 1 for cell in cells)
    return f" (of {n} of the {len(cells)} cells no training changes any value)" if n else ""


def count_of(n: int, noun: str) -> str:
    """Return "1 cell is" or "3 cells are"."""
    return f"{n} {noun} is" if n == 1 else f"{n} {noun}s are"


def agreeing(cells: dict[str, dict]) -> str:
    """Return "5 of 5": how many published metrics show a claim's direction."""
    agree = [cell for cell in cells.values() if cell["verdict"].startswith("agrees")]
    return f"{len(agree)} of {len(cells)}"
