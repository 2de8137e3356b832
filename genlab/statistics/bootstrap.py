"""The studentised bootstrap of a mean, and exact ends where it has nothing to draw from.

Each resample gives its mean and its standard error, and so a t of its own. The spread of these
t stands in for Student's table. For skewed values that is much nearer to the promised 95 % than
the percentiles of the means are (benchmarks/COVERAGE.md). Efron and Tibshirani 1993, An
Introduction to the Bootstrap, section 12.5; Hall 1988, Annals of Statistics 16(3).
"""

from dataclasses import dataclass

import numpy as np

from genlab.core.program import InputError
from genlab.statistics.weighted_sums import exact_parts, weighted_sums

# Draws held at a time, 8 bytes each in three arrays: 6 MB. Smaller and larger chunks are slower
# (5,000 queries x 10,000 resamples x 8 metrics: 2**14 0.31 s, 2**18 0.26 s, 2**22 0.57 s).
CHUNK_DRAWS = 2**18
# A variance below this part of the mean square is taken for the rounding error of equal values. It
# is computed from three sums, each of which is rounded once.
ROUNDING = 2.0**-49


@dataclass(frozen=True)
class Resampled:
    """The mean and standard error of m columns, float64[m], and the sorted t of the resamples.

    pivots: float64[r, m], NaN last. t is infinite where all values of a resample are equal, but
    not to the mean. error is 0 for a column without spread, NaN for one that no unit counts for.
    """

    mean: np.ndarray
    error: np.ndarray
    pivots: np.ndarray

    def column(self, i: int) -> "Resampled":
        """Return column i alone, as one of one column."""
        return Resampled(self.mean[[i]], self.error[[i]], self.pivots[:, [i]])

    def ends(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return (low, high), each float64[m]; infinite where the resamples set no end."""
        counted = (~np.isnan(self.pivots)).sum(axis=0)
        # The k-th of r sorted t leaves k / (r + 1) beyond it; no end before the first. The small
        # number keeps 200.00000001 and 199.99999999 the same k.
        k = np.floor((counted + 1) * (1 - level) / 2 + 1e-9).astype(int)
        columns = np.arange(self.pivots.shape[1])
        lowest = self.pivots[np.clip(k - 1, 0, None), columns]
        highest = self.pivots[np.clip(counted - k, 0, len(self.pivots) - 1), columns]
        told = (k > 0) & (self.error > 0)
        with np.errstate(invalid="ignore"):  # 0 x infinity, where nothing is told anyway
            low = np.where(told, self.mean - highest * self.error, -np.inf)
            high = np.where(told, self.mean - lowest * self.error, np.inf)
        nothing = np.isnan(self.mean)
        return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def resample(
    values: np.ndarray,
    n_resamples: int,
    seed: int | list[int],
    clusters: np.ndarray | None = None,
) -> Resampled:
    """Return the means of `values`, float64[n, m], and their resamples; NaN does not count.

    clusters: int[n], the cluster of each unit, from 0. Whole clusters are drawn, and the error is
    the clustered one: residuals are summed within a cluster before they are squared, and
    G / (G - 1) corrects for G clusters (Liang and Zeger 1986, Biometrika 73(1)). Without them each
    unit is a cluster of its own, and the error is s / sqrt(n).
    """
    if len(values) == 0:
        raise InputError("no query was scored, so there is no interval")
    counted = ~np.isnan(values)
    # Measured from a value of its own, a column without spread is exactly zeros.
    origin = values[counted.argmax(axis=0), np.arange(values.shape[1])]
    apart = np.where(counted, values - origin, 0.0)
    if clusters is None:
        tables, drawn = [apart, apart**2], counted
    else:
        sums, sizes = (sums_within(each, clusters) for each in (apart, counted.astype(np.float64)))
        tables, drawn = [sums, sums**2, sums * sizes, sizes**2, sizes], sizes > 0
    mean, error = mean_and_error(*(table.sum(axis=0) for table in tables), drawn.sum(axis=0))
    error[np.all((apart == 0) | ~counted, axis=0) & counted.any(axis=0)] = 0.0
    means, errors = mean_and_error(*resampled_sums(tables, drawn, n_resamples, seed))
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 below; x / 0 is infinite
        pivots = (means - mean) / errors
    at_mean = np.isnan(pivots) & ~np.isnan(means)
    # One value drawn has no variance: it says nothing, like one of many equal ones.
    apart_from_mean = np.sign(np.where(at_mean, means - mean, 0.0))
    with np.errstate(invalid="ignore"):
        pivots[at_mean] = np.where(apart_from_mean == 0, 0.0, apart_from_mean * np.inf)[at_mean]
    pivots.sort(axis=0)
    return Resampled(origin + mean, error, pivots)


def sums_within(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return float64[clusters, m]: the sums of values, float64[n, m], within each cluster."""
    sums = np.zeros((int(clusters.max()) + 1, values.shape[1]))
    np.add.at(sums, clusters, values)
    return sums


def means_within(values: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    """Return float64[clusters, m]: the means within each, NaN where none counts.

    values: float64[n, m]; without clusters they are returned as they are.
    """
    if clusters is None:
        return values
    counted = ~np.isnan(values)
    sums = sums_within(np.where(counted, values, 0.0), clusters)
    with np.errstate(invalid="ignore"):
        return sums / sums_within(counted.astype(np.float64), clusters)


def mean_and_error(*sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and its standard error, NaN for fewer than two, of columns of sums.

    sums: of x, of x^2 and the number n; of clusters with x the sum of one and k its size, of x,
    x^2, x k, k^2, k and the number of clusters.
    """
    total, squares, *rest = sums
    n = rest[-1]
    crosses, sizes_squared, count = (total, n, n) if len(rest) == 1 else rest[:3]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        around = squares - 2 * mean * crosses + mean**2 * sizes_squared
        around = np.where(around > ROUNDING * squares, around, 0.0)
        error = np.sqrt(around * n / (n - 1)) / count
    return mean, np.where(n > 1, error, np.nan)


def resampled_means(values: np.ndarray, n_resamples: int, seed: int | list[int]) -> np.ndarray:
    """Return float64[n_resamples, m]: the means of `values` (float64[n, m]) in each resample."""
    if len(values) == 0:
        raise InputError("no query was scored, so there is no interval")
    counted = ~np.isnan(values)
    sums, totals = resampled_sums([np.where(counted, values, 0.0)], counted, n_resamples, seed)
    with np.errstate(invalid="ignore"):  # 0 / 0: none of the drawn queries counts
        return sums / totals


def resampled_sums(
    tables: list[np.ndarray], counted: np.ndarray, n_resamples: int, seed: int | list[int]
) -> list[np.ndarray]:
    """Return float64[n_resamples, m] for each table, float64[n, m], and last how many count.

    Resamples are held as counts per query, float64[chunk, n], so that all columns of a chunk are
    one matrix product. All calls with the same n and seed see the same resamples.
    """
    n_queries, n_columns = counted.shape
    # Nearly all metrics count all queries: only the others need their count resampled.
    partial = ~counted.all(axis=0)
    columns = np.hstack([*tables, counted[:, partial]])
    parts = exact_parts(columns, n_queries)
    rng = np.random.default_rng(seed)
    sums = np.empty((n_resamples, columns.shape[1]))
    chunk = max(1, CHUNK_DRAWS // n_queries)
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        drawn = rng.integers(0, n_queries, (size, n_queries))
        drawn += np.arange(size)[:, None] * n_queries
        counts = np.bincount(drawn.ravel(), minlength=size * n_queries)
        sums[start : start + size] = weighted_sums(counts.reshape(size, n_queries), parts)
    totals = np.full((n_resamples, n_columns), float(n_queries))
    totals[:, partial] = sums[:, len(tables) * n_columns :]
    of_tables = [sums[:, i * n_columns : (i + 1) * n_columns] for i in range(len(tables))]
    return [*of_tables, totals]


def resample_strata(
    values: np.ndarray, strata: np.ndarray | list, n_resamples: int = 10_000, *, seed: int
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


def percentile_ends(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the ends (low, high) of the middle `level` of resampled numbers, float64[resamples].

    NaN does not count; both ends are NaN if nothing does. For what has no standard error in closed
    form: a ratio of sums, kappa.
    """
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        return float("nan"), float("nan")
    low, high = np.quantile(numbers, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
