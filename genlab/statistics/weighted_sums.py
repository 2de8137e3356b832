"""Weighted sums with the same last bit in whatever order a processor's library adds.

The order depends on the library's threads and on the processor. So each value is split into two
parts, whose sums are exact in any order: no addition rounds.
"""

import numpy as np

SIGNIFICANT = 53  # bits of a float64


def weighted_sums(weights: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Return float64[r, m]: the columns' sums, weighted by each row of weights and rounded once.

    weights: int[r, n], 0 or more, with the same sum in each row; parts: float64[n, 2 m], from
    `exact_parts` of the values, float64[n, m], and that sum.
    """
    high, low = np.split(weights.astype(np.float64) @ parts, 2, axis=1)
    return high + low


def exact_parts(values: np.ndarray, total: int) -> np.ndarray:
    """Return float64[n, 2 m]: values, float64[n, m], as the high and the low part of each.

    Sums of a column of parts are exact if the weights add up to `total`.
    """
    high = round_for_sums(values, total)
    return np.hstack([high, round_for_sums(values - high, total)])


def round_for_sums(values: np.ndarray, total: int) -> np.ndarray:
    """Return float64[n, m]: values rounded so that a sum of `total` values of a column is exact.

    The rounded values are multiples of a power of two, chosen so that the sum of `total` of the
    largest needs no more than a float's 53 bits. For 5,000 values the largest keeps 40 bits.
    """
    _, exponents = np.frexp(np.abs(values).max(axis=0) * total)
    grid = exponents - SIGNIFICANT
    return np.ldexp(np.rint(np.ldexp(values, -grid)), grid)
