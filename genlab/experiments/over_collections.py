"""One claim on several collections: does it hold on all of them, on some, on none?

Groups are named "COLLECTION RANKER". A ranker of which a claim is not asked has no group. A
pipeline whose committed record is of other data than its default run keeps it in record/; if its
claims.yaml has `same_as_root` (a claim of the flagship -> one of its own) and `findings` (which
claims the flagship's RESULTS.md shows), the flagship takes both from there.
"""

from pathlib import Path

from genlab.core.markdown import markdown_table
from genlab.experiments.layout import read_yaml
from genlab.experiments.revisions import parse_metrics

HOLDS, FAILS, OPEN = "supported", "contradicted", "not settled"


def over_collections(groups: dict[str, dict]) -> dict[str, dict]:
    """Return ranker -> {verdict, holds, contradicted, open, of} of one claim's settled groups.

    verdict: all, some or none; the counts are of collections, of those it was asked on. On one that
    is open the claim is not settled: more queries may show it.
    """
    found: dict[str, list[str]] = {}
    for group, numbers in groups.items():
        found.setdefault(ranker_of(group), []).append(numbers["verdict"])
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
    """Return "all", "some" or "none"."""
    return "none" if not holds else "all" if holds == of else "some"


def ranker_of(group: str) -> str:
    """Return the ranker of a group's name."""
    return group.rpartition(" ")[2]


def collection_of(group: str) -> str:
    """Return the collection of a group's name."""
    return group.rpartition(" ")[0]


def cell_of(groups: dict[str, dict], ranker: str) -> str:
    """Return one claim's cell of a ranker: the verdict over collections, and each difference."""
    own = {group: found for group, found in groups.items() if ranker_of(group) == ranker}
    if not own:
        return "not asked"
    over = over_collections(own)[ranker]
    words = {"all": f"holds on all {over['of']}", "none": f"holds on none of {over['of']}"}
    word = words.get(over["verdict"], f"holds on {over['holds']} of {over['of']}")
    if over["contradicted"]:
        word += f", the contrary on {over['contradicted']}"
    if over["open"]:
        word += f", not settled on {over['open']}"
    numbers = [
        f"{collection_of(group).replace('_', ' ')} {found['difference']:+z.2f} "
        f"({found['low']:+z.2f} to {found['high']:+z.2f})"
        for group, found in own.items()
    ]
    return f"**{word}**: {', '.join(numbers)}"


def rankers_in(settled: dict) -> list[str]:
    """Return every ranker of which a claim was settled."""
    groups = [group for found in settled["claims"].values() for group in found]
    return list(dict.fromkeys(map(ranker_of, groups)))


def verdicts_table(settled: dict, claims: dict, shown: list[str] | None = None) -> str:
    """Return claims (all, or those shown) with their verdicts over collections, by ranker."""
    rankers = rankers_in(settled)
    rows = [["claim", *rankers]]
    for name in shown or claims:
        found = settled["claims"].get(name, {})
        rows.append([claims[name]["claim"], *(cell_of(found, ranker) for ranker in rankers)])
    return markdown_table(rows)


def rankers_table(details: dict) -> str:
    """Return each judge's quality, and what the query in front does for it; with intervals."""
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
    """Return "0.68 (0.66 to 0.70)"."""
    value, low, high = (f"{numbers[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def records_below(folder: Path) -> list[tuple[dict, dict]]:
    """Return (claims.yaml, settled claims) of the pipelines that say what the flagship's are."""
    found = []
    for path in sorted(folder.glob("pipelines/*/claims.yaml")):
        settled = path.parent / "record/claims.json"
        content = read_yaml(path)
        if "same_as_root" in content and settled.is_file():
            found.append((content, parse_metrics(settled, settled.read_bytes(), None)))
    return found


def elsewhere_of(folder: Path) -> dict[str, str]:
    """Return claim of the flagship -> what the records of other pipelines say of it."""
    cells: dict[str, str] = {}
    for content, settled in records_below(folder):
        for name, own in content["same_as_root"].items():
            over = over_collections(settled["claims"].get(own, {}))
            cells[name] = "; ".join(short_cell(*each) for each in over.items()) or "not asked"
    return cells


def short_cell(ranker: str, over: dict) -> str:
    """Return "minilm: holds on 1 of 3, contradicted on 2"."""
    words = f"{ranker}: holds on {over['holds']} of {over['of']}"
    if over["contradicted"]:
        words += f", **contradicted** on {over['contradicted']}"
    if over["open"]:
        words += f", not settled on {over['open']}"
    return words


def findings_table(folder: Path) -> str:
    """Return the claims that a pipeline shows in the flagship's README, settled on its record."""
    tables = [
        verdicts_table(settled, content["claims"], content["findings"])
        for content, settled in records_below(folder)
        if "findings" in content
    ]
    return "\n\n".join(tables) or "No record of real rankers is there."
