"""Rank correlation with its bootstrap interval."""

import numpy as np

from genlab.statistics.bootstrap import CHUNK_DRAWS


def correlate_ranks(
    a: np.ndarray,
    b: np.ndarray,
    seed: int,
    n_resamples: int = 10_000,
    level: float = 0.95,
    clusters: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Return Spearman's rank correlation of a and b, float[n], and its bootstrap interval.

    Every resample of the queries is ranked anew. NaN where it is not defined: all values of a or
    of b equal. A resample in which they are is left out.
    clusters: int[n], from 0, where whole clusters are drawn.
    """
    n = len(a)
    if n == 0:
        return np.nan, np.nan, np.nan
    value = correlate_counted(a, b, np.ones((1, n)))[0]
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_DRAWS // n)
    of_units = np.arange(n) if clusters is None else clusters
    n_drawn = int(of_units.max()) + 1
    resampled = np.concatenate(
        [
            correlate_counted(
                a, b, rng.multinomial(n_drawn, even(n_drawn), size)[:, of_units].astype(float)
            )
            for size in [chunk] * (n_resamples // chunk) + [n_resamples % chunk]
        ]
    )
    if np.isnan(value):
        return np.nan, np.nan, np.nan
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(value), float(low), float(high)


def even(n: int) -> np.ndarray:
    """Return equal shares of n, float64[n]."""
    return np.full(n, 1 / n)


def correlate_counted(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return float64 [r]: the rank correlations where query i counts counts[r, i] times."""
    n = counts.sum(axis=1, keepdims=True)
    # Mid-ranks have the mean (n + 1) / 2 whatever the ties.
    a, b = (counted_ranks(values, counts) - (n + 1) / 2 for values in (a, b))
    covariance, of_a, of_b = (
        np.einsum("rn,rn,rn->r", counts, x, y) for x, y in ((a, b), (a, a), (b, b))
    )
    with np.errstate(invalid="ignore"):  # 0 / 0: all values equal
        return covariance / np.sqrt(of_a * of_b)


def counted_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return float64 [r, n]: each value's mid-rank among the values, each counted `counts` times.

    Of k equal values after m lower ones all have the rank m + (k + 1) / 2.
    """
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan))
    equal = np.add.reduceat(counts[:, order], starts, axis=1)  # [r, groups of equal values]
    ranks = equal.cumsum(axis=1) - (equal - 1) / 2
    return ranks[:, np.searchsorted(values[order][starts], values)]
