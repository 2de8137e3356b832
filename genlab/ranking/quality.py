"""How well a ranker ranks: reciprocal rank, average precision and nDCG of its real candidates.

A query counts if one of its passages is selected, as in trec_eval. Tied passages are taken to be in
a uniformly random order, and every measure is its expectation over the orders, in closed form
(McSherry and Najork 2008, Computing Information Retrieval Performance Measures Efficiently in the
Presence of Tied Scores). So no order of the file and no id of a passage changes a number.
"""

import numpy as np
import polars as pl

from genlab.core.terminal import with_ends
from genlab.ranking.places import TIE
from genlab.statistics.clusters import find_clusters
from genlab.statistics.intervals import SHARE, bootstrap_interval, interval

CUTOFF = 10  # of nDCG: the depth that MS MARCO and BEIR report

# Headline name -> the column of `judge`'s rows that it is the mean of.
MEASURES = {"mrr": "reciprocal_rank", "map": "average_precision", "ndcg_10": "ndcg_10"}

SCHEMA = pl.Schema({"query_id": pl.String} | dict.fromkeys(MEASURES.values(), pl.Float64))


def judge(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return SCHEMA rows of candidate rows; null for a query without a selected passage."""
    rows = []
    for query_id, scores, flags in candidates.select(
        "query_id", "candidate_scores", "candidate_selected"
    ).iter_rows():
        selected = np.array(flags, dtype=bool)
        values = measure(np.array(scores, dtype=np.float64), selected) if selected.any() else None
        rows.append((query_id, *(values or [None] * len(MEASURES))))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def measure(scores: np.ndarray, selected: np.ndarray) -> tuple[float, float, float]:
    """Return (reciprocal rank, average precision, nDCG at CUTOFF) of one query's list.

    scores: float64[n], higher is better; selected: bool[n], at least one. Gains are 0 or 1.
    """
    order = np.argsort(-scores, kind="stable")
    selected = selected[order]
    starts = np.flatnonzero(np.diff(-scores[order], prepend=-np.inf) > TIE)
    discounts = 1 / np.log2(np.arange(len(scores)) + 2)
    discounts[CUTOFF:] = 0.0
    first = precision = gain = 0.0
    before = 0  # selected passages above the group of tied ones
    for start, end in zip(starts, [*starts[1:], len(scores)], strict=True):
        n, r = end - start, int(selected[start:end].sum())
        if not r:
            continue
        places = np.arange(start, end) + 1
        if not before:
            # The first of r selected among n in random order is at place i + 1 with probability
            # C(n - 1 - i, r - 1) / C(n, r), here by its recurrence.
            chance, free = r / n, 1.0
            for i, place in enumerate(places):
                chance = r / (n - i) if n - i >= r else 0.0
                first += free * min(chance, 1.0) / place
                free *= 1 - min(chance, 1.0)
        beside = (places - start - 1) * (r - 1) / (n - 1) if n > 1 else 0.0
        precision += float((r / n * (before + 1 + beside) / places).sum())
        gain += float(r / n * discounts[start:end].sum())
        before += r
    return first, precision / before, gain / float(discounts[:before].sum())


def summarize(rows: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Return each measure's mean over the queries that count, with its 95 % interval.

    rows: `judge`'s, with the columns of CLUSTERS where the corpus has them; the interval is then
    over clusters.
    """
    counted = rows.drop_nulls(list(MEASURES.values()))
    if counted.is_empty():
        return {}
    values = counted.select(MEASURES.values()).to_numpy()
    clusters = find_clusters(counted).numbers
    low, high = bootstrap_interval(
        values, seed=seed, bounds=[SHARE] * len(MEASURES), clusters=clusters
    )
    means = values.mean(axis=0)
    return {name: interval(means[i], low[i], high[i]) for i, name in enumerate(MEASURES)}


def count_queries(rows: pl.DataFrame) -> dict[str, int]:
    """Return how many queries `summarize` counts, and how many clusters its intervals are over."""
    counted = rows.drop_nulls(list(MEASURES.values()))
    return {"n_queries": counted.height, **find_clusters(counted).counted}


def in_words(found: dict[str, dict[str, float]]) -> str:
    """Return what `summarize` gave as one line."""
    if not found:
        return "no query has a selected passage, so nothing tells how well it ranks"
    return ", ".join(f"{name} {with_ends(numbers)}" for name, numbers in found.items())
