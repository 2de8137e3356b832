"""Leaked and clean queries compared: does a text shared with the train split move the metrics?"""

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.passages.leaks import KINDS
from genlab.ranking import places
from genlab.ranking.samples import over_samples
from genlab.statistics.clusters import (
    clustered_difference,
    find_clusters,
    with_clusters,
)
from genlab.statistics.intervals import Bounds

COMPARED = ("average_loc", "top_1", "fdaro")
# Fewer queries than this in a half: their interval is wider than any effect worth a word.
FEW = 20


def check_same_queries(leaks: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Raise InputError unless every ranker's rows are those of the evaluated queries."""
    evaluated = set(leaks["query_id"])
    for (ranker,), scored in rows.group_by("ranker", maintain_order=True):
        if different := evaluated ^ set(scored["query_id"]):
            raise InputError(
                f"{ranker}: {len(different)} queries (first: {min(different)}) are scored but not"
                " among those searched for leaks, or the reverse; run `dvc repro find_leaks` and"
                " `dvc repro score`"
            )


def compare_halves(leaks: pl.DataFrame, rows: pl.DataFrame, seed: int) -> dict:
    """Return by kind of leak and ranker the COMPARED metrics on clean and on leaked queries.

    leaks: LEAK_SCHEMA; rows: `ranking.place`'s rows with `ranker`. A query without such a text (an
    answer) is in neither half; nor does a metric count a query of which it says nothing. Intervals
    are over queries, or over their clusters, which are counted (n_topics).
    """
    rankers = rows["ranker"].unique(maintain_order=True).to_list()
    columns = [places.METRICS[metric] for metric in COMPARED]
    # All rankers beside each other, float64[n queries, rankers x metrics]: one bootstrap a half.
    values = np.hstack(
        [
            leaks.select("query_id")
            .join(
                over_samples(rows.filter(ranker=name)),
                on="query_id",
                how="left",
                maintain_order="left",
            )
            .select(columns)
            .cast(pl.Float64)
            .to_numpy()
            for name in rankers
        ]
    )
    of_metrics = dict(zip(places.METRICS, places.bounds_of(rows), strict=True))
    bounds: list[Bounds] = [of_metrics[metric] for _ in rankers for metric in COMPARED]
    queries = with_clusters(leaks, rows)
    compared = {}
    for kind in KINDS:
        told = queries[f"{kind}_leak"].is_not_null()
        leak = queries.filter(told)[f"{kind}_leak"]
        clusters = find_clusters(queries.filter(told))
        is_leaked = leak.is_in(["near", "exact"]).to_numpy()
        n_leaked, n_exact = int(is_leaked.sum()), int((leak == "exact").sum())
        counts = {"n_clean": len(leak) - n_leaked, "n_leaked": n_leaked, "n_exact": n_exact}
        of_both = values[told.to_numpy()]
        numbers = iter(halves(of_both, is_leaked, clusters.numbers, bounds, seed))
        compared[kind] = {
            name: counts
            | clusters.counted
            | {metric: found for metric in COMPARED if (found := next(numbers))}
            for name in rankers
        }
    return compared


def halves(
    values: np.ndarray,
    is_leaked: np.ndarray,
    clusters: np.ndarray | None,
    bounds: list[Bounds],
    seed: int,
) -> list[dict[str, float]]:
    """Return for each column the n and the mean of both halves, and leaked - clean.

    values: float64[queries, columns], NaN where a query does not count; is_leaked: bool[queries];
    clusters: int[queries] or None. The mean of an empty half is left out. So is the difference,
    with its 95 % interval, if a half has fewer than two queries, because its spread is then
    unknown. {} for a column that no query counts for.
    """
    clean, leaked = values[~is_leaked], values[is_leaked]
    columns: list[dict[str, float]] = [{} for _ in values.T]
    counts = {
        name: (~np.isnan(half)).sum(axis=0) for name, half in (("clean", clean), ("leaked", leaked))
    }
    for i, column in enumerate(columns):
        if counts["clean"][i] or counts["leaked"][i]:
            column |= {f"n_{name}": int(n[i]) for name, n in counts.items()}
            for name, half in (("clean", clean), ("leaked", leaked)):
                if counts[name][i]:
                    column[name] = float(np.nanmean(half[:, i]))
    told = np.flatnonzero((counts["clean"] >= 2) & (counts["leaked"] >= 2))
    if told.size:
        found = clustered_difference(
            clean[:, told],
            leaked[:, told],
            None if clusters is None else (clusters[~is_leaked], clusters[is_leaked]),
            seed=seed,
            bounds=[bounds[i] for i in told],
        )
        for i, *numbers in zip(told.tolist(), *found, strict=True):
            columns[i] |= zip(("difference", "low", "high"), map(float, numbers), strict=True)
    return columns


def table_of(compared: dict) -> str:
    """Return the mean places of both halves as lines to read in a terminal, with what they mean."""
    lines = [
        "average_loc (lower is better) of the queries without and with a leak",
        f"{'kind':20}{'ranker':10}{'clean':>13}{'leaked':>13}  leaked - clean",
    ]
    for kind, rankers in compared.items():
        for ranker, found in rankers.items():
            n_clean, n_leaked = found["n_clean"], found["n_leaked"]
            place = found.get("average_loc", {})
            clean, leaked = (
                f"{f'{place[half]:.2f}' if half in place else '-'} ({n})"
                for half, n in (("clean", n_clean), ("leaked", n_leaked))
            )
            meaning = in_words(place, n_clean, n_leaked)
            lines.append(f"{kind:20}{ranker:10}{clean:>13}{leaked:>13}  {meaning}")
    n = sum(
        "difference" in found.get(metric, {})
        for rankers in compared.values()
        for found in rankers.values()
        for metric in COMPARED
    )
    lines.append(
        f"{n} differences of {', '.join(COMPARED)} in all, exploratory: their intervals are not"
        " corrected for how many they are"
    )
    lines.append(
        "leaked: an exact or a near copy is in the training split. A near one may be another"
        " question of the same pattern: find_leaks shows pairs"
    )
    return "\n".join(lines)


def in_words(place: dict[str, float], n_clean: int, n_leaked: int) -> str:
    """Return the difference of the mean places in words; lower is better."""
    if not n_leaked:
        return "no query leaks"
    if min(n_clean, n_leaked) < FEW or "difference" not in place:
        return f"too few {'leaked' if n_leaked < FEW else 'clean'} queries to tell"
    interval = f"{place['difference']:+.2f} [{place['low']:+.2f}, {place['high']:+.2f}]: "
    if place["high"] < 0:
        return interval + "leaked queries do better, part of the result may be memory"
    if place["low"] > 0:
        return interval + "leaked queries do worse"
    return interval + "no difference shown"
