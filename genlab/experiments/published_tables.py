"""README's tables of the source study: its claims, best arms and chance in its own numbers."""

from genlab.core.markdown import markdown_table
from genlab.experiments.claims_tables import agreeing, in_words


def published_table(reread: dict, claims: dict) -> str:
    """Return how the source study's claims, best arms and chance stand in its own numbers."""
    groups = list(reread["below_chance"])
    rows = [["claim, checked on the study's own numbers", *groups]]
    for name, checked in reread["claims"].items():
        rows.append([claims[name]["claim"], *(own_numbers_cell(checked[g]) for g in groups)])
    for table, best in reread["best"].items():
        cells = []
        for group in groups:
            arms: dict[str, list[str]] = {}
            for metric, arm in best[group].items():
                arms.setdefault(in_words(arm), []).append(metric)
            cells.append(
                "; ".join(f"{arm}: {listed(metrics, best[group])}" for arm, metrics in arms.items())
            )
        rows.append([f"best by {table}", *cells])
    cells = [
        "; ".join(f"{in_words(arm)}: {', '.join(metrics)}" for arm, metrics in arms.items())
        for arms in reread["below_chance"].values()
    ]
    rows.append(["worse than a random place", *(cell or "none" for cell in cells)])
    return markdown_table(rows)


def exploratory_line(reread: dict) -> str:
    """Return how many comparisons of published shares were made; "" for an older record."""
    if "n_tests" not in reread:
        return ""
    return (
        f"These {reread['n_tests']} comparisons of shares are exploratory: each has an interval of "
        "its own, and none is corrected for the others.\n\n"
    )


def own_numbers_cell(cells: dict[str, dict]) -> str:
    """Return how many published metrics show a claim, how surely, and which do not."""
    shares = [cell for cell in cells.values() if "low" in cell]
    sure = [cell for cell in shares if cell["verdict"] == "agrees, significant"]
    words = (
        f"holds in {agreeing(cells)} metrics ({len(sure)} of {len(shares)} shares significantly)"
    )
    against = [
        metric + ", not significantly" * cell["verdict"].endswith("not significant")
        for metric, cell in cells.items()
        if cell["verdict"].startswith("disagrees")
    ]
    return f"{words}; **not in** {'; '.join(against)}" if against else words


def listed(metrics: list[str], everything: dict) -> str:
    """Return metrics by name, or "all"."""
    return "all" if len(metrics) == len(everything) else ", ".join(metrics)
