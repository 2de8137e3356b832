"""Leaks from the training split, against brute force; the metrics of the two halves."""

import random

import numpy as np
import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.passages import leaks
from genlab.passages.leaks import (
    count_leaks,
    differing_words,
    examples_of,
    find_leaks,
    index_texts,
    note_matches,
    propose,
)
from genlab.ranking.leakage import COMPARED, check_same_queries, compare_halves, in_words, table_of
from genlab.ranking.places import METRICS
from genlab.statistics.intervals import unpaired_difference
from genlab.text import minhash
from genlab.text.normal_form import normalize_key
from tests.query_tables import LONG, table
from tests.shingle_sets import jaccard, shingle_set

SHINGLES = minhash.Shingles(5, pad_ends=False)
HASHING = {"num_perm": 128, "shingles": SHINGLES, "seed": 17}


def found(*rows, threshold=0.9, batch_rows=100):
    """Return the leaks of the validation rows."""
    queries = table(*rows)
    asked = queries.filter(split="validation")
    return find_leaks(asked, queries.iter_slices(batch_rows), threshold, threshold, HASHING)[0]


def of_kind(row, kind):
    """Return degree, similarity and training query of one kind of leak in a row."""
    return tuple(row[f"{kind}_{name}"] for name in ("leak", "similarity", "train_query_id"))


def test_a_query_equal_but_for_case_and_punctuation_leaks_exactly():
    row = found(("train", "a sea", []), ("train", "What's a lake?", []), VALIDATION).row(
        0, named=True
    )
    assert of_kind(row, "query") == ("exact", 1.0, "q1")
    assert (row["query_text"], row["query_train_text"]) == ("whats a LAKE", "What's a lake?")
    assert (row["query_differing_words"], row["query_only_here"]) == (0.0, "")


VALIDATION = ("validation", "whats a LAKE", [])


def test_a_near_query_comes_with_its_true_similarity_and_the_words_that_differ():
    row = found(("train", LONG, []), ("validation", LONG + "s", [])).row(0, named=True)
    assert of_kind(row, "query") == ("near", 90 / 91, "q0")
    # 18 different words, of which each text has 17.
    assert row["query_differing_words"] == pytest.approx(2 / 19)
    assert (row["query_only_here"], row["query_only_in_train"]) == ("kins", "kin")


def test_a_query_below_the_threshold_does_not_leak():
    rows = [("train", LONG, []), ("validation", LONG + "s", [])]
    row = found(*rows, threshold=90 / 91 + 1e-9).row(0, named=True)
    assert of_kind(row, "query") == ("none", None, None)
    assert row["query_text"] is row["query_train_text"] is row["query_only_here"] is None


def test_an_answer_is_told_apart_by_whether_the_training_query_selected_it():
    rows = found(
        ("train", "a", ["Forty metres.", ("Fifty feet.",)]),
        ("validation", "b", [("forty metres",), "sixty"]),
        ("validation", "c", [("seventy",), ("fifty feet",)]),
        ("validation", "d", [("seventy",), "fifty feet"]),
    )
    degrees = rows.select("answer_leak", "answer_in_passages_leak", "passage_leak").rows()
    assert degrees == [
        ("none", "exact", "exact"),
        ("exact", "exact", "exact"),
        ("none", "none", "exact"),
    ]


def test_shares_are_of_the_querys_own_passages_and_the_nearest_is_the_example():
    row = found(
        ("train", "a", ["one", "two", LONG]),
        ("validation", "b", [LONG + "s", "Two!", "three", "four"]),
    ).row(0, named=True)
    assert (row["n_passages"], row["n_passages_exact"], row["n_passages_near"]) == (4, 1, 1)
    assert (row["passages_exact"], row["passages_near"]) == (0.25, 0.25)
    assert (row["passage_text"], row["passage_train_text"]) == ("Two!", "two")


def test_what_a_query_does_not_have_cannot_leak():
    rows = found(("train", "a", [("one",)]), ("validation", "b", []), ("validation", "c", ["one"]))
    assert rows["answer_leak"].to_list() == [None, None]
    assert rows["passage_leak"].to_list() == [None, "exact"]
    assert rows["n_passages"].to_list() == [0, 1]
    assert rows["passages_exact"].to_list() == [None, 1.0]


def test_other_validation_queries_are_no_training_queries():
    rows = found(("train", "a", []), ("validation", "b", ["x"]), ("validation", "b", ["x"]))
    assert rows["query_leak"].to_list() == rows["passage_leak"].to_list() == ["none", "none"]


