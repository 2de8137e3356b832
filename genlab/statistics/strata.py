"""Means over strata, and ratios of sums, of units that were drawn stratum by stratum in clusters.

As many reviews of every rating were drawn, and several of one place, which may be of any rating. So
clusters cross the strata, and neither strata nor ratings can be resampled on their own. Each
cluster brings to the estimate, to first order, the sum of its units' departures from their stratum;
the interval is the bootstrap's of these, as `genlab.statistics.intervals.ratio_interval` has it
without strata (Davison and Hinkley 1997, Bootstrap Methods and their Application, section 2.7.2;
Wolter 2007, Introduction to Variance Estimation, chapter 6). benchmarks/COVERAGE.md says how often
it holds the truth.
"""

from collections.abc import Sequence

import numpy as np

from genlab.statistics.bootstrap import sums_within
from genlab.statistics.intervals import Bounds, bootstrap_interval


def macro_interval(
    values: np.ndarray,
    strata: np.ndarray,
    clusters: np.ndarray,
    *,
    seed: int,
    bounds: Sequence[Bounds],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean over strata of their means, and its interval: (mean, low, high), float64[m].

    values: float64[n, m]; NaN does not count, and a stratum in which none counts is left out.
    strata: of each of the n units; clusters: int[n], from 0, drawn whole. NaN where none counts.
    """
    counted = ~np.isnan(values)
    departures = np.zeros(values.shape)
    means = []
    for stratum in np.unique(strata):
        own, there = values[strata == stratum], counted[strata == stratum]
        with np.errstate(invalid="ignore"):  # 0 / 0: none counts
            means.append(np.where(there, own, 0.0).sum(axis=0) / there.sum(axis=0))
            share = (own - means[-1]) / there.sum(axis=0)
        lost = for_own_mean(there.sum(axis=0), counted.sum(axis=0))
        departures[strata == stratum] = np.where(there, share * lost, 0.0)
    n_strata = (~np.isnan(means)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        macro = np.nansum(means, axis=0) / n_strata
        departures = departures / n_strata
    return macro, *ends_of(macro, departures, counted, clusters, seed=seed, bounds=bounds)


def stratified_ratio(
    top: np.ndarray, bottom: np.ndarray, strata: np.ndarray, clusters: np.ndarray, *, seed: int
) -> tuple[float, float, float]:
    """Return sum(top) / sum(bottom), of float64[n] each, and its interval (ratio, low, high).

    strata, clusters: as in `macro_interval`. The sum of `bottom` is not 0.
    """
    ratio = float(top.sum() / bottom.sum())
    departures = (top - ratio * bottom) / bottom.sum()
    for stratum in np.unique(strata):
        own = departures[strata == stratum]
        lost = for_own_mean(np.array(len(own)), np.array(len(top)))
        departures[strata == stratum] = (own - own.mean()) * lost
    column = departures[:, None]
    counted = np.ones(column.shape, dtype=bool)
    low, high = ends_of(np.array([ratio]), column, counted, clusters, seed=seed, bounds=[None])
    return ratio, float(low[0]), float(high[0])


def for_own_mean(n_own: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return by how much departures from a stratum's own mean are too small, beside those of all.

    n_own of the n units are in the stratum. The bootstrap has n / (n - 1) for the variance of all;
    within a stratum it is n_own / (n_own - 1).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n_own > 1, np.sqrt(n_own * (n - 1) / ((n_own - 1) * n)), 1.0)


def ends_of(
    estimate: np.ndarray,
    departures: np.ndarray,
    counted: np.ndarray,
    clusters: np.ndarray,
    *,
    seed: int,
    bounds: Sequence[Bounds],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends (low, high) of m estimates, float64[m], within their bounds.

    departures, counted: float64 and bool[n, m], what each unit adds to an estimate; a cluster none
    of whose units counts is not drawn.
    """
    there = sums_within(counted.astype(np.float64), clusters) > 0
    linear = estimate + there.sum(axis=0) * sums_within(departures, clusters)
    low, high = bootstrap_interval(np.where(there, linear, np.nan), seed=seed, bounds=bounds)
    for i, limits in enumerate(bounds):
        if limits is not None:  # a cluster's own value may lie beyond them
            low[i], high[i] = max(low[i], limits[0]), min(high[i], limits[1])
    return low, high
