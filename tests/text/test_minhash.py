"""Near-duplicate search, against brute force over true shingle sets."""

import random
import subprocess
import sys
from itertools import combinations, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.text import minhash
from genlab.text.minhash import (
    Shingles,
    find_later_twins,
    hash_bands,
    hash_shingles,
    keep_similar,
    propose_list_pairs,
    propose_matches,
    propose_pairs,
    rows_per_band,
    sign,
    true_similarities,
)
from tests.project_copy import ROOT
from tests.shingle_sets import jaccard, shingle_set

PLAIN, PADDED = Shingles(5, pad_ends=False), Shingles(5, pad_ends=True)
HASHING = {"num_perm": 128, "shingles": PADDED, "seed": 42}
KEYS = st.text("abcé я1", max_size=12)


def made_texts(n_texts):
    """Sentences of ten made words, every fifth a copy of the one before with one letter changed."""
    rng = random.Random(5)
    vocabulary = ["".join(rng.choices("abcdefghij", k=7)) for _ in range(500)]
    texts = []
    for number in range(n_texts):
        if number % 5 == 4:
            place = rng.randrange(len(texts[-1]))
            texts.append(texts[-1][:place] + "z" + texts[-1][place + 1 :])
        else:
            texts.append(" ".join(rng.choices(vocabulary, k=20)))
    return pl.Series(texts)


def similarity(one, other, shingles=PADDED):
    return jaccard(shingle_set(one, shingles), shingle_set(other, shingles))


def test_shingles_are_the_different_runs_of_characters():
    assert shingle_set("abc", Shingles(2, pad_ends=False)) == {"ab", "bc"}
    assert shingle_set("aaa", Shingles(2, pad_ends=False)) == {"aa"}
    assert shingle_set("a", Shingles(2, pad_ends=False)) == {"a"}
    assert shingle_set("ab", Shingles(2, pad_ends=True)) == {"\0a", "ab", "b\0"}
    assert shingle_set("aaa", Shingles(2, pad_ends=True)) == {"\0a", "aa", "a\0"}


@pytest.mark.parametrize(
    ("one", "other", "pad_ends", "expected"),
    [
        # {aa} and {aa}; with numbered occurrences it would be two of four.
        ("aaa", "aaaaa", False, 1),
        ("aaa", "aaaaa", True, 1),
        # "bibi" and "bibibi" have {bi, ib} and with padding {_b, bi, ib, i_}.
        ("bibi", "bibibi", False, 1),
        ("bibi", "bibibi", True, 1),
        # {ab, ba} and {ab}; {_a, ab, ba, a_} and {_a, ab, b_}: two of five.
        ("abababa", "ab", False, 1 / 2),
        ("abababa", "ab", True, 2 / 5),
        # One letter, and none, are too short for a shingle of two: each is its own.
        ("a", "a", False, 1),
        ("a", "ab", False, 0),
        ("a", "", False, 0),
        # Broder's text, by characters: {ar, ro, os, se, ei, is, sa}, and without ei, is, sa.
        ("aroseisaroseisarose", "arose", False, 4 / 7),
    ],
)
def test_a_shingle_counts_once_however_often_it_occurs(one, other, pad_ends, expected):
    shingles = Shingles(2, pad_ends)
    pair, keys = np.array([[0, 0]]), [pl.Series([one]), pl.Series([other])]
    assert true_similarities(pair, *keys, shingles).tolist() == [expected]
    signatures = sign(pl.Series([one, other]), num_perm=2048, shingles=shingles, seed=1)
    assert abs((signatures[0] == signatures[1]).mean() - expected) < 5 * (0.25 / 2048) ** 0.5


def test_with_padding_a_change_at_the_end_weighs_as_much_as_one_in_the_middle():
    one, end = "who won the big cup final in 2018", "who won the big cup final in 2019"
    middle = "who won the bag cup final in 2018"
    # 33 characters: 29 shingles, of which the last character is in one and the middle one in five;
    # with padding 37, and either is in five.
    assert similarity(one, end, PLAIN) == 28 / 30
    assert similarity(one, middle, PLAIN) == 24 / 34
    assert similarity(one, end, PADDED) == similarity(one, middle, PADDED) == 32 / 42
    pairs, left = np.array([[0, 0], [0, 1]]), pl.Series([one])
    for shingles, expected in ((PLAIN, [28 / 30, 24 / 34]), (PADDED, [32 / 42, 32 / 42])):
        found = true_similarities(pairs, left, pl.Series([end, middle]), shingles)
        assert found.tolist() == expected


@pytest.mark.parametrize("shingles", [PLAIN, PADDED])
def test_similarities_of_many_pairs_are_those_of_their_shingle_sets(shingles):
    """Texts of two letters: most of their shingles occur several times."""
    rng = np.random.default_rng(3)
    texts = ["", "a", *("".join(rng.choice(["a", "b"], n)) for n in rng.integers(1, 40, 70))]
    keys, others = pl.Series(texts), pl.Series(texts[::-1])
    pairs = rng.integers(0, len(texts), (2_500, 2))
    expected = [similarity(texts[one], texts[-1 - other], shingles) for one, other in pairs]
    assert true_similarities(pairs, keys, others, shingles).tolist() == expected


def test_jaccard_of_hand_counted_sets():
    assert jaccard({1, 2, 3}, {2, 3, 4}) == 2 / 4
    assert jaccard(set(), set()) == 1


