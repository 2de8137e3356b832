"""What a collection's intervals draw anew: its topics (entities), or single queries without any."""

from pathlib import Path

import polars as pl

from genlab.core.tables import CLUSTERS
from genlab.ranking.candidates import evaluated_queries


def clusters_in(collection: Path) -> pl.DataFrame:
    """Return query_id and the columns of CLUSTERS of the queries that a collection evaluates."""
    return evaluated_queries(collection, 0).select("query_id", *CLUSTERS)


def drawn(counts: dict[str, int]) -> str:
    """Return what intervals draw, given n_queries and n_topics, if any: "22 topics"."""
    name, n = list(counts.items())[-1]  # clusters stand after the queries, if there are any
    return f"{n} {name.removeprefix('n_')}"
