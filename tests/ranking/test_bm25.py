"""BM25: against a score worked out by hand, and against the bm25s library on indexed documents."""

import json
import math
import re

import bm25s
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core.program import InputError
from genlab.core.tables import write_table
from genlab.ranking.bm25 import (
    Collection,
    count_words,
    read_collection,
    score_pairs,
    split_words,
    weigh_words,
    write_collection,
)
from tests.query_tables import write_queries

DOCUMENTS = [
    "The falcon is a bird of prey. A falcon dives.",
    "A granite cliff is home to the falcon",
    "granite is an igneous rock, rock, rock",
    "Волга впадает в Каспийское море",
    "",
]


def collect(documents):
    frequencies, n_documents, n_words = count_words([pl.Series(documents, dtype=pl.String)])
    return Collection(weigh_words(frequencies, n_documents), n_documents, n_words / n_documents)


def test_a_score_worked_out_by_hand():
    # Three documents, 2 + 3 + 1 = 6 words, mean length 2; "red" in 1 document, "fox" in 2.
    collection = collect(["red fox", "fox fox den", "sea"])
    idf_red, idf_fox = math.log(1 + 2.5 / 1.5), math.log(1 + 1.5 / 2.5)
    norm = 1.5 * (0.25 + 0.75 * 4 / 2)  # a text of 4 words
    expected = idf_red * 1 / (1 + norm) + idf_fox * 2 / (2 + norm)
    [score] = score_pairs(collection, ["red fox"], ["Fox, fox: red boat!"])
    assert score == pytest.approx(expected, rel=1e-6)


def test_scores_of_indexed_documents_equal_bm25s():
    queries = ["where does the falcon live", "granite rock", "rock rock falcon", "волга", "nothing"]
    tokens = [re.findall(r"\w+", document.lower()) for document in DOCUMENTS]
    library = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    library.index(tokens, show_progress=False)
    known = {word for document in tokens for word in document}
    collection = collect(DOCUMENTS)
    for query in queries:
        query_tokens = [word for word in re.findall(r"\w+", query.lower()) if word in known]
        expected = library.get_scores(query_tokens) if query_tokens else np.zeros(len(DOCUMENTS))
        got = score_pairs(collection, [query] * len(DOCUMENTS), DOCUMENTS)
        np.testing.assert_allclose(got, expected, atol=1e-4)


words = st.lists(st.sampled_from(["a", "b", "c", "d", "é", "7"]), max_size=8).map(" ".join)


@given(st.lists(words, min_size=1, max_size=6).filter(any), words)
@settings(max_examples=60)
def test_scores_equal_bm25s_on_any_small_collection(documents, query):
    tokens = [document.split() for document in documents]
    library = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    library.index(tokens, show_progress=False)
    known = {word for document in tokens for word in document}
    query_tokens = [word for word in query.split() if word in known]
    expected = library.get_scores(query_tokens) if query_tokens else np.zeros(len(documents))
    got = score_pairs(collect(documents), [query] * len(documents), documents)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_text_outside_the_collection_that_echoes_the_query_beats_one_that_does_not():
    got = score_pairs(
        collect(DOCUMENTS), ["falcon prey"] * 2, ["a falcon looking for prey", "a boat on a lake"]
    )
    assert got[0] > got[1] == 0.0


def test_empty_texts_empty_queries_and_no_pairs_score_zero():
    collection = collect(DOCUMENTS)
    assert (
        score_pairs(collection, ["falcon", "", "?!"], ["", "falcon", "falcon"]).tolist() == [0] * 3
    )
    none = score_pairs(collection, [], [])
    assert (none.dtype, none.shape) == (np.float32, (0,))


def test_many_pairs_score_as_they_do_one_by_one(monkeypatch):
    monkeypatch.setattr("genlab.ranking.bm25.PAIRS_AT_A_TIME", 3)
    collection = collect(DOCUMENTS)
    queries = ["falcon cliff", "granite", "the the rock", "море"] * 2
    texts = [*DOCUMENTS, "granite granite", "the rock", "море море"]
    one_by_one = [score_pairs(collection, [q], [t])[0] for q, t in zip(queries, texts, strict=True)]
    assert score_pairs(collection, queries, texts).tolist() == one_by_one


def test_words_are_lower_cased_runs_of_unicode_letters_digits_and_underscores():
    split = split_words(pl.Series(["Don't STOP: été_2", "", "Ёлка!"]))
    assert split.rows() == [(0, "don"), (0, "t"), (0, "stop"), (0, "été_2"), (2, "ёлка")]


def test_the_counts_do_not_depend_on_the_batches():
    whole = count_words([pl.Series(DOCUMENTS)])
    parts = count_words([pl.Series(DOCUMENTS[:2]), pl.Series(DOCUMENTS[2:])])
    assert whole[0].equals(parts[0]) and whole[1:] == parts[1:]


def test_a_stored_collection_counts_the_passages_of_all_splits(tmp_path):
    collection = [
        ("train", "q", ["red fox", "fox fox den"]),
        ("validation", "q", ["sea"]),
        ("train", "q", []),
    ]
    write_queries(tmp_path / "dedup.parquet", collection)
    statistics = write_collection(tmp_path / "dedup.parquet", tmp_path / "bm25")
    assert statistics == {"n_documents": 3, "n_words": 6, "vocabulary": 4, "mean_length": 2.0}
    stored, direct = read_collection(tmp_path / "bm25"), collect(["red fox", "fox fox den", "sea"])
    assert stored.idf.equals(direct.idf)
    assert (stored.n_documents, stored.mean_length) == (3, 2.0)


def test_a_table_that_is_not_of_queries_is_refused(tmp_path):
    scores = pl.DataFrame({"query_id": ["1"], "score": [0.5]})
    write_table(tmp_path / "score", [scores], scores.schema)
    with pytest.raises(InputError, match=r"score: no column passages \(there: query_id, score\)"):
        write_collection(tmp_path / "score", tmp_path)


def test_a_table_without_a_word_is_refused(tmp_path):
    write_queries(tmp_path / "dedup.parquet", [("train", "q", ["", "?"])])
    with pytest.raises(InputError, match="no passage holds a word"):
        write_collection(tmp_path / "dedup.parquet", tmp_path / "bm25")


@pytest.mark.parametrize("content", [None, "{", json.dumps({"n_documents": 3})])
def test_broken_statistics_are_named(tmp_path, content):
    if content is not None:
        (tmp_path / "collection.json").write_text(content)
    with pytest.raises(InputError, match=r"collection\.json: not BM25 statistics"):
        read_collection(tmp_path)
