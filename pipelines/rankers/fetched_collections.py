"""A collection as fetch writes it: queries with their passages, each once, and BM25's counts.

Of whatever source, a collection is one table of QUERY_SCHEMA and one folder of counts.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import polars as pl

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.mini.fetched_queries import Reading, empty_counts, fetch_queries
from genlab.passages.corpora import Limits, count_queries, files_read
from genlab.ranking import bm25
from genlab.ranking.rankers import RankerKind
from genlab.sources.manifests import describe_files, with_progress, write_manifest
from genlab.sources.source import Origin, Source
from pipelines.rankers.passage_lists import each_passage_once, with_some_to_alter


def write_queries(
    output: Path,
    origin: Origin,
    reading: Reading,
    limits: Limits,
    train_too: bool,
    left_out: Counter[str],
) -> tuple[int, dict[str, dict[str, int]], str]:
    """Write the collection's table; return its rows, its counts by split, and the Hub's commit.

    train_too: train queries are evaluated as well. left_out: counts what is left out, by reason.
    Raises InputError, which names the keys of this collection, for whatever the user can mend.
    """
    with keys_named(f"collections.{output.stem}"):
        frames, commit = fetch_queries(origin, reading, limits, Counter(), train_too)
        if train_too:
            frames = as_validation(frames)
        splits = empty_counts()
        frames = with_some_to_alter(each_passage_once(frames, left_out), output.stem)
        shown = with_progress(frames, f"fetching the collection {output.stem}", "queries")
        counted = (count_queries(frame, splits) for frame in shown)
        return write_table(output, counted, QUERY_SCHEMA), splits, commit


def write_counts(output: Path, queries: Path) -> dict:
    """Write BM25's counts of a collection's words as a ranker's folder; return what they sum to."""
    with written_whole(output) as folder:
        folder.mkdir()
        words = bm25.write_collection(queries, folder)
        write_json(folder / "ranker.json", {"name": "bm25", "kind": RankerKind.bm25.value})
    return words


def describe_collection(
    manifest: Path, origin: Origin, commit: str, output: Path, n_rows: int
) -> None:
    """Write the collection's manifest; of files of the user's it names those that were read."""
    write_manifest(manifest, origin.source, origin.asset, commit, output, rows=n_rows)
    if origin.source is Source.file:
        described, read = json.loads(manifest.read_text(encoding="utf-8")), files_read(origin.path)
        write_json(manifest, described | {"made_from": describe_files(origin.path, read)})


@contextmanager
def keys_named(group: str) -> Iterator[None]:
    """Let errors of the block name the keys of this group, not of the flagship's `corpus`."""
    keys = "|".join(field.name for each in (Origin, Reading, Limits) for field in fields(each))
    try:
        yield
    except InputError as error:
        raise InputError(re.sub(rf"\bcorpus\.({keys})\b", rf"{group}.\1", str(error))) from error


def as_validation(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the frames with every query in the validation split, which is evaluated."""
    for frame in frames:
        yield frame.with_columns(split=pl.lit("validation"))
