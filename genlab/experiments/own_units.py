"""Trainings that each have units of their own, as when corpus.seed makes other queries.

A query of one training then has no counterpart in another, even under the same id. So the two arms
are compared pair by pair within each training, which gives one mean difference per training. The
spread of these means covers new units, new trainings and everything else that was drawn anew with
them. A Student's t interval over the few means replaces the interval of two levels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from genlab.experiments.comparison import Difference
from genlab.experiments.layout import Metric
from genlab.statistics.significance import is_significant
from genlab.statistics.trainings import students_interval, trainings_test

Units = Mapping[int | None, str | None]  # seed -> the hash of the table its units come from


def have_own_units(units: Units) -> bool:
    """Return whether the runs' units are from different tables."""
    return len(set(units.values())) > 1


def join_trainings(found: list[Difference], metric: Metric) -> Difference:
    """Return B - A over all trainings, given each training's, for one group and metric.

    The spread between trainings is taken to be at least the standard error within one training,
    because a few trainings can agree by chance. For a metric with one value per training it is
    taken to be at least the margin.
    """
    found = [each for each in found if each.n] or found[:1]
    if len(found) < 2:
        return found[0]
    means = np.array([each.difference for each in found])
    errors = np.array([each.error for each in found])
    spread = float(np.sqrt(np.mean(errors**2)))
    if metric.per == "training":
        assert metric.margin is not None  # `read_metric` asks for it
        spread = metric.margin
    if spread == 0 and np.ptp(means) == 0:
        low, high, p, error = means[0], means[0], 1.0, 0.0
    else:
        low, high, p, error = trainings_test(means, spread)
    limits = metric.limits()
    if limits is not None:
        widest = limits[1] - limits[0]
        low, high = max(low, -widest), min(high, widest)
    k = len(found)
    sure = [is_significant(each.low, each.high, min(1.0, k * each.p)) for each in found]
    signs = {float(np.sign(mean)) for mean, is_sure in zip(means, sure, strict=True) if is_sure}
    return replace(
        found[0],
        n=sum(each.n for each in found),
        only_base=sum(each.only_base for each in found),
        only_other=sum(each.only_other for each in found),
        n_different=sum(each.n_different for each in found),
        base=float(np.mean([each.base for each in found])),
        other=float(np.mean([each.other for each in found])),
        difference=float(means.mean()),
        low=float(low),
        high=float(high),
        p=p,
        test="t",
        error=error,
        detectable=float("nan"),
        least_p=0.0,
        same_rows=found[0].same_rows if len({each.same_rows for each in found}) == 1 else "",
        n_clusters=None,
        n_trainings=k,
        training_variance=error**2,
        by_training=tuple(means.tolist()),
        over_trainings=students_interval(means),
        is_unstable=len(signs) == 2,
    )


def join_summaries(found: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of the trainings' values with Student's t interval: {value, low, high}."""
    means = np.array([each["value"] for each in found])
    low, high = students_interval(means)
    return {"value": float(means.mean()), "low": low, "high": high}
