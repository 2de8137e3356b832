"""p values of paired differences, Holm's correction, and the difference that could be detected.

The functions take one value per unit (a query, a text) for each of two arms; row i is the same unit
in both. Their numbers stand beside the interval of intervals.py, from the same resamples.
"""

from math import ceil, sqrt
from statistics import NormalDist

import numpy as np

from genlab.statistics.intervals import Bounds, mover, widest, wilson_interval

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


def bootstrap_p(differences: np.ndarray, t: float, pivots: np.ndarray) -> float:
    """Return the two-sided p of the differences of units; `pivots` are the t of their resamples.

    t is the mean of the differences over its standard error. The p is twice the share of resamples
    whose own t is beyond it, with 1 added to both counts, so it is never 0, and it is at most 0.05
    where the 95 % studentised interval excludes zero (Davison and Hinkley 1997, Bootstrap Methods
    and their Application, section 4.4.1). Far out, where Holm's correction looks, that share is too
    small for symmetric differences with long tails, and Student's p for skewed ones, so the greater
    of the two counts (benchmarks/COVERAGE.md). For k differences other than zero it is at least
    2^(1 - k), the smallest p of a sign test: all resamples of a few equal differences lie on one
    side and prove nothing.
    """
    from scipy.special import stdtr

    pivots = pivots[~np.isnan(pivots)]
    beyond = min((pivots <= t).sum(), (pivots >= t).sum())
    counted = differences[~np.isnan(differences)]
    students = 2 * float(stdtr(max(1, len(counted) - 1), -abs(t)))
    signs = 2.0 ** (1 - int((counted != 0).sum()))
    return float(min(1.0, max(2 * (beyond + 1) / (len(pivots) + 1), students, signs)))


def exact_p(values: np.ndarray, bounds: Bounds) -> float:
    """Return the two-sided p that the mean is 0, of values nearly all of which are equal.

    It is the inversion of `exact_ends`: for a mean of 0 so many units would have to lie at the
    bound that only k of n others are unlikely. It is not below a sign test's.
    """
    from scipy.special import bdtr

    different, counts = np.unique(values, return_counts=True)
    v = float(different[counts.argmax()])
    n, k = len(values), len(values) - int(counts.max())
    bound = widest(values, bounds)[0 if v > 0 else 1]
    needed = v / (v - bound) if v * bound < 0 else float(v != 0)
    signs = 2.0 ** (1 - int((values != 0).sum()))
    return float(min(1.0, max(2 * float(bdtr(k, n, needed)), signs)))


def binomial_p(successes: int, n: int, share: float) -> float:
    """Return the two-sided p of so many successes of n where this share is expected.

    Twice the smaller tail, as the ends of Clopper and Pearson are its inversion.
    """
    from scipy.special import bdtr, bdtrc

    at_most = float(bdtr(successes, n, share))
    at_least = float(bdtrc(successes - 1, n, share)) if successes else 1.0
    return min(1.0, 2 * min(at_most, at_least))


def least_p(n_resamples: int) -> float:
    """Return the least p that so many resamples can give: a p that is no greater is below it."""
    return 2 / (n_resamples + 1)


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


def detectable_difference(
    differences: np.ndarray, n_asked: int = 1, error: float | None = None
) -> float:
    """Return the true difference that this many pairs would show in 80 of 100 such experiments.

    For one question it is (1.96 + 0.84) standard errors of a paired mean; for `n_asked` questions
    each is tested at the level of Holm's first step, 5 % / n_asked. It is NaN for too few pairs to
    show anything, and for differences that are all equal, whose spread is unknown.
    error: the standard error, where it is not s / sqrt(n), as of clusters or several trainings.
    """
    counted = differences[~np.isnan(differences)]
    if len(counted) < FEWEST_PAIRS or np.ptp(counted) == 0:
        return float("nan")
    z = NormalDist().inv_cdf(1 - LEVEL / (2 * max(1, n_asked))) + NormalDist().inv_cdf(POWER)
    return z * (float(np.std(counted, ddof=1)) / sqrt(len(counted)) if error is None else error)


def unpaired_shares_interval(a: float, b: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval (low, high) of b - a for two shares of n units each.

    It is for shares whose pairing was not published, and wider than a paired one where the arms
    agree on which units are hard: MOVER of their Wilson intervals, Newcombe 1998, Statistics in
    Medicine 17(8), method 10.
    """
    lows, highs = zip(*(wilson_interval(share * n, n) for share in (a, b)), strict=True)
    low, high = mover([a, b], lows, highs, (-1, 1))
    return float(low), float(high)


def number_to_settle(
    difference: float,
    spread: float,
    margin: float | None,
    n_asked: int = 1,
    *,
    beyond: float = 0.0,
    fewest: int = FEWEST_PAIRS,
) -> int | None:
    """Return how many pairs, or trainings, would settle a difference, if it and the spread stay.

    They show it 80 times in 100 after Holm's first step, or, where it is smaller than the margin,
    as often that it is: the smaller of the two numbers. None where no number would.
    spread: the standard deviation of one pair's (training's) difference; beyond: the squared error
    that more of them leave as it is.
    """
    normal = NormalDist()
    power, alone = normal.inv_cdf(POWER), normal.inv_cdf(1 - LEVEL / 2)
    ways = [(normal.inv_cdf(1 - LEVEL / (2 * n_asked)) + power, abs(difference))]
    if margin is not None:
        ways.append((alone + power, margin - abs(difference)))
    rooms = [(distance / z) ** 2 - beyond for z, distance in ways if distance > 0]
    needed = [spread**2 / room for room in rooms if room > 0]
    return max(fewest, ceil(min(needed))) if needed and spread > 0 else None


def is_significant(low: float, high: float, p_adjusted: float) -> bool:
    """Return whether a difference is significant by both its adjusted p and its interval.

    An interval without width, as of equal values without bounds, says nothing.
    """
    return p_adjusted < LEVEL and low < high and not low <= 0 <= high
