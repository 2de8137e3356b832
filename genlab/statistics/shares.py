"""Shares of labelled texts: of one group, and the macro share over groups, with intervals."""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np

from genlab.statistics.intervals import interval, wilson_interval


def shares_of(counts: Sequence[int], answers: Sequence[str]) -> dict[str, dict | int]:
    """Return n, each answer's share with Wilson's interval, and how many more labels to ask for."""
    n = sum(counts)
    found: dict[str, dict | int] = {"n": n}
    for name, count in zip(answers, counts, strict=True):
        found[name] = interval(count / n, *wilson_interval(count, n))
    return found | {"more_labels": max(more_labels(count, n) for count in counts)}


def macro_share(
    counts: Sequence[float], sizes: Sequence[int], level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean of counts / sizes over groups and its interval (share, low, high).

    It is the score interval, Wilson's for several groups: the means that are within z standard
    errors of the observed one, where the error is that of the likeliest shares with this mean.
    Of one group it is Wilson's, and of groups of equal shares and sizes Wilson's for all labels in
    one. Both ends rise with every success, and neither leaves [0, 1]. Miettinen and Nurminen 1985,
    Statistics in Medicine 4(2), for a difference of two. MOVER with Wilson's ends (Zou and Donner
    2008) holds less often where all shares are near 0 or 1 (benchmarks/COVERAGE.md).
    """
    k, n = np.asarray(counts, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    low, high = score_ends(k, n, NormalDist().inv_cdf((1 + level) / 2))
    return float((k / n).mean()), float(low), float(high)


def score_ends(counts: np.ndarray, sizes: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends (low, high) of `macro_share`, float64[...], given counts float64[..., k].

    Along the likeliest shares the mean falls as the multiplier of its constraint rises from minus
    to plus infinity; each end is found by halving.
    """
    observed = (counts / sizes).mean(axis=-1)
    total, k = sizes.sum(axis=-1), counts.shape[-1]
    ends = []
    for sign in (1, -1):
        near, far = np.zeros(observed.shape), np.ones(observed.shape)
        for _ in range(50):
            middle = (near + far) / 2  # 0 is the observed mean, 1 an infinite multiplier
            shares = likeliest_shares(counts, sizes, sign * total * middle / (1 - middle))
            variance = (shares * (1 - shares) / sizes).sum(axis=-1) / k**2
            is_within = (observed - shares.mean(axis=-1)) ** 2 <= z**2 * variance
            near, far = np.where(is_within, middle, near), np.where(is_within, far, middle)
        at_end = likeliest_shares(counts, sizes, sign * total * near / (1 - near))
        ends.append(at_end.mean(axis=-1))
    return ends[0], ends[1]


def likeliest_shares(counts: np.ndarray, sizes: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """Return float64[..., k]: the shares p with count / p - (size - count) / (1 - p) = multiplier.

    They are the likeliest of all with the same mean: Lagrange's condition, times p (1 - p) a
    quadratic equation.
    """
    m = multiplier[..., None]
    b = m + sizes
    root = np.sqrt(np.maximum(b**2 - 4 * m * counts, 0.0))
    # Of the two forms of the same root, that without a difference of nearly equal numbers.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(b > 0, 2 * counts / (b + root), (b - root) / (2 * m)), 0.0, 1.0)


HALF_WIDTH = 0.05  # +-5 points


def labels_needed(share: float) -> int:
    """Return the least n at which Wilson's 95 % interval of this share has half HALF_WIDTH at most.

    Half the width is z sqrt(4 n p q + z^2) / (2 (n + z^2)); set equal to HALF_WIDTH it is
    quadratic in n + z^2. "+-" is half the width: Wilson's interval is not symmetric.
    """
    z = NormalDist().inv_cdf(0.975)
    pq = share * (1 - share)
    root = sqrt(pq**2 + HALF_WIDTH**2 * (1 - 4 * pq))
    return max(1, ceil(z**2 * (pq + root) / (2 * HALF_WIDTH**2) - z**2))


def more_labels(count: int, n: int) -> int:
    """Return how many labels after these n bring the share count / n to +-5 points."""
    return max(0, labels_needed(count / n) - n)


def more_labels_for_macro(counts: Sequence[int], sizes: Sequence[int]) -> int:
    """Return how many labels bring the mean over groups to +-5 points, if the shares stay.

    They go where they are due for equally many in each group; none if it is known well enough now.
    """
    _, low, high = macro_share(counts, sizes)
    if high - low <= 2 * HALF_WIDTH:
        return 0
    shares = [count / n for count, n in zip(counts, sizes, strict=True)]
    # 381 at most, for one group at 0.5. The width falls as n grows.
    enough = 1 + bisect_left(
        range(1, 1000), True, key=lambda n: width_of_macro(shares, n) <= 2 * HALF_WIDTH
    )
    return sum(max(0, enough - n) for n in sizes)


def width_of_macro(shares: Sequence[float], n: int) -> float:
    """Return the width of the macro share's interval with n labels of each group."""
    # The formula holds for counts that are not whole.
    _, low, high = macro_share([share * n for share in shares], [n] * len(shares))
    return high - low
