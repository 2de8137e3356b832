import numpy as np
import pytest
from scipy import stats

from genlab.statistics.bootstrap import resample
from genlab.statistics.trainings import (
    TrainingPart,
    difference_part,
    interval_of_trainings,
    students_interval,
    training_part,
    two_level_p,
    variance_shares,
    widen,
)

VALUES = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
CLUSTERS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4])


def two_way(effects: list[float], units: list[float], left: np.ndarray) -> np.ndarray:
    """Return float64[trainings, n, 1]: the sum of both effects and what is left."""
    return (np.array(effects)[:, None] + np.array(units) + left)[:, :, None]


# ---- clusters


def test_the_clustered_error_is_that_of_statsmodels():
    """0.15.0, OLS on a constant, cov_type="cluster"."""
    found = resample(VALUES[:, None], 100, 1, CLUSTERS)
    assert found.mean[0] == pytest.approx(4.33333333, abs=1e-8)
    assert found.error[0] == pytest.approx(0.8038775626937659, abs=1e-6)


def test_clusters_of_one_unit_are_no_clusters():
    alone = resample(VALUES[:, None], 500, 1)
    of_one = resample(VALUES[:, None], 500, 1, np.arange(12))
    assert of_one.error == pytest.approx(alone.error, rel=1e-12)
    assert np.ravel(of_one.ends()) == pytest.approx(np.ravel(alone.ends()), rel=1e-9)


def test_copies_of_a_unit_in_one_cluster_tell_nothing_new():
    """Ten copies of each have the error of the units, times sqrt(G / (G - 1)) on both sides."""
    copied, clusters = np.repeat(VALUES, 10)[:, None], np.repeat(np.arange(12), 10)
    once, often = resample(VALUES[:, None], 500, 1), resample(copied, 500, 1, clusters)
    assert often.error == pytest.approx(once.error, rel=1e-12)
    assert np.ravel(often.ends()) == pytest.approx(np.ravel(once.ends()), rel=1e-9)
    assert resample(copied, 500, 1).error[0] < 0.4 * often.error[0]


def test_units_that_do_not_count_leave_their_cluster_smaller():
    values = np.append(VALUES, np.nan)[:, None]
    found = resample(values, 500, 1, np.append(CLUSTERS, 4))
    assert found.error == pytest.approx(resample(VALUES[:, None], 9, 1, CLUSTERS).error)


# ---- trainings


def test_trainings_that_differ_by_as_much_as_units_explain_add_nothing():
    """Rows without an effect: what is left of [[1, -1], [-1, 1]] makes both means 0."""
    left = np.array([[1.0, -1], [-1, 1]])
    assert training_part(two_way([0, 0], [5, 7], left)).variance[0] == 0


def test_the_variance_of_trainings_worked_by_hand():
    """Means 0, 2, 4: variance 4. Left squared: 4 x 0.25 = 1 over 2 x n (n - 1) = 4."""
    left = np.array([[0.5, -0.5], [-0.5, 0.5], [0, 0]])
    part = training_part(two_way([0, 2, 4], [5, 7], left))
    assert part.variance[0] == pytest.approx((4 - 0.25) / 3)
    assert part.freedom[0] == 2
    # t of two degrees of freedom is 4.303.
    assert part.half_width()[0] == pytest.approx(4.302653 * np.sqrt(1.25), rel=1e-5)


def test_two_trainings_are_too_few_to_tell_their_effect_from_noise():
    """Means 0 and 2: variance 2, of which nothing is taken off."""
    left = np.array([[0.5, -0.5], [-0.5, 0.5]])
    assert training_part(two_way([0, 2], [5, 7], left)).variance[0] == pytest.approx(2 / 2)


def test_one_training_and_trainings_that_are_all_the_same_add_nothing():
    values = VALUES[None, :, None]
    assert training_part(values).variance[0] == 0
    assert training_part(np.repeat(values, 5, axis=0)).variance[0] == 0


def test_noise_that_clusters_share_explains_more_of_how_trainings_differ():
    """Both units of a cluster move together: two clusters' worth of noise, not four units'."""
    left = np.array([[1.0, 1, -1, -1], [-1, -1, 1, 1], [0, 0, 0, 0]])
    values = two_way([0, 2, 4], [0, 0, 0, 0], left)
    alone, together = (training_part(values, each) for each in (None, np.array([0, 0, 1, 1])))
    # Left squared: 8 over 2 x 4 x 3, or, by cluster, 4 x 4 over 2, times 2 / 1 over 4 x 4.
    assert alone.variance[0] == pytest.approx((4 - 8 / 24) / 3)
    assert together.variance[0] == pytest.approx((4 - 16 / 2 * 2 / 16) / 3)


def test_a_unit_counts_only_if_it_does_in_every_training():
    values = np.array([[1.0, 2, 3, np.nan], [2, 3, 4, 90]])[:, :, None]
    assert training_part(values).variance[0] == pytest.approx(0.5 / 2)


