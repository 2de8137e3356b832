import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.core.program import InputError
from genlab.statistics import bootstrap
from genlab.statistics.bootstrap import resample_strata, resampled_means
from genlab.statistics.intervals import (
    bootstrap_interval,
    exact_ends,
    interval,
    mover,
    paired_shares_interval,
    ratio_interval,
    unpaired_difference,
    wilson_interval,
)


def test_an_interval_is_plain_floats_in_one_order_whatever_numbers_it_is_made_of():
    made = interval(np.float32(0.5), np.int64(0), 1)
    assert list(made.items()) == [("value", 0.5), ("low", 0.0), ("high", 1.0)]
    assert {type(number) for number in made.values()} == {float}


def test_the_resampled_means_equal_scipys_on_the_same_draws():
    values = np.random.default_rng(0).exponential(size=200)
    values[::3] = np.nan
    expected = stats.bootstrap(
        (values,), np.nanmean, n_resamples=2000, method="percentile", rng=np.random.default_rng(7)
    ).bootstrap_distribution
    assert resampled_means(values[:, None], 2000, 7)[:, 0] == pytest.approx(expected, abs=1e-12)


def test_the_interval_is_the_studentised_bootstrap_of_the_book():
    """Efron and Tibshirani's recipe with scipy's draws, a resample at a time."""
    rng = np.random.default_rng(1)
    values = rng.lognormal(size=60)
    values[::5] = np.nan
    drawn = np.random.default_rng(3).integers(0, 60, (999, 60))
    samples = [values[each][~np.isnan(values[each])] for each in drawn]
    mean = np.nanmean(values)
    t = sorted((each.mean() - mean) / stats.sem(each) for each in samples)
    error = stats.sem(values, nan_policy="omit")
    low, high = bootstrap_interval(values, 999, seed=3, level=0.9)
    # The 50th from either side of 999 leaves 5 % beyond it.
    assert (low, high) == pytest.approx((mean - t[-50] * error, mean - t[49] * error), abs=1e-12)


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
    monkeypatch.setattr(bootstrap, "CHUNK_DRAWS", 100)
    assert np.allclose(whole, bootstrap_interval(values, 300, seed=1), rtol=0, atol=1e-12)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(4).random(50)
    first = bootstrap_interval(values, 500, seed=1)
    assert bootstrap_interval(values, 500, seed=1) == first
    assert bootstrap_interval(values, 500, seed=2) != first


def test_values_that_are_all_equal_have_an_interval_only_if_their_bounds_are_known():
    assert bootstrap_interval([0.25] * 8, 100, seed=0) == (0.25, 0.25)
    low, high = bootstrap_interval([0.25] * 8, 100, seed=0, bounds=(0.0, 1.0))
    # The units that are otherwise: 1 - 0.025^(1/8) = 0.3694 of all at most.
    assert (low, high) == pytest.approx((0.25 * (1 - 0.3694), 0.25 + 0.3694 * 0.75), abs=1e-4)


def test_333_of_333_leave_room_for_one_in_ninety():
    """0.025^(1/333) = 0.98898, less 0.5."""
    low, high = exact_ends(np.full(333, 0.5), (-0.5, 0.5))
    assert (low, high) == (pytest.approx(0.48898, abs=1e-5), 0.5)


@pytest.mark.parametrize(("k", "n"), [(0, 40), (1, 40), (3, 500)])
def test_exact_ends_of_a_share_are_clopper_and_pearsons(k, n):
    values = np.array([0.0] * (n - k) + [1.0] * k)
    expected = stats.binomtest(k, n).proportion_ci(method="exact").high
    low, high = exact_ends(values, (0.0, 1.0))
    assert (low, high) == (0.0, pytest.approx(expected, abs=1e-12))


def test_a_few_values_that_differ_say_nothing_of_how_far_others_may():
    """One of 40 at place 2: at most 13.2 % stand elsewhere, and each may be last."""
    places = [1.0] * 39 + [2.0]
    low, high = bootstrap_interval(places, 2000, seed=0, bounds=(1.0, 11.0))
    assert low >= 1 and high == pytest.approx(1 + 0.1316 * 10, abs=1e-3)
    assert bootstrap_interval(places, 2000, seed=0)[1] == pytest.approx(1.1316, abs=1e-4)


