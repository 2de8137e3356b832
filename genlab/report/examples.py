"""A good, a middling and a bad text of a run, and one picture: what a visitor is shown first."""

from statistics import fmean

from genlab.report.charts import Chart

# Which share of the texts stands at a better place than the one that is shown.
EXAMPLES = {"good": 0.1, "middling": 0.5, "bad": 0.9}

# A picture on a page of its own has no colour to take: GitHub's, on light and on dark.
GROUND = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
EMPTY = '<svg xmlns="http://www.w3.org/2000/svg"/>\n'


def pick_examples(payload: dict) -> dict[str, dict]:
    """Return three texts of the page's payload by their mean place under its rankers.

    Only of queries that have an answer, so that it can be seen beside; {} if none has. Each:
    query, text, answer, places (ranker -> place), n_texts of the list with it.
    """
    entries = sorted(
        (entry for entry in payload["queries"] if entry["answerable"]),
        key=lambda entry: (mean_place(entry), entry["id"]),
    )
    if not entries:
        return {}
    shown = {name: entries[round(share * (len(entries) - 1))] for name, share in EXAMPLES.items()}
    return {
        name: {
            "query": entry["query"],
            "text": entry["text"],
            "answer": next(text for text, is_selected in entry["passages"] if is_selected),
            "places": {ranker: place for ranker, (place, *_) in entry["under"].items()},
            "n_texts": len(entry["passages"]) + 1,
        }
        for name, entry in shown.items()
    }


def mean_place(entry: dict) -> float:
    """Return the mean of a query's places under all rankers; 1 is best."""
    return fmean(place for place, *_ in entry["under"].values())


def stand_alone(charts: list[Chart]) -> str:
    """Return the first chart's SVG for a page that gives it no colour; an empty one if none is."""
    if not charts:
        return EMPTY
    head, end_of_tag, rest = charts[0].svg.partition(">")
    return f"{head}{end_of_tag}{GROUND}{rest}\n"
