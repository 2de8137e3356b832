"""Hard negatives: for each query the passages of others that BM25 finds most like an answer.

Most retrieval data are queries with positives only. Nine mined passages give a positive a place in
a list, and a ranker something to confuse it with. A mined passage may answer the query, too, as
nobody judged it. So places among mined negatives are a little worse than they should be.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS, QUERY_SCHEMA
from genlab.ranking.bm25 import K1, B, count_words, split_words, weigh_words
from genlab.text.normal_form import key_expression

QUERIES_AT_A_TIME = 256  # x 100,000 passages x 8 bytes = 200 MB of scores


class Negatives(StrEnum):
    """Where a query's unselected passages come from."""

    given = "given"  # as the corpus has them
    mined = "mined"  # BM25's best among all passages of the corpus


def mine_negatives(
    frames: Iterable[pl.DataFrame], n: int, pool: list[str] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the frames, of QUERY_SCHEMA, each query with `n` mined passages.

    The pool is all passages of the frames, selected or not, or the given texts. A query keeps its
    selected passages and gets the n others with the highest BM25 scores; ties go to the first in
    the pool. Never mined are passages that are selected for this query or for another with the same
    words, and passages that share no word with it. Texts that differ only in case, punctuation or
    blanks count as one. The whole pool is in memory, some 100 bytes a word of 1 M passages. Raises
    InputError if the pool is too small.
    """
    queries = pl.concat(list(frames))
    if pool is None:
        pool = queries["passages"].explode().struct.field("text").drop_nulls().to_list()
    texts = pl.DataFrame({"text": pool}, schema={"text": pl.String}).filter(
        pl.col("text").str.strip_chars() != ""
    )
    texts = texts.with_columns(key=key_expression(pl.col("text")))
    texts = texts.unique("key", keep="first", maintain_order=True)
    pool = texts["text"].to_list()
    if len(pool) <= n:
        raise InputError(
            f"corpus.negatives=mined: the pool has {len(pool)} different passages, so no query can "
            f"get {n} others; lower corpus.n_negatives, or give more queries"
        )
    number = {key: i for i, key in enumerate(texts["key"])}
    best = best_of_pool(texts["text"], queries, own_answers(queries, number), n)
    mined = [
        [p for p in passages if p["is_selected"]]
        + [{"text": pool[i], "is_selected": False} for i in found]
        for passages, found in zip(queries["passages"].to_list(), best, strict=True)
    ]
    column = pl.Series("passages", mined, dtype=QUERY_SCHEMA["passages"])
    yield from queries.with_columns(column).iter_slices(BATCH_ROWS)


def own_answers(queries: pl.DataFrame, number: dict[str, int]) -> list[list[int]]:
    """Return for each query the numbers in the pool of what is selected for it.

    The same question may stand under several ids, with one answer each: all of them answer it.
    number: of each passage's normalized text.
    """
    keyed = queries.with_columns(asked=key_expression(pl.col("query")))
    selected = (
        keyed.select("asked", "passages")
        .explode("passages")
        .unnest("passages")
        .filter("is_selected")
        .with_columns(key=key_expression(pl.col("text")))
    )
    found: dict[str, list[int]] = {}
    for asked, key in selected.select("asked", "key").iter_rows():
        if key in number:
            found.setdefault(asked, []).append(number[key])
    return [found.get(asked, []) for asked in keyed["asked"]]


def best_of_pool(
    pool: pl.Series, queries: pl.DataFrame, own: list[list[int]], n: int
) -> Iterator[list[int]]:
    """Yield for each query the numbers of its n best passages in the pool, best first.

    own: for each query the passages that may not be taken.
    """
    from scipy.sparse import csr_array

    frequencies, n_documents, n_words = count_words([pool])
    weights = weigh_words(frequencies, n_documents).with_row_index("column")
    counts = split_words(pool).group_by("text", "word").len().join(weights, on="word")
    lengths = np.bincount(split_words(pool)["text"].to_numpy(), minlength=n_documents)
    row = counts["text"].to_numpy()
    f = counts["len"].to_numpy().astype(np.float64)
    norm = K1 * (1 - B + B * lengths[row] / (n_words / n_documents))
    scores = counts["idf"].to_numpy() * f / (f + norm)
    shape = (weights.height, n_documents)
    by_word = csr_array((scores, (counts["column"].to_numpy(), row)), shape=shape)
    following = iter(own)
    for frame in queries.iter_slices(QUERIES_AT_A_TIME):
        asked = split_words(frame["query"]).group_by("text", "word").len().join(weights, on="word")
        places = (asked["text"].to_numpy(), asked["column"].to_numpy())
        told = asked["len"].to_numpy().astype(np.float64)
        of_query = csr_array((told, places), shape=(frame.height, weights.height))
        found = (of_query @ by_word).toarray()
        for score in found:
            score[next(following)] = 0.0
            order = np.lexsort((np.arange(len(score)), -score))[:n]
            yield [int(i) for i in order if score[i] > 0]
