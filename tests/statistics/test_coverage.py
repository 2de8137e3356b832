"""Intervals hold the truth about 95 times in 100: benchmarks/coverage.py in small.

The limits are loose: they catch a method that fails, not one that is off by a point. That is the
large run's task.
"""

import numpy as np
import pytest

from benchmarks import coverage

RNG_SEED = 7


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(coverage, "N_RESAMPLES", 799)


def held(kind: str, n: int, n_worlds: int = 600) -> dict[str, float]:
    """Return world -> how many of 100 intervals of a kind hold the truth."""
    rng = np.random.default_rng(RNG_SEED)
    found = coverage.KINDS[kind](n, n_worlds, rng)
    return {name: coverage.row_of(kind, name, n, ends, truth)[3] for name, ends, truth in found}


@pytest.mark.parametrize("n", [40, 200])
def test_intervals_of_skewed_and_tied_means_hold_the_truth(n):
    rng = np.random.default_rng(RNG_SEED)
    for name, values, truth, bounds in coverage.means(n, 1000, rng):
        row = coverage.row_of("plain", name, n, coverage.of_columns(values, bounds), truth)
        assert 91 <= row[3] <= 99, row


def test_intervals_of_paired_differences_with_many_ties_hold_the_truth():
    rng = np.random.default_rng(RNG_SEED)
    for name, values, truth, bounds in coverage.differences(200, 600, rng):
        row = coverage.row_of("paired", name, 200, coverage.of_differences(values, bounds), truth)
        assert 92 <= row[3] <= 99, row


@pytest.mark.parametrize("kind", ["share", "fdaro", "macro", "unpaired"])
def test_intervals_of_shares_macro_and_unpaired_means_hold_the_truth(kind):
    for name, share in held(kind, 200).items():
        assert 92 <= share <= 99, (kind, name)


def test_intervals_of_paired_shares_hold_the_truth_and_have_a_width_where_none_differ():
    found = held("paired shares", 200, 300)
    assert found.pop("none differ") == 100
    assert all(91 <= share <= 99.5 for share in found.values()), found


def test_students_t_over_seeds_holds_the_truth_only_if_each_has_its_own_texts():
    found = held("over seeds", 40)
    for k in (3, 5):
        assert 92 <= found[f"{k} seeds, texts of their own"] <= 98
        assert found[f"{k} seeds that share their texts"] < 91  # benchmarks/COVERAGE.md says why


def test_intervals_for_other_units_and_other_trainings_hold_the_truth():
    found = held("two levels", 40)
    resampled = found.pop("5 trainings, effect 1, by resampling both")
    assert all(91 <= share <= 99 for share in found.values()), found
    assert resampled < 91  # five are too few to draw from


def test_intervals_of_clustered_units_hold_the_truth_only_by_cluster():
    found = held("clustered", 200)
    assert 91 <= found["by cluster"] <= 98
    assert found["as if units were independent"] < 90


@pytest.mark.parametrize("kind", ["two levels, clusters", "two levels, other trainings"])
def test_intervals_of_clusters_and_of_two_sets_hold_the_truth_over_trainings(kind):
    found = held(kind, 100)
    assert all(91 <= share <= 99 for share in found.values()), found


def test_shares_and_ratios_by_cluster_hold_the_truth_where_few_units_count():
    shares = held("clustered share", 500, 300)
    assert all(92 <= share <= 100 for share in shares.values()), shares
    ratios = held("clustered ratio", 200, 100)
    assert all(88 <= share <= 100 for share in ratios.values()), ratios


def test_intervals_of_medians_over_templates_hold_the_truth_or_are_wide():
    found = held("crossed median", 60, 60)
    assert all(share >= 88 for share in found.values()), found


def test_a_ledger_without_any_effect_has_rarely_a_false_verdict():
    """Of 40 ledgers of 12 at 5 % more than 6 have odds below 1/100."""
    rng = np.random.default_rng(RNG_SEED)
    assert coverage.false_families(60, rng, n_families=40, n_tests=12) <= 100 * 6 / 40
