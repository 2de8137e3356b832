"""Where optimising a proxy goes too far: Gao et al. 2022 (arXiv 2210.10760), section 3.

With d the root of the KL from the start, the truth gained is d (a - b d) for best-of-n and
d (a - b log d) for RL. The gain turns at d* = a / (2 b), or exp(a / b - 1), if b is above 0; the
proxy goes on rising. What varies between trainings is the turning point, so its interval is over
trainings: Student's t on log d*, of those that turn.
"""

from itertools import pairwise
from math import exp, inf, sqrt
from typing import Literal

import numpy as np

Form = Literal["best_of_n", "rl"]


def fit_gain(d: np.ndarray, gain: np.ndarray, form: Form) -> tuple[float, float]:
    """Return a and b of the form by least squares; d is above 0 and has two different values."""
    second = d * d if form == "best_of_n" else d * np.log(d)
    (a, minus_b), *_ = np.linalg.lstsq(np.stack([d, second], axis=1), gain, rcond=None)
    return float(a), float(-minus_b)


def gain_at(d: np.ndarray, a: float, b: float, form: Form) -> np.ndarray:
    """Return the form's values at d > 0."""
    return d * (a - b * (d if form == "best_of_n" else np.log(d)))


def residual_deviation(d: np.ndarray, gain: np.ndarray, a: float, b: float, form: Form) -> float:
    """Return the standard deviation of the gains around the fit; there are more than two points."""
    left = gain - gain_at(d, a, b, form)
    return float(np.sqrt((left**2).sum() / (len(d) - 2)))


def turning_point(a: float, b: float, form: Form) -> float:
    """Return d*, where the fitted gain is highest; infinite if it never turns."""
    if b <= 0:
        return inf
    return a / (2 * b) if form == "best_of_n" else exp(min(a / b - 1, 700.0))


def turning_interval(points: list[float], ends: list[float]) -> dict[str, float]:
    """Return the turning point of trainings: how many turn, their geometric mean, its interval.

    A training turns if its d* lies within the distances that were measured in it, up to its end of
    `ends`: one beyond is not seen. An interval needs three that turn.
    """
    from scipy.stats import t

    seen = [each for each, end in zip(points, ends, strict=True) if 0 < each <= end]
    found: dict[str, float] = {"trainings": len(points), "turn": len(seen)}
    if seen:
        logs = np.log(seen)
        found["value"] = exp(logs.mean())
        if len(seen) >= 3:
            half = t.ppf(0.975, len(seen) - 1) * logs.std(ddof=1) / sqrt(len(seen))
            found |= {"low": exp(logs.mean() - half), "high": exp(logs.mean() + half)}
    return found


def read_at(d: float, points: list[tuple[float, np.ndarray]]) -> np.ndarray | None:
    """Return the values at distance d between the two points around it; None outside them."""
    ordered = sorted(points, key=lambda point: point[0])
    for (d_low, low), (d_high, high) in pairwise(ordered):
        if d_low <= d <= d_high:
            share = (d - d_low) / (d_high - d_low) if d_high > d_low else 0.0
            return low + share * (high - low)
    return None
