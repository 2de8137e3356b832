"""The slope of the overfitting epoch against the size of the data."""

import pytest

from genlab.core.program import InputError
from pipelines.chitchat.overfitting import fit_slope


def points(*pairs: tuple[int, int]) -> list[dict]:
    return [{"replies": size, "overfitting_epoch": epoch} for size, epoch in pairs]


def test_a_slope_is_epochs_per_doubling_with_an_interval_over_trainings():
    exact = points((100, 2), (100, 2), (200, 3), (200, 3), (400, 4), (400, 4))
    assert fit_slope(exact) == pytest.approx({"value": 1.0, "low": 1.0, "high": 1.0})
    found = fit_slope(points((100, 1), (100, 3), (200, 2), (200, 4), (400, 3), (400, 5)))
    assert found["value"] == pytest.approx(1.0)
    # Half of (mean of two draws of 3 or 5) - (of 1 or 3): 0 and 2 with a probability of 1/16 each,
    # which is more than the 2.5 % beyond each end.
    assert (found["low"], found["high"]) == pytest.approx((0.0, 2.0))


def test_one_size_has_no_slope():
    with pytest.raises(InputError, match="two sizes"):
        fit_slope(points((100, 2), (100, 3)))
