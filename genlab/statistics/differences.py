"""What the difference of two arms can be, and how sure it is, where both may be shares.

x and y hold one value per unit, row i of both the same unit's. An arm may be a given number.
"""

import numpy as np

from genlab.statistics.intervals import (
    Bounds,
    is_zero_or_one,
    paired_shares_interval,
    wilson_interval,
)
from genlab.statistics.significance import binomial_p, mcnemar_p


def difference_limits(limits: Bounds, constant: str, x: np.ndarray, y: np.ndarray) -> Bounds:
    """Return the least and greatest difference y - x of any unit, given those of x and y.

    constant: "base" or "other" if x or y is one number, given and not measured.
    """
    if limits is None:
        return None
    least, most = limits
    if constant == "base":
        return least - np.nanmin(x), most - np.nanmin(x)
    if constant == "other":
        return np.nanmin(y) - most, np.nanmin(y) - least
    return least - most, most - least


def is_binary(x: np.ndarray, y: np.ndarray, constant: str) -> bool:
    """Return whether every measured value is 0 or 1."""
    sides = [side for side, name in ((x, "base"), (y, "other")) if name != constant]
    return all(is_zero_or_one(side) for side in sides)


def shares_ends(x: np.ndarray, y: np.ndarray, constant: str) -> tuple[float, float]:
    """Return the 95 % interval of the share y - the share x, of which one may be a given number."""
    if not constant:
        return paired_shares_interval(x, y)
    if constant == "base":
        low, high = wilson_interval(y.sum(), len(y))
        return low - float(x[0]), high - float(x[0])
    low, high = wilson_interval(x.sum(), len(x))
    return float(y[0]) - high, float(y[0]) - low


SHARE_TESTS = {False: "mcnemar", True: "binomial"}


def shares_p(x: np.ndarray, y: np.ndarray, constant: str) -> float:
    """Return the two-sided exact p of two shares, of which one may be a given number."""
    if not constant:
        return mcnemar_p(x, y)
    measured, given = (y, x) if constant == "base" else (x, y)
    return binomial_p(int(measured.sum()), len(measured), float(given[0]))


def t_of(mean: float, error: float) -> float:
    """Return a mean over its standard error: infinite where it has none, 0 where both are 0."""
    if mean == 0 or error != error:
        return 0.0
    return float(mean / error) if error else float(np.copysign(np.inf, mean))
