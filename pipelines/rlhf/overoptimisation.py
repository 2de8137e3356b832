"""Where optimising a proxy goes too far: Gao et al. 2022 (arXiv 2210.10760), section 3.

With d the root of the KL from the start, the truth gained is d (a - b d) for best-of-n and
d (a - b log d) for RL. The gain is highest at d* = a / (2 b), or exp(a / b - 1), if b is above 0;
the proxy goes on rising. The interval of log d* covers new trainings (of those with a maximum) and
new prompts; each prompt's influence on it is found by the jackknife.
"""

from itertools import pairwise
from math import exp, inf, log
from typing import Literal

import numpy as np

from genlab.statistics.trainings import interval_of_trainings

Form = Literal["best_of_n", "rl"]


def fit_gain(d: np.ndarray, gain: np.ndarray, form: Form) -> tuple[float, float]:
    """Return a and b of the form by least squares; d is above 0 and has two different values."""
    second = d * d if form == "best_of_n" else d * np.log(d)
    # Gram-Schmidt: b from the part of the second term that d does not explain. NumPy's own sums add
    # in the same order on any processor, which LAPACK's need not.
    square = (d * d).sum()
    along = (d * gain).sum() / square
    beyond = second - d * ((d * second).sum() / square)
    b = -(beyond * (gain - along * d)).sum() / (beyond * beyond).sum()
    a = along + b * (d * second).sum() / square
    return float(a), float(b)


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


def linear_turn(d: np.ndarray, gains: np.ndarray, form: Form) -> np.ndarray:
    """Return float64[prompts] whose mean is log d*, and whose error is that of log d*.

    d, gains: float64[points, prompts], whose means over prompts are fitted. A prompt departs from
    the mean as log d* does when it is left out, times one less than there are (the jackknife: Efron
    and Tibshirani 1993, An Introduction to the Bootstrap, chapter 11). NaN of two prompts, or where
    some fit without one never turns.
    """

    def log_turn(d: np.ndarray, gain: np.ndarray) -> float:
        turn = turning_point(*fit_gain(d, gain, form), form)
        return log(turn) if 0 < turn < inf else float("nan")

    n = d.shape[1]
    if n < 3:
        return np.full(n, np.nan)
    d_without = (d.sum(axis=1, keepdims=True) - d) / (n - 1)
    gain_without = (gains.sum(axis=1, keepdims=True) - gains) / (n - 1)
    without = np.array([log_turn(d_without[:, i], gain_without[:, i]) for i in range(n)])
    return log_turn(d.mean(axis=1), gains.mean(axis=1)) + (n - 1) * (without.mean() - without)


def turning_interval(
    points: list[float], ends: list[float], of_prompts: list[np.ndarray], seed: int
) -> dict[str, float]:
    """Return the turning point of trainings: how many turn, their geometric mean, its interval.

    A training turns if its d* lies within its measured distances, up to its entry of `ends`; a
    maximum beyond was not observed. of_prompts: each training's `linear_turn`, of the same prompts.
    An interval needs three trainings that turn, whichever prompt is left out.
    """
    seen = [each for each, end in zip(points, ends, strict=True) if 0 < each <= end]
    found: dict[str, float] = {"trainings": len(points), "turn": len(seen)}
    if not seen:
        return found
    found["value"] = exp(np.log(seen).mean())
    told = [
        values
        for each, end, values in zip(points, ends, of_prompts, strict=True)
        if 0 < each <= end
    ]
    if len(seen) >= 3 and not np.isnan(told).any():
        values = np.stack(told)[:, :, None]
        _, low, high = interval_of_trainings(values, [None], seed=seed)
        found |= {"low": exp(low[0]), "high": exp(high[0])}
    return found


def read_at(d: float, points: list[tuple[float, np.ndarray]]) -> np.ndarray | None:
    """Return the values at distance d between the two points around it; None outside them."""
    ordered = sorted(points, key=lambda point: point[0])
    for (d_low, low), (d_high, high) in pairwise(ordered):
        if d_low <= d <= d_high:
            share = (d - d_low) / (d_high - d_low) if d_high > d_low else 0.0
            return low + share * (high - low)
    return None