def test_punctuation_alone_equals_nothing():
    row = found(("train", "?", ["..."]), ("validation", "!", ["---", "-"])).row(0, named=True)
    assert (row["query_leak"], row["passage_leak"], row["n_passages"]) == ("none", "none", 2)


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_of_equally_near_texts_the_first_in_the_corpus_is_shown(batch_rows):
    twins = [("train", LONG + letter, []) for letter in ("x", "y", "z")]
    row = found(*twins, ("validation", LONG, []), batch_rows=batch_rows).row(0, named=True)
    assert of_kind(row, "query") == ("near", 90 / 91, "q0")


def test_a_nearer_text_of_a_later_batch_takes_the_place_and_a_farther_one_does_not():
    rows = [("train", LONG + "xyz", []), ("train", LONG + "x", []), ("train", LONG + "xy", [])]
    row = found(*rows, ("validation", LONG, []), threshold=0.7, batch_rows=1).row(0, named=True)
    assert of_kind(row, "query") == ("near", 90 / 91, "q1")


def made_queries(n_queries):
    """Training and validation queries of made words, many a changed copy of an earlier one."""
    rng = random.Random(5)
    vocabulary = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(200)]
    texts = []
    for number in range(n_queries):
        words = rng.choice(texts).split() if number % 2 else rng.choices(vocabulary, k=12)
        words[rng.randrange(12)] = rng.choice(vocabulary)
        texts.append(" ".join(words))
    return [
        (("train", "validation")[number % 3 == 0], text, []) for number, text in enumerate(texts)
    ]


def test_the_nearest_training_text_is_that_of_a_search_through_all_pairs():
    rows = made_queries(300)
    leaked = found(*rows, threshold=0.7, batch_rows=70)
    shingles = {text: shingle_set(normalize_key(text), SHINGLES) for _, text, _ in rows}
    train = [text for split, text, _ in rows if split == "train"]
    evaluated = [text for split, text, _ in rows if split == "validation"]
    nearest = [max(jaccard(shingles[v], shingles[t]) for t in train) for v in evaluated]
    expected = [similarity if similarity >= 0.7 else None for similarity in nearest]
    assert leaked["query_similarity"].to_list() == expected
    assert 20 < leaked["query_similarity"].count() < 80  # of 100: something to find, and to leave
    assert leaked.equals(found(*rows, threshold=0.7, batch_rows=3))


def test_in_a_crowd_of_one_pattern_everyone_still_finds_its_own_copy():
    names = ["".join(random.Random(number).choices("bcdfgklmnprst", k=5)) for number in range(200)]
    pattern = "what is the name of the longest river that flows through the land of {} in summer"
    train = [("train", pattern.format(name) + "s", []) for name in names]
    asked = [("validation", pattern.format(name), []) for name in names]
    leaked = found(*train, *asked, threshold=0.7)
    assert leaked["query_train_query_id"].to_list() == [f"q{number}" for number in range(200)]


def test_the_pairs_proposed_are_bounded_by_the_training_texts():
    pattern = "what is the name of the longest river that flows through the land of {:03}"
    texts = pl.Series([pattern.format(number) for number in range(300)])
    index = index_texts(texts, 0.7, HASHING)
    signatures = minhash.sign(texts[:5], **HASHING)
    pairs = propose(index, signatures, np.arange(5))
    n_bands = len(index.buckets)
    assert 5 * 10 <= len(pairs) <= 5 * n_bands * minhash.BUCKET_NEIGHBOURS
    assert {(row, row) for row in range(5)} <= set(map(tuple, pairs.tolist()))


def test_what_has_an_exact_copy_is_not_compared_again(monkeypatch):
    index = index_texts(pl.Series([LONG]), 0.7, HASHING)
    note_matches(index, pl.DataFrame({"query_id": ["t0"], "text": [LONG.upper()]}))
    compared = []
    true_similarities = minhash.true_similarities

    def counted(pairs, *arguments):
        compared.append(len(pairs))
        return true_similarities(pairs, *arguments)

    monkeypatch.setattr(minhash, "true_similarities", counted)
    note_matches(index, pl.DataFrame({"query_id": ["t1"], "text": [LONG + "s"]}))
    assert (compared, index.train_ids.tolist()) == ([0], ["t0"])


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ("how deep is lake varn", "How deep is Lake Corl?", (2 / 6, "varn", "corl")),
        ("the area of avon", "area of the avon", (0.0, "", "")),
        (None, None, (None, None, None)),
    ],
)
def test_words_that_differ_are_counted_among_the_words_of_both(here, there, expected):
    assert differing_words(here, there) == expected


