"""The evaluated queries with their real passages, scored once per ranker for every experiment.

References come with them: what a text that has nothing to do with the query scores (floor), and
an empty one (the source study filled short lists with those). The ceiling needs no score of its
own: it is a selected passage's.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.progress import counted_whole
from genlab.core.seeds import order_of
from genlab.core.tables import read_batches, read_table, with_clusters

Relevance = Callable[[list[str], list[str]], np.ndarray]

SCHEMA = pl.Schema(
    {
        "query_id": pl.String(),
        "candidate_scores": pl.List(pl.Float32),
        "candidate_selected": pl.List(pl.Boolean),
        "floor_score": pl.Float32(),  # a random passage of another query
        "empty_score": pl.Float32(),  # the empty text
    }
)


def evaluated_queries(path: Path, n_queries: int) -> pl.DataFrame:
    """Return `n_queries` validation rows of a query table in its order; 0 means all.

    They are drawn by a hash of their ids, as the table may be sorted. So all stages draw the same
    ones, and a smaller sample is part of a larger one. Their CLUSTERS are null if the table has
    none. Raises InputError if there is no validation row.
    """
    wanted = pl.col("split") == "validation"
    if n_queries:
        ids = [each for batch in read_batches(path) for each in batch.filter(wanted)["query_id"]]
        wanted &= pl.col("query_id").is_in(sorted(ids, key=order_of)[:n_queries])
    kept = [batch.filter(wanted) for batch in read_batches(path)]
    queries = pl.concat(kept) if kept else pl.DataFrame()
    if queries.is_empty():
        raise InputError(f"{path}: no validation query to evaluate")
    return with_clusters(queries)


def score_candidates(queries: pl.DataFrame, relevance: Relevance, seed: int) -> pl.DataFrame:
    """Return SCHEMA rows: every passage of every query scored, and the reference texts."""
    passages = (
        queries.select("query_id", "query", "passages").explode("passages").unnest("passages")
    )
    random_passages = passages_of_others(queries, seed)
    texts = pl.concat(
        [
            passages["text"],
            random_passages,
            pl.Series([""], dtype=pl.String).new_from_index(0, queries.height),
        ]
    )
    asked = pl.concat([passages["query"], queries["query"], queries["query"]])
    with counted_whole(texts.len()):
        scores = relevance(asked.to_list(), texts.to_list())
    of_passages, floor, empty = np.split(
        scores, [passages.height, passages.height + queries.height]
    )
    return (
        passages.with_columns(score=of_passages)
        .group_by("query_id", maintain_order=True)
        .agg(candidate_scores="score", candidate_selected="is_selected")
        .with_columns(floor_score=floor, empty_score=empty)
        .match_to_schema(SCHEMA)
    )


def count_texts(queries: pl.DataFrame) -> int:
    """Return how many texts `score_candidates` scores: all passages, and two more a query."""
    return int(queries["passages"].list.len().sum()) + 2 * queries.height


def passages_of_others(queries: pl.DataFrame, seed: int) -> pl.Series:
    """Return for each query one passage, drawn at random, of another query."""
    if queries.height < 2:
        raise InputError("the floor needs at least two evaluated queries; raise gen.n_queries")
    rng = np.random.default_rng(seed)
    n = queries.height
    others = (np.arange(n) + rng.integers(1, n, n)) % n
    lengths = queries["passages"].list.len().to_numpy()
    chosen = (rng.random(n) * lengths[others]).astype(np.int64)
    return (
        queries[others]
        .select(pl.col("passages").list.get(pl.lit(pl.Series(chosen))).struct.field("text"))
        .to_series()
    )


def with_answer_in_slot(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the answerable rows with their first selected passage moved into the text's slot.

    `score` is that passage's, and it leaves the list: beside its own copy it could only tie.
    """
    return without_answer(candidates).with_columns(score="answer_score").drop("answer_score")


def without_answer(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the answerable rows without their first selected passage, whose score is added.

    Rows without another passage are left out, as there would be nothing to compare with. Adds
    answer_score; an existing `score` is kept.
    """
    scores, selected = pl.col("candidate_scores"), pl.col("candidate_selected")
    answer = selected.list.arg_max()

    def without_answer(values: pl.Expr) -> pl.Expr:
        return pl.concat_list(values.list.head(answer), values.list.slice(answer + 1))

    return candidates.filter(selected.list.any() & (selected.list.len() > 1)).with_columns(
        answer_score=scores.list.get(answer),
        candidate_scores=without_answer(scores),
        candidate_selected=without_answer(selected),
    )


def read_all_candidates(
    folder: Path, rankers: list[str], generated: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return ranker -> its candidate rows, as `read_candidates` does."""
    return {name: read_candidates(folder / f"{name}.parquet", generated) for name in rankers}


def read_candidates(path: Path, generated: pl.DataFrame) -> pl.DataFrame:
    """Return one ranker's candidate rows in the order of the generated texts.

    Raises InputError if a generated query was never scored.
    """
    rows = generated.select("query_id").join(
        read_table(path), on="query_id", how="left", maintain_order="left"
    )
    missing = rows.filter(pl.col("candidate_scores").is_null())
    if missing.height:
        raise InputError(
            f"{path}: no candidate scores for query {missing['query_id'][0]} and "
            f"{missing.height - 1} more; run `dvc repro score_candidates`"
        )
    return rows
