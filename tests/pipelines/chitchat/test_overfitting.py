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
    # Both trainings of a size swing by one: at most (5 - 1) / 2 and at least (3 - 3) / 2.
    assert 0.0 <= found["low"] < 0.5 and 1.5 < found["high"] <= 2.0


def test_one_size_has_no_slope():
    with pytest.raises(InputError, match="two sizes"):
        fit_slope(points((100, 2), (100, 3)))