ROWS = [
    ("train", "a", [("forty metres",), "sand"]),
    ("train", LONG, ["one"]),
    ("validation", LONG + "s", [("Forty metres",), "two"]),
    ("validation", "b", ["three"]),
    ("validation", "c", []),
]


def test_counts_are_of_the_queries_that_have_such_a_text():
    counts = count_leaks(found(*ROWS), n_train=2)
    assert (counts["n_evaluated"], counts["n_train"]) == (3, 2)
    assert counts["query"] == {
        "n": 3,
        "exact": 0,
        "near": 1,
        "exact_share": 0,
        "near_share": 1 / 3,
        "near_differing_words": pytest.approx(2 / 19),
    }
    exactly_one = {"exact": 1, "near": 0, "near_share": 0}
    assert counts["answer"] == exactly_one | {"n": 1, "exact_share": 1}
    assert counts["passage"] == exactly_one | {"n": 2, "exact_share": 1 / 2}
    assert counts["each_passage"] == exactly_one | {"n": 3, "exact_share": 1 / 3}


def test_of_nothing_there_is_no_share():
    counts = count_leaks(found(("train", "a", []), ("validation", "b", [])), n_train=1)
    assert counts["answer"] == counts["each_passage"] == {"n": 0, "exact": 0, "near": 0}


def test_examples_show_the_counts_and_both_texts_of_a_pair():
    lines = examples_of(found(*ROWS)).splitlines()
    assert lines[0].startswith("query (") and lines[0].endswith(
        ": 0 exact, 1 near, of 3 evaluated queries"
    )
    assert lines[1] == f"  near 0.99  here:  {LONG[:77]}..."
    assert lines[2] == f"             train: {LONG[:77]}..."
    assert "  exact 1.00  here:  Forty metres" in lines


# ---- the two halves


def leaked_rows(*degrees):
    """Leaks with these degrees of query leaks, and nothing else that could leak."""
    rows = found(("train", "a", []), *[("validation", f"b{i}", []) for i in range(len(degrees))])
    return rows.with_columns(query_leak=pl.Series(degrees, dtype=pl.String))


def scored_rows(leaked, **rankers):
    """Rows of the score table: location as given, fdaro only where the location is odd."""
    return pl.concat(
        pl.DataFrame({"query_id": leaked["query_id"], "location": locations}).with_columns(
            top_1=(pl.col("location") == 1).cast(pl.Float64),
            fdaro=pl.when(pl.col("location") % 2 == 1).then(pl.lit(0.5)),
            n_candidates=10,
            ranker=pl.lit(name),
        )
        for name, locations in rankers.items()
    )


def test_halves_are_compared_by_ranker_whatever_the_order_of_the_rows():
    leaked = leaked_rows("none", "near", "none", "exact", "none")
    first, second = [1.0, 4.0, 2.0, 6.0, 3.0], [1.0, 1.0, 3.0, 3.0, 5.0]
    rows = scored_rows(leaked, use=first, bm25=second)
    compared = compare_halves(leaked, rows.reverse(), seed=3)["query"]
    assert list(compared) == ["bm25", "use"]
    assert {name: compared["use"][name] for name in ("n_clean", "n_leaked", "n_exact")} == {
        "n_clean": 3,
        "n_leaked": 2,
        "n_exact": 1,
    }
    place = compared["use"]["average_loc"]
    assert (place["clean"], place["leaked"], place["difference"]) == (2, 5, 3)
    columns = np.array([[1.0], [2.0], [3.0]]), np.array([[4.0], [6.0]])
    _, low, high = unpaired_difference(*columns, seed=3, bounds=(1.0, 11.0))
    assert (place["low"], place["high"]) == pytest.approx((low[0], high[0]), abs=1e-12)
    assert compared["bm25"]["top_1"]["difference"] == pytest.approx(1 / 2 - 1 / 3)


