"""fetch: the collections and the rankers - the only stage that reaches outside.

A collection is queries with their passages, and BM25's counts of its words. Sources: `mini` (made
here, no network), `hub` (downloaded at a pinned revision) or `file` (a path of yours). No language
model is fetched.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.mini import queries as mini_queries
from genlab.mini.ranker_folders import fetch_ranker
from genlab.mini.rankers import RankerRecipe
from genlab.passages import corpora
from genlab.passages.corpora import Limits
from genlab.passages.corpus_rows import CorpusFormat
from genlab.ranking import bm25
from genlab.ranking.negatives import Negatives, mine_negatives
from genlab.ranking.rankers import RankerKind
from genlab.sources.decoding import Encoding
from genlab.sources.manifests import describe_files, with_progress, write_manifest
from genlab.sources.source import Origin, Source

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
    format: Annotated[CorpusFormat, Option(help="file: how it is written; auto recognises it")],
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")],
    hub_name: Annotated[str, Option(help="hub: configuration of the data set")],
    limits: Limits,
    validation_share: Annotated[float, Option(min=0.0, max=1.0, help="file without splits")],
    train_too: Annotated[bool, Option(help="evaluate train queries, too")],
    negatives: Annotated[Negatives, Option(help="given, or mined by BM25")],
    n_negatives: Annotated[int, Option(min=1, help="mined, or of a TREC run, a query")],
    max_text_bytes: Annotated[int, Option(min=1, help="a longer text is an error")],
) -> None:
    """Fetch queries with their passages as one table, and count their words."""
    commit, pool, path = "none", None, origin.path
    if origin.source is Source.mini:
        frames = mini_queries.make_queries(path, limits.n_train, limits.n_validation, limits.seed)
    elif origin.source is Source.hub:
        frames, commit = corpora.read_hub_corpus(
            origin.hub_id, hub_name, origin.revision, limits, max_text_bytes
        )
    else:
        frames = corpora.read_file_corpus(
            path,
            format,
            limits,
            validation_share,
            max_text_bytes,
            encoding,
            n_negatives=n_negatives,
        )
        if negatives is Negatives.mined:
            pool = corpora.read_pool(path, max_text_bytes, encoding)
    if negatives is Negatives.mined:
        frames = mine_negatives(frames, n_negatives, pool)
    if train_too:
        frames = as_validation(frames)
    splits = {
        split: {"queries": 0, "passages": 0, "answerable": 0} for split in ("train", "validation")
    }
    shown = with_progress(frames, f"fetching the collection {output.stem}", "queries")
    counted = (corpora.count_queries(frame, splits) for frame in shown)
    n_rows = write_table(output, counted, QUERY_SCHEMA)
    with written_whole(counts_output) as folder:
        folder.mkdir()
        words = bm25.write_collection(output, folder)
        write_json(folder / "ranker.json", {"name": "bm25", "kind": "bm25"})
    write_json(metrics, splits | {"words": words})
    write_manifest(manifest, origin.source, origin.asset, commit, output, rows=n_rows)
    if origin.source is Source.file:
        described = json.loads(manifest.read_text(encoding="utf-8"))
        write_json(manifest, described | {"made_from": describe_files(path)})


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
    counts = {name: value for name, value in described.items() if isinstance(value, (int, float))}
    write_json(metrics, counts)  # numbers only: DVC shows no text among metrics
    commit = str(described.get("revision", "none"))
    write_manifest(manifest, origin.source, origin.asset, commit, output)


if __name__ == "__main__":
    run(app)
