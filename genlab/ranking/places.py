"""The place of a generated text among a query's real passages, and the metrics of that place.

A ranker has scored each query's generated text and real passages. `place` returns one row per
query, and every headline metric is the plain mean of a column. Rows are kept, because intervals and
paired differences are taken over queries.

Ties are settled, without `legacy`, as if the tied items were in a uniformly random order: every
measure is its expectation over those orders, in closed form. So a ranker that gives every text the
same score gets exactly the value of chance, and no order of the input changes a number.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple, cast

import numpy as np
import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.statistics.column_means import column_mean

# Two scores this close are one score: batching and the order of sums move a cosine by a few
# float32 spacings, which are 6e-8 just below 1.
TIE = 1e-6

TOP_K = (1, 3, 5)

# The source study's lists always held ten passages.
LEGACY_CANDIDATES = 10

# Headline metric -> the column of the rows it is the mean of (nulls are not counted).
METRICS = {
    "average_loc": "location",
    "average_rel_loc": "relative_location",
    **{f"top_{k}": f"top_{k}" for k in TOP_K},
    "fdaro": "fdaro",
    "fdaro_any": "fdaro_any",
}


def bounds_of(rows: pl.DataFrame) -> list[tuple[float, float]]:
    """Return the least and greatest possible value of each of METRICS, for `place`'s rows."""
    last = max(rows["n_candidates"].to_list(), default=0) + 1.0
    return [(1.0, last) if metric == "average_loc" else (0.0, 1.0) for metric in METRICS]


def bounds_of_differences(rows: pl.DataFrame) -> tuple[float, float] | None:
    """Return the least and greatest difference of two places; None if lengths are not known."""
    most = rows["n_candidates"].max() if "n_candidates" in rows.columns else None
    return None if most is None else (-float(cast(int, most)), float(cast(int, most)))


@dataclass(frozen=True)
class Convention:
    """The source study's choices about the ranked text; a group of options."""

    strip_query: Annotated[bool, Option(help="leave the prompt out of the ranked text")]
    legacy: Annotated[bool, Option(help="the source study's ties and missing answers")]


