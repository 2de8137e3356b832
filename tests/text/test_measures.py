import math
import random
from collections import Counter
from itertools import combinations
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.text.measures import (
    distinct_n,
    distinct_n_of_sample,
    expected_distinct,
    n_grams,
    query_echo_rate,
    repeated_share,
)

token_lists = st.lists(st.lists(st.integers(0, 4), max_size=8), max_size=6)


def test_distinct_n_divides_distinct_by_all_n_grams_of_the_whole_set():
    texts = [[1, 2, 1, 2], [1, 2, 3]]
    assert distinct_n(texts, 1) == 3 / 7
    # 12 21 12 | 12 23: three of five.
    assert distinct_n(texts, 2) == 3 / 5


def test_the_same_text_for_every_query_is_not_diverse_however_varied_it_is():
    assert distinct_n([[1, 2, 3, 4]] * 10, 1) == 4 / 40


def test_no_n_gram_spans_two_texts():
    # Joined they would hold 12 twice.
    assert distinct_n([[1, 2], [1], [2]], 2) == 1.0


def test_texts_shorter_than_n_contribute_nothing():
    assert distinct_n([[1, 2, 3], [1], []], 3) == 1.0
    assert distinct_n([[1], []], 2) == 0.0
    assert distinct_n([], 1) == 0.0


def test_words_can_be_counted_as_well_as_ids():
    assert distinct_n([["a", "rose", "is", "a", "rose"]], 1) == 3 / 5


def test_an_n_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        distinct_n([[1, 2]], 0)


@given(token_lists, st.integers(1, 4))
def test_distinct_n_equals_the_count_by_every_start(texts, n):
    grams = [
        tuple(text[i : i + n]) for text in texts for i in range(len(text)) if len(text) >= i + n
    ]
    expected = len(set(grams)) / len(grams) if grams else 0.0
    assert distinct_n(texts, n) == expected


@pytest.mark.parametrize(
    ("query", "text", "echoed"),
    [
        ("what is rba", "what is rba it is a bank", True),
        ("What is RBA?", "so: what is, rba!", True),
        ("what is rba", "what is a rba", False),
        ("what is rba", "is rba what", False),
        ("what is rba", "what is rbaum", False),
        ("is rba", "this rba", False),
        ("что такое ёж", "Что такое Ёж? Это зверь.", True),
        ("caf\u00e9", "le cafe\u0301", True),
        ("what is rba", "", False),
        ("мой", "мои", False),
        ("???", "what???", False),
        ("???", "...", False),
        ("", "anything", False),
    ],
)
def test_an_echo_is_the_whole_query_as_consecutive_words(query, text, echoed):
    assert query_echo_rate([query], [text]) == float(echoed)


def test_the_rate_is_the_share_of_texts_that_echo_their_own_query():
    queries = ["big cats", "small dogs", "old owls", "red foxes"]
    texts = ["big cats eat", "big cats eat", "see old owls", "no"]
    assert query_echo_rate(queries, texts) == 2 / 4


def test_no_texts_or_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="no texts"):
        query_echo_rate([], [])
    with pytest.raises(ValueError, match="shorter"):
        query_echo_rate(["a", "b"], ["a"])


def test_the_share_of_repeated_n_grams_is_by_hand_and_none_without_any():
    # ab bc ca ab bc: the last two stood before.
    assert repeated_share("abcabc", 2) == pytest.approx(2 / 5)
    assert repeated_share("abcabc", 3) == pytest.approx(1 / 4)
    assert repeated_share("ab", 3) is None
    assert repeated_share("abc", 3) == 0


# ---- distinct-n of a sample


def mean_over_all_samples(token_lists, n, m) -> float:
    """Return the mean distinct n-grams of all sets of m texts, each counted out."""
    counts = [
        len({gram for tokens in chosen for gram in n_grams(tokens, n)})
        for chosen in combinations(token_lists, m)
    ]
    return sum(counts) / len(counts)


TEXTS = ["abca", "abdd", "eeea", "cabd", "abca", "dcba"]  # of one length, two alike


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 3), (2, 2), (2, 3), (3, 2)])
def test_distinct_n_of_a_sample_is_the_mean_over_all_samples_of_so_many_texts(n, m):
    n_sample = m * (5 - n)
    value, low, high = distinct_n_of_sample(TEXTS, n, n_sample)
    assert value == pytest.approx(mean_over_all_samples(TEXTS, n, m) / n_sample)
    without = [
        mean_over_all_samples(TEXTS[:place] + TEXTS[place + 1 :], n, m) / n_sample
        for place in range(len(TEXTS))
    ]
    # The jackknife's standard error is (t - 1) / sqrt(t) times the leave-one-out deviation.
    error = stdev(without) * 5 / math.sqrt(6)
    assert (high, low) == pytest.approx(
        (min(1.0, value + 1.96 * error), max(0.0, value - 1.96 * error)), abs=1e-4
    )


