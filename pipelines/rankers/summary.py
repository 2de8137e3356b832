"""What the rankers' places say: quality, ladders from chance to ceiling, gains, doses."""

import numpy as np
import polars as pl

from genlab.core.tables import CLUSTERS
from genlab.core.terminal import table, with_ends
from genlab.ranking import places, quality
from genlab.ranking.doses import dose_response
from genlab.statistics.clusters import columns_of_clusters, find_clusters
from genlab.statistics.intervals import bootstrap_interval, interval
from pipelines.rankers.altered_texts import BASELINES
from pipelines.rankers.drawn_units import drawn

ROW_SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        "judge": pl.String,
        "collection": pl.String,
        "ranker": pl.String,
        **dict.fromkeys(CLUSTERS, pl.String),
        **dict.fromkeys(quality.MEASURES.values(), pl.Float64),
        # of one copy of the query before a random passage; null for a query that was not altered
        "n_candidates": pl.Int64,
        **dict.fromkeys(places.METRICS.values(), pl.Float64),
    }
)


def headline_rows(
    judge: str, candidates: pl.DataFrame, placed: pl.DataFrame, queries: pl.DataFrame
) -> pl.DataFrame:
    """Return ROW_SCHEMA rows of one judge: every query's quality, and its place after one copy.

    queries: query_id and the columns of CLUSTERS.
    """
    collection, ranker = judge.split(" ")
    once = placed.filter(pl.col("probe") == "query_repeated_1").drop(
        "judge", "collection", "ranker", "probe", "slot", "text", "score", *CLUSTERS, strict=False
    )
    return (
        quality.judge(candidates)
        .join(queries, on="query_id", how="left", maintain_order="left")
        .join(once, on="query_id", how="left", maintain_order="left")
        .with_columns(judge=pl.lit(judge), collection=pl.lit(collection), ranker=pl.lit(ranker))
        .match_to_schema(ROW_SCHEMA)
    )


def dose_of(probe: str) -> int | None:
    """Return how often the query stands before the random passage; None for another probe."""
    if probe == BASELINES["random"]:
        return 0
    number = probe.removeprefix("query_repeated_")
    return int(number) if number != probe else None


def measure(placed: pl.DataFrame, seed: int) -> tuple[dict, dict[str, dict]]:
    """Return one judge's dose response, and each probe's mean place and places gained.

    Gains are query by query against the slot's baseline, over the queries that have the text.
    Intervals are over queries, or over their clusters if the rows have columns of CLUSTERS.
    """
    index = ["query_id", *columns_of_clusters(placed)]
    wide = placed.pivot(on="probe", index=index, values="location", maintain_order=True)
    clusters = find_clusters(wide).numbers
    slots = dict(placed.select("probe", "slot").unique(maintain_order=True).iter_rows())
    columns = {(probe, "average_loc"): wide[probe].to_numpy() for probe in slots}
    for probe, slot in slots.items():
        if probe not in BASELINES.values():
            baseline = columns[BASELINES[slot], "average_loc"]
            columns[probe, "gain"] = baseline - columns[probe, "average_loc"]
    place = dict(zip(places.METRICS, places.bounds_of(placed), strict=True))["average_loc"]
    bounds = {"average_loc": place, "gain": (place[0] - place[1], place[1] - place[0])}
    low, high = bootstrap_interval(
        np.stack([column.astype(np.float64) for column in columns.values()], axis=1),
        seed=seed,
        bounds=[bounds[name] for _, name in columns],
        clusters=clusters,
    )
    probes: dict[str, dict] = {probe: {} for probe in slots}
    for i, ((probe, name), column) in enumerate(columns.items()):
        probes[probe][name] = interval(np.nanmean(column), low[i], high[i])
    for probe in slots:
        probes[probe]["n_queries"] = int((~np.isnan(columns[probe, "average_loc"])).sum())
    doses = {dose: probe for probe in slots if (dose := dose_of(probe)) is not None}
    place_at = np.stack([columns[doses[dose], "average_loc"] for dose in sorted(doses)])
    response = dose_response(
        sorted(doses), place_at, seed, bounds=bounds["gain"], clusters=clusters
    )
    return response, probes


def count_drawn(placed: pl.DataFrame) -> dict[str, int]:
    """Return how many queries one judge's intervals are over, and how many clusters of them."""
    queries = placed.unique("query_id", maintain_order=True)
    return {"n_queries": queries.height, **find_clusters(queries).counted}


def headline(qualities: dict, doses: dict, probes: dict) -> dict[str, float]:
    """Return one judge's few numbers for `dvc metrics`."""
    return {name: qualities[name]["value"] for name in quality.MEASURES if name in qualities} | {
        "fooled": probes["wrong_with_query"]["gain"]["value"],
        "helped": probes["answer_with_query"]["gain"]["value"],
        **{name: numbers["value"] for name, numbers in doses.items()},
    }


def ladder(judge: str, placed: pl.DataFrame, probes: dict) -> list[dict]:
    """Return a rung for every probe of one judge, best first: its mean place, beside chance's.

    Chance: the middle of the list that the slot's texts stand in.
    """
    collection, ranker = judge.split(" ")
    slots = placed.group_by("probe").agg(
        pl.col("slot").first(), chance=((pl.col("n_candidates") + 2) / 2).mean()
    )
    rungs = [
        {
            "judge": judge,
            "collection": collection,
            "ranker": ranker,
            "probe": probe.replace("_", " "),
            "slot": slot,
            "average_loc": probes[probe]["average_loc"]["value"],
            "low": probes[probe]["average_loc"]["low"],
            "high": probes[probe]["average_loc"]["high"],
            "chance": chance,
        }
        for probe, slot, chance in slots.iter_rows()
    ]
    return sorted(rungs, key=lambda rung: (rung["average_loc"], rung["probe"]))


def dose_points(judge: str, probes: dict) -> list[dict]:
    """Return plot points of one judge: the mean place at every dose."""
    return [
        {
            "ranker": judge,
            "repeats": dose,
            "average_loc": found["average_loc"]["value"],
            "low": found["average_loc"]["low"],
            "high": found["average_loc"]["high"],
        }
        for probe, found in probes.items()
        if (dose := dose_of(probe)) is not None
    ]


def table_of(details: dict[str, dict]) -> str:
    """Return every probe's mean place by judge as lines to read in a terminal.

    The last says what the judge's intervals draw.
    """
    probes = dict.fromkeys(probe for found in details.values() for probe in found["probes"])
    rows = [
        [
            probe,
            *(
                with_ends(found["probes"][probe]["average_loc"], 2)
                if probe in found["probes"]
                else "-"
                for found in details.values()
            ),
        ]
        for probe in probes
    ]
    rows.append(["intervals draw", *(drawn(found["counts"]) for found in details.values())])
    return table(rows, ["mean place", *details])
