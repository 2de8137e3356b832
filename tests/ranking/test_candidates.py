"""Candidates: which queries are evaluated, and the scores of their passages and references."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core.program import InputError
from genlab.core.progress import counted_by
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.ranking.candidates import (
    SCHEMA,
    count_texts,
    evaluated_queries,
    passages_of_others,
    score_candidates,
    with_answer_in_slot,
)
from genlab.ranking.places import place
from tests.query_tables import table
from tests.tiny_rankers import shared_words

QUERIES = table(
    ("validation", "red river", ["a red river", ("the river",), "no"]),
    ("validation", "old tower", ["blue"]),
    ("validation", "new market", [("a new market",), ("market",)]),
)


@pytest.mark.parametrize(("n_queries", "expected"), [(0, 7), (3, 3), (5, 5), (99, 7)])
def test_evaluated_queries_are_drawn_whatever_their_order_and_fewer_are_among_more(
    tmp_path, monkeypatch, n_queries, expected
):
    from genlab.core import tables
    from genlab.ranking import candidates

    rows = table(*[("train" if i % 3 == 1 else "validation", "q", ["p"]) for i in range(10)])
    write_table(tmp_path / "queries.parquet", [rows], QUERY_SCHEMA)
    validation = ["q0", "q2", "q3", "q5", "q6", "q8", "q9"]
    found = evaluated_queries(tmp_path / "queries.parquet", n_queries)
    ids = found["query_id"].to_list()
    assert len(ids) == expected and ids == [each for each in validation if each in ids]
    assert found.schema == QUERY_SCHEMA
    more = evaluated_queries(tmp_path / "queries.parquet", n_queries + 1 if n_queries else 0)
    assert set(ids) <= set(more["query_id"])
    write_table(tmp_path / "sorted.parquet", [rows.reverse()], QUERY_SCHEMA)
    other = evaluated_queries(tmp_path / "sorted.parquet", n_queries)["query_id"].to_list()
    assert other == ids[::-1]
    if n_queries == 3:
        assert ids != validation[:3]
    # Batches of two rows: the queries are found across them.
    monkeypatch.setattr(candidates, "read_batches", lambda path: tables.read_batches(path, 2))
    assert evaluated_queries(tmp_path / "queries.parquet", n_queries).equals(found)


def test_no_validation_query_is_an_error_naming_the_file(tmp_path):
    for rows in (table(("train", "q", ["p"])), table()):
        write_table(tmp_path / "queries.parquet", [rows], QUERY_SCHEMA)
        with pytest.raises(InputError, match=r"queries\.parquet: no validation query"):
            evaluated_queries(tmp_path / "queries.parquet", 0)


def test_every_passage_is_scored_with_its_own_query_in_order():
    scored = score_candidates(QUERIES, shared_words, seed=1)
    assert scored.schema == SCHEMA
    assert scored["query_id"].to_list() == ["q0", "q1", "q2"]
    # Words shared, and the characters of each passage.
    assert scored["candidate_scores"].to_list() == [
        [2 + 11 / 1024, 1 + 9 / 1024, 0 + 2 / 1024],
        [0 + 4 / 1024],
        [2 + 12 / 1024, 1 + 6 / 1024],
    ]
    assert scored["candidate_selected"].to_list() == [[False, True, False], [False], [True, True]]
    assert scored["empty_score"].to_list() == [0, 0, 0]


def test_a_ranker_is_asked_once_for_all_pairs():
    asked = []

    def relevance(queries, texts):
        asked.append(list(zip(queries, texts, strict=True)))
        return np.arange(len(texts), dtype=np.float32)

    heard = []
    with counted_by(heard.append):
        score_candidates(QUERIES, relevance, seed=1)
    [pairs] = asked
    assert len(pairs) == count_texts(QUERIES) == sum(heard) == 12
    assert pairs[:6] == [
        ("red river", "a red river"),
        ("red river", "the river"),
        ("red river", "no"),
        ("old tower", "blue"),
        ("new market", "a new market"),
        ("new market", "market"),
    ]
    queries = ["red river", "old tower", "new market"]
    assert [query for query, _ in pairs[6:9]] == queries
    assert pairs[9:] == [(query, "") for query in queries]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=12), st.integers(0, 99))
def test_the_floor_is_a_passage_of_another_query(n_passages, seed):
    queries = table(
        *[
            ("validation", str(number), [f"{number} {k}" for k in range(n)])
            for number, n in enumerate(n_passages)
        ]
    )
    random_passages = passages_of_others(queries, seed).to_list()
    for number, text in enumerate(random_passages):
        owner, at = map(int, text.split())
        assert owner != number
        assert at < n_passages[owner]
    assert passages_of_others(queries, seed).to_list() == random_passages


def test_every_other_query_and_passage_serves_as_the_floor():
    queries = table(*[("validation", str(i), [f"{i} {k}" for k in range(3)]) for i in range(4)])
    drawn = {passages_of_others(queries, seed)[0] for seed in range(100)}
    assert drawn == {f"{owner} {k}" for owner in (1, 2, 3) for k in range(3)}


def test_a_floor_of_one_query_is_an_error_naming_the_key():
    with pytest.raises(InputError, match=r"at least two evaluated queries; raise gen\.n_queries"):
        score_candidates(QUERIES.head(1), shared_words, seed=1)


def test_the_ceiling_is_the_first_selected_passage_moved_out_of_the_list_into_the_slot():
    scored = score_candidates(QUERIES, shared_words, seed=1)
    ceiling = with_answer_in_slot(scored)
    assert ceiling["query_id"].to_list() == ["q0", "q2"]  # q1 has no selected passage
    assert ceiling["score"].to_list() == [1 + 9 / 1024, 2 + 12 / 1024]
    before = scored.filter(pl.col("query_id").is_in(["q0", "q2"]))["candidate_scores"].list.len()
    assert ceiling["candidate_scores"].list.len().to_list() == (before - 1).to_list()
    # q0: "a red river" is above it; q2: the best passage.
    assert place(ceiling)["location"].to_list() == [2.0, 1.0]