def test_a_metric_that_fewer_than_two_queries_of_a_half_count_for_has_no_difference():
    leaked = leaked_rows("none", "near", "none", "exact", "none")
    rows = scored_rows(leaked, use=[1.0, 4.0, 3.0, 7.0, 3.0], bm25=[1.0, 1.0, 3.0, 3.0, 5.0])
    compared = compare_halves(leaked, rows, seed=3)["query"]
    assert compared["use"]["fdaro"] == {"n_clean": 3, "n_leaked": 1, "clean": 0.5, "leaked": 0.5}
    assert compared["use"]["top_1"]["leaked"] == 0
    found = compared["bm25"]["fdaro"]
    assert (found["n_clean"], found["n_leaked"], found["difference"]) == (3, 2, 0)
    assert (compared["bm25"]["top_1"]["n_clean"], compared["bm25"]["top_1"]["n_leaked"]) == (3, 2)


@pytest.mark.parametrize(
    ("degrees", "n_clean", "n_leaked"),
    [
        (["none"] * 3, 3, 0),
        (["near"] * 3, 0, 3),
        (["none", "none", "exact"], 2, 1),
        ([None, "none", None], 1, 0),
    ],
)
def test_each_half_has_its_mean_and_without_two_in_both_no_difference_is_told(
    degrees, n_clean, n_leaked
):
    leaked = leaked_rows(*degrees)
    compared = compare_halves(leaked, scored_rows(leaked, use=[1.0, 2.0, 3.0]), seed=3)
    found = compared["query"]["use"]
    assert (found["n_clean"], found["n_leaked"]) == (n_clean, n_leaked)
    assert found["n_exact"] == degrees.count("exact")
    places = {}
    for degree, at in zip(degrees, [1.0, 2.0, 3.0], strict=True):
        places.setdefault({"none": "clean", None: None}.get(degree, "leaked"), []).append(at)
    places.pop(None, None)
    assert found["average_loc"] == {"n_clean": n_clean, "n_leaked": n_leaked} | {
        half: np.mean(at) for half, at in places.items()
    }
    assert compared["answer"]["use"] == {"n_clean": 0, "n_leaked": 0, "n_exact": 0}
    assert list(compared) == list(leaks.KINDS)
    assert "nan" not in table_of(compared)


def test_copies_of_a_query_in_its_topic_tell_no_more_than_one():
    leaked = leaked_rows(*["none", "near"] * 8)
    places = np.tile([1.0, 4, 2, 6, 3, 7, 3, 5], 2)
    alone = scored_rows(leaked, use=places).with_columns(topic=pl.col("query_id"))
    copied = [
        frame.with_columns(query_id=pl.format("{} {}", "query_id", pl.lit(i)))
        for frame in (leaked, alone)
        for i in range(5)
    ]
    one = compare_halves(leaked, alone, seed=3)["query"]["use"]
    five = compare_halves(pl.concat(copied[:5]), pl.concat(copied[5:]), seed=3)["query"]["use"]
    assert (five["n_clean"], five["n_leaked"], five["n_topics"], one["n_topics"]) == (
        40,
        40,
        16,
        16,
    )
    for name in ("difference", "low", "high"):
        assert five["average_loc"][name] == pytest.approx(one["average_loc"][name], abs=1e-9)


def test_every_compared_metric_is_a_headline_metric():
    assert set(COMPARED) <= set(METRICS)


def test_rows_of_other_queries_are_refused():
    leaked = leaked_rows("none", "near")
    rows = scored_rows(leaked, use=[1.0, 2.0])
    check_same_queries(leaked, rows)
    for one, other in ((leaked, rows[:1]), (leaked[1:], rows)):
        with pytest.raises(InputError, match=r"use: 1 queries .*run `dvc repro find_leaks`"):
            check_same_queries(one, other)


PLACE = {"difference": -0.5, "low": -0.9, "high": -0.1}


@pytest.mark.parametrize(
    ("place", "n_clean", "n_leaked", "expected"),
    [
        ({}, 30, 0, "no query leaks"),
        (PLACE, 30, 19, "too few leaked queries to tell"),
        (PLACE, 19, 30, "too few clean queries to tell"),
        (
            PLACE,
            20,
            20,
            "-0.50 [-0.90, -0.10]: leaked queries do better, part of the result may be",
        ),
        (PLACE | {"high": 0.1}, 20, 20, "-0.50 [-0.90, +0.10]: no difference shown"),
        (
            PLACE | {"low": 0.2, "high": 0.3},
            20,
            20,
            "-0.50 [+0.20, +0.30]: leaked queries do worse",
        ),
    ],
)
def test_a_difference_is_put_into_words(place, n_clean, n_leaked, expected):
    assert in_words(place, n_clean, n_leaked).startswith(expected)
