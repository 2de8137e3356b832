"""Weighted sums with the same last bit in whatever order a processor's library adds."""

import numpy as np

SIGNIFICANT = 53  # bits of a float64


def weighted_sums(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return float64[r, m]: weights @ values, where no addition rounds.

    weights: int[r, n], how often each row of values, float64[n, m], counts: 0 or more, with the
    same sum in each row. Values are rounded to multiples of a power of two, small enough that a
    sum of so many has no more than a float's 53 bits: of 5,000 rows that leaves 40 bits to the
    largest. How a library orders its additions hangs on its threads and on the processor.
    """
    _, exponents = np.frexp(np.abs(values).max(axis=0) * weights[0].sum())
    grid = exponents - SIGNIFICANT
    rounded = np.ldexp(np.rint(np.ldexp(values, -grid)), grid)
    return weights.astype(np.float64) @ rounded