def place(table: pl.DataFrame, legacy: bool = False) -> pl.DataFrame:
    """Place each query's generated text among its candidates.

    `table` has a row per query: query_id, score (of the generated text), candidate_scores
    (list of float) and candidate_selected (list of bool, as long); with `legacy` also empty_score
    (of an empty passage). Other columns are kept, the two list columns are dropped.

    With g candidates above the generated text and e tied with it (|difference| <= TIE), adds
    n_candidates, n_selected, n_above = g, n_tied = e, answerable (n_selected > 0) and
      location           1 + g + e/2, from 1 (best) to n_candidates + 1
      relative_location  location / (n_candidates + 1): the list holds the generated text too, so
                         the last place is 1 whatever the list's length
      top_1, top_3, top_5  clip((k - g) / (e + 1), 0, 1): the share of the e + 1 equally likely
                         places g + 1 ... g + e + 1 that are at most k
      fdaro              P(above every selected passage): 0 if one is above, else 1 / (1 + t) with
                         t selected ones tied: each of these 1 + t is first equally often
      fdaro_any          P(above at least one selected passage): 1 if one is below, else
                         t / (1 + t): it fails only if last among the 1 + t
    The last two are null for a query without a selected passage.

    `legacy` is the source study's convention: the generated text loses every tie (location
    1 + g + e), lists shorter than ten are filled up with empty passages, and a query without a
    selected passage counts as an fdaro win. fdaro_any, which the study did not have, loses ties
    too but is null for such a query.

    Raises InputError, naming the query, for a score that is missing or not finite, an empty
    candidate list, or lists of different lengths.
    """
    counts = count_candidates(table)
    if legacy:
        counts = with_empty_passages(table, counts)
    n_candidates, n_above, n_tied, n_selected, selected_above, selected_tied = counts
    selected_below = n_selected - selected_above - selected_tied
    answerable = n_selected > 0

    if legacy:
        location = 1.0 + n_above + n_tied
        top = {k: (location <= k).astype(float) for k in TOP_K}
        fdaro = (selected_above + selected_tied == 0).astype(float)
        fdaro_any = np.where(answerable, selected_below > 0, np.nan)
    else:
        location = 1.0 + n_above + n_tied / 2
        top = {k: np.clip((k - n_above) / (n_tied + 1), 0.0, 1.0) for k in TOP_K}
        fdaro = np.where(selected_above > 0, 0.0, 1.0 / (1 + selected_tied))
        fdaro = np.where(answerable, fdaro, np.nan)
        fdaro_any = np.where(selected_below > 0, 1.0, selected_tied / (1 + selected_tied))
        fdaro_any = np.where(answerable, fdaro_any, np.nan)

    return table.drop("candidate_scores", "candidate_selected").with_columns(
        n_candidates=pl.Series(n_candidates, dtype=pl.Int64),
        n_selected=pl.Series(n_selected, dtype=pl.Int64),
        n_above=pl.Series(n_above, dtype=pl.Int64),
        n_tied=pl.Series(n_tied, dtype=pl.Int64),
        answerable=pl.Series(answerable, dtype=pl.Boolean),
        location=pl.Series(location, dtype=pl.Float64),
        relative_location=pl.Series(location / (n_candidates + 1), dtype=pl.Float64),
        **{f"top_{k}": pl.Series(top[k], dtype=pl.Float64) for k in TOP_K},
        fdaro=pl.Series(fdaro, dtype=pl.Float64).fill_nan(None),
        fdaro_any=pl.Series(fdaro_any, dtype=pl.Float64).fill_nan(None),
    )


class Counts(NamedTuple):
    """Numbers of each query's candidates, int64 [n queries]."""

    n_candidates: np.ndarray
    n_above: np.ndarray  # the generated text
    n_tied: np.ndarray  # with it
    n_selected: np.ndarray
    selected_above: np.ndarray
    selected_tied: np.ndarray


def count_candidates(table: pl.DataFrame) -> Counts:
    """Compare each query's generated text with its candidates; see `place`."""
    n_candidates = table["candidate_scores"].list.len().fill_null(0).to_numpy().astype(np.int64)
    n_flags = table["candidate_selected"].list.len().fill_null(0).to_numpy()
    refuse(table, n_candidates == 0, "no candidate passages; drop it before scoring")
    refuse(
        table,
        n_candidates != n_flags,
        "candidate_scores and candidate_selected have different lengths",
    )
    # Row of each candidate in the flattened lists.
    owner = np.repeat(np.arange(table.height), n_candidates)
    score = finite_scores(table, "score", table["score"])
    candidate = finite_scores(table, "candidate_scores", table["candidate_scores"].explode(), owner)
    flags = table["candidate_selected"].explode()
    refuse(table, flags.is_null().to_numpy(), "a null in candidate_selected", owner)
    selected = flags.to_numpy().astype(bool)

    lead = candidate - score[owner]
    above, tied = lead > TIE, np.abs(lead) <= TIE

    def count(mask: np.ndarray) -> np.ndarray:
        return np.bincount(owner[mask], minlength=table.height)

    masks = (above, tied, selected, selected & above, selected & tied)
    return Counts(n_candidates, *map(count, masks))


def with_empty_passages(table: pl.DataFrame, counts: Counts) -> Counts:
    """Return the counts of lists that are filled up to LEGACY_CANDIDATES with empty passages."""
    n_empty = np.maximum(LEGACY_CANDIDATES - counts.n_candidates, 0)
    score = finite_scores(table, "score", table["score"])
    lead = finite_scores(table, "empty_score", table["empty_score"]) - score
    return counts._replace(
        n_candidates=counts.n_candidates + n_empty,
        n_above=counts.n_above + n_empty * (lead > TIE),
        n_tied=counts.n_tied + n_empty * (np.abs(lead) <= TIE),
    )