@given(st.lists(KEYS, max_size=5), st.integers(2, 6), st.booleans())
def test_two_shingles_have_one_hash_exactly_if_they_are_equal(texts, chars, pad_ends):
    hashes, offsets = hash_shingles(pl.Series(texts, dtype=pl.String), Shingles(chars, pad_ends))
    padding = "\0" * (chars - 1) * pad_ends
    runs = []
    for text, start, end in zip(texts, offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        padded = padding + text + padding
        own = [padded[i : i + chars] for i in range(max(len(padded) - chars + 1, 1))]
        assert end - start == len(own)
        runs += own
    assert len(hashes) == len(runs)
    assert len(set(zip(runs, hashes.tolist(), strict=True))) == len(set(runs)) == len(set(hashes))


def test_equal_places_of_signatures_estimate_the_similarity():
    one = "the lake is forty metres deep and lies in the north of the country"
    other = "the lake is forty metres deep and lies in the south of the county"
    signatures = sign(pl.Series([one, other]), num_perm=2048, shingles=PADDED, seed=1)
    truth = similarity(one, other)  # within five standard errors
    assert abs((signatures[0] == signatures[1]).mean() - truth) < 5 * (0.25 / 2048) ** 0.5


@pytest.mark.parametrize(
    ("threshold", "num_perm", "r"),
    # 1 - (1 - 0.9^10)^12 = 0.9942, and 1 - (1 - 0.9^11)^11 = 0.9823 is too low.
    # 1 - (1 - 0.5^3)^42 = 0.9963, and 1 - (1 - 0.5^4)^32 = 0.8732 is too low.
    [(0.9, 128, 10), (0.5, 128, 3), (0.5, 4, 1)],
)
def test_bands_are_as_wide_as_recall_allows(threshold, num_perm, r):
    assert rows_per_band(threshold, num_perm) == r


def test_the_pairs_found_are_those_of_brute_force():
    texts = made_texts(200)
    pairs = propose_pairs(hash_bands(texts, threshold=0.8, **HASHING))
    found = keep_similar(pairs, texts, texts, 0.8, PADDED)
    sets = [shingle_set(text, PADDED) for text in texts]
    truth = [
        [left, right]
        for left, right in combinations(range(len(texts)), 2)
        if jaccard(sets[left], sets[right]) >= 0.8
    ]
    assert len(truth) == 40
    assert found.tolist() == truth


def test_the_matches_between_two_lists_are_those_of_brute_force():
    texts = made_texts(100)
    ours, others = texts.gather_every(2), texts.gather_every(2, offset=1)
    bands = [hash_bands(part, threshold=0.8, **HASHING) for part in (ours, others)]
    found = keep_similar(propose_matches(*bands), ours, others, 0.8, PADDED)
    our_sets, other_sets = ([shingle_set(text, PADDED) for text in part] for part in (ours, others))
    truth = [
        [left, right]
        for left, right in product(range(len(ours)), range(len(others)))
        if jaccard(our_sets[left], other_sets[right]) >= 0.8
    ]
    assert len(truth) == 20
    assert found.tolist() == truth


def test_pairs_are_compared_within_their_list_only():
    same = np.zeros((5, 16), dtype=np.uint32)
    lists = np.array([0, 0, 1, 2, 2])
    assert propose_list_pairs(lists, same, 0.9).tolist() == [[0, 1], [3, 4]]
    same[1] = 7
    assert propose_list_pairs(lists, same, 0.9).tolist() == [[3, 4]]


def test_a_crowded_bucket_costs_a_fixed_number_of_pairs_per_text():
    bands = np.zeros((1000, 1), dtype=np.uint64)
    n_neighbours = minhash.BUCKET_NEIGHBOURS
    assert len(propose_pairs(bands)) == sum(1000 - d for d in range(1, n_neighbours + 1))
    assert len(propose_matches(bands, bands)) == 1000 * n_neighbours


@pytest.mark.parametrize("n_texts", [0, 1])
def test_fewer_than_two_texts_make_no_pairs(n_texts):
    texts = pl.Series(["lake"] * n_texts, dtype=pl.String)
    bands = hash_bands(texts, threshold=0.9, **HASHING)
    assert propose_pairs(bands).shape == (0, 2)
    assert propose_matches(bands, bands[:0]).shape == (0, 2)
    lists = np.zeros(n_texts, dtype=np.int64)
    assert propose_list_pairs(lists, sign(texts, **HASHING), 0.9).shape == (0, 2)
    assert keep_similar(propose_pairs(bands), texts, texts, 0.9, PADDED).shape == (0, 2)


def test_a_text_goes_only_for_one_that_stays():
    # 0 ~ 1 ~ 2 ~ 3 in a chain: 1 goes for 0, so 2 stays, and 3 goes for 2.
    assert find_later_twins(np.array([[2, 3], [0, 1], [1, 2]])) == {1: 0, 3: 2}
    assert find_later_twins(np.zeros((0, 2), dtype=np.int64)) == {}


@settings(max_examples=30)
@given(st.lists(KEYS, min_size=1, max_size=4))
def test_a_signature_does_not_depend_on_the_texts_around_it(texts):
    together = sign(pl.Series(texts), **HASHING)
    alone = np.concatenate([sign(pl.Series([text]), **HASHING) for text in texts])
    np.testing.assert_array_equal(together, alone)


def test_signatures_are_the_same_in_another_process():
    program = (
        "import polars as pl; from genlab.text.minhash import Shingles, sign;"
        "print(sign(pl.Series(['how deep is lake varn']), 16, Shingles(5, True), 42).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(
        sign(pl.Series(["how deep is lake varn"]), 16, PADDED, 42).tolist()
    )
