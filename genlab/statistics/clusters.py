"""Units that are not independent: queries of one topic, replies of one dialogue.

Another sample would hold other clusters, so intervals draw whole clusters anew. Taken as if all its
units were independent, a mean has an interval that is too narrow (benchmarks/COVERAGE.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from genlab.core.tables import CLUSTERS
from genlab.statistics.bootstrap import resampled_means, resampled_sums, sums_within
from genlab.statistics.intervals import Bounds, bootstrap_interval, unpaired_difference

# What metrics call the number of clusters: those of queries by the column of CLUSTERS.
COUNTS = {"topic": "n_topics", "entity": "n_entities"}


@dataclass(frozen=True)
class Clusters:
    """The cluster of each unit.

    numbers: int64[units], from 0; None where units are independent, or nothing is known of them.
    counted: the number of clusters by what they are, {n_topics: 22}, for metrics; {} without any.
    """

    numbers: np.ndarray | None = None
    counted: dict[str, int] = field(default_factory=dict)


def columns_of_clusters(rows: pl.DataFrame) -> list[str]:
    """Return those columns of CLUSTERS that the rows have."""
    return [name for name in CLUSTERS if name in rows.columns]


def with_clusters(queries: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return queries, a row each, with their columns of CLUSTERS, which rows of theirs have."""
    of_queries = rows.select("query_id", *columns_of_clusters(rows)).unique("query_id")
    return queries.join(of_queries, on="query_id", how="left", maintain_order="left")


def find_clusters(queries: pl.DataFrame) -> Clusters:
    """Return the clusters of queries, a row each: their topics, else their entities.

    These are the columns of CLUSTERS, the widest first. One counts if it tells queries apart: all
    queries of one topic stand for that topic, and are as independent as those of a corpus without.
    """
    for column in reversed(CLUSTERS.names()):
        if column in queries.columns and queries[column].drop_nulls().n_unique() > 1:
            numbers = number_clusters(queries[column])
            assert numbers is not None
            return Clusters(numbers, {COUNTS[column]: int(numbers.max()) + 1})
    return Clusters()


def tell_clusters(counted: dict[str, int]) -> str:
    """Return what intervals draw, as a line for a terminal; "" where they draw single queries."""
    told = [f"{n} {name.removeprefix('n_')}" for name, n in counted.items()]
    return f"Intervals draw the {told[0]} anew, with all queries of each." if told else ""


def number_clusters(names: pl.Series) -> np.ndarray | None:
    """Return the number of each unit's cluster, int64[units], from 0; None if none has a name.

    A unit without a name (null, NaN) is a cluster of its own.
    """
    known = names.fill_nan(None) if names.dtype.is_float() else names
    if known.null_count() == len(known):
        return None
    own = pl.format("\0{}", pl.int_range(pl.len()))  # no name begins so
    named = known.to_frame("cluster").select(pl.col("cluster").cast(pl.String).fill_null(own))
    return named.to_series().rank("dense").to_numpy().astype(np.int64) - 1


def clustered_means(
    values: np.ndarray, n_resamples: int, seed: int, clusters: np.ndarray | None
) -> np.ndarray:
    """Return float64[n_resamples, m]: the means of float64[n, m] where whole clusters are drawn.

    clusters: int[n], from 0; None where units are independent. NaN does not count.
    """
    if clusters is None:
        return resampled_means(values, n_resamples, seed)
    counted = ~np.isnan(values)
    sums = sums_within(np.where(counted, values, 0.0), clusters)
    sizes = sums_within(counted.astype(np.float64), clusters)
    total, size, _ = resampled_sums([sums, sizes], sizes > 0, n_resamples, seed)
    with np.errstate(invalid="ignore"):  # 0 / 0: none of the drawn units counts
        return total / size


def clustered_difference(
    a: np.ndarray,
    b: np.ndarray,
    clusters: tuple[np.ndarray, np.ndarray] | None,
    *,
    seed: int,
    bounds: Sequence[Bounds],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of b minus that of a and its interval: (difference, low, high), float64[m].

    a, b: float64[n, m] and float64[k, m], of different units. clusters: int[n] and int[k], numbered
    together; None where units are independent. Each mean's clustered interval is joined by MOVER
    with the correlation that the clusters they share give the two (Zou 2007, Psychological Methods
    12(4)): a topic that is hard for both cancels out.
    """
    if clusters is None:
        return unpaired_difference(a, b, seed=seed, bounds=bounds)
    means, below, above = [], [], []
    for stream, (values, own) in enumerate(zip((a, b), clusters, strict=True)):
        ends = bootstrap_interval(
            values,
            seed=[seed, stream],
            bounds=bounds,
            clusters=np.unique(own, return_inverse=True)[1],
        )
        means.append(np.nanmean(values, axis=0))
        below.append(means[stream] - ends[0])
        above.append(ends[1] - means[stream])
    both = 2 * correlation_of_means(a, b, clusters)
    difference = means[1] - means[0]
    low, high = (
        np.sqrt(np.maximum(x**2 + y**2 - both * x * y, 0.0))
        for x, y in ((below[1], above[0]), (above[1], below[0]))
    )
    return difference, difference - low, difference + high


def correlation_of_means(
    a: np.ndarray, b: np.ndarray, clusters: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the correlation of the means of two samples that share clusters, float64[m].

    Arguments are those of `clustered_difference`. A cluster brings to a mean the sum of its units'
    departures from it. 0 where all units of a sample are equal.
    """
    n = 1 + max(int(own.max()) for own in clusters)
    sums = np.zeros((2, n, a.shape[1]))
    for side, (values, own) in enumerate(zip((a, b), clusters, strict=True)):
        np.add.at(sums[side], own, np.nan_to_num(values - np.nanmean(values, axis=0)))
    size = np.sqrt((sums[0] ** 2).sum(axis=0) * (sums[1] ** 2).sum(axis=0))
    return np.where(size > 0, (sums[0] * sums[1]).sum(axis=0) / np.where(size > 0, size, 1.0), 0.0)
