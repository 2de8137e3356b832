"""Two paired runs compared: every metric's difference, its interval, p and verdict.

The result is a `Difference` per group and metric. Both runs have the same units, so the difficulty
of a query cancels out. With several trainings on both sides the interval and p generalise to new
units and new trainings.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from genlab.experiments.layout import Layout, Metric
from genlab.experiments.pairing import Pairing, count_different
from genlab.statistics.bootstrap import Resampled, means_within, resample
from genlab.statistics.differences import (
    SHARE_TESTS,
    difference_limits,
    is_binary,
    shares_ends,
    shares_p,
    t_of,
)
from genlab.statistics.intervals import Bounds, bootstrap_interval, finished_ends
from genlab.statistics.significance import (
    LEVEL,
    bootstrap_p,
    detectable_difference,
    exact_p,
    least_p,
)
from genlab.statistics.trainings import (
    TrainingPart,
    difference_part,
    mean_over,
    of_one,
    students_interval,
    training_part,
    trainings_test,
    two_level_p,
    widen,
)

N_RESAMPLES = 10_000  # at least
RESAMPLES_PER_ROW = 100  # with fewer than 40, the least bootstrap p could not survive Holm
SEED = 17

OF_TRAININGS = ("none", "t")  # tests of a metric that has one value a training


@dataclass(frozen=True)
class Difference:
    """OTHER - BASE of one metric in one group. NaN where no pair counts."""

    group: str  # "" where the rows have none
    metric: str
    better: str
    n: int  # pairs for which the metric counts on both sides
    only_base: int  # pairs for which it counts in BASE alone
    only_other: int
    n_different: int  # pairs whose two values differ in any training
    base: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    # none | t, of one value a training
    # mcnemar | binomial, of a share against a given one | bootstrap | bootstrap*, of a share in
    # which ties made fractions | exact, where nearly all pairs differ by the same
    test: str
    detectable: float  # NaN, too, where nothing is told of it
    p_adjusted: float = float("nan")  # NaN, too, where no pair differs: nothing is tested
    verdict: str = ""
    least_p: float = 0.0  # a p that is no greater is only known to be below this
    error: float = 0.0  # the standard error, for other units and trainings
    margin: float | None = None
    same_rows: str = ""  # what is the same on both sides, for all units: texts | values | ""
    n_tests: int = 0  # how many differences Holm's correction was made for
    needed: int | None = None  # pairs that would settle it
    needed_trainings: int | None = None  # or trainings; with `needed`, both together
    n_clusters: int | None = None
    n_trainings: int = 1  # of the side that has fewer
    training_variance: float = 0.0  # the squared error that trainings add
    by_training: tuple[float, ...] = ()  # the difference in each, if both sides have the same
    over_trainings: tuple[float, float] | None = None  # Student's t over these
    is_unstable: bool = False  # some training is significantly above 0 and some below


@dataclass(frozen=True)
class Levels:
    """The values of m metrics in a group's n pairs, over units and over trainings.

    x, y: float64[n, m], each side's mean over its trainings, NaN where the pair does not count.
    by_training: float64[trainings, n, m], y - x in each; None where the sides' trainings differ.
    shown: the sets of differences that make a verdict unstable if they contradict each other:
    by_training, or each training of one side against the other side's mean.
    """

    x: np.ndarray
    y: np.ndarray
    by_training: np.ndarray | None
    part: TrainingPart
    clusters: np.ndarray | None
    n_trainings: int
    shown: tuple[np.ndarray, ...] = ()

    def n_clusters(self) -> int | None:
        """Return the number of the pairs' clusters; None if they have none."""
        return None if self.clusters is None else int(self.clusters.max()) + 1


def read_levels(
    a: np.ndarray, b: np.ndarray, clusters: np.ndarray | None, *, matched: bool
) -> Levels:
    """Return the `Levels` of the pairs' values, float64[trainings, n, m] of each side.

    A side with one training is assumed to vary as much as the other side's trainings.
    """
    if matched:
        counted = ~np.isnan(b - a)
        x, y = (mean_over(np.where(counted, side, np.nan)) for side in (a, b))
        part = training_part(b - a, clusters)
        return Levels(x, y, b - a, part, clusters, len(a), (b - a,) if len(a) > 1 else ())
    x, y = mean_over(a), mean_over(b)
    nothing = np.where(np.isnan(x) | np.isnan(y), np.nan, 0.0)
    part = difference_part(*parts_of(a, b, clusters))
    sides = ((b, b - x), (a, y - a))
    shown = tuple(each + nothing for side, each in sides if len(side) > 1)
    return Levels(x + nothing, y + nothing, None, part, clusters, min(len(a), len(b)), shown)


