from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.statistics.bootstrap import resample
from genlab.statistics.differences import t_of
from genlab.statistics.intervals import exact_ends, finished_ends
from genlab.statistics.significance import (
    adjust_by_holm,
    binomial_p,
    bootstrap_p,
    detectable_difference,
    exact_p,
    is_significant,
    least_p,
    mcnemar_p,
    number_to_settle,
    unpaired_shares_interval,
)


def bootstrap_of(differences: np.ndarray, n: int = 2000) -> tuple[float, float, float]:
    found = resample(differences[:, None], n, 17)
    low, high = finished_ends(differences[:, None], found, [None])
    t = t_of(found.mean[0], found.error[0])
    return bootstrap_p(differences, t, found.pivots[:, 0]), low[0], high[0]


def test_mcnemar_worked_by_hand():
    # One loss, five gains: 2 (C(6,0) + C(6,1)) / 2^6 = 14/64; the agreeing units do not matter.
    a = np.array([1, 0, 0, 0, 0, 0, 1, 0])
    b = np.array([0, 1, 1, 1, 1, 1, 1, 0])
    assert mcnemar_p(a, b) == 14 / 64 == mcnemar_p(b, a)


def test_mcnemar_of_arms_that_never_or_equally_disagree_is_one():
    assert mcnemar_p(np.array([1, 0]), np.array([1, 0])) == 1.0
    assert mcnemar_p(np.array([1, 0]), np.array([0, 1])) == 1.0


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_equals_scipys_binomial_test_of_the_disagreements(losses, gains):
    a, b = np.repeat([1, 0], [losses, gains]), np.repeat([0, 1], [losses, gains])
    expected = stats.binomtest(losses, losses + gains).pvalue if losses + gains else 1.0
    assert mcnemar_p(a, b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_thousands_that_all_went_one_way_is_tiny_not_an_overflow():
    assert mcnemar_p(np.zeros(5000), np.ones(5000)) < 1e-300


def test_mcnemar_of_twenty_thousand_disagreements_takes_no_time():
    losses, gains = 9_900, 10_100
    a, b = np.repeat([1, 0], [losses, gains]), np.repeat([0, 1], [losses, gains])
    start = perf_counter()
    p = mcnemar_p(a, b)
    assert perf_counter() - start < 10  # 0.02 s; 17 s with each binomial made anew
    assert p == pytest.approx(stats.binomtest(losses, losses + gains).pvalue, rel=1e-9)


def test_bootstrap_p_counts_the_smaller_side_and_one_more():
    pivots = np.array([3.0, 2.0, *[0.0] * 97])  # 99 resamples, 2 of them as far out as 2
    assert bootstrap_p(np.ones(50), 2.0, pivots) == 2 * (2 + 1) / (99 + 1)
    assert bootstrap_p(np.ones(50), -2.0, -pivots) == 2 * (2 + 1) / (99 + 1)


@pytest.mark.parametrize(("k", "n", "share"), [(0, 9, 0.5), (331, 333, 0.5), (3, 20, 0.4)])
def test_the_binomial_p_is_twice_scipys_smaller_tail(k, n, share):
    sides = [stats.binomtest(k, n, share, alternative=side).pvalue for side in ("less", "greater")]
    assert binomial_p(k, n, share) == pytest.approx(min(1, 2 * min(sides)), rel=1e-9)


@pytest.mark.parametrize("k", [0, 1, 3])
def test_the_exact_p_is_5_percent_where_the_exact_end_is_zero(k):
    """All but k of 60 differ by v, the others by 0.3; for such a v the low end is 0."""
    q = stats.beta.ppf(0.975, k + 1, 60 - k)
    v = q / (1 - q)  # v + q (-1 - v) = 0
    values = np.array([v] * (60 - k) + [0.3] * k)
    assert exact_ends(values, (-1.0, 1.0))[0] == pytest.approx(0, abs=1e-12)
    assert exact_p(values, (-1.0, 1.0)) == pytest.approx(0.05, rel=1e-9)
    assert exact_p(-values, (-1.0, 1.0)) == exact_p(values, (-1.0, 1.0))


def test_the_exact_p_takes_an_infinite_bound_for_none_as_the_exact_ends_do():
    values = np.array([2.0] * 49 + [3.0])
    for bounds in (None, (-np.inf, np.inf)):
        assert exact_ends(values, bounds)[0] == 2.0
        assert exact_p(values, bounds) < 1e-10


def test_the_exact_p_of_no_difference_is_one_and_of_a_few_equal_ones_a_sign_tests():
    assert exact_p(np.zeros(40), (-1.0, 1.0)) == 1.0
    assert exact_p(np.array([1.0] + [0.0] * 39), (-1.0, 1.0)) == 1.0
    assert exact_p(np.ones(3), None) == 0.25


def test_students_p_counts_where_it_is_the_greater():
    differences = np.ones(9)
    expected = 2 * stats.t.sf(1.5, 8)
    assert bootstrap_p(differences, 1.5, np.zeros(999)) == pytest.approx(expected, rel=1e-9)


def test_bootstrap_p_is_never_zero_and_never_above_one():
    assert bootstrap_p(np.ones(50), 5.0, np.ones(999)) == 2 / 1000 == least_p(999)
    assert bootstrap_p(np.zeros(50), 0.0, np.zeros(999)) == 1.0


def test_a_few_differences_on_one_side_prove_no_more_than_their_signs():
    # All resamples of three equal differences are equal; three signs alike have p 2 / 2^3.
    p, low, high = bootstrap_of(np.ones(3))
    assert (low, high) == (1.0, 1.0)
    assert p == 0.25
    assert not is_significant(low, high, p)


def test_units_that_do_not_differ_add_nothing_to_what_signs_can_prove():
    assert bootstrap_p(np.array([1.0, 1.0, *[0.0] * 500]), 5.0, np.ones(999)) == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_bootstrap_p_is_below_5_percent_only_where_the_interval_excludes_zero(seed):
    values = np.random.default_rng(seed).normal(0.25, 1.0, size=60)
    p, low, high = bootstrap_of(values, 1999)
    if p < 0.05:  # Student's p may be the greater
        assert low > 0 or high < 0


def test_bootstrap_p_is_close_to_the_t_test_on_many_units():
    values = np.random.default_rng(3).normal(0.1, 1.0, size=400)
    p, _, _ = bootstrap_of(values, 10_000)
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01)


