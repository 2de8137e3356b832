"""One claim on several collections: does it hold on all of them, on some, on none?

Groups are named "COLLECTION RANKER". A claim has no group for a ranker that it is not about. A
pipeline whose committed record was measured on other data than its default run uses keeps the
record in record/. Its claims.yaml may have `same_as_root` (a claim of the flagship -> one of its
own) and `findings` (which of its claims the flagship's RESULTS.md shows, and README the first).
"""

from pathlib import Path

from genlab.core.markdown import markdown_table
from genlab.core.shapes import reading
from genlab.core.terminal import NO_WIDTH
from genlab.experiments.claims_file import SAME_AS_ROOT, read_asked
from genlab.experiments.claims_tables import in_full, margin_of, tell_needed
from genlab.experiments.layout import Layout, read_layout, read_yaml
from genlab.experiments.revisions import parse_metrics
from genlab.experiments.verdict_words import (
    IDENTICAL,
    NOT_SETTLED,
    UNTESTABLE,
    count_tests,
    tell_size,
)

HOLDS, FAILS, OPEN = "supported", "contradicted", NOT_SETTLED
NO_RECORD = "No record of real rankers is there."
VERDICTS = {HOLDS: "holds", FAILS: "the contrary"}  # in tables; the others as they are


def over_collections(groups: dict[str, dict]) -> dict[str, dict]:
    """Return ranker -> {verdict, holds, contradicted, open, of} of one claim's settled groups.

    verdict: all, some or none, "" if no collection could test the claim. The counts are numbers of
    collections, `of` those that could test it. On an open one the claim is not settled, and more
    queries may settle it.
    """
    found: dict[str, list[str]] = {}
    for group, numbers in groups.items():
        verdicts = found.setdefault(ranker_of(group), [])
        if numbers["verdict"] not in (IDENTICAL, UNTESTABLE):
            verdicts.append(numbers["verdict"])
    return {
        ranker: {
            "verdict": word_of(verdicts.count(HOLDS), len(verdicts)),
            "holds": verdicts.count(HOLDS),
            "contradicted": verdicts.count(FAILS),
            "open": verdicts.count(OPEN),
            "of": len(verdicts),
        }
        for ranker, verdicts in found.items()
    }


def word_of(holds: int, of: int) -> str:
    """Return "all", "some" or "none"; "" if `of` is 0."""
    if not of:
        return ""
    return "none" if not holds else "all" if holds == of else "some"


def ranker_of(group: str) -> str:
    """Return the ranker of a group's name."""
    return group.rpartition(" ")[2]


def collection_of(group: str) -> str:
    """Return the collection of a group's name."""
    return group.rpartition(" ")[0]


def cell_of(groups: dict[str, dict], ranker: str, margin: float | None = None) -> str:
    """Return one claim's cell of a ranker: the verdict over collections, and each collection's.

    margin: of the claim's metric.
    """
    own = {group: found for group, found in groups.items() if ranker_of(group) == ranker}
    if not own:
        return "not asked"
    over = over_collections(own)[ranker]
    words = {
        "": UNTESTABLE,
        "all": f"holds on all {over['of']}",
        "none": f"holds on none of {over['of']}",
    }
    word = words.get(over["verdict"], f"holds on {over['holds']} of {over['of']}")
    if over["contradicted"]:
        word += f", the contrary on {over['contradicted']}"
    if over["open"]:
        word += f", not settled on {over['open']}"
    each = [
        f"{collection_of(group).replace('_', ' ')} "
        f"{tell_found(found, margin, is_said=over['verdict'] == 'all')}"
        for group, found in own.items()
    ]
    return f"**{word}**: {'; '.join(each)}"


def tell_found(found: dict, margin: float | None, *, is_said: bool) -> str:
    """Return one collection's difference and verdict, and how many pairs would settle it.

    is_said: the verdict is left out, as it is stated for all collections together.
    """
    verdict = found["verdict"]
    if verdict in (IDENTICAL, UNTESTABLE):
        return f"{verdict} ({found['why']})" if "why" in found else verdict
    word = "" if is_said else f" {VERDICTS.get(verdict, verdict)}"
    size = tell_size(verdict, found["low"], found["high"], margin)
    interval = f"({found['low']:+z.2f} to {found['high']:+z.2f})"
    return f"{found['difference']:+z.2f} {interval}{word}{size}{tell_needed(found)}"


def rankers_in(settled: dict) -> list[str]:
    """Return every ranker of which a claim was settled."""
    groups = [group for found in settled["claims"].values() for group in found]
    return list(dict.fromkeys(map(ranker_of, groups)))


