"""fetch: the collections and the rankers - the only stage that reaches outside.

A collection is queries with their passages, each once, and BM25's counts of its words. Sources:
`mini` (made here, no network), `hub` (downloaded at a pinned revision) or `file` (a path of yours).
No language model is fetched.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.mini.fetched_queries import Reading, empty_counts, fetch_queries
from genlab.mini.ranker_folders import fetch_ranker, numbers_of
from genlab.mini.rankers import RankerRecipe
from genlab.passages.corpora import Limits, count_queries, files_read
from genlab.ranking import bm25
from genlab.ranking.rankers import RankerKind
from genlab.sources.manifests import describe_files, with_progress, write_manifest
from genlab.sources.source import Origin, Source
from pipelines.rankers.passage_lists import each_passage_once, with_some_to_alter

app = stage_app()

Metrics = Annotated[Path, Option(help="JSON of counts")]
Manifest = Annotated[Path, Option(help="JSON of source, revision and checksums")]

SOURCES_WITHOUT_PATH = {"ranker": frozenset({"hub", "mini"})}


@app.command()
@grouped_options
def collection(
    output: Path,
    counts_output: Path,
    metrics: Metrics,
    manifest: Manifest,
    origin: Origin,
    reading: Reading,
    limits: Limits,
    train_too: Annotated[bool, Option(help="evaluate train queries, too")],
) -> None:
    """Fetch queries with their passages as one table, and count their words."""
    with keys_named(f"collections.{output.stem}"):
        frames, commit = fetch_queries(origin, reading, limits, Counter(), train_too)
        if train_too:
            frames = as_validation(frames)
        splits, left_out = empty_counts(), Counter[str]()
        frames = with_some_to_alter(each_passage_once(frames, left_out), output.stem)
        shown = with_progress(frames, f"fetching the collection {output.stem}", "queries")
        counted = (count_queries(frame, splits) for frame in shown)
        n_rows = write_table(output, counted, QUERY_SCHEMA)
    with written_whole(counts_output) as folder:
        folder.mkdir()
        words = bm25.write_collection(output, folder)
        write_json(folder / "ranker.json", {"name": "bm25", "kind": "bm25"})
    write_json(metrics, splits | {"words": words} | +left_out)
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


def check_ranker(kind: RankerKind, source: Source, path: Path) -> None:
    """Raise InputError for a ranker of the wrong source: BM25's are counted from collections."""
    if kind is RankerKind.bm25 and (source is not Source.mini or str(path) != "none"):
        raise InputError(
            "a ranker of kind bm25 counts the words of each collection: set its source to mini and "
            "its path to none"
        )
    if kind is RankerKind.cross_encoder and source is Source.mini:
        raise InputError("a ranker of kind cross_encoder is not made here; set source hub or file")
    if kind is not RankerKind.bm25 and source is Source.mini and str(path) == "none":
        raise InputError(
            f"a ranker of kind {kind} and source mini learns from a table of queries: set its path "
            "to data/fetch/collections/NAME.parquet"
        )


@app.command()
@grouped_options
def ranker(
    output: Path,
    metrics: Metrics,
    manifest: Manifest,
    kind: Annotated[RankerKind, Option()],
    origin: Origin,
    recipe: RankerRecipe,
) -> None:
    """Fetch one ranker."""
    check_ranker(kind, origin.source, origin.path)
    if kind is RankerKind.bm25:
        described: dict = {"name": output.name, "kind": kind.value, "source": origin.source.value}
        with written_whole(output) as folder:
            folder.mkdir()
            write_json(folder / "ranker.json", described)
    else:
        described = fetch_ranker(kind, origin, recipe, output)
    write_json(metrics, numbers_of(described))
    commit = str(described.get("revision", "none"))
    write_manifest(manifest, origin.source, origin.asset, commit, output)


if __name__ == "__main__":
    run(app)
