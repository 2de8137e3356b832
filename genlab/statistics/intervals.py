"""Intervals of means over queries, of shares, and of their sums and differences.

The functions take one value per query, or a column of values per metric, with NaN where the metric
does not count the query, and return the ends of the interval. Queries are resampled because queries
were sampled from the world. benchmarks/COVERAGE.md says how often each kind holds the truth.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from genlab.statistics.bootstrap import Resampled, means_within, resample, sums_within

Bounds = tuple[float, float] | None  # the least and the greatest value that a metric can have

SHARE = (0.0, 1.0)


def interval(value: SupportsFloat, low: SupportsFloat, high: SupportsFloat) -> dict[str, float]:
    """Return a number and the ends of its interval, in the one form of all metrics files."""
    return {"value": float(value), "low": float(low), "high": float(high)}


def bootstrap_interval(
    values: ArrayLike,
    n_resamples: int = 10_000,
    *,
    seed: int | list[int],
    level: float = 0.95,
    bounds: Bounds | Sequence[Bounds] = None,
    clusters: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the studentised bootstrap interval (low, high) of the mean over queries.

    `values` is float[n, m], which gives two float64[m], or float[n], which gives two numbers; NaN
    or None is a query that does not count. All m columns, and every call with the same n and
    seed, see the same resamples. A column that no query counts for gives NaN.

    clusters: int[n], from 0, where queries of one are not independent; whole clusters are drawn.
    bounds: of every column, or one for each. The interval stays within them. A share, bounded by 0
    and 1, whose values are all 0 or 1 has Wilson's interval. Where fewer than about four values
    differ from the rest, the ends are `exact_ends`; without bounds, values that are all equal give
    an interval without width, because nothing is known of how far another value might lie.
    """
    table = np.asarray(values, dtype=np.float64)
    columns = table if table.ndim == 2 else table[:, None]
    found = resample(columns, n_resamples, seed, clusters)
    of_each = per_column(bounds, columns.shape[1])
    low, high = finished_ends(means_within(columns, clusters), found, of_each, level)
    for i, limits in enumerate(of_each if clusters is None else ()):
        own = columns[~np.isnan(columns[:, i]), i]
        if limits == SHARE and len(own) and is_zero_or_one(own):
            low[i], high[i] = wilson_interval(own.sum(), len(own), level)
    return (low, high) if table.ndim == 2 else (low[0], high[0])


def ratio_interval(
    top: np.ndarray, bottom: np.ndarray, clusters: np.ndarray, *, seed: int, bounds: Bounds = None
) -> tuple[float, float, float]:
    """Return sum(top) / sum(bottom), of float64[n] each, and its interval (ratio, low, high).

    clusters: int[n], from 0; whole clusters are drawn. Each brings to the ratio what it does to
    first order, and the interval is the bootstrap's of these (Davison and Hinkley 1997, Bootstrap
    Methods and their Application, section 2.7.2).
    """
    ratio = float(top.sum() / bottom.sum())
    total, size = sums_within(np.stack([top, bottom], axis=1), clusters).T
    linear = ratio + (total - ratio * size) / size.mean()
    low, high = bootstrap_interval(linear, seed=seed, bounds=bounds)
    return ratio, float(low), float(high)


def per_column(bounds: Bounds | Sequence[Bounds], n: int) -> list[Bounds]:
    """Return the bounds of each of n columns, given one for all or one for each."""
    if bounds is None or isinstance(bounds, tuple):
        return [bounds] * n
    return list(bounds)


