"""Diversity: by hand, against NLTK-like definitions written out, and resampled the slow way."""

from collections import Counter
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.statistics.intervals import bootstrap_interval
from pipelines.alignment.diversity import entropy_by_text, ratio_by_text, self_bleu

SETS = st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=8)


def token_entropy(texts):
    return stats.entropy([*Counter(token for text in texts for token in text).values()])


def test_entropy_is_in_nats_and_over_all_tokens_together():
    """Shares 1/2, 1/4, 1/4: ln 2 / 2 + 2 * ln 4 / 4 = 1.5 ln 2."""
    assert entropy_by_text([[1, 1], [2], [3]]).mean() == pytest.approx(1.5 * log(2))
    assert entropy_by_text([[7, 7], [7]]).mean() == 0.0


def test_entropy_of_no_token_is_zero():
    assert entropy_by_text([[], []]).tolist() == [0.0, 0.0]


@given(SETS)
def test_the_mean_over_texts_is_the_entropy_itself(texts):
    expected = token_entropy(texts) if any(texts) else 0.0
    assert entropy_by_text(texts).mean() == pytest.approx(expected, abs=1e-12)


def test_a_texts_value_is_the_entropy_and_its_first_order_effect():
    """Tokens a a b: entropy H = ln 3 - 2/3 ln 2. Text [b]: H + 2/3 (ln 3 - H)."""
    entropy = log(3) - 2 / 3 * log(2)
    expected = [
        entropy + 2 / 3 * (2 * log(3 / 2) - 2 * entropy),
        entropy + 2 / 3 * (log(3) - entropy),
    ]
    assert entropy_by_text([[0, 0], [1]]).tolist() == pytest.approx(expected)


def test_the_interval_is_that_of_resampling_the_texts_and_counting_again():
    """Against a bootstrap that draws texts and computes the entropy of every resample.

    Its own middle lies lower, as a resample has fewer different tokens; the widths must agree.
    """
    rng = np.random.default_rng(3)
    texts = [rng.integers(0, 20, rng.integers(5, 30)).tolist() for _ in range(200)]
    texts = [[token // 3 if i % 2 else token for token in text] for i, text in enumerate(texts)]
    low, high = bootstrap_interval(entropy_by_text(texts), seed=1)
    slow = [
        token_entropy([texts[i] for i in rng.integers(0, len(texts), len(texts))])
        for _ in range(600)
    ]
    assert high - low == pytest.approx(np.ptp(np.quantile(slow, [0.025, 0.975])), rel=0.15)


def test_a_mean_per_token_weighs_long_texts_more():
    """4 and 0 over 1 and 3 tokens: 1, and not the 2 of the texts' own means 4 and 0."""
    assert ratio_by_text(np.array([3.0, 1.0]), np.array([3, 1])).mean() == pytest.approx(1.0)
    values = ratio_by_text(np.array([4.0, 0.0]), np.array([1, 3]))
    assert values.mean() == pytest.approx(1.0)
    assert values.tolist() == pytest.approx([1 + 3 * 2 / 4, 1 - 3 * 2 / 4])


# ---- self-BLEU


def test_a_text_that_stands_twice_has_a_self_bleu_of_one():
    assert self_bleu([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]).tolist() == pytest.approx([1.0, 1.0])


def test_self_bleu_by_hand():
    """[1 2 3] against [1 2 4]: 2 of 3 words, 1 of 2 pairs, no triple of 1 (half a match)."""
    expected = exp((log(2 / 3) + log(1 / 2) + log(0.5 / 1)) / 3)
    assert self_bleu([[1, 2, 3], [1, 2, 4]]).tolist() == pytest.approx([expected] * 2)


def test_a_short_text_pays_for_its_brevity_against_the_text_nearest_in_length():
    """[1] against [1 2]: precision 1, brevity exp(1 - 2/1)."""
    assert self_bleu([[1], [1, 2]])[0] == pytest.approx(exp(-1))


def test_an_ngram_counts_as_often_as_any_one_other_text_has_it():
    """[1 1 1] against [1 1] and [1]: two of three words, one of two pairs, half of one triple."""
    texts = [[1, 1, 1], [1, 1], [1]]
    expected = exp((log(2 / 3) + log(1 / 2) + log(0.5)) / 3)
    assert self_bleu(texts)[0] == pytest.approx(expected)


@given(SETS)
def test_self_bleu_is_what_counting_against_every_other_text_gives(texts):
    def slow(i):
        others = [text for j, text in enumerate(texts) if j != i]
        size = len(texts[i])
        if not size or not others:
            return float("nan")
        logs = []
        for n in range(1, min(4, size) + 1):
            grams = [tuple(texts[i][k : k + n]) for k in range(size - n + 1)]
            matches = 0
            for gram in set(grams):
                most = max(
                    sum(tuple(o[k : k + n]) == gram for k in range(len(o) - n + 1)) for o in others
                )
                matches += min(grams.count(gram), most)
            logs.append(log(max(matches, 0.5) / len(grams)))
        closest = min((abs(len(o) - size), len(o)) for o in others)[1]
        brevity = 1.0 if size > closest else exp(1 - closest / size)
        return brevity * exp(sum(logs) / len(logs))

    expected = [slow(i) for i in range(len(texts))]
    assert self_bleu(texts).tolist() == pytest.approx(expected, nan_ok=True)


def test_a_lone_or_an_empty_text_has_no_self_bleu():
    assert np.isnan(self_bleu([[1, 2]])).all() and np.isnan(self_bleu([[], [1]])[0])
