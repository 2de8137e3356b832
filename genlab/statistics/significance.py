"""p values of paired differences, Holm's correction, and the difference that could be detected.

The functions take one value per unit (a query, a text) for each of two arms; row i is the same unit
in both. Their numbers stand beside the interval of intervals.py, from the same resamples.
"""

from math import sqrt
from statistics import NormalDist

import numpy as np

LEVEL = 0.05  # two-sided: the rest of a 95 % interval
POWER = 0.8  # Cohen 1988, Statistical Power Analysis, section 2.4
FEWEST_PAIRS = 6  # five equal signs still have p = 2 / 2^5 > LEVEL


def mcnemar_p(a: np.ndarray, b: np.ndarray) -> float:
    """Return the exact two-sided McNemar p of two columns of 0 and 1.

    Only the units on which the arms disagree count: without a difference, as many of them would
    go one way as the other. McNemar 1947, Psychometrika 12(2), with the binomial distribution in
    place of chi-square. `scipy.stats.binomtest` gives the same p, but its import takes 1.0 s
    where all of `genlab compare`'s take 0.7 s; scipy.special takes 0.2 s.
    """
    from scipy.special import betainc

    losses, gains = int((a > b).sum()), int((a < b).sum())
    n, k = losses + gains, min(losses, gains)
    # The binomial distribution function at k of n is the incomplete beta function.
    return min(1.0, 2 * float(betainc(n - k, k + 1, 0.5))) if n else 1.0


def bootstrap_p(differences: np.ndarray, means: np.ndarray) -> float:
    """Return the two-sided p of the resampled `means` of the differences of units.

    It is twice the share of resampled means beyond zero, with 1 added to both counts, so it is
    never 0, and it is below 0.05 where the 95 % percentile interval excludes zero (Davison and
    Hinkley 1997, Bootstrap Methods and their Application, section 4.2.3). For k differences other
    than zero it is at least 2^(1 - k), the smallest p of a sign test: all resamples of a few equal
    differences lie on one side and prove nothing.
    """
    means = means[~np.isnan(means)]
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    n_different = int((np.nan_to_num(differences) != 0).sum())
    return float(min(1.0, max(2 * (beyond + 1) / (len(means) + 1), 2.0 ** (1 - n_different))))


def adjust_by_holm(p_values: list[float]) -> list[float]:
    """Return the p values adjusted for testing them together, in their order; NaN is no test.

    Holm 1979, Scandinavian Journal of Statistics 6(2): the k-th smallest of m is multiplied by
    m - k + 1, and none is below a smaller one's.
    """
    asked = sorted((p, i) for i, p in enumerate(p_values) if p == p)
    adjusted = list(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(asked):
        highest = max(highest, min(1.0, p * (len(asked) - rank)))
        adjusted[i] = highest
    return adjusted


def detectable_difference(differences: np.ndarray, n_asked: int = 1) -> float:
    """Return the true difference that this many pairs would show in 80 of 100 such experiments.

    For one question it is (1.96 + 0.84) standard errors of a paired mean; for `n_asked` questions
    each is tested at the level of Holm's first step, 5 % / n_asked. It is NaN for too few pairs to
    show anything, and for differences that are all equal, whose spread is unknown.
    """
    counted = differences[~np.isnan(differences)]
    if len(counted) < FEWEST_PAIRS or np.ptp(counted) == 0:
        return float("nan")
    z = NormalDist().inv_cdf(1 - LEVEL / (2 * n_asked)) + NormalDist().inv_cdf(POWER)
    return z * float(np.std(counted, ddof=1)) / sqrt(len(counted))


def unpaired_shares_interval(a: float, b: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval (low, high) of b - a for two shares of n units each.

    This is Wald's interval, for shares whose pairing was not published. It is wider than a paired
    one where the arms agree on which units are hard.
    """
    half = NormalDist().inv_cdf(1 - LEVEL / 2) * sqrt((a * (1 - a) + b * (1 - b)) / n)
    return b - a - half, b - a + half


def is_significant(low: float, high: float, p_adjusted: float) -> bool:
    """Say whether a difference is significant by both its adjusted p and its interval."""
    return p_adjusted < LEVEL and not low <= 0 <= high