def finished_ends(
    columns: np.ndarray, found: Resampled, bounds: Sequence[Bounds], level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the resamples' ends, exact where they set none, and none beyond its bounds."""
    low, high = found.ends(level)
    for i, limits in enumerate(bounds):
        own = columns[~np.isnan(columns[:, i]), i]
        if not len(own):
            continue
        least, most = widest(own, limits)
        if np.isinf(low[i]) or np.isinf(high[i]):
            exact = exact_ends(own, limits, level)
            low[i] = exact[0] if np.isinf(low[i]) else low[i]
            high[i] = exact[1] if np.isinf(high[i]) else high[i]
        if limits is not None:
            low[i], high[i] = max(low[i], least), min(high[i], most)
    return low, high


def widest(values: np.ndarray, bounds: Bounds) -> tuple[float, float]:
    """Return the least and greatest possible value: the bounds, or what was seen beyond them.

    Where there is no bound, or an infinite one, the extreme value seen stands in for it.
    """
    seen = float(values.min()), float(values.max())
    if bounds is None:
        return seen
    least, most = (b if np.isfinite(b) else s for b, s in zip(bounds, seen, strict=True))
    return min(least, seen[0]), max(most, seen[1])


def exact_ends(values: np.ndarray, bounds: Bounds, level: float = 0.95) -> tuple[float, float]:
    """Return the ends (low, high) of a mean of values nearly all of which are equal.

    At most a share q of all units have another value than the most frequent one, v: the upper
    end of Clopper and Pearson for the k of n that have. If all q lay at a bound, the mean would be
    v + q (bound - v). Of 333 that all equal 0.5, bounded by -0.5, the low end is 0.489. Where
    there is no bound the extreme value seen stands in for it. Clopper and Pearson 1934,
    Biometrika 26(4).
    """
    from scipy.special import betaincinv

    different, counts = np.unique(values, return_counts=True)
    v = float(different[counts.argmax()])
    n, k = len(values), len(values) - int(counts.max())
    q = float(betaincinv(k + 1, n - k, (1 + level) / 2))
    least, most = widest(values, bounds)
    return v - q * (v - least), v + q * (most - v)


def is_zero_or_one(values: np.ndarray) -> bool:
    """Return whether every value is 0 or 1, as of a share without ties."""
    return bool(np.isin(values, (0, 1)).all())


def unpaired_difference(
    a: ArrayLike,
    b: ArrayLike,
    n_resamples: int = 10_000,
    *,
    seed: int,
    level: float = 0.95,
    bounds: Bounds | Sequence[Bounds] = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of b minus the mean of a and its interval: (difference, low, high).

    `a` is float[n, m] and `b` float[k, m], m metrics over different queries; NaN does not count.
    Each sample has its own interval, as `bootstrap_interval` gives it, and MOVER joins the two.
    """
    means, lows, highs = [], [], []
    # Two streams: with one, samples of equal size would be drawn alike.
    for stream, sample in enumerate((a, b)):
        values = np.asarray(sample, dtype=np.float64)
        low, high = bootstrap_interval(
            values, n_resamples, seed=[seed, stream], level=level, bounds=bounds
        )
        means.append(np.nanmean(values, axis=0))
        lows.append(low)
        highs.append(high)
    low, high = mover(means, lows, highs, weights=(-1, 1))
    return means[1] - means[0], low, high


def mover(
    values: ArrayLike, lows: ArrayLike, highs: ArrayLike, weights: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval (low, high) of a weighted sum of independent estimates.

    values, lows, highs: float[k, ...], an estimate and its interval a row. Each end is recovered
    from the distances between the estimates and those ends of their intervals on its side, so
    skewed intervals give a skewed one. Zou and Donner 2008, Statistics in Medicine 27(10), eq. 4.
    """
    values, lows, highs = (np.asarray(each, dtype=np.float64) for each in (values, lows, highs))
    w = np.reshape(np.asarray(weights, dtype=np.float64), (-1, *[1] * (values.ndim - 1)))
    below = np.where(w > 0, values - lows, highs - values) * w
    above = np.where(w > 0, highs - values, values - lows) * w
    total = (w * values).sum(axis=0)
    return total - np.sqrt((below**2).sum(axis=0)), total + np.sqrt((above**2).sum(axis=0))


def wilson_interval(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (low, high), within [0, 1], for a share of n trials.

    n need not be whole: it may be an effective number of trials. Unlike share +- z * standard error
    it has a width at 0 and at n successes. Wilson 1927, Journal of the American Statistical
    Association 22(158).
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


def paired_shares_interval(
    a: np.ndarray, b: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval (low, high) of the share b - the share a of the same n units, 0 or 1.

    Both shares' Wilson intervals, joined by MOVER with their correlation, which is set a little
    towards zero where it is positive. Newcombe 1998, Statistics in Medicine 17(22), method 10.
    """
    n = len(a)
    both, only_a, only_b = (float(((a == x) & (b == y)).sum()) for x, y in ((1, 1), (1, 0), (0, 1)))
    neither = n - both - only_a - only_b
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    covariance = both * neither - only_a * only_b
    if covariance > 0:
        covariance = max(covariance - n / 2, 0.0)
    phi = covariance / sqrt(product) if product else 0.0
    (low_a, high_a), (low_b, high_b) = (wilson_interval(x.sum(), n, level) for x in (a, b))
    share_a, share_b = float(a.mean()), float(b.mean())

    def joined(one: float, other: float) -> float:
        return sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))

    difference = share_b - share_a
    low = difference - joined(share_b - low_b, high_a - share_a)
    high = difference + joined(high_b - share_b, share_a - low_a)
    return max(low, -1.0), min(high, 1.0)