def test_resamples_in_which_nothing_counts_are_left_out():
    pivots = np.array([np.nan] * 5 + [1.0] * 99)
    assert bootstrap_p(np.ones(50), 5.0, pivots) == 2 / 100


def test_holm_worked_by_hand():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 -> raised to the one before.
    adjusted = adjust_by_holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_one_and_passes_over_what_was_not_asked():
    adjusted = adjust_by_holm([0.9, float("nan"), 0.8, 0.01])
    assert adjusted[0] == adjusted[2] == 1.0
    assert np.isnan(adjusted[1])
    assert adjusted[3] == pytest.approx(0.03)  # three were asked
    assert adjust_by_holm([]) == []


def test_the_detectable_difference_worked_by_hand():
    # sd of 1, 2, ... 9 is 2.73861; 2.80159 x 2.73861 / 3.
    values = np.arange(1.0, 10.0)
    assert detectable_difference(values) == pytest.approx(2.55749, abs=1e-4)
    # Of ten questions each at 0.5 %: z 2.80703 + 0.84162.
    assert detectable_difference(values, 10) == pytest.approx(3.33075, abs=1e-4)


def test_the_detectable_difference_counts_only_numbers_and_needs_six_that_differ():
    values = np.array([1.0, np.nan, 2.0, 1.0, 2.0, 1.0])
    assert np.isnan(detectable_difference(values))
    assert detectable_difference(np.append(values, 2.0)) > 0
    assert np.isnan(detectable_difference(np.zeros(500)))


def test_the_detectable_difference_is_found_in_about_80_of_100_experiments():
    rng = np.random.default_rng(0)
    sd, n, trials = 1.0, 100, 400
    true = detectable_difference(rng.normal(0, sd, size=100_000)) * np.sqrt(100_000 / n)
    found = sum(stats.ttest_1samp(rng.normal(true, sd, n), 0).pvalue < 0.05 for _ in range(trials))
    assert 0.74 <= found / trials <= 0.86  # three standard errors of 0.02


def test_the_interval_of_unpaired_shares_worked_by_hand():
    # Wilson of 20 and 30 of 100: 0.13337 to 0.28883, 0.21895 to 0.39585.
    # Below sqrt(.08105^2 + .08883^2) = .12025, above sqrt(.09585^2 + .06663^2) = .11673.
    low, high = unpaired_shares_interval(0.2, 0.3, 100)
    assert (low, high) == pytest.approx((0.1 - 0.12025, 0.1 + 0.11673), abs=2e-5)


def test_the_units_that_would_settle_a_difference_worked_by_hand():
    """(1.95996 + 0.84162) x 2 / 0.1 = 56.03, squared 3139.6; for 0.3 - 0.1 784.9."""
    assert number_to_settle(0.1, 2.0, None) == 3140
    assert number_to_settle(-0.1, 2.0, 0.3) == 785
    assert number_to_settle(0.25, 2.0, 0.3) == 503  # 22.41^2: sooner shown than ruled out
    # Of ten questions each at 0.5 %: (2.80703 + 0.84162) x 20 squared.
    assert number_to_settle(0.1, 2.0, None, n_asked=10) == 5326


def test_a_difference_of_nothing_without_margin_is_never_settled():
    assert number_to_settle(0.0, 2.0, None) is None
    assert number_to_settle(0.0, 0.0, 0.1) is None
    assert number_to_settle(0.0, 2.0, 0.1) == 3140


def test_a_difference_is_significant_only_where_p_and_interval_agree():
    assert is_significant(0.1, 0.3, 0.01) and is_significant(-0.3, -0.1, 0.01)
    assert not is_significant(0.1, 0.3, 0.06)
    assert not is_significant(0.0, 0.3, 0.01)
    assert not is_significant(0.1, 0.3, float("nan"))
