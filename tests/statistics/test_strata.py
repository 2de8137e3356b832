"""Means over strata and ratios of units in clusters: by hand, and beside what has no strata."""

import numpy as np
import pytest

from genlab.statistics.intervals import SHARE, bootstrap_interval, ratio_interval, wilson_interval
from genlab.statistics.strata import macro_interval, stratified_ratio

NAN = float("nan")


def test_the_macro_mean_is_of_the_strata_and_what_does_not_count_is_left_out():
    values = np.array([[1.0, NAN], [0.0, NAN], [1.0, 2.0], [1.0, 4.0], [1.0, NAN], [NAN, NAN]])
    strata, clusters = np.array([1, 1, 5, 5, 5, 5]), np.array([0, 1, 0, 1, 2, 3])
    mean, low, high = macro_interval(values, strata, clusters, seed=1, bounds=[SHARE, None])
    assert mean.tolist() == [0.75, 3.0]  # (1/2 + 1) / 2; of the one stratum that counts
    assert (low <= mean).all() and (mean <= high).all()
    assert low[0] >= 0 and high[0] <= 1
    nothing = macro_interval(values[:, 1:], strata * 0 + 1, clusters, seed=1, bounds=[None])
    assert nothing[0].tolist() == [3.0]
    none_counts = macro_interval(values[:2, 1:], strata[:2], clusters[:2], seed=1, bounds=[None])
    assert np.isnan(none_counts).all()


def test_of_one_stratum_and_clusters_of_one_size_the_interval_is_the_clustered_mean_s():
    values = np.random.default_rng(3).random((40, 2))
    clusters = np.arange(40) // 2
    found = macro_interval(values, np.zeros(40), clusters, seed=7, bounds=[SHARE, None])
    expected = bootstrap_interval(values, seed=7, bounds=[SHARE, None], clusters=clusters)
    assert found[0] == pytest.approx(values.mean(axis=0))
    assert np.array(found[1:]) == pytest.approx(np.array(expected))


def test_clusters_that_cross_the_strata_widen_the_interval_and_strata_apart_do_not():
    rng = np.random.default_rng(5)
    strata, clusters = np.repeat([1, 5], 60), np.tile(np.arange(60), 2)
    of_place = rng.normal(size=60)[clusters]  # what a place adds to its text in both strata
    values = (of_place + 10.0 * strata)[:, None]

    def width(own: np.ndarray) -> float:
        _, low, high = macro_interval(values, strata, own, seed=1, bounds=[None])
        return float(high[0] - low[0])

    # Each of 60 places is measured twice, so the error is sqrt(2) times that of 120 texts.
    assert width(clusters) == pytest.approx(np.sqrt(2) * width(np.arange(120)), rel=0.05)
    assert width(clusters) == pytest.approx(2 * 2 * of_place.std() / np.sqrt(60), rel=0.1)


def test_texts_that_all_succeed_keep_the_width_of_their_clusters():
    ones, strata = np.ones((20, 1)), np.arange(20) % 2
    mean, low, high = macro_interval(ones, strata, np.arange(20) % 8, seed=1, bounds=[SHARE])
    # As eight of eight that succeed, not twenty of twenty.
    assert [mean[0], low[0], high[0]] == pytest.approx([1.0, *wilson_interval(8, 8)])


def test_a_ratio_of_one_stratum_is_the_plain_one_and_what_strata_differ_by_is_not_counted():
    rng = np.random.default_rng(2)
    tokens = rng.integers(5, 20, 60).astype(float)
    loss, clusters = tokens * (1 + rng.random(60)), np.arange(60) // 3
    plain = ratio_interval(loss, tokens, clusters, seed=4)
    assert stratified_ratio(loss, tokens, np.zeros(60), clusters, seed=4) == pytest.approx(plain)
    strata = np.arange(60) % 2
    apart = loss + 9 * strata * tokens  # one stratum's texts are ten times as unlikely
    ratio, low, high = stratified_ratio(apart, tokens, strata, np.arange(60), seed=4)
    assert ratio == pytest.approx(apart.sum() / tokens.sum())
    free = ratio_interval(apart, tokens, np.arange(60), seed=4)
    assert high - low < 0.5 * (free[2] - free[1])


def test_within_small_strata_the_variance_is_that_of_their_own_mean():
    rng = np.random.default_rng(8)
    values, strata = rng.normal(size=(400, 1)), np.arange(400) % 200  # two of each
    _, low, high = macro_interval(values, strata, np.arange(400), seed=1, bounds=[None])
    pairs = np.array([values[strata == k, 0] for k in range(200)])
    error = np.sqrt((pairs.var(axis=1, ddof=1) / 2).sum()) / 200
    assert float(high[0] - low[0]) == pytest.approx(2 * 1.96 * error, rel=0.05)
