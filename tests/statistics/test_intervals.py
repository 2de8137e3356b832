import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.core.program import InputError
from genlab.statistics import intervals
from genlab.statistics.intervals import (
    bootstrap_interval,
    interval,
    paired_difference,
    resample_strata,
    unpaired_difference,
    wilson_interval,
)


def test_an_interval_is_plain_floats_in_one_order_whatever_numbers_it_is_made_of():
    made = interval(np.float32(0.5), np.int64(0), 1)
    assert list(made.items()) == [("value", 0.5), ("low", 0.0), ("high", 1.0)]
    assert {type(number) for number in made.values()} == {float}


def test_one_metric_equals_scipys_percentile_bootstrap_on_the_same_draws():
    values = np.random.default_rng(0).exponential(size=200)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    low, high = bootstrap_interval(values, 2000, seed=7)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_metric_on_some_queries_equals_scipys_bootstrap_of_the_ratio_of_sums():
    rng = np.random.default_rng(1)
    values = rng.random(150)
    values[rng.random(150) < 0.4] = np.nan
    expected = stats.bootstrap(
        (values,),
        np.nanmean,
        n_resamples=2000,
        method="percentile",
        confidence_level=0.9,
        rng=np.random.default_rng(3),
    ).confidence_interval
    low, high = bootstrap_interval(values, 2000, seed=3, level=0.9)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_columns_share_their_resamples_with_each_other_and_with_single_calls():
    values = np.random.default_rng(2).random((40, 3))
    values[::3, 1] = np.nan
    low, high = bootstrap_interval(values, 500, seed=5)
    for column in range(3):
        single = bootstrap_interval(values[:, column], 500, seed=5)
        assert (low[column], high[column]) == pytest.approx(single, abs=1e-12)


def test_the_size_of_the_chunks_does_not_change_the_interval(monkeypatch):
    values = np.random.default_rng(3).random((37, 2))
    whole = bootstrap_interval(values, 300, seed=1)
    monkeypatch.setattr(intervals, "CHUNK_DRAWS", 100)
    assert np.allclose(whole, bootstrap_interval(values, 300, seed=1), rtol=0, atol=1e-12)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(4).random(50)
    first = bootstrap_interval(values, 500, seed=1)
    assert bootstrap_interval(values, 500, seed=1) == first
    assert bootstrap_interval(values, 500, seed=2) != first


def test_the_95_percent_interval_covers_the_true_mean_in_about_95_of_100_datasets():
    # 300 datasets with true coverage near 0.945: a share outside 0.90-0.99 has odds below 1/1000.
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.exponential(size=100), 400, seed=0)
        covered += low <= 1.0 <= high
    assert 0.90 <= covered / 300 <= 0.99


def test_a_constant_metric_has_an_interval_without_width():
    assert bootstrap_interval([0.25] * 8, 100, seed=0) == (0.25, 0.25)


def test_none_and_null_do_not_count():
    expected = bootstrap_interval(np.array([1.0, np.nan, 3.0, 4.0]), 200, seed=0)
    assert bootstrap_interval([1.0, None, 3.0, 4.0], 200, seed=0) == expected
    assert bootstrap_interval(pl.Series([1.0, None, 3.0, 4.0]), 200, seed=0) == expected
    frame = pl.DataFrame({"metric": [1.0, None, 3.0, 4.0]})
    assert bootstrap_interval(frame, 200, seed=0) == expected


def test_resamples_in_which_no_query_counts_are_left_out():
    # One of two queries counts: a quarter of the resamples draw only the other one.
    assert bootstrap_interval([0.5, None], 100, seed=0) == (0.5, 0.5)


def test_a_metric_that_no_query_counts_for_has_no_interval_and_disturbs_no_other():
    low, high = bootstrap_interval([[1.0, np.nan], [1.0, np.nan]], 100, seed=0)
    assert (low[0], high[0]) == (1.0, 1.0)
    assert np.isnan(low[1]) and np.isnan(high[1])


def test_no_queries_are_refused():
    for nothing in ([], np.empty((0, 3))):
        with pytest.raises(InputError, match="no query was scored"):
            bootstrap_interval(nothing, 100, seed=0)


def test_a_paired_difference_is_the_mean_of_b_minus_a_and_its_own_bootstrap():
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 5.0, 5.0])
    difference, low, high = paired_difference(a, b, 500, seed=0)
    assert difference == 1.0
    assert (low, high) == bootstrap_interval([1.0, 0.0, 2.0, 1.0], 500, seed=0)


