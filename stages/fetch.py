"""fetch: the corpus, the base model and the rankers - the only stage that reaches outside.

One command an asset. Each asset has a source: `mini` (made here, no network), `hub` (downloaded
at a pinned revision) or `file` (a path of the user's); the base model may also be `bundled` (made
once, kept in minis/base). Everything later runs offline.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.mini.fetched_queries import Reading, empty_counts, fetch_queries
from genlab.mini.gpt2 import Sizes, check_sizes, make_base
from genlab.mini.ranker_folders import fetch_ranker, numbers_of
from genlab.mini.rankers import RankerRecipe
from genlab.passages.corpora import Limits, count_queries, said_of_splits
from genlab.ranking.rankers import RankerKind
from genlab.sources.bundled import check_model_origin
from genlab.sources.file_text import with_files
from genlab.sources.manifests import Manifest, with_progress, write_manifest
from genlab.sources.source import ModelOrigin, ModelSource, Origin, Source

app = stage_app()

SOURCES_WITHOUT_PATH = {"base": frozenset({"mini", "hub"})}  # for genlab check

Output = Annotated[Path, Argument(help="where the asset is written")]
Metrics = Annotated[Path, Option(help="JSON of counts")]


@app.command()
@grouped_options
def corpus(
    output: Output,
    metrics: Metrics,
    manifest: Manifest,
    origin: Origin,
    reading: Reading,
    limits: Limits,
) -> None:
    """Fetch queries with their passages as one table."""
    files: Counter[str] = Counter()
    frames, commit = fetch_queries(origin, reading, limits, files)
    counts = empty_counts()
    shown = with_progress(frames, "fetching the corpus", "queries")
    n_rows = write_table(output, (count_queries(frame, counts) for frame in shown), QUERY_SCHEMA)
    write_json(metrics, with_files({"splits": counts}, files))
    asset = origin.asset
    if origin.source is Source.hub:
        asset = f"{asset} {reading.hub_name}".strip()
    write_manifest(manifest, origin.source, asset, commit, output, rows=n_rows)
    print(said_of_splits(counts))


def check_base(origin: ModelOrigin, n_passages: int, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none, or not the bundled one."""
    check_model_origin(origin, asdict(sizes) | {"n_passages": n_passages})
    if origin.source is ModelSource.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(
    output: Output,
    metrics: Metrics,
    manifest: Manifest,
    origin: ModelOrigin,
    tokenizer_path: Annotated[Path, Option(help="folder of another tokenizer, or none")],
    n_passages: Annotated[int, Option(min=1, help="mini: texts to pretrain on")],
    sizes: Sizes,
) -> None:
    """Fetch the pretrained language model that is to be fine-tuned."""
    from genlab.models.loading import load_causal_model
    from genlab.sources.model_folders import fetch_folder

    check_base(origin, n_passages, sizes)
    tokenizer_folder = None if str(tokenizer_path) == "none" else tokenizer_path
    if origin.source in (ModelSource.mini, ModelSource.bundled):
        print("this base knows the words of the mini corpus; for another take source file or hub")
    if origin.source is ModelSource.mini:
        loss = make_base(origin.made_from, tokenizer_folder, output, n_passages, sizes)
        commit, counts = "none", {"pretraining_loss": loss}
    else:
        commit, counts = fetch_folder(*origin.where, output, tokenizer_folder)
    counts["parameters"] = load_causal_model(output).num_parameters()
    write_json(metrics, counts)
    write_manifest(manifest, origin.source, origin.asset, commit, output)


@app.command()
@grouped_options
def ranker(
    output: Output,
    metrics: Metrics,
    manifest: Manifest,
    kind: Annotated[RankerKind, Option()],
    origin: Origin,
    recipe: RankerRecipe,
) -> None:
    """Fetch one ranker."""
    described = fetch_ranker(kind, origin, recipe, output)
    write_json(metrics, numbers_of(described))
    commit = str(described.get("revision", "none"))
    write_manifest(manifest, origin.source, origin.asset, commit, output)


if __name__ == "__main__":
    run(app)