def is_untrained(values: np.ndarray) -> bool:
    """Return whether all trainings have the same values, float64[trainings, n, m]."""
    return all(np.array_equal(values[0], each, equal_nan=True) for each in values)


def parts_of(
    a: np.ndarray, b: np.ndarray, clusters: np.ndarray | None
) -> tuple[TrainingPart, TrainingPart]:
    """Return the training variance of each side's mean; one training takes the other side's."""
    one, other = training_part(a, clusters), training_part(b, clusters)
    if len(a) == 1:
        return of_one(other, len(b)), other
    return one, of_one(one, len(a)) if len(b) == 1 else other


def compare_group(
    layout: Layout, group: str, pairing: Pairing, metrics: Iterable[str], n_asked: int = 1
) -> list[Difference]:
    """Return a Difference per metric, from one set of resamples, without a verdict yet.

    n_asked: the number of differences tested together, in this group and all others.
    """
    named = {name: layout.metrics[name] for name in metrics}
    columns = [metric.column for metric in named.values()]
    a, b = pairing.values(columns)
    is_of_units = all(metric.per == "unit" for metric in named.values())
    if is_of_units and is_untrained(a) and is_untrained(b):
        a, b = a[:1], b[:1]
    matched = pairing.matched or len(a) == len(b) == 1
    levels = read_levels(a, b, pairing.clusters(layout), matched=matched)
    limits = [
        difference_limits(metric.limits(), pairing.constant, levels.x[:, i], levels.y[:, i])
        for i, metric in enumerate(named.values())
    ]
    n_resamples = max(N_RESAMPLES, RESAMPLES_PER_ROW * n_asked)
    resampled = resample(levels.y - levels.x, n_resamples, SEED, levels.clusters)
    counts_a, counts_b = (~np.isnan(mean_over(side)) for side in (a, b))
    different, same_rows = count_different(a, b), pairing.same_rows(layout)
    by_training = means_of_trainings(levels)
    opposite = are_opposite(levels, limits, n_resamples)
    found = []
    for i, (name, metric) in enumerate(named.items()):
        tested = settle_column(levels, i, resampled, metric, limits[i], pairing.constant)
        x, y = counted_pairs(levels, i)
        detectable = detectable_difference(y - x, n_asked, tested.error)
        if metric.kind == "share" and detectable > 1:
            detectable = float("nan")  # no two shares differ by as much
        found.append(
            Difference(
                group=group,
                metric=name,
                better=metric.better,
                n=len(x),
                only_base=int((counts_a & ~counts_b)[:, i].sum()),
                only_other=int((counts_b & ~counts_a)[:, i].sum()),
                n_different=int(different[i]),
                base=mean_of(x),
                other=mean_of(y),
                difference=mean_of(y - x),
                detectable=detectable,
                least_p=least_p(n_resamples) if tested.test.startswith("bootstrap") else 0.0,
                margin=metric.margin,
                same_rows=same_rows,
                is_unstable=bool(opposite[i]) and metric.per == "unit",
                **vars(tested),
                n_clusters=levels.n_clusters(),
                n_trainings=levels.n_trainings,
                training_variance=float(levels.part.variance[i]),
                by_training=tuple(by_training[:, i].tolist()),
                over_trainings=students_interval(by_training[:, i]) if len(by_training) else None,
            )
        )
    return found


