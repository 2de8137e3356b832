"""A text's place under each ranker, and the list of real passages with the text in it."""

from threading import Lock
from time import perf_counter
from typing import Any

import polars as pl

from genlab.playground.playable import Judge, Playable
from genlab.ranking import places
from genlab.web.bodies import Refused


def place_text(
    on: Playable, number: int, text: str, instead: int | None, ranking: Lock
) -> dict[str, Any]:
    """Return where each ranker puts `text` among the real passages of query `number`.

    As in the stage probe, the text is placed among all real passages, whatever score.legacy says.
    If it was made from passage `instead`, it takes that passage's slot, among the others. One text
    at a time is ranked. Raises InputError if a ranker's score is NaN or infinite.
    """
    start = perf_counter()
    query, n_passages = on.queries["query"][number], len(on.queries["passages"][number])
    if instead is not None and n_passages < 2:
        raise Refused("the query has no other passage to stand among")
    with ranking:
        found = [placed(judge, query, number, text, instead) for judge in on.judges]
    return {"rankers": found, "milliseconds": 1000 * (perf_counter() - start)}


def placed(
    judge: Judge, query: str, number: int, text: str, instead: int | None = None
) -> dict[str, Any]:
    """Return one ranker's view: place, and the list from the best on.

    An item of the list is [number of the passage, score], the number of the text being null.
    """
    score = float(judge.ranker.relevance([query], [text])[0])
    query_id, scores, selected = judge.candidates.select(
        "query_id", "candidate_scores", "candidate_selected"
    ).row(number)
    beside = [i for i in range(len(scores)) if i != instead]
    [row] = places.place(
        pl.DataFrame(
            {
                "query_id": [query_id],
                "score": [score],
                "candidate_scores": [[scores[i] for i in beside]],
                "candidate_selected": [[selected[i] for i in beside]],
            }
        )
    ).to_dicts()
    order: list[int | None] = sorted(beside, key=lambda i: -scores[i])
    order.insert(row["n_above"], None)
    return {
        "name": judge.label,
        "place": row["location"],
        "n_texts": len(order),
        "n_tied": row["n_tied"],
        "unread": int(judge.ranker.n_unread([text])[0]),
        "list": [[i, score if i is None else scores[i]] for i in order],
    }
