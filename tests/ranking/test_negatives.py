"""Mined negatives: BM25's best of other passages, against bm25s."""

import bm25s
import numpy as np
import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA
from genlab.ranking.negatives import mine_negatives


def queries_of(rows: list[tuple[str, list[str], list[str]]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "query_id": str(i),
                "query": query,
                "passages": [{"text": t, "is_selected": True} for t in selected]
                + [{"text": t, "is_selected": False} for t in others],
                "split": "validation",
            }
            for i, (query, selected, others) in enumerate(rows)
        ],
        schema=QUERY_SCHEMA,
    )


def test_the_mined_are_the_best_of_the_pool_by_an_independent_bm25():
    rng = np.random.default_rng(3)
    words = [f"w{i}" for i in range(60)]
    texts = [" ".join(rng.choice(words, rng.integers(4, 30))) for _ in range(80)]
    rows = queries_of([(" ".join(rng.choice(words, 4)), [text], []) for text in texts])
    found = pl.concat(list(mine_negatives([rows], 5)))
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index([text.split() for text in texts], show_progress=False)
    for i, (query, passages) in enumerate(found.select("query", "passages").iter_rows()):
        assert passages[0] == {"text": texts[i], "is_selected": True}
        scores = index.get_scores(query.split())
        scores[i] = -1
        best = np.sort(scores)[::-1][:5]
        mined = [scores[texts.index(p["text"])] for p in passages[1:]]
        assert np.allclose(mined, best, atol=1e-5)
        assert not any(p["is_selected"] for p in passages[1:])


def test_no_mined_passage_equals_a_selected_one_or_shares_no_word():
    rows = queries_of(
        [("red fox", ["a red fox", "the fox"], []), ("cow", ["a cow", "a red cow"], [])]
    )
    (found,) = mine_negatives([rows], 3)
    texts = [[p["text"] for p in passages] for passages in found["passages"].to_list()]
    assert texts == [["a red fox", "the fox", "a red cow"], ["a cow", "a red cow"]]


def test_unselected_passages_are_part_of_the_pool_and_a_pool_may_be_given():
    rows = queries_of([("fox", ["the fox"], ["fox cub"]), ("cow", ["the cow"], ["old cow"])])
    (found,) = mine_negatives([rows], 1)
    assert [p[1]["text"] for p in found["passages"].to_list()] == ["fox cub", "old cow"]
    (found,) = mine_negatives([rows], 1, ["fox den", "cow bell"])
    assert [p[1]["text"] for p in found["passages"].to_list()] == ["fox den", "cow bell"]


def test_an_answer_to_the_same_question_under_another_id_is_no_negative():
    rows = queries_of(
        [
            ("how deep is the sea", ["The sea is deep."], []),
            ("How deep is the sea?", ["The sea is nine miles deep."], []),
            ("how old is the sea", ["The sea is old."], []),
        ]
    )
    found = pl.concat(list(mine_negatives([rows], 2)))
    mined = [[p["text"] for p in each if not p["is_selected"]] for each in found["passages"]]
    assert mined[:2] == [["The sea is old."]] * 2
    assert sorted(mined[2]) == ["The sea is deep.", "The sea is nine miles deep."]


def test_what_differs_from_an_answer_in_case_marks_or_blanks_alone_is_no_negative():
    rows = queries_of(
        [
            ("how deep", ["It is deep."], ["it is  deep", "IT IS DEEP!", "so deep a sea"]),
            ("how old", ["It is old."], []),
        ]
    )
    found = pl.concat(list(mine_negatives([rows], 2)))
    mined = [[p["text"] for p in each if not p["is_selected"]] for each in found["passages"]]
    assert mined == [["so deep a sea"], []]


def test_a_pool_that_is_too_small_is_an_error():
    rows = queries_of([("fox", ["the fox"], []), ("cow", ["the cow"], [])])
    with pytest.raises(InputError, match="2 different passages, so no query can get 9"):
        list(mine_negatives([rows], 9))
