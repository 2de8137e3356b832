"""The metrics of an arm over its trainings, with intervals and where their error comes from."""

from types import MappingProxyType

import numpy as np
import polars as pl

from genlab.experiments.arms import Tables
from genlab.experiments.comparison import SEED
from genlab.experiments.layout import Layout
from genlab.experiments.own_units import Units, have_own_units, join_summaries
from genlab.experiments.pairing import group_of, pair_rows
from genlab.statistics.column_means import column_mean
from genlab.statistics.intervals import interval
from genlab.statistics.trainings import interval_of_trainings, variance_shares


def summarize_arm(
    layout: Layout, tables: Tables, units: Units = MappingProxyType({})
) -> dict[str, dict[str, dict]]:
    """Return group -> metric -> value, low, high, and the shares of the error's sources.

    The interval generalises to new units and, with several trainings, to new trainings. A metric
    without a single value is left out. units: seed -> the hash of the table that its units are
    from; if trainings have different units, the sources are not split.
    """
    if have_own_units({seed: units.get(seed) for seed in tables}):
        return join_arms([summarize_arm(layout, {seed: rows}) for seed, rows in tables.items()])
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
            | split_of(
                values[:, :, i], chance_of_samples(layout, rows, group, columns[i]), clusters
            )
            for i, metric in enumerate(layout.metrics)
            if mean[i] == mean[i]
        }
    return summary


def join_arms(found: list[dict[str, dict[str, dict]]]) -> dict[str, dict[str, dict]]:
    """Return group -> metric -> value, low, high over trainings, given that of each."""
    first, *others = found
    return {
        group: {
            metric: join_summaries(each[group][metric] for each in found)
            for metric in metrics
            if all(metric in each.get(group, {}) for each in others)
        }
        for group, metrics in first.items()
    }


def split_of(
    values: np.ndarray, within: float, clusters: np.ndarray | None
) -> dict[str, dict[str, float]]:
    """Return one column's error by source, float64[trainings, n]; {} for one training."""
    counted = ~np.isnan(values).any(axis=0)
    own = None if clusters is None else clusters[counted]
    shares = variance_shares(values[:, counted], within, own)
    return {"error_from": shares} if shares else {}


def chance_of_samples(layout: Layout, rows: list[pl.DataFrame], group: str, column: str) -> float:
    """Return the variance that sampling gives the mean of a unit's samples; 0 for one sample."""
    if layout.sample is None:
        return 0.0
    own = pl.concat(each.with_columns(_training=pl.lit(i)) for i, each in enumerate(rows))
    own = own.filter(group_of(layout) == group)
    values = pl.col(column).cast(pl.Float64)
    grouped = own.group_by(layout.unit, "_training", maintain_order=True)
    found = grouped.agg((values.var() / values.count()).alias("v"))
    mean = column_mean(found["v"])
    return mean if mean == mean else 0.0  # of one sample each nothing is known
