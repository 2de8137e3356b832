"""One claim on several collections: does it hold on all of them, on some, on none?

Groups are named "COLLECTION RANKER". A ranker of which a claim is not asked has no group.
"""

from genlab.core.markdown import markdown_table

HOLDS, FAILS = "supported", "contradicted"


def over_collections(groups: dict[str, dict]) -> dict[str, dict]:
    """Return ranker -> {verdict, holds, contradicted, of} of one claim's settled groups.

    verdict: all, some or none; holds and contradicted count collections, of those it was asked on.
    """
    found: dict[str, list[str]] = {}
    for group, numbers in groups.items():
        found.setdefault(ranker_of(group), []).append(numbers["verdict"])
    return {
        ranker: {
            "verdict": word_of(verdicts.count(HOLDS), len(verdicts)),
            "holds": verdicts.count(HOLDS),
            "contradicted": verdicts.count(FAILS),
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
    numbers = [
        f"{collection_of(group).replace('_', ' ')} {found['difference']:+z.2f} "
        f"({found['low']:+z.2f} to {found['high']:+z.2f})"
        for group, found in own.items()
    ]
    return f"**{word}**: {', '.join(numbers)}"


def verdicts_table(settled: dict, claims: dict) -> str:
    """Return every claim with its verdict over collections, a column for each ranker."""
    groups = dict.fromkeys(group for found in settled["claims"].values() for group in found)
    rankers = list(dict.fromkeys(map(ranker_of, groups)))
    rows = [["claim", *rankers]]
    for name, claim in claims.items():
        found = settled["claims"].get(name, {})
        rows.append([claim["claim"], *(cell_of(found, ranker) for ranker in rankers)])
    return markdown_table(rows)
