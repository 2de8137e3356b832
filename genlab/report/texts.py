"""The browser over texts on the flagship's page: every generated text among its real passages.

The payload is JSON in a script element of a type that no browser runs; page.js makes every element
from it with textContent. A second payload beside it makes a page of two runs.
"""

import re
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import order_of
from genlab.core.shapes import parse_json
from genlab.core.tables import read_batches
from genlab.core.terminal import with_ends
from genlab.ranking.candidates import read_candidates
from genlab.ranking.places import TIE
from genlab.report.page import PAGE, Table, embed, render
from genlab.text.normal_form import words

# Raised when the payload changes, so that a page never reads another's wrongly.
FORMAT = "genlab report 1"

LABELS = {
    "average_loc": "mean place",
    "average_rel_loc": "place / list length",
    "top_1": "at place 1",
    "top_3": "at places 1-3",
    "top_5": "at places 1-5",
    "fdaro": "above every selected passage",
    "fdaro_any": "above a selected passage",
}

IN_WHOLE_LISTS = ("value", "low", "high", "chance", "floor")

# Where query ids have no topic, the kind of question stands for it.
QUESTION_WORDS = {"what", "how", "who", "where", "when", "which", "why", "is", "are", "can", "does"}
TOPIC = re.compile(r"-\d+-([a-z_]+)$")  # ids of the mini corpus: validation-17-lake

# What stands around the browser over texts, where it is said.
PARTS: dict[str, object] = {
    "about": [],  # labels and words
    "params": "",
    "headline": [],  # sentences
    "examples": [],  # of shown_texts.Shown
    "examples_note": "",
    "claims": {},
    "numbers": {},  # heading -> its tables
    "notes": {},  # heading -> a sentence
    "charts": [],
    "findings": {},  # title of a chart -> what it shows, in words
    "compared": None,  # of beside.Compared
    "receipt": None,
}

PAYLOAD = re.compile(r'<script type="application/json" id="payload">(.*?)</script>', re.DOTALL)


def make_payload(
    rows: pl.DataFrame, queries: Path, candidates: Path, scores: dict, details: dict, n_queries: int
) -> dict:
    """Return the payload: the headline, and every query with its texts under each ranker.

    Of several texts of a query the first is shown; the headline is over all.
    rows: the score stage's rows with their text; queries: the query table; candidates: the folder
    of scored passages; scores and details: the score stage's metrics; n_queries: drawn; 0 = all.
    """
    rankers = rows["ranker"].unique(maintain_order=True).to_list()
    by_ranker = rows.partition_by("ranker", as_dict=True)
    placed = {name: first_samples(by_ranker[name,]) for name in rankers}
    first = placed[rankers[0]].select("query_id", "text", "answerable")
    drawn = sorted(first["query_id"], key=order_of)[: n_queries or None]
    shown = first.filter(pl.col("query_id").is_in(drawn))
    asked = find_queries(queries, shown["query_id"])
    group_name, groups = group_queries(shown["query_id"].to_list(), asked["query"].to_list())
    joined = shown.join(asked, on="query_id", maintain_order="left").to_dicts()
    entries = [query_entry(row, group) for row, group in zip(joined, groups, strict=True)]
    for name in rankers:
        own = shown.select("query_id").join(placed[name], on="query_id", maintain_order="left")
        add_places(entries, name, own, candidates / f"{name}.parquet")
    return {
        "format": FORMAT,
        "tie": TIE,
        "rankers": rankers,
        "n_evaluated": first.height,
        "group_name": group_name,
        "texts": scores.get("texts", {}),
        "headline": headline(details, rankers),
        "queries": entries,
    }


def query_entry(row: dict, group: str) -> dict:
    """Return a query of the payload, without any ranker's places; row: with its passages."""
    return {
        "id": row["query_id"],
        "query": row["query"],
        "words": sorted(set(words(row["query"]))),
        "group": group,
        "answerable": row["answerable"],
        "text": row["text"],
        "passages": [[p["text"], p["is_selected"]] for p in row["passages"]],
        "under": {},
    }


