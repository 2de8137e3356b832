"""Intervals of a median over templates."""

import numpy as np
import pytest

from genlab.statistics.crossed import crossed_interval
from genlab.statistics.intervals import wilson_interval


def test_the_interval_is_wider_when_templates_disagree():
    alike = np.random.default_rng(1).integers(0, 2, 200).astype(float)
    low, high = crossed_interval(np.stack([alike] * 5), 17)
    # one template asked five times: the interval of 200 draws, +-1.96 sqrt(.25 / 200)
    assert high - low == pytest.approx(2 * 1.96 * (0.25 / 200) ** 0.5, rel=0.15)
    wide = crossed_interval(np.stack([np.full(200, p) for p in (0.2, 0.5, 0.8)]), 17)
    assert wide == pytest.approx((0.2, 0.8))


def test_answers_to_one_template_are_a_share_of_examples():
    values = np.array([[1.0] * 97 + [0.0] * 3 + [np.nan] * 20])
    assert crossed_interval(values, 17) == pytest.approx(wilson_interval(97, 100))


@pytest.mark.parametrize("n_templates", [1, 3])
def test_templates_that_agree_on_every_example_are_not_certain(n_templates):
    right = np.ones((n_templates, 50))
    right[:, 40:] = np.nan
    assert crossed_interval(right, 17) == pytest.approx(wilson_interval(40, 40))
    assert crossed_interval(1 - right, 17) == pytest.approx(wilson_interval(0, 40))


def test_one_odd_template_of_nine_does_not_make_the_others_certain():
    values = np.ones((9, 40))
    values[0, :4] = 0
    low, high = crossed_interval(values, 17)
    assert (low, high) == pytest.approx(wilson_interval(40, 40))


@pytest.mark.parametrize("value", [1 / 3, 0.7])
def test_partly_right_answers_that_all_agree_are_not_certain(value):
    """Sums of a third or seven tenths round, and so are a little apart from the median."""
    values = np.full((3, 40), value)
    assert crossed_interval(values, 17) == pytest.approx(wilson_interval(40 * value, 40))
