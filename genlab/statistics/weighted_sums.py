"""Weighted sums with the same last bit in whatever order a processor's library adds.

The order depends on the library's threads and on the processor. So values are taken in two parts,
in sums of which no addition rounds.
"""

import numpy as np

SIGNIFICANT = 53  # bits of a float64


def weighted_sums(weights: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Return float64[r, m]: the sums of values, each weighted by a row of weights and rounded once.

    weights: int[r, n], 0 or more, with the same sum in each row; parts: float64[n, 2 m], what
    `exact_parts` makes of the values, float64[n, m], and of that sum.
    """
    high, low = np.split(weights.astype(np.float64) @ parts, 2, axis=1)
    return high + low


def exact_parts(values: np.ndarray, total: int) -> np.ndarray:
    """Return float64[n, 2 m]: two parts of values, float64[n, m]; sums of `total` are exact."""
    high = round_for_sums(values, total)
    return np.hstack([high, round_for_sums(values - high, total)])


def round_for_sums(values: np.ndarray, total: int) -> np.ndarray:
    """Return float64[n, m]: values rounded so that sums of `total` of a column's are exact.

    They are multiples of a power of two, and so small that a sum of them has no more than a float's
    53 bits: of 5,000 values that leaves 40 bits to the largest.
    """
    _, exponents = np.frexp(np.abs(values).max(axis=0) * total)
    grid = exponents - SIGNIFICANT
    return np.ldexp(np.rint(np.ldexp(values, -grid)), grid)