def test_between_whole_numbers_of_texts_distinct_n_lies_on_a_straight_line():
    one, two = (mean_over_all_samples(TEXTS, 1, m) for m in (1, 2))
    value, _, _ = distinct_n_of_sample(TEXTS, 1, 5)  # 1.25 texts of four words
    assert value == pytest.approx((0.75 * one + 0.25 * two) / 5)


def test_a_set_of_too_few_n_grams_has_no_distinct_n_of_a_sample():
    assert distinct_n_of_sample(TEXTS, 1, 13) is None  # 24 words are less than two times 13
    assert distinct_n_of_sample([], 1, 1) is None
    assert distinct_n_of_sample([["a"] * 50], 1, 2) is None


def test_the_jackknife_leaves_out_whole_clusters_of_texts():
    of_texts = distinct_n_of_sample(TEXTS, 1, 8)
    assert distinct_n_of_sample(TEXTS, 1, 8, clusters=np.arange(6)) == of_texts
    clusters = np.array([0, 1, 2, 1, 0, 1])  # the two that are alike, three in one, one alone
    value, low, high = distinct_n_of_sample(TEXTS, 1, 8, clusters=clusters)
    assert value == of_texts[0]
    without = [
        mean_over_all_samples(
            [text for text, own in zip(TEXTS, clusters, strict=True) if own != left_out], 1, 2
        )
        / 8
        for left_out in range(3)
    ]
    # Of g clusters it is (g - 1) / sqrt(g) times their deviation.
    error = stdev(without) * 2 / math.sqrt(3)
    assert (high, low) == pytest.approx(
        (min(1.0, value + 1.96 * error), value - 1.96 * error), abs=1e-4
    )


def test_without_a_large_cluster_there_must_be_a_sample_and_one_text_more():
    assert distinct_n_of_sample(TEXTS, 1, 8, clusters=np.array([0, 0, 0, 1, 2, 3])) is not None
    assert distinct_n_of_sample(TEXTS, 1, 8, clusters=np.array([0, 0, 0, 0, 1, 2])) is None
    assert distinct_n_of_sample(TEXTS, 1, 4, clusters=np.zeros(6, dtype=int)) is None
    # Without the long text the other has not six words.
    assert distinct_n_of_sample(["abcdefghij", "kl"], 1, 6) is None


def test_more_or_longer_texts_of_the_same_kind_have_the_same_distinct_n_of_a_sample():
    rng = random.Random(4)
    few, many = ([[rng.randrange(50) for _ in range(20)] for _ in range(t)] for t in (60, 240))
    long = [first + second for first, second in zip(many[::2], many[1::2], strict=True)]
    sampled = [distinct_n_of_sample(texts, 1, 200)[0] for texts in (few, many, long)]
    assert max(sampled) - min(sampled) < 0.01
    assert distinct_n(few, 1) > 3 * distinct_n(many, 1)


def test_the_jackknife_covers_the_true_distinct_n_and_a_bootstrap_would_be_too_low():
    rng = np.random.default_rng(3)
    shares = 1 / np.arange(1, 2001)
    shares /= shares.sum()
    sizes = rng.integers(5, 40, 10_000)
    tokens = rng.choice(2000, sizes.sum(), p=shares).tolist()
    world = [tokens[end - size : end] for size, end in zip(sizes, sizes.cumsum(), strict=True)]
    true = distinct_n_of_world(world, 400)
    covered = []
    for _ in range(100):
        texts = [world[place] for place in rng.integers(0, len(world), 60)]
        _, low, high = distinct_n_of_sample(texts, 1, 400)
        covered.append(low <= true <= high)
    assert np.mean(covered) >= 0.9
    drawn_twice = [texts[place] for place in rng.integers(0, 60, 60)]
    assert distinct_n_of_sample(drawn_twice, 1, 400)[0] < low


def distinct_n_of_world(world, n_sample) -> float:
    """Return what samples of n_sample words from a population have: its interval takes long."""
    n_holding = Counter(token for tokens in world for token in set(tokens))
    mean_size = sum(map(len, world)) / len(world)
    return expected_distinct(np.bincount(list(n_holding.values())), len(world), mean_size, n_sample)
