"""Cache a ranker's scores, so that a killed or enlarged probe stage continues.

Scores are stored in .scratch, by the ranker's files and by groups of queries. A group always has
the same texts, so an interrupted run ends with the same scores as an uninterrupted one, and a
larger alter.n_queries scores only the new queries. The folder may be deleted at any time.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.files import written_whole
from genlab.core.progress import count, counted_whole
from genlab.core.scratch import fingerprint, scratch_root
from genlab.ranking.candidates import Relevance

QUERIES_AT_A_TIME = 25  # some 700 texts: a minute of a large encoder


def remember(ranker: Path, counts: Path, batch_size: int) -> Path:
    """Return the folder of a ranker's cached scores; counts: the collection's, for BM25."""
    return scratch_root() / "probe" / fingerprint([str(batch_size)], [ranker, counts])


def score_pairs(relevance: Relevance, pairs: pl.DataFrame, memory: Path) -> np.ndarray:
    """Return float32[n]: the scores of pairs (query, text), of which `memory` may hold some."""
    scores = [np.zeros(0, np.float32)]
    for queries, texts in groups_of(pairs):
        content = "\0".join([*queries, *texts]).encode()
        path = memory / f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.npy"
        if path.is_file():
            scores.append(np.load(path, allow_pickle=False))
            count(len(texts))
            continue
        with counted_whole(len(texts)):
            scores.append(np.asarray(relevance(queries, texts), dtype=np.float32))
        with written_whole(path) as partial, open(partial, "wb") as stream:
            np.save(stream, scores[-1], allow_pickle=False)
    return np.concatenate(scores)


def groups_of(pairs: pl.DataFrame) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the queries and texts of so many queries at a time, in order; pairs are by query."""
    number = (pairs["query"] != pairs["query"].shift()).fill_null(True).cum_sum() - 1
    for part in pairs.with_columns(group=number // QUERIES_AT_A_TIME).partition_by(
        "group", maintain_order=True
    ):
        yield part["query"].to_list(), part["text"].to_list()