def test_the_ends_for_other_units_and_trainings_join_as_squares():
    part = TrainingPart(np.array([0.75]), np.array([1.0]))
    half = part.half_width()[0]
    ends = (np.array([0.0]), np.array([3.0]))
    low, high = widen(np.array([1.0]), ends, part, [None])
    assert (low[0], high[0]) == pytest.approx((1 - np.hypot(1, half), 1 + np.hypot(2, half)))
    low, high = widen(np.array([1.0]), ends, part, [(-2.0, 4.0)])
    assert (low[0], high[0]) == (-2.0, 4.0)
    nothing = TrainingPart(np.zeros(1), np.ones(1))
    assert widen(np.array([1.0]), ends, nothing, [None]) == ends


def test_the_p_is_the_level_at_which_the_interval_ends_at_zero():
    p = two_level_p(1.0, 0.2, 40, 0.04, 4.0)
    half = np.hypot(stats.t.isf(p / 2, 39) * 0.2, stats.t.isf(p / 2, 4) * 0.2)
    assert half == pytest.approx(1.0, rel=1e-9)


def test_without_trainings_the_p_is_students():
    assert two_level_p(-0.5, 0.2, 12, 0.0, 1.0) == pytest.approx(2 * stats.t.sf(2.5, 11), rel=1e-9)
    assert two_level_p(0.0, 0.2, 12, 0.0, 1.0) == 1.0


def test_sides_of_other_trainings_add_their_variances_by_welch():
    a, b = (TrainingPart(np.array([v]), np.array([f])) for v, f in ((1.0, 4.0), (3.0, 2.0)))
    joined = difference_part(a, b)
    assert joined.variance[0] == 4
    assert joined.freedom[0] == pytest.approx(16 / (1 / 4 + 9 / 2))


def test_students_interval_over_trainings_is_scipys():
    means = np.array([1.0, 2.0, 4.0])
    expected = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert students_interval(means) == pytest.approx(expected)
    assert np.isnan(students_interval(means[:1])).all()


def test_what_an_error_comes_from_is_found_again_in_a_made_world():
    """Error of one training's mean: units 4 / 400, sampling 1 / 400, training 0.0075."""
    rng = np.random.default_rng(5)
    values = 2 * rng.normal(size=400) + rng.normal(size=(200, 400))
    values += np.sqrt(0.0075) * rng.normal(size=(200, 1))
    found = variance_shares(values)
    assert found["units"] == pytest.approx(0.5, abs=0.06)
    assert found["sampling"] == pytest.approx(0.125, abs=0.02)
    assert found["training"] == pytest.approx(0.375, abs=0.06)
    assert sum(found.values()) == pytest.approx(1)


def test_what_samples_do_not_explain_is_the_trainings():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(50, 100))  # nothing but chance, of variance 1
    told = variance_shares(values, within=0.25)
    assert told["sampling"] / (told["sampling"] + told["training"]) == pytest.approx(0.25, abs=0.04)


def test_copies_of_a_unit_in_its_cluster_leave_the_shares_as_they_were():
    rng = np.random.default_rng(6)
    values = rng.normal(size=40) + rng.normal(size=(5, 40)) + rng.normal(size=(5, 1))
    alone = variance_shares(values)
    copied = variance_shares(np.tile(values, 3), clusters=np.tile(np.arange(40), 3))
    assert copied == pytest.approx(alone)
    # As if the copies were units of their own, more of them would have been measured.
    assert variance_shares(np.tile(values, 3))["units"] < 0.7 * alone["units"]
    assert variance_shares(values, clusters=np.zeros(40, dtype=int)) is None


def test_one_training_or_values_that_never_vary_have_no_shares():
    assert variance_shares(np.ones((1, 9))) is None
    assert variance_shares(np.ones((3, 9))) is None


def test_a_model_that_is_not_trained_has_no_sources_that_nothing_tells_apart():
    """Its texts were drawn once: 100 % of units would be said whatever sampling adds."""
    assert variance_shares(np.tile(np.arange(9.0), (5, 1))) is None
    assert variance_shares(np.tile(np.arange(9.0), (5, 1)), within=0.5) is None


def test_a_mean_over_trainings_has_the_error_of_its_units_and_of_trainings():
    """Units are the same in all trainings, which differ by 0, 1, 2 and nothing else."""
    rng = np.random.default_rng(5)
    units = rng.normal(size=(400, 1))
    values = units + np.arange(3.0)[:, None, None]
    mean, low, high = interval_of_trainings(values, [None], seed=1)
    half = np.hypot(1.96 * units.std() / 20, stats.t.isf(0.025, 2) / np.sqrt(3))
    assert mean[0] == pytest.approx(units.mean() + 1)
    assert (high - low)[0] == pytest.approx(2 * half, rel=0.01)
    # One training: its units alone. A unit that counts nowhere is left out.
    one = np.concatenate([units, [[np.nan]]])[None]
    mean, low, high = interval_of_trainings(one, [None], seed=1)
    assert mean[0] == pytest.approx(units.mean())
    assert (high - low)[0] == pytest.approx(2 * 1.96 * units.std() / 20, rel=0.03)