def add_places(entries: list[dict], ranker: str, placed: pl.DataFrame, candidates: Path) -> None:
    """Add [place, score, passages' scores] under a ranker to each query of the payload.

    placed: the ranker's row of each query, in their order; candidates: its scores of passages.
    Raises InputError for a query with another number of passages than scores.
    """
    of_passages = read_candidates(candidates, placed)["candidate_scores"].to_list()
    for entry, score, place, scored in zip(
        entries, placed["score"], placed["location"], of_passages, strict=True
    ):
        if len(scored) != len(entry["passages"]):
            raise InputError(
                f"{candidates}: {len(scored)} scores for the {len(entry['passages'])} passages of "
                f"query {entry['id']}; run `dvc repro score_candidates`"
            )
        entry["under"][ranker] = [place, shortest(score), [shortest(s) for s in scored]]


def headline(details: dict, rankers: list[str]) -> list[dict]:
    """Return for each metric its label, name, and per ranker value, interval and references."""
    metrics = dict.fromkeys(metric for name in rankers for metric in details.get(name, {}))
    return [
        {
            "name": metric,
            "label": LABELS.get(metric, metric.replace("_", " ")),
            "lower_is_better": metric.endswith("_loc"),
            "under": {
                name: in_whole_lists(details[name][metric])
                for name in rankers
                if metric in details.get(name, {})
            },
        }
        for metric in metrics
    ]


def in_whole_lists(numbers: dict) -> dict:
    """Return the headline's own value, interval, chance and floor of one metric's details.

    Its ceiling is in other lists, without the answer, and stands beside what is in those.
    """
    whole = numbers.get("all", numbers)
    return {name: whole[name] for name in IN_WHOLE_LISTS if name in whole}


def references_table(details: dict) -> Table:
    """Return every ranker's metrics that have a ceiling, beside chance, floor and ceiling."""
    names = ("chance", "floor", "ceiling")
    rows = [["ranker", "metric", "value", *names]]
    for ranker, metrics in details.items():
        for metric, numbers in metrics.items():
            if "ceiling" in numbers:
                cells = [f"{numbers[name]:.3f}" for name in names]
                rows.append([ranker, metric, with_ends(numbers), *cells])
    return rows


def first_samples(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the first text of every query."""
    return rows.filter(sample=0) if "sample" in rows.columns else rows


def find_queries(path: Path, query_ids: pl.Series) -> pl.DataFrame:
    """Return the rows of the query table with these ids, in their order.

    Raises InputError if one is not there.
    """
    wanted = query_ids.to_frame("query_id")
    found = [batch.join(wanted, on="query_id", how="semi") for batch in read_batches(path)]
    table = wanted.join(pl.concat(found), on="query_id", how="left", maintain_order="left")
    missing = table.filter(pl.col("passages").is_null())
    if missing.height:
        raise InputError(
            f"{path}: no query {missing['query_id'][0]}, which was scored; run `dvc repro`"
        )
    return table.select("query_id", "query", "passages")


def group_queries(query_ids: list[str], queries: list[str]) -> tuple[str, list[str]]:
    """Return what the queries are grouped by, and each one's group."""
    topics = [TOPIC.search(query_id) for query_id in query_ids]
    if all(topics):
        return "topic", [topic[1] for topic in topics if topic]
    return "question word", [
        next((word for word in words(query) if word in QUESTION_WORDS), "none") for query in queries
    ]


def shortest(score: float) -> float:
    """Return a float32 with no more digits than tell it from all others."""
    return float(str(np.float32(score)))


def read_payload(content: str, name: str) -> dict:
    """Return the payload of a report's HTML; raise InputError if it has none."""
    found = PAYLOAD.search(content)
    if not found:
        raise InputError(f"{name}: no report (it has no payload); name one that `dvc repro` made")
    try:
        payload = parse_json(found[1])
    except ValueError as error:
        raise InputError(f"{name}: its payload is no JSON ({error}); run `dvc repro`") from None
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise InputError(f"{name}: a report of another version; run `dvc repro` there again")
    return payload


def render_texts(
    payload: dict,
    other: dict | None = None,
    names: tuple[str, str] = ("this report", "the other report"),
    **parts: object,
) -> str:
    """Return the page's HTML.

    other: a second payload to stand beside the first; names: what the two are called; parts: of
    PARTS, those that the page has.
    """
    from markupsafe import Markup

    return render(
        "page.html",
        script=(PAGE / "page.js").read_text(encoding="utf-8"),
        payload=Markup(embed(payload)),
        other=Markup(embed({"names": names, "payload": other})),
        **PARTS | parts,
    )
