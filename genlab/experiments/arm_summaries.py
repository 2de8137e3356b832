"""The metrics of an arm over its trainings, with intervals and where their error comes from."""

import numpy as np
import polars as pl

from genlab.experiments.arms import Tables
from genlab.experiments.comparison import SEED
from genlab.experiments.layout import Layout
from genlab.experiments.pairing import group_of, pair_rows
from genlab.statistics.intervals import interval
from genlab.statistics.trainings import interval_of_trainings, variance_shares


def summarize_arm(layout: Layout, tables: Tables) -> dict[str, dict[str, dict]]:
    """Return group -> metric -> value, low, high, and which part of the error has which source.

    The interval is for other units and, of several trainings, for other trainings. A metric that
    no unit counts for is left out.
    """
    names = ("the arm", "the arm")
    rows = list(tables.values())
    columns = [metric.column for metric in layout.metrics.values()]
    bounds = [metric.limits() for metric in layout.metrics.values()]
    summary: dict[str, dict[str, dict]] = {}
    for group, pairing in pair_rows(layout, rows, rows, layout.metrics, names).items():
        values, _ = pairing.values(columns)
        clusters = pairing.clusters(layout)
        mean, low, high = interval_of_trainings(values, bounds, seed=SEED, clusters=clusters)
        summary[group] = {
            metric: interval(mean[i], low[i], high[i])
            | split_of(values[:, :, i], chance_of_samples(layout, rows, group, columns[i]))
            for i, metric in enumerate(layout.metrics)
            if mean[i] == mean[i]
        }
    return summary


def split_of(values: np.ndarray, within: float) -> dict[str, dict[str, float]]:
    """Return the sources of the error of one column, float64[trainings, n]; {} of one training."""
    shares = variance_shares(values[:, ~np.isnan(values).any(axis=0)], within)
    return {"error_from": shares} if shares else {}


def chance_of_samples(layout: Layout, rows: list[pl.DataFrame], group: str, column: str) -> float:
    """Return the variance that sampling gives the mean of a unit's samples; 0 for one sample."""
    if layout.sample is None:
        return 0.0
    own = pl.concat(each.with_columns(_training=pl.lit(i)) for i, each in enumerate(rows))
    own = own.filter(group_of(layout) == group)
    values = pl.col(column).cast(pl.Float64)
    found = own.group_by(layout.unit, "_training").agg((values.var() / values.count()).alias("v"))
    mean = found["v"].mean()
    return float(mean) if isinstance(mean, float) else 0.0
