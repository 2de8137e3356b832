"""Weighted sums with the same last bit in whatever order a processor's library adds."""

import numpy as np

SIGNIFICANT = 53  # bits of a float64


def weighted_sums(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return float64[r, m]: weights @ values, each rounded once.

    weights: int[r, n], how often each row of values, float64[n, m], counts: 0 or more, with the
    same sum in each row. How a library orders its additions depends on its threads and on the
    processor, so values are taken in two parts, in sums of which no addition rounds.
    """
    counts = weights.astype(np.float64)
    total = counts[0].sum()
    high = round_for_sums(values, total)
    low = round_for_sums(values - high, total)
    return counts @ high + counts @ low


def round_for_sums(values: np.ndarray, total: float) -> np.ndarray:
    """Return float64[n, m]: values rounded so that sums of `total` of a column's are exact.

    They are multiples of a power of two, and so small that a sum of them has no more than a float's
    53 bits: of 5,000 values that leaves 40 bits to the largest.
    """
    _, exponents = np.frexp(np.abs(values).max(axis=0) * total)
    grid = exponents - SIGNIFICANT
    return np.ldexp(np.rint(np.ldexp(values, -grid)), grid)
