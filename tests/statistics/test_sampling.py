"""Variance between and within units: by hand, and against an analysis of variance."""

import numpy as np
import pytest
from scipy import stats

from genlab.statistics.sampling import VarianceParts, split_variance, widths


def test_the_parts_worked_by_hand():
    """Units (1, 3) and (5, 9): variances 2 and 8, mean 5; means 2 and 7, variance 12.5 - 5 / 2."""
    found = split_variance(np.array([[1.0, 3.0], [5.0, 9.0]]))
    assert found == VarianceParts(n=2, k=2, between=pytest.approx(10.0), within=pytest.approx(5.0))


def test_the_parts_are_those_of_the_mean_squares():
    values = np.random.default_rng(1).normal(size=(30, 4)) + np.arange(30)[:, None] / 10
    found = split_variance(values)
    f = stats.f_oneway(*values).statistic  # mean square between over mean square within
    assert found.between == pytest.approx((f - 1) * found.within / 4)


def test_what_is_known_of_both_parts_is_found_again():
    rng = np.random.default_rng(2)
    values = 3 * rng.normal(size=(4000, 1)) + 2 * rng.normal(size=(4000, 3))
    found = split_variance(values)
    assert found.between == pytest.approx(9, rel=0.08) and found.within == pytest.approx(
        4, rel=0.08
    )


def test_units_that_differ_less_than_their_samples_explain_have_nothing_between():
    assert split_variance(np.array([[0.0, 2.0], [2.0, 0.0]])).between == 0.0


def test_one_sample_or_one_unit_says_nothing_and_a_unit_that_does_not_count_is_left_out():
    assert split_variance(np.ones((5, 1))) is None and split_variance(np.ones((1, 5))) is None
    with_nan = np.array([[1.0, 3.0], [np.nan, np.nan], [5.0, 9.0]])
    assert split_variance(with_nan).n == 2


def test_widths_with_k_samples_worked_by_hand():
    """2 x 1.95996 x sqrt((9 + 4 / k) / 400) for k of 1, 4, 8 and without end."""
    found = widths(VarianceParts(n=400, k=4, between=9.0, within=4.0))
    assert list(found) == ["1", "4", "8", "all"]
    assert list(found.values()) == pytest.approx([0.70667, 0.61980, 0.60408, 0.58799], abs=1e-3)
