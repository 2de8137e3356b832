"""The slope of the overfitting epoch against the size of the data."""

import json
import re

import pytest

from genlab.core.program import InputError
from pipelines.chitchat import overfitting
from pipelines.chitchat.overfitting import draw_points, fit_slope, read_points, table_of


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


def test_the_table_and_the_picture_show_every_training_and_what_did_not_overfit():
    ends = [(100, 2, 1), (100, 3, 1), (1_600, 6, 1), (1_600, 9, 0)]
    found = [
        {"replies": size, "overfitting_epoch": epoch, "overfits": overfits}
        for size, epoch, overfits in ends
    ]
    slope = fit_slope(found)
    assert slope["value"] == pytest.approx((7.5 - 2.5) / 4)
    assert table_of(found, slope)[1:] == [
        ["100", "2, 3"],
        ["1,600", "6, not before 9"],
        # Means of two draws of 6 or 9 and of 2 or 3: from (6 - 3) / 4 to (9 - 2) / 4.
        ["epochs per doubling", "+1.25 (+0.75 to +1.75)"],
    ]
    picture = draw_points(found, slope)
    assert picture.startswith("<svg") and "replies learnt from" in picture
    assert len(re.findall(r'<path[^>]* d="M[^"]*A', picture)) == 4  # a circle a training


def test_the_points_are_the_experiments_of_the_sweep(monkeypatch):
    held = {f"commit {n}": {"training": {"replies": 100 * n}} for n in (1, 2, 3)}
    made = {"chitchat-sizes-1": "commit 1", "chitchat-sizes-10": "commit 2", "other-1": "commit 3"}
    monkeypatch.setattr(overfitting, "experiments_of_head", lambda: made)
    monkeypatch.setattr(overfitting, "read_bytes", lambda _, commit: json.dumps(held[commit]))
    assert read_points() == [
        {"experiment": "chitchat-sizes-1", "replies": 100},
        {"experiment": "chitchat-sizes-10", "replies": 200},
    ]


def test_one_size_has_no_slope():
    with pytest.raises(InputError, match="two sizes"):
        fit_slope(points((100, 2), (100, 3)))
