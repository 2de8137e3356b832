"""Queries with their passages from any source: made here, downloaded, or the user's files.

It lies in this room because no lower one may import all three.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typer import Option

from genlab.mini import queries
from genlab.passages import corpora
from genlab.passages.corpora import Limits
from genlab.passages.corpus_rows import CorpusFormat
from genlab.ranking.negatives import Negatives, mine_negatives
from genlab.sources.decoding import Encoding
from genlab.sources.source import Origin, Source


@dataclass(frozen=True)
class Reading:
    """How queries are read from the Hub or a file, and where their other passages come from."""

    format: Annotated[CorpusFormat, Option(help="file: how it is written; auto recognises it")]
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")]
    hub_name: Annotated[str, Option(help="hub: configuration of the data set")]
    validation_share: Annotated[float, Option(min=0.0, max=1.0, help="file without splits")]
    negatives: Annotated[Negatives, Option(help="given, or mined by BM25")]
    n_negatives: Annotated[int, Option(min=1, help="mined, or of a TREC run, a query")]
    max_text_bytes: Annotated[int, Option(min=1, help="a longer text is an error")]


def fetch_queries(
    origin: Origin,
    reading: Reading,
    limits: Limits,
    files: Counter[str],
    train_too: bool = False,
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return frames of QUERY_SCHEMA, not read yet, and the Hub's commit, "none" without one.

    files: counts those read, hidden and unread of a `file` source. train_too: its train queries are
    evaluated, too. Raises InputError for whatever the user can mend.
    """
    commit, pool = "none", None
    if origin.source is Source.mini:
        frames = queries.make_queries(origin.path, limits.n_train, limits.n_validation, limits.seed)
    elif origin.source is Source.hub:
        frames, commit = corpora.read_hub_corpus(
            origin.hub_id, reading.hub_name, origin.revision, limits, reading.max_text_bytes
        )
    else:
        frames = corpora.read_file_corpus(
            origin.path,
            reading.format,
            limits,
            reading.validation_share,
            reading.max_text_bytes,
            reading.encoding,
            files,
            reading.n_negatives,
            train_too,
        )
        if reading.negatives is Negatives.mined:
            pool = corpora.read_pool(origin.path, reading.max_text_bytes, reading.encoding)
    if reading.negatives is Negatives.mined:
        frames = mine_negatives(frames, reading.n_negatives, pool)
    return frames, commit


def empty_counts() -> dict[str, dict[str, int]]:
    """Return what `corpora.count_queries` counts up, by split."""
    return {
        split: {"queries": 0, "passages": 0, "answerable": 0} for split in ("train", "validation")
    }
