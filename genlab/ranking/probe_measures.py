"""The probes measured: places gained, doses to first place, points to plot and lines to read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from genlab.core.terminal import table, with_ends
from genlab.ranking import places
from genlab.ranking.doses import dose_response
from genlab.ranking.probes import is_of_answer
from genlab.statistics.clusters import Clusters, find_clusters, with_clusters
from genlab.statistics.intervals import bootstrap_interval, interval

# (probe, measure) -> its value, low and high
Estimates = dict[tuple[str, str], dict[str, float]]


def measure_probes(
    placed: pl.DataFrame, query_ids: list[str], repeats: list[int], seed: int
) -> tuple[dict, dict[str, dict]]:
    """Return one ranker's headline numbers, and each probe's metrics and gain with intervals.

    gain: places gained, query by query, against the bare random passage, or against the whole
    selected passage for its parts. A measure that no query counts for is left out. Intervals are
    over queries, or over their clusters, which the headline counts (n_topics).
    """
    clusters = clusters_of(placed, query_ids)
    columns, n_queries = columns_of_probes(placed, query_ids)
    doses = dose_probes([1, *(dose for dose in repeats if dose != 1)])  # once is always there
    place_at = np.stack([columns[probe, "average_loc"] for probe in doses.values()])
    of_metrics = dict(zip(places.METRICS, places.bounds_of(placed), strict=True))
    farthest = of_metrics["average_loc"][1] - 1.0
    of_metrics["gain"] = (-farthest, farthest)
    headline: dict = dict(
        dose_response(
            list(doses), place_at, seed, bounds=of_metrics["gain"], clusters=clusters.numbers
        )
    )
    headline |= doses_to_first(np.array(list(doses)), place_at)
    headline |= {"n_queries": len(query_ids), **clusters.counted}
    details: dict[str, dict] = {probe: {} for probe in n_queries}
    estimates = estimate(columns, of_metrics, seed, clusters.numbers)
    for (probe, name), numbers in estimates.items():
        details[probe][name] = numbers
    return headline, {
        probe: measures | {"n_queries": n_queries[probe]} for probe, measures in details.items()
    }


def columns_of_probes(
    placed: pl.DataFrame, query_ids: list[str]
) -> tuple[dict[tuple[str, str], np.ndarray], dict[str, int]]:
    """Return (probe, measure) -> float64[queries], and each probe's number of queries.

    The measures are METRICS and the gain; NaN where a query does not count. chance and
    chance_selected are added as probes.
    """
    at = {query_id: i for i, query_id in enumerate(query_ids)}
    frames = {rows["probe"][0]: rows for rows in placed.partition_by("probe", maintain_order=True)}
    chances = {"chance": "random_passage", "chance_selected": "selected_passage"}
    frames = {
        chance: places.place_by_chance(frames[probe])
        for chance, probe in chances.items()
        if probe in frames
    } | frames
    columns: dict[tuple[str, str], np.ndarray] = {}
    n_queries: dict[str, int] = {}
    for probe, rows in frames.items():
        values = np.full((len(at), len(places.METRICS)), np.nan)
        values[[at[query_id] for query_id in rows["query_id"]]] = places.metric_values(rows)
        columns |= {(probe, metric): values[:, i] for i, metric in enumerate(places.METRICS)}
        n_queries[probe] = rows.height
    for probe in frames:
        baseline = "selected_passage" if is_of_answer(probe) else "random_passage"
        if probe not in {*chances, baseline}:
            gain = columns[baseline, "average_loc"] - columns[probe, "average_loc"]
            columns[probe, "gain"] = gain
    return columns, n_queries


def clusters_of(placed: pl.DataFrame, query_ids: list[str]) -> Clusters:
    """Return the clusters of the queries, in their order, as the rows of their probes tell them."""
    return find_clusters(with_clusters(pl.DataFrame({"query_id": query_ids}), placed))


def dose_probes(repeats: list[int]) -> dict[int, str]:
    """Return how often the query stands before the random passage -> probe, from 0 upwards."""
    return {0: "random_passage"} | {k: f"query_repeated_{k}" for k in sorted(repeats)}


def doses_to_first(dose: np.ndarray, place_at: np.ndarray) -> dict[str, float]:
    """Return the median of the queries' smallest doses that reach first place, unshared.

    place_at: float64[doses, queries]. The median is left out if half of the queries never get
    there; never_first_share says how many do not. Dose 0 is a random passage that is first anyway.
    """
    is_first = place_at < 1.5
    ever = is_first.any(axis=0)
    smallest = np.where(ever, dose[is_first.argmax(axis=0)], np.inf)
    median = float(np.median(smallest))
    found = {"median_dose_to_first": median} if np.isfinite(median) else {}
    return found | {"never_first_share": float((~ever).mean())}


def estimate(
    columns: dict[tuple[str, str], np.ndarray],
    bounds: dict[str, tuple[float, float]],
    seed: int,
    clusters: np.ndarray | None,
) -> Estimates:
    """Return the mean of each column over the queries that count (not NaN), and its interval.

    bounds: measure -> its least and greatest possible value. Columns that no query counts for are
    left out. All share one set of resamples, of whole clusters if there are any (int[queries]).
    """
    columns = {key: column for key, column in columns.items() if not np.isnan(column).all()}
    of_each = [bounds[measure] for _, measure in columns]
    low, high = bootstrap_interval(
        np.stack(list(columns.values()), axis=1), seed=seed, bounds=of_each, clusters=clusters
    )
    return {
        key: interval(np.nanmean(column), low[i], high[i])
        for i, (key, column) in enumerate(columns.items())
    }


def points(
    details: dict[str, dict], x: str, probes: Mapping[Any, str]
) -> list[dict[str, str | int | float]]:
    """Return plot points: for each ranker and x, the mean place of the x's probe.

    details: ranker -> what `measure_probes` says. A probe that has no text is left out.
    """
    rows = []
    for ranker, of_ranker in details.items():
        for at, probe in probes.items():
            if probe in of_ranker:
                place = of_ranker[probe]["average_loc"]
                row = {"ranker": ranker, x: at, "average_loc": place["value"]}
                chance = "chance_selected" if is_of_answer(probe) else "chance"
                row |= {"low": place["low"], "high": place["high"]}
                rows.append(row | {"chance": of_ranker[chance]["average_loc"]["value"]})
    return rows


def table_of(headline: dict[str, dict], details: dict[str, dict]) -> str:
    """Return every probe's mean place and the headline numbers as lines to read in a terminal."""
    rows = [
        [probe, *(with_ends(of_ranker[probe]["average_loc"], 2) for of_ranker in details.values())]
        for probe in next(iter(details.values()))
    ]
    names = dict.fromkeys(name for numbers in headline.values() for name in numbers)
    rows += [[name, *(shown(numbers.get(name)) for numbers in headline.values())] for name in names]
    return table(rows, ["mean place", *details])


def shown(number: dict | float | None) -> str:
    """Return a headline number, with its interval if it has one, as a cell."""
    if isinstance(number, dict):
        return with_ends(number)
    if isinstance(number, int):
        return str(number)
    return "-" if number is None else f"{number:.3f}"
