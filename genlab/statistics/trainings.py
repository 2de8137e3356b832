"""Intervals of means over units and trainings, for new units and new trainings.

The same units (queries, texts) are measured in each of a few trainings. The mean's interval joins
two sources. Units: the interval of each unit's mean over the trainings, by the studentised
bootstrap, as for one training. Trainings: Student's t with the variance of the trainings' means
that is beyond what the units' noise explains. Half-widths are joined as squares, as MOVER does (Zou
and Donner 2008, Statistics in Medicine 27(10)). Resampling five trainings, too, is no substitute:
it draws from too few (benchmarks/COVERAGE.md).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from genlab.statistics.bootstrap import sums_within
from genlab.statistics.intervals import Bounds, bootstrap_interval


@dataclass(frozen=True)
class TrainingPart:
    """What trainings add to the variance of m means: float64[m] each.

    variance: of the mean over all trainings, 0 where the units' noise explains how they differ, or
    where there is one training. freedom: degrees of freedom.
    """

    variance: np.ndarray
    freedom: np.ndarray

    def half_width(self, level: float = 0.95) -> np.ndarray:
        """Return Student's t times the standard error, float64[m]."""
        from scipy.special import stdtrit

        return stdtrit(self.freedom, (1 + level) / 2) * np.sqrt(self.variance)


