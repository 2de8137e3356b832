"""fetch: the collections and the rankers - the only stage that reaches outside.

A collection is queries with their passages, each once, and BM25's counts of its words. Sources:
`mini` (made here, no network), `hub` (downloaded at a pinned revision) or `file` (a path of yours).
No language model is fetched.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.mini.fetched_queries import Reading
from genlab.mini.ranker_folders import fetch_ranker, numbers_of
from genlab.mini.rankers import RankerRecipe
from genlab.passages.corpora import Limits
from genlab.ranking.rankers import RankerKind
from genlab.sources.manifests import Manifest, write_manifest
from genlab.sources.source import Origin, Source
from pipelines.rankers.fetched_collections import describe_collection, write_counts, write_queries

app = stage_app()

Metrics = Annotated[Path, Option(help="JSON of counts")]

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
    left_out: Counter[str] = Counter()
    n_rows, splits, commit = write_queries(output, origin, reading, limits, train_too, left_out)
    words = write_counts(counts_output, output)
    write_json(metrics, splits | {"words": words} | +left_out)
    describe_collection(manifest, origin, commit, output, n_rows)


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