def verdicts_table(
    settled: dict, claims: dict, layout: Layout, shown: list[str] | None = None
) -> str:
    """Return claims (all, or those shown) with their verdicts over collections, by ranker.

    layout: the head of the claims.yaml that asks them, which has the margins.
    """
    rankers = rankers_in(settled)
    rows = [["claim", *rankers]]
    for name in shown or claims:
        found = settled["claims"].get(name, {})
        margin = margin_of(claims[name], layout)
        cells = [cell_of(found, ranker, margin) for ranker in rankers]
        rows.append([in_full(claims[name]), *cells])
    return markdown_table(rows)


def rankers_table(details: dict) -> str:
    """Return each ranker's quality, and its places gained by a query in front; with intervals."""
    quality = ("mrr", "map", "ndcg_10")
    doses = ("best_dose", "gained_by_first", "lost_after_best")
    header = ["collection, ranker", *quality, *doses, "places gained: wrong passage", "answer"]
    rows = [[name.replace("_", " ") for name in header]]
    for judge, found in details.items():
        gains = [found["probes"][f"{slot}_with_query"]["gain"] for slot in ("wrong", "answer")]
        cells = [
            *(with_ends(found["quality"][name], 3) for name in quality),
            with_ends(found["doses"]["best_dose"], 0),
            *(with_ends(found["doses"][name], 2) for name in doses[1:]),
            *(with_ends(gain, 2) for gain in gains),
        ]
        rows.append([judge.replace("_", " "), *cells])
    return markdown_table(rows)


def with_ends(numbers: dict[str, float], digits: int) -> str:
    """Return "0.68 (0.66 to 0.70)"; an interval without width in words."""
    value, low, high = (f"{numbers[name]:.{digits}f}" for name in ("value", "low", "high"))
    has_width = numbers["low"] != numbers["high"]
    return f"{value} ({low} to {high})" if has_width else f"{value} ({NO_WIDTH})"


def records_below(folder: Path) -> list[tuple[Path, dict, dict]]:
    """Return (folder, claims.yaml, settled claims) of the pipelines with `same_as_root`."""
    found = []
    for path in sorted(folder.glob("pipelines/*/claims.yaml")):
        settled = path.parent / "record/claims.json"
        if SAME_AS_ROOT in read_yaml(path) and settled.is_file():
            content = read_asked(path, read_layout(path))
            record = parse_metrics(settled, settled.read_bytes(), None)
            found.append((path.parent, content, record))
    return found


def elsewhere_of(folder: Path) -> dict[str, str]:
    """Return claim of the flagship -> its results in other pipelines' records."""
    cells: dict[str, str] = {}
    for pipeline, content, settled in records_below(folder):
        with reading([pipeline / "record/claims.json"]):
            for name, own in content[SAME_AS_ROOT].items():
                over = over_collections(settled["claims"].get(own, {}))
                cells[name] = "; ".join(short_cell(*each) for each in over.items()) or "not asked"
    return cells


def short_cell(ranker: str, over: dict) -> str:
    """Return "minilm: holds on 1 of 3, contradicted on 2"."""
    if not over["of"]:
        return f"{ranker}: {UNTESTABLE}"
    words = f"{ranker}: holds on {over['holds']} of {over['of']}"
    if over["contradicted"]:
        words += f", **contradicted** on {over['contradicted']}"
    if over["open"]:
        words += f", not settled on {over['open']}"
    return words


def family_line(settled: dict, pipeline: str) -> str:
    """Return the text above a pipeline's findings: Holm's family, and the verdicts' meaning.

    Returns "" for an older record without the number of tests.
    """
    found = [cell for groups in settled["claims"].values() for cell in groups.values()]
    n_tests = max((cell.get("n_tests", 0) for cell in found), default=0)
    if not n_tests:
        return ""
    return (
        "*Holds* and *the contrary*: the interval excludes zero, and so does p < 0.05 after Holm's "
        f"correction for the {count_tests(n_tests)} of all claims of {pipeline}. So the interval "
        "of one that is *not settled* may exclude zero, too; after *needs* the number of pairs "
        "that would settle it, if the difference and its spread stay. *Within M*, *no difference "
        "beyond M*: the interval lies within M, a margin of claims.yaml. Where a claim *cannot be "
        "tested* the collection does not count.\n\n"
    )


def findings_table(folder: Path) -> str:
    """Return the claims that a pipeline shows in the flagship's RESULTS.md, by its record."""
    tables = []
    for pipeline, content, settled in records_below(folder):
        if "findings" in content:
            layout = read_layout(pipeline / "claims.yaml")
            with reading([pipeline / "record/claims.json"]):
                shown = verdicts_table(settled, content["claims"], layout, content["findings"])
                tables.append(family_line(settled, f"pipelines/{pipeline.name}") + shown)
    return "\n\n".join(tables) or NO_RECORD
