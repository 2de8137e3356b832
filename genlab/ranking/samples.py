"""Several texts of one query: their mean place is the query's, which is what intervals are over.

Rows of `ranking.place` with a column `sample`, from 0, have a row per query and sample.
"""

from collections.abc import Sequence

import polars as pl

from genlab.core.tables import CLUSTERS
from genlab.core.terminal import table
from genlab.models.token_texts import GENERATED
from genlab.ranking import places
from genlab.statistics.column_means import group_mean
from genlab.statistics.sampling import VarianceParts, split_variance, widths

SAMPLES = pl.Schema(
    {
        "query_id": pl.String(),
        "sample": pl.Int64(),  # of the query's texts, from 0
        "query": pl.String(),
        **CLUSTERS,
        **GENERATED,
    }
)


def count_samples(rows: pl.DataFrame) -> int:
    """Return how many texts a query has: one where the rows do not say."""
    return rows.select(pl.col("sample").max() + 1).item() if "sample" in rows.columns else 1


def over_samples(rows: pl.DataFrame, by: Sequence[str] = ("query_id",)) -> pl.DataFrame:
    """Return a row per query (of each of `by`): the mean of its samples' METRICS, in order.

    Of other columns the first sample's value is kept. With one sample the rows are as they were.
    """
    if count_samples(rows) == 1:
        return rows
    measured = [column for column in places.METRICS.values() if column in rows.columns]
    others = [name for name in rows.columns if name not in (*by, *measured)]
    return (
        rows.group_by(by, maintain_order=True)
        .agg(pl.col(others).first(), group_mean(pl.col(measured)))
        .select(rows.columns)
    )


def split_metrics(rows: pl.DataFrame) -> dict[str, VarianceParts]:
    """Return metric -> what varies between and within queries; {} for one sample each.

    rows: of one ranker, the samples of a query beside each other.
    """
    k = count_samples(rows)
    found = {
        metric: split_variance(rows[column].cast(pl.Float64).to_numpy().reshape(-1, k))
        for metric, column in places.METRICS.items()
    }
    return {metric: parts for metric, parts in found.items() if parts}


def table_of_parts(placed: dict[str, pl.DataFrame]) -> str:
    """Return how k samples per query narrow the intervals, as lines; "" with one sample each.

    placed: ranker -> `ranking.place`'s rows.
    """
    parts = {ranker: split_metrics(rows) for ranker, rows in placed.items()}
    if not any(parts.values()):
        return ""
    rows = [
        [ranker, metric, f"{of.between:.4f}", f"{of.within:.4f}"]
        # Where nothing varies, nothing is known of the width.
        + [f"{width:.3f}" if width else "-" for width in widths(of).values()]
        for ranker, metrics in parts.items()
        for metric, of in metrics.items()
    ]
    first = next(of for metrics in parts.values() for of in metrics.values())
    shown = [f"k={name}" for name in widths(first)]
    said = (
        f"The variance between queries and within them ({first.k} texts each), and how wide the "
        "95 % interval\nis with k texts a query (gen.n_samples), by a normal approximation:"
    )
    return f"{said}\n{table(rows, ['ranker', 'metric', 'between', 'within', *shown])}"
