"""A text's place under each ranker, and the list of real passages with the text in it."""

from time import perf_counter
from typing import Any

import polars as pl

from genlab.playground.loaded_run import Judge, LoadedRun
from genlab.ranking import places


def place_text(run: LoadedRun, number: int, text: str) -> dict[str, Any]:
    """Return where each ranker puts `text` among the real passages of query `number`.

    As in the stage probe: among all real passages, whatever score.legacy says. Raises InputError
    if a ranker gives a score that is none.
    """
    start = perf_counter()
    query = run.queries["query"][number]
    with run.ranking:
        found = [placed(judge, query, number, text) for judge in run.judges]
    return {"rankers": found, "milliseconds": 1000 * (perf_counter() - start)}


def placed(judge: Judge, query: str, number: int, text: str) -> dict[str, Any]:
    """Return one ranker's view: place, and the list from the best on.

    An item of the list is [number of the passage, score], the number of the text being null.
    """
    score = float(judge.ranker.relevance([query], [text])[0])
    candidates = judge.candidates[number]
    [row] = places.place(
        candidates.with_columns(score=pl.lit(score, pl.Float32)).select(
            "query_id", "score", "candidate_scores", "candidate_selected"
        )
    ).to_dicts()
    scores = candidates["candidate_scores"][0].to_list()
    order: list[int | None] = sorted(range(len(scores)), key=lambda i: -scores[i])
    order.insert(row["n_above"], None)
    return {
        "name": judge.label,
        "place": row["location"],
        "n_texts": len(order),
        "n_tied": row["n_tied"],
        "unread": int(judge.ranker.n_unread([text])[0]),
        "list": [[i, score if i is None else scores[i]] for i in order],
    }