def test_paired_differences_of_several_metrics_equal_those_of_each():
    rng = np.random.default_rng(8)
    a, b = rng.random((30, 2)), rng.random((30, 2))
    a[:5, 1] = b[:5, 1] = np.nan
    together = np.array(paired_difference(a, b, 300, seed=0))
    for column in range(2):
        alone = paired_difference(a[:, column], b[:, column], 300, seed=0)
        assert together[:, column] == pytest.approx(alone, abs=1e-12)
    assert together[0, 1] == pytest.approx(np.mean(b[5:, 1] - a[5:, 1]))


def test_pairing_narrows_the_interval_of_arms_that_agree_on_which_queries_are_hard():
    rng = np.random.default_rng(9)
    difficulty = rng.normal(size=400)
    a = difficulty + rng.normal(scale=0.3, size=400)
    b = difficulty + rng.normal(scale=0.3, size=400) + 0.1
    _, low, high = paired_difference(a, b, 2000, seed=0)
    _, low_unpaired, high_unpaired = paired_difference(a, rng.permutation(b), 2000, seed=0)
    # Standard deviations 0.3 sqrt(2) = 0.42 and sqrt(2 (1 + 0.09)) = 1.48.
    assert (high_unpaired - low_unpaired) / (high - low) == pytest.approx(1.48 / 0.42, rel=0.2)


def test_arms_over_different_queries_are_refused():
    with pytest.raises(InputError, match=r"cannot pair arms of shapes \(3,\) and \(4,\)"):
        paired_difference([1, 2, 3], [1, 2, 3, 4], seed=0)


def test_an_unpaired_difference_is_that_of_the_means_and_close_to_scipys_interval():
    rng = np.random.default_rng(10)
    a, b = rng.exponential(size=(300, 2)), 1 + rng.exponential(size=(150, 2))
    b[::3, 1] = np.nan
    difference, low, high = unpaired_difference(a, b, seed=0)
    for column in range(2):
        one, other = a[:, column], b[:, column][~np.isnan(b[:, column])]
        expected = stats.bootstrap(
            (one, other),
            lambda one, other, axis: other.mean(axis=axis) - one.mean(axis=axis),
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert difference[column] == pytest.approx(other.mean() - one.mean())
        # Other draws: an end of 10,000 resamples strays by about 0.003.
        assert low[column] == pytest.approx(expected.low, abs=0.015)
        assert high[column] == pytest.approx(expected.high, abs=0.015)


def test_unpaired_samples_of_equal_size_are_not_drawn_alike():
    values = np.arange(10.0)[:, None]
    difference, low, high = unpaired_difference(values, values, 500, seed=0)
    assert (difference[0], low[0] < -1, high[0] > 1) == (0, True, True)


def test_wilson_for_87_of_100_is_the_textbook_interval():
    assert wilson_interval(87, 100) == pytest.approx((0.790, 0.922), abs=5e-4)


def test_wilson_worked_by_hand_for_1_of_2():
    # z^2 = 3.8415: center (1/2 + 0.9604) / 2.9207 = 1/2,
    # half 1.9600 / 2.9207 * sqrt(0.125 + 0.2401) = 0.4055.
    assert wilson_interval(1, 2) == pytest.approx((0.0945, 0.9055), abs=1e-4)


@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_wilson_equals_scipy_and_stays_within_zero_and_one(trials, level):
    successes, n = trials
    expected = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    low, high = wilson_interval(successes, n, level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match=f"{successes} successes of {n} trials"):
        wilson_interval(successes, n)


def test_strata_are_resampled_each_on_its_own_and_their_mean_has_its_textbook_error():
    """The variance of a mean of strata's means: sum of variance / n over strata, over strata^2."""
    rng = np.random.default_rng(5)
    strata = ["b"] * 30 + ["a"] * 10
    values = np.concatenate([rng.normal(5, 3, (30, 1)), rng.normal(0, 1, (10, 1))])
    drawn = resample_strata(values, strata, seed=1)
    assert drawn.shape == (2, 10_000, 1)
    a, b = values[30:, 0], values[:30, 0]  # sorted: a first
    assert drawn.mean(axis=1)[:, 0] == pytest.approx([a.mean(), b.mean()], abs=0.02)
    macro = drawn.mean(axis=0)[:, 0]
    assert macro.std() == pytest.approx(np.sqrt(a.var() / 10 + b.var() / 30) / 2, rel=0.03)


def test_strata_of_equal_sizes_are_not_drawn_alike():
    values = np.arange(20.0)[:, None] % 10
    first, second = resample_strata(values, [1] * 10 + [2] * 10, seed=1)[:, :, 0]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_a_stratum_in_which_nothing_counts_is_nan_and_disturbs_no_other():
    values = np.array([[1.0], [3.0], [np.nan]])
    drawn = resample_strata(values, [1, 1, 2], seed=1)
    assert np.isnan(drawn[1]).all() and set(drawn[0].ravel()) == {1.0, 2.0, 3.0}
