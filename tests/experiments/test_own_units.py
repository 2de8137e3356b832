"""Trainings that have units of their own, joined by their means."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from genlab.experiments.comparison import compare_group
from genlab.experiments.layout import Layout, Metric
from genlab.experiments.own_units import have_own_units, join_summaries, join_trainings
from genlab.experiments.pairing import pair_rows

PLACE = Metric("place", "lower", bounds=(1.0, 11.0))
EPOCH = Metric("place", "higher", margin=0.5, bounds=(1.0, 9.0), per="training")


def alone(metric: Metric, changes: list[float | None]) -> list:
    """Return the difference of each training: sixty units, changed by so much, or none counts."""
    layout = Layout("rows.parquet", "unit", {"place": metric})
    found = []
    for change in changes:
        places = [float(1 + i % 3) for i in range(60)]
        moved = [None if change is None else place + change for place in places]
        base, other = (
            pl.DataFrame({"unit": range(60), "place": each}, schema_overrides={"place": pl.Float64})
            for each in (places, moved)
        )
        pairing = pair_rows(layout, base, other, ["place"])[""]
        found += compare_group(layout, "", pairing, ["place"])
    return found


def test_units_are_own_where_their_tables_differ():
    assert have_own_units({17: "1f", 18: "2e"})
    assert not have_own_units({17: "1f", 18: "1f"}) and not have_own_units({17: None})


def test_the_test_over_trainings_is_students():
    found = join_trainings(alone(PLACE, [1.0, 2.0, 4.0]), PLACE)
    expected = stats.ttest_1samp([1.0, 2.0, 4.0], 0)
    assert (found.p, found.test, found.n) == (pytest.approx(expected.pvalue), "t", 180)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_a_training_in_which_no_pair_counts_is_left_out():
    found = join_trainings(alone(PLACE, [1.0, None, 3.0]), PLACE)
    assert (found.n_trainings, found.difference, found.n) == (2, 2.0, 120)
    assert join_trainings(alone(PLACE, [None, None]), PLACE).n == 0


def test_a_value_of_a_training_is_told_apart_no_finer_than_the_margin():
    found = join_trainings(alone(EPOCH, [2.0, 2.0, 2.0]), EPOCH)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / (0.5 / np.sqrt(3)), 2))


def test_trainings_that_differ_significantly_in_sign_are_unstable():
    assert join_trainings(alone(PLACE, [-1.0, 1.0]), PLACE).is_unstable
    assert not join_trainings(alone(PLACE, [1.0, 2.0]), PLACE).is_unstable


def test_a_mean_over_trainings_has_students_interval():
    found = join_summaries([{"value": 1.0}, {"value": 3.0}])
    assert found["value"] == 2.0 and found["high"] == pytest.approx(2 + 12.7062, abs=1e-3)