@pytest.mark.parametrize("of_clusters", [False, True])
@pytest.mark.parametrize(("n", "value"), [(200, 0.3), (500, 2 / 7), (5000, 1 / 3)])
def test_which_of_nearly_equal_values_stands_first_changes_no_interval(n, value, of_clusters):
    """Resamples without the odd one have no spread, though sums round and what they are of does."""
    odd_last = np.append(np.full(n - 1, value), 0.0)
    clusters = np.arange(n) // 2 if of_clusters else None
    found = [
        bootstrap_interval(values, seed=17, bounds=(0.0, 1.0), clusters=clusters)
        for values in (odd_last, odd_last[::-1])
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    drawn = odd_last.reshape(-1, 2).mean(axis=1) if of_clusters else odd_last
    assert found[1][0] == pytest.approx(exact_ends(drawn, (0.0, 1.0))[0])


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=30))
def test_the_interval_of_a_share_holds_it_and_stays_within_zero_and_one(values):
    low, high = bootstrap_interval(values, 199, seed=0, bounds=(0.0, 1.0))
    assert 0 <= low <= np.mean(values) + 1e-12 and np.mean(values) - 1e-12 <= high <= 1


def test_a_share_of_zeros_and_ones_has_wilsons_interval():
    low, high = bootstrap_interval([1.0] * 87 + [0.0] * 13, 100, seed=0, bounds=(0.0, 1.0))
    assert (low, high) == wilson_interval(87, 100)


def test_each_column_has_its_own_bounds():
    values = np.array([[0.0, 3.0], [0.0, 3.0]])
    low, high = bootstrap_interval(values, 100, seed=0, bounds=[(0.0, 1.0), None])
    assert high[0] == wilson_interval(0, 2)[1] and (low[1], high[1]) == (3.0, 3.0)


def test_mover_of_a_difference_worked_by_hand():
    # 0.5 (0.4-0.7) less 0.2 (0.1-0.5): below sqrt(.1^2 + .3^2), above sqrt(.2^2 + .1^2).
    low, high = mover([0.5, 0.2], [0.4, 0.1], [0.7, 0.5], (1, -1))
    assert (low, high) == pytest.approx((0.3 - 0.31623, 0.3 + 0.22361), abs=1e-5)


def test_the_interval_of_paired_shares_is_newcombes_published_one():
    """Newcombe 1998, table III: 36, 12, 2, 0 of 50 give 0.0569 to 0.3404 by method 10."""
    a = np.repeat([1, 1, 0, 0], [36, 12, 2, 0]).astype(float)
    b = np.repeat([1, 0, 1, 0], [36, 12, 2, 0]).astype(float)
    low, high = paired_shares_interval(b, a)
    assert (low, high) == pytest.approx((0.0569, 0.3404), abs=1e-4)


def test_the_interval_of_paired_shares_has_a_width_where_all_agree_and_stays_in_range():
    ones, zeros = np.ones(40), np.zeros(40)
    low, high = paired_shares_interval(zeros, ones)
    assert 0.8 < low < 1 and high == 1
    assert paired_shares_interval(ones, zeros) == (-high, -low)


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


def test_pairing_narrows_the_interval_of_arms_that_agree_on_which_queries_are_hard():
    rng = np.random.default_rng(9)
    difficulty = rng.normal(size=400)
    a = difficulty + rng.normal(scale=0.3, size=400)
    b = difficulty + rng.normal(scale=0.3, size=400) + 0.1
    low, high = bootstrap_interval(b - a, 2000, seed=0)
    low_unpaired, high_unpaired = bootstrap_interval(rng.permutation(b) - a, 2000, seed=0)
    # Standard deviations 0.3 sqrt(2) = 0.42 and sqrt(2 (1 + 0.09)) = 1.48.
    assert (high_unpaired - low_unpaired) / (high - low) == pytest.approx(1.48 / 0.42, rel=0.2)


def test_an_unpaired_difference_is_that_of_the_means_and_its_interval_near_scipys():
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
        # scipy's percentiles are a little too near on the side of the long tail.
        assert low[column] == pytest.approx(expected.low, abs=0.02)
        assert 0 < high[column] - expected.high < 0.05


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


def test_a_ratio_of_sums_is_as_sure_as_its_clusters_are():
    """The error of a ratio of two means by the delta method, over clusters of two units."""
    rng = np.random.default_rng(2)
    bottom = rng.integers(1, 9, 400).astype(float)
    top = 2 * bottom + np.repeat(rng.normal(0, 3, 200), 2)
    clusters = np.repeat(np.arange(200), 2)
    ratio, low, high = ratio_interval(top, bottom, clusters, seed=1)
    assert ratio == top.sum() / bottom.sum()
    left = (top - ratio * bottom).reshape(200, 2).sum(axis=1)
    half = 1.96 * left.std() / np.sqrt(200) / bottom.reshape(200, 2).sum(axis=1).mean()
    assert high - low == pytest.approx(2 * half, rel=0.03)
    # The same clusters whole, a unit each, tell the same.
    whole = (each.reshape(200, 2).sum(axis=1) for each in (top, bottom))
    assert ratio_interval(*whole, np.arange(200), seed=1) == pytest.approx((ratio, low, high))
