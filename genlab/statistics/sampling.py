"""Several samples of each unit: how much of a mean's noise is sampling's, and what more would buy.

A unit (a query) has k samples (texts written for it). Samples of one unit are not independent, so
intervals are taken over the units' means; their variance is that between units plus a k-th of that
within. More samples shrink the second part alone.
"""

from math import inf, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np


class VarianceParts(NamedTuple):
    """What varies in the values of n units with k samples each."""

    n: int
    k: int
    between: float  # the variance of the units' true means
    within: float  # the variance of a unit's samples

    def width(self, k: float, level: float = 0.95) -> float:
        """Return the width of the mean's interval with k samples a unit, by the normal's quantile.

        k may be infinite: that is what other units alone leave uncertain.
        """
        z = NormalDist().inv_cdf((1 + level) / 2)
        return 2 * z * sqrt((self.between + self.within / k) / self.n)


def split_variance(values: np.ndarray) -> VarianceParts | None:
    """Split the variance of float64[n units, k samples]; None for fewer than two of either.

    By the mean squares of a one-way analysis of variance: within is the mean of the units' own
    variances, and what is left of the variance of the units' means beyond within / k is between,
    at least 0 (Searle, Casella and McCulloch 1992, Variance Components, section 3.5). Units with
    a NaN do not count.
    """
    values = values[~np.isnan(values).any(axis=1)]
    n, k = values.shape
    if n < 2 or k < 2:
        return None
    within = float(values.var(axis=1, ddof=1).mean())
    between = max(0.0, float(values.mean(axis=1).var(ddof=1)) - within / k)
    return VarianceParts(n, k, between, within)


def widths(parts: VarianceParts) -> dict[str, float]:
    """Return the interval's width with one sample a unit, as many as there are, twice that, all."""
    counts = {"1": 1, f"{parts.k}": parts.k, f"{2 * parts.k}": 2 * parts.k, "all": inf}
    return {name: parts.width(k) for name, k in counts.items()}