def chance_place() -> pl.Expr:
    """Return the expected place of a text in a random order of it and its n candidates."""
    return (pl.col("n_candidates") + 2) / 2


def place_by_chance(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `place`'s rows with each measure replaced by its expectation under a random order.

    Every order of the n candidates and the generated text is taken as equally likely, the
    selected passages' places included (fdaro and fdaro_any need that, the others only a uniform
    place among n + 1): location (n + 2) / 2, relative_location (n + 2) / (2 (n + 1)), top_k
    min(k, n + 1) / (n + 1); with s selected passages fdaro 1 / (1 + s), fdaro_any s / (1 + s).

    Nulls stay nulls, so the same queries count. Legacy rows need no switch: they carry the filled
    lengths, and a query without a selected passage, s = 0, has fdaro 1.
    """
    n_places = pl.col("n_candidates") + 1
    share_first = 1 / (1 + pl.col("n_selected"))

    def where_counted(name: str, value: pl.Expr) -> pl.Expr:
        return pl.when(pl.col(name).is_not_null()).then(value).alias(name)

    return rows.with_columns(
        (n_places + 1).truediv(2).alias("location"),
        ((n_places + 1) / (2 * n_places)).alias("relative_location"),
        *[(pl.min_horizontal(k, n_places) / n_places).alias(f"top_{k}") for k in TOP_K],
        where_counted("fdaro", share_first),
        where_counted("fdaro_any", 1 - share_first),
    )


def metric_values(rows: pl.DataFrame) -> np.ndarray:
    """Return float64[n queries, len(METRICS)], NaN where a query does not count: for intervals."""
    return rows.select(METRICS.values()).cast(pl.Float64).to_numpy()


def summarize(rows: pl.DataFrame) -> dict[str, float]:
    """Return the headline metrics: means over `place`'s rows, with the counts behind them.

    fdaro and fdaro_any are over the queries that count for them (the answerable ones; all of them
    for a legacy fdaro). A metric that no query counts for is left out. Raises InputError if there
    are no rows.
    """
    if rows.is_empty():
        raise InputError("no query was scored, so there is nothing to summarize")
    means = {name: column_mean(rows[column]) for name, column in METRICS.items()}
    counts = {"n_queries": rows.height, "n_answerable": int(rows["answerable"].sum())}
    return {name: mean for name, mean in means.items() if mean == mean} | counts


def finite_scores(
    table: pl.DataFrame, name: str, scores: pl.Series, owner: np.ndarray | None = None
) -> np.ndarray:
    """Return `scores` as float64, in which a difference of float32 scores is exact enough for TIE.

    `owner` is as in `refuse`. Raises InputError for a null, NaN or infinite score.
    """
    values = scores.cast(pl.Float64).fill_null(np.nan).to_numpy()
    refuse(table, ~np.isfinite(values), f"{name} missing, NaN or infinite; check the ranker", owner)
    return values


def refuse(
    table: pl.DataFrame, bad: np.ndarray, reason: str, owner: np.ndarray | None = None
) -> None:
    """Raise InputError naming the first query with a `bad` item.

    `owner` gives the row in `table` of each item; without it, item i is row i.
    """
    if bad.any():
        first = int(bad.argmax())
        row = first if owner is None else int(owner[first])
        raise InputError(f"query {table['query_id'][row]!r}: {reason}")


def in_one_table(rows: dict[str, pl.DataFrame], texts: list[str]) -> pl.DataFrame:
    """Return the placed rows of all rankers under each other, with the texts that were placed."""
    return pl.concat(
        frame.drop("floor_score", "empty_score").with_columns(
            ranker=pl.lit(name), text=pl.Series(texts)
        )
        for name, frame in rows.items()
    )
