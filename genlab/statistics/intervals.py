"""Bootstrap intervals over queries, and Wilson's interval for a share.

The functions take one value per query, or a column of values per metric, with NaN where the metric
does not count the query, and return the ends of the interval. Queries are resampled because queries
were sampled from the world. The bootstrap assumes nothing about how the values spread, and a metric
over some of the queries (fdaro: the answerable ones) has its count resampled with its sum.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from genlab.core.program import InputError

# Draws held at a time, 8 bytes each in three arrays: 6 MB. Smaller and larger chunks are slower
# (5,000 queries x 10,000 resamples x 8 metrics: 2**14 0.31 s, 2**18 0.26 s, 2**22 0.57 s).
CHUNK_DRAWS = 2**18


def interval(value: SupportsFloat, low: SupportsFloat, high: SupportsFloat) -> dict[str, float]:
    """Return a number and the ends of its interval, in the one form of all metrics files."""
    return {"value": float(value), "low": float(low), "high": float(high)}


def bootstrap_interval(
    values: ArrayLike, n_resamples: int = 10_000, *, seed: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile bootstrap interval (low, high) of the mean over queries.

    `values` is float[n, m], which gives two float64[m], or float[n], which gives two numbers; NaN
    or None is a query that does not count. All m columns, and every call with the same n and
    seed, see the same resamples. Each resample's mean is the sum of the values drawn over the
    number drawn that count; a resample with none that counts is left out, and a column with none
    at all gives NaN. Values that are all equal give an interval without width: for a share of
    0 or 1 (top_1 of a weak arm) see `wilson_interval`.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.
    """
    values = np.asarray(values, dtype=np.float64)
    means = resampled_means(values if values.ndim == 2 else values[:, None], n_resamples, seed)
    low, high = percentile_ends(means, level)
    return (low, high) if values.ndim == 2 else (low[0], high[0])


def percentile_ends(means: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high), each float64[m]: the interval that `resampled_means` give a column."""
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.array([quantiles_of_numbers(column, ends) for column in means.T]).T
    return low, high


def paired_difference(
    a: ArrayLike, b: ArrayLike, n_resamples: int = 10_000, *, seed: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of b - a and its bootstrap interval: (difference, low, high).

    Row i of `a` and of `b` (shapes as in `bootstrap_interval`) must be the same query: a query
    that is hard in both arms then cancels out. A query counts where it counts in both arms.
    Raises InputError if the arms have different shapes.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise InputError(
            f"cannot pair arms of shapes {a.shape} and {b.shape}: compare runs scored on the same"
            " queries and metrics, in the same order"
        )
    low, high = bootstrap_interval(b - a, n_resamples, seed=seed, level=level)
    counted = ~np.isnan(b - a)
    with np.errstate(invalid="ignore"):  # 0 / 0: no query counts, and NaN says so
        difference = np.where(counted, b - a, 0.0).sum(axis=0) / counted.sum(axis=0)
    return difference, low, high


def unpaired_difference(
    a: ArrayLike, b: ArrayLike, n_resamples: int = 10_000, *, seed: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of b minus the mean of a and its bootstrap interval: (difference, low, high).

    `a` is float[n, m] and `b` float[k, m], m metrics over different queries; NaN does not count.
    Each sample is resampled on its own (Efron and Tibshirani 1993, section 8.3).
    """
    samples = [np.asarray(sample, dtype=np.float64) for sample in (a, b)]
    # Two streams: with one, samples of equal size would be drawn alike.
    means_a, means_b = (
        resampled_means(sample, n_resamples, [seed, stream])
        for stream, sample in enumerate(samples)
    )
    low, high = percentile_ends(means_b - means_a, level)
    mean_a, mean_b = (np.nanmean(sample, axis=0) for sample in samples)
    return mean_b - mean_a, low, high


def wilson_interval(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (low, high), within [0, 1], for a share of n >= 1 trials.

    Unlike share +- z * standard error it has a width at 0 and at n successes. Wilson 1927,
    Journal of the American Statistical Association 22(158).
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} trials")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Exactly 0 and 1 at the ends, where rounding would leave 1e-17.
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == n else center + half
    return low, high


def resampled_means(values: np.ndarray, n_resamples: int, seed: int | list[int]) -> np.ndarray:
    """Return float64[n_resamples, m]: the means of `values` (float64[n, m]) in each resample.

    Resamples are held as counts per query, float64[chunk, n], so that all metrics of a chunk are
    one matrix product.
    """
    n_queries = len(values)
    if n_queries == 0:
        raise InputError("no query was scored, so there is no interval")
    counted = ~np.isnan(values)
    sums_of = np.where(counted, values, 0.0)
    # Nearly all metrics count all queries: only the others need their count resampled.
    partial = ~counted.all(axis=0)
    columns = np.hstack([sums_of, counted[:, partial]])
    rng = np.random.default_rng(seed)
    sums = np.empty((n_resamples, columns.shape[1]))
    chunk = max(1, CHUNK_DRAWS // n_queries)
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        drawn = rng.integers(0, n_queries, (size, n_queries))
        drawn += np.arange(size)[:, None] * n_queries
        counts = np.bincount(drawn.ravel(), minlength=size * n_queries)
        sums[start : start + size] = counts.reshape(size, n_queries).astype(np.float64) @ columns
    n_metrics = values.shape[1]
    totals = np.full((n_resamples, n_metrics), float(n_queries))
    totals[:, partial] = sums[:, n_metrics:]
    with np.errstate(invalid="ignore"):  # 0 / 0: none of the drawn queries counts
        return sums[:, :n_metrics] / totals


def resample_strata(
    values: np.ndarray, strata: Sequence, n_resamples: int = 10_000, *, seed: int
) -> np.ndarray:
    """Return float64[strata, n_resamples, m]: each stratum's resampled means, strata sorted.

    values: float64[n, m], NaN where one does not count; strata: one of n units each. Units are
    drawn within their stratum, as many as it has: for samples that were taken stratum by stratum.
    The mean over the first axis is the resampled macro average. Davison and Hinkley 1997,
    Bootstrap Methods and their Application, section 3.2.
    """
    names, place = np.unique(np.asarray(strata), return_inverse=True)
    return np.stack(
        [
            resampled_means(values[place == number], n_resamples, [seed, number])
            for number in range(len(names))
        ]
    )


def quantiles_of_numbers(values: np.ndarray, levels: list[float]) -> np.ndarray:
    """Return the quantiles of the values that are not NaN; NaN if there are none."""
    numbers = values[~np.isnan(values)]
    return np.quantile(numbers, levels) if len(numbers) else np.full(len(levels), np.nan)