def training_part(values: np.ndarray, clusters: np.ndarray | None = None) -> TrainingPart:
    """Return what the trainings add, given float64[trainings, n, m], NaN where none counts.

    In each training a unit departs from its own mean and the training's by chance: by sampling,
    and as trainings suit units differently. The variance of a training's mean that comes of these
    departures (clustered, if clusters: int[n] are given) is taken off the variance of the means.
    Of two trainings nothing is taken off: where they happen to be close, which is often, nothing
    would be left of an effect that is there (benchmarks/COVERAGE.md).
    """
    n_trainings, _, m = values.shape
    if n_trainings < 2:
        return TrainingPart(np.zeros(m), np.ones(m))
    values = values + np.where(np.isnan(values).any(axis=0), np.nan, 0.0)  # counted in all, or none
    counted = ~np.isnan(values[0])
    n = counted.sum(axis=0)
    filled = np.where(counted, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_trainings = filled.sum(axis=1) / n  # [trainings, m]
        left = filled - filled.mean(axis=0) - (of_trainings - of_trainings.mean(axis=0))[:, None]
        left = np.where(counted, left, 0.0)
        drawn = n
        if clusters is not None:
            drawn = (sums_within(counted.astype(np.float64), clusters) > 0).sum(axis=0)
            left = np.stack([sums_within(each, clusters) for each in left])
        noise = (left**2).sum(axis=(0, 1)) / (n_trainings - 1) * drawn / (drawn - 1) / n**2
        variance = of_trainings.var(axis=0, ddof=1) - (noise if n_trainings > 2 else 0.0)
    variance = np.where(n > 1, np.maximum(variance, 0.0), 0.0)
    # Rounding leaves 1e-33 where all trainings are the same.
    alike = np.ptp(filled, axis=0).max(axis=0) == 0
    variance = np.where(alike, 0.0, variance)
    return TrainingPart(variance / n_trainings, np.full(m, n_trainings - 1.0))


def of_one(part: TrainingPart, n_trainings: int) -> TrainingPart:
    """Return what one training adds to its mean, given what the mean of several has."""
    return TrainingPart(part.variance * n_trainings, part.freedom)


def difference_part(base: TrainingPart, other: TrainingPart) -> TrainingPart:
    """Return what trainings add to a difference of two means over trainings of their own.

    The degrees of freedom are Welch's (1947, Biometrika 34).
    """
    variance = base.variance + other.variance
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = base.variance**2 / base.freedom + other.variance**2 / other.freedom
        freedom = np.where(parts > 0, variance**2 / parts, 1.0)
    return TrainingPart(variance, freedom)


def widen(
    mean: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    part: TrainingPart,
    bounds: list[Bounds],
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends (low, high) of m means for other units and other trainings.

    ends: those for other units alone, float64[m] each. The result stays within the bounds.
    """
    half = part.half_width(level)
    low = np.where(half > 0, mean - np.sqrt((mean - ends[0]) ** 2 + half**2), ends[0])
    high = np.where(half > 0, mean + np.sqrt((ends[1] - mean) ** 2 + half**2), ends[1])
    for i, limits in enumerate(bounds):
        if limits is not None and half[i] > 0:
            low[i], high[i] = max(low[i], limits[0]), min(high[i], limits[1])
    return low, high


def mean_over(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis of the values that count; NaN if none does."""
    counted = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(counted, values, 0.0).sum(axis=0) / counted.sum(axis=0)


def interval_of_trainings(
    values: np.ndarray, bounds: list[Bounds], *, seed: int, clusters: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (mean, low, high) of m columns, float64[m] each, for other units and other trainings.

    values: float64[trainings, n, m], NaN where a unit does not count. Of one training the interval
    is for other units alone. clusters: int[n], where units are not independent.
    """
    of_units = mean_over(values)
    mean = mean_over(of_units)
    ends = bootstrap_interval(of_units, seed=seed, bounds=bounds, clusters=clusters)
    return mean, *widen(mean, ends, training_part(values, clusters), bounds)


def two_level_p(mean: float, error: float, n: int, variance: float, freedom: float) -> float:
    """Return the two-sided p that a mean is 0: the level at which its two-level interval ends at 0.

    error: the standard error over n units; variance, freedom: one column of a `TrainingPart`.
    """
    from scipy.special import stdtrit

    if mean == 0 or mean != mean:
        return 1.0
    least, most = 0.0, 1.0
    for _ in range(60):  # to 1e-18
        p = (least + most) / 2
        half = (stdtrit(max(1, n - 1), 1 - p / 2) * error) ** 2
        half += stdtrit(freedom, 1 - p / 2) ** 2 * variance
        least, most = (p, most) if half > mean**2 else (least, p)
    return most


def students_interval(means: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return Student's t interval (low, high) of the means of a few trainings, float64[k].

    It takes each training's mean as one number. Where trainings share their units, as here, it
    leaves out that other units could have been measured. NaN for fewer than two.
    """
    from scipy.special import stdtrit

    if len(means) < 2:
        return float("nan"), float("nan")
    half = stdtrit(len(means) - 1, (1 + level) / 2) * means.std(ddof=1) / sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)


def trainings_test(means: np.ndarray, least_spread: float) -> tuple[float, float, float, float]:
    """Return low and high of Student's 95 % interval of the mean of trainings, p, and the error.

    means: float64[k], k > 1, one number of each training, as an epoch is, with no units behind it.
    least_spread: the standard deviation is taken to be no less; trainings that all end at one
    epoch are no proof that the next would.
    """
    from scipy.special import stdtr, stdtrit

    spread = max(float(means.std(ddof=1)), least_spread)
    error, freedom, mean = spread / sqrt(len(means)), len(means) - 1, float(means.mean())
    half = float(stdtrit(freedom, 0.975)) * error
    return mean - half, mean + half, 2 * float(stdtr(freedom, -abs(mean) / error)), error


def variance_shares(
    values: np.ndarray, within: float = 0.0, clusters: np.ndarray | None = None
) -> dict[str, float] | None:
    """Return the shares of one training's squared error by source; they add up to 1.

    values: float64[trainings, n], of units counted in all trainings. units: other units would have
    been measured; sampling: other texts would have been drawn, and what suits one unit in one
    training alone; training: another training. within: the variance of a value here that is known
    to be sampling's, from several samples of a unit; the rest of what is left is training's.
    clusters: int[n], where units are not independent. None for fewer than two trainings or units
    (clusters), or if nothing varies. None, too, if all trainings are the same, as of a model that
    is not trained: its texts were drawn once, so units and sampling cannot be told apart.
    """
    n_trainings, n = values.shape
    if n_trainings < 2 or n < 2 or (values == values[0]).all():
        return None
    of_units, of_trainings = values.mean(axis=0), values.mean(axis=1)
    left = values - of_units - of_trainings[:, None] + values.mean()
    drawn = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    if drawn.max() == 0:
        return None
    # Of a training's mean: what its units bring by chance, and what all trainings' units bring.
    chance = sum(squared_error(each, drawn) for each in left) / (n_trainings - 1)
    between = squared_error(of_units - of_units.mean(), drawn)
    sampling = min(chance, within / n) if within else chance
    parts = {
        "units": max(0.0, between - chance / n_trainings),
        "sampling": sampling,
        "training": max(0.0, float(of_trainings.var(ddof=1)) - chance) + (chance - sampling),
    }
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()} if total > 0 else None


def squared_error(departures: np.ndarray, clusters: np.ndarray) -> float:
    """Return the squared standard error of the mean of n units, given their departures from it.

    clusters: int[n]; departures are summed within one before they are squared, as in
    `genlab.statistics.bootstrap.resample`.
    """
    sums = sums_within(departures[:, None], clusters)
    return float((sums**2).sum()) * len(sums) / (len(sums) - 1) / len(departures) ** 2