def counted_pairs(levels: Levels, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides' values of column i, float64[k] each, of the k pairs that count."""
    both = ~np.isnan(levels.x[:, i]) & ~np.isnan(levels.y[:, i])
    return levels.x[both, i], levels.y[both, i]


@dataclass(frozen=True)
class Tested:
    """The interval and the p of one difference, before Holm's correction."""

    low: float
    high: float
    p: float
    test: str
    error: float  # for other units and trainings


def settle_column(
    levels: Levels, i: int, resampled: Resampled, metric: Metric, limits: Bounds, constant: str
) -> Tested:
    """Return the interval and p of column i, by the test that suits its values.

    limits: the least and greatest possible difference of a pair.
    """
    x, y = counted_pairs(levels, i)
    if not len(x):
        nothing = float("nan")
        return Tested(nothing, nothing, nothing, "none", nothing)
    if metric.per == "training":
        return settle_trainings(levels, i, metric, limits)
    is_share, is_alone = metric.kind == "share", levels.n_trainings == 1
    if is_share and is_alone and levels.clusters is None and is_binary(x, y, constant):
        ends = shares_ends(x, y, constant)
        p = shares_p(x, y, constant)
        return Tested(*ends, p, SHARE_TESTS[bool(constant)], float(resampled.error[i]))
    drawn = means_within((levels.y - levels.x)[:, [i]], levels.clusters)
    own = resampled.column(i)
    low, high = finished_ends(drawn, own, [limits])
    mean, error = float(own.mean[0]), float(own.error[0])
    variance, freedom = float(levels.part.variance[i]), float(levels.part.freedom[i])
    part = TrainingPart(levels.part.variance[[i]], levels.part.freedom[[i]])
    counted = drawn[~np.isnan(drawn[:, 0]), 0]
    p, test = bootstrap_p(counted, t_of(mean, error), own.pivots[:, 0]), "bootstrap"
    if is_share and is_alone and levels.clusters is None:
        test = "bootstrap*"
    if np.isinf(own.ends()[int(mean < 0)][0]):
        p, test = exact_p(counted, limits), "exact"
    if variance > 0:
        p = max(p, two_level_p(mean, error, len(counted), variance, freedom))
    low, high = widen(own.mean, (low, high), part, [limits])
    return Tested(float(low[0]), float(high[0]), p, test, sqrt(error**2 + variance))


def settle_trainings(levels: Levels, i: int, metric: Metric, limits: Bounds) -> Tested:
    """Return the interval and p of a metric with one value per training (`per: training`).

    With one training, or if the sides' trainings differ, the interval is the limits.
    """
    assert limits is not None and metric.margin is not None  # `read_metric` asks for them
    means = means_of_trainings(levels)[:, i]
    if len(means) < 2:
        return Tested(*limits, 1.0, "none", (limits[1] - limits[0]) / 2)
    low, high, p, error = trainings_test(means, metric.margin)
    return Tested(max(low, limits[0]), min(high, limits[1]), p, "t", error)


def means_of_trainings(levels: Levels) -> np.ndarray:
    """Return the mean difference of each training, float64[trainings, m].

    It has no rows if there is one training, or if the sides' trainings differ.
    """
    if levels.by_training is None or levels.n_trainings == 1:
        return np.empty((0, levels.x.shape[1]))
    return np.stack([mean_over(each) for each in levels.by_training])


def are_opposite(levels: Levels, limits: list[Bounds], n_resamples: int) -> np.ndarray:
    """Return for each column whether one training is significantly above 0 and another below.

    Each of k trainings is tested at 5 % / k, over units alone. If the sides' trainings differ, each
    training of one side is compared with the mean of the other side, and the two that disagree must
    be on one side (benchmarks/COVERAGE.md). An interval contains its mean, so only columns whose
    trainings differ in sign are resampled.
    """
    opposite = np.zeros(levels.x.shape[1], dtype=bool)
    level = 1 - LEVEL / max(1, sum(map(len, levels.shown)))
    for differences in levels.shown:
        means = np.stack([mean_over(each) for each in differences])
        in_doubt = np.flatnonzero((means > 0).any(axis=0) & (means < 0).any(axis=0))
        if not len(in_doubt):
            continue
        above, below = np.zeros((2, len(in_doubt)), dtype=bool)
        for each in differences[:, :, in_doubt]:
            low, high = bootstrap_interval(
                each,
                n_resamples,
                seed=SEED,
                level=level,
                bounds=[limits[i] for i in in_doubt],
                clusters=levels.clusters,
            )
            above |= low > 0
            below |= high < 0
        opposite[in_doubt] |= above & below
    return opposite


def mean_of(values: np.ndarray) -> float:
    """Return the mean; NaN, without a warning, if there is nothing."""
    return float(values.mean()) if len(values) else float("nan")
