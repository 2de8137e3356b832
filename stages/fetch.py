"""fetch: the corpus, the base model and the rankers - the only stage that reaches outside.

One command an asset. Each asset has a source: `mini` (made here, no network), `hub` (downloaded
at a pinned revision) or `file` (a path of the user's). Everything later runs offline.
"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.mini.gpt2 import Sizes, check_sizes, make_base
from genlab.passages.corpora import count_queries
from genlab.passages.corpus_rows import CorpusFormat
from genlab.ranking.rankers import RankerKind, load_ranker
from genlab.sources.manifests import with_progress, write_manifest
from genlab.sources.source import Source

app = stage_app()

Output = Annotated[Path, Argument(help="where the asset is written")]
Metrics = Annotated[Path, Option(help="JSON of counts")]
Manifest = Annotated[Path, Option(help="JSON of source, revision and checksums")]
SourcePath = Annotated[Path, Option(help="mini: what it is made from; file: the asset itself")]
Revision = Annotated[str, Option(help="hub: commit that is downloaded")]
Seed = Annotated[int, Option(min=0)]


@app.command()
def corpus(
    output: Output,
    metrics: Metrics,
    manifest: Manifest,
    source: Annotated[Source, Option()],
    path: SourcePath,
    format: Annotated[CorpusFormat, Option(help="file: how it is written; auto recognises it")],
    hub_id: Annotated[str, Option()],
    hub_name: Annotated[str, Option(help="hub: configuration of the data set")],
    revision: Revision,
    n_train: Annotated[int, Option(min=0, help="train queries; 0: all there are")],
    n_validation: Annotated[int, Option(min=0, help="validation queries; 0: all there are")],
    validation_share: Annotated[float, Option(min=0.0, max=1.0, help="file without splits")],
    max_text_bytes: Annotated[int, Option(min=1, help="a longer text is an error")],
    seed: Seed,
) -> None:
    """Fetch queries with their passages as one table."""
    from genlab.mini import queries as mini_queries
    from genlab.passages import corpora

    commit = "none"
    if source is Source.mini:
        frames = mini_queries.make_queries(path, n_train, n_validation, seed)
    elif source is Source.hub:
        frames, commit = corpora.read_hub_corpus(
            hub_id, hub_name, revision, n_train, n_validation, max_text_bytes
        )
    else:
        frames = corpora.read_file_corpus(
            path, format, n_train, n_validation, validation_share, max_text_bytes
        )
    counts = {
        split: {"queries": 0, "passages": 0, "answerable": 0} for split in ("train", "validation")
    }
    shown = with_progress(frames, "fetching the corpus", " queries")
    n_rows = write_table(output, (count_queries(frame, counts) for frame in shown), QUERY_SCHEMA)
    write_json(metrics, {"splits": counts})
    asset = f"{hub_id} {hub_name}".strip() if source is Source.hub else str(path)
    write_manifest(manifest, source, asset, commit, output, rows=n_rows)


def check_base(source: Source, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    if source is Source.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(
    output: Output,
    metrics: Metrics,
    manifest: Manifest,
    source: Annotated[Source, Option()],
    path: SourcePath,
    tokenizer_path: Annotated[Path, Option(help="folder of another tokenizer, or none")],
    hub_id: Annotated[str, Option()],
    revision: Revision,
    n_passages: Annotated[int, Option(min=1, help="mini: texts to pretrain on")],
    sizes: Sizes,
) -> None:
    """Fetch the pretrained language model that is to be fine-tuned."""
    from genlab.models.loading import load_causal_model
    from genlab.sources import model_folders

    check_base(source, sizes)
    tokenizer_folder = None if str(tokenizer_path) == "none" else tokenizer_path
    counts, commit = {}, "none"
    if source is Source.mini:
        counts["pretraining_loss"] = make_base(path, tokenizer_folder, output, n_passages, sizes)
    elif source is Source.hub:
        commit = model_folders.download_base(hub_id, revision, tokenizer_folder, output)
    else:
        model_folders.copy_base(path, tokenizer_folder, output)
    counts["parameters"] = load_causal_model(output).num_parameters()
    write_json(metrics, counts)
    asset = hub_id if source is Source.hub else str(path)
    write_manifest(manifest, source, asset, commit, output)


@app.command()
def ranker(
    output: Output,
    metrics: Metrics,
    manifest: Manifest,
    kind: Annotated[RankerKind, Option()],
    source: Annotated[Source, Option()],
    path: SourcePath,
    hub_id: Annotated[str, Option()],
    revision: Revision,
    max_queries: Annotated[int, Option(min=1, help="mini: training pairs")],
    dim: Annotated[int, Option(min=1, help="mini: embedding size")],
    epochs: Annotated[int, Option(min=1)],
    seed: Seed,
) -> None:
    """Fetch one ranker."""
    described = fetch_ranker(
        kind, source, path, hub_id, revision, max_queries, dim, epochs, seed, output
    )
    counts = {name: value for name, value in described.items() if isinstance(value, (int, float))}
    write_json(metrics, counts)  # numbers only: DVC shows no text among metrics
    asset = hub_id if source is Source.hub else str(path)
    write_manifest(manifest, source, asset, str(described.get("revision", "none")), output)


def fetch_ranker(
    kind: RankerKind,
    source: str,
    path: Path,
    hub_id: str,
    revision: str,
    max_queries: int,
    dim: int,
    epochs: int,
    seed: int,
    output: Path,
) -> dict[str, str | int | float]:
    """Write the ranker folder `output`, whole or not at all, and return its manifest.

    source: "mini" (made here from the query table at `path`), "hub" (hub_id at revision), "file"
    (the model folder at `path`; for BM25, which is nothing but counts, the same as mini). Raises
    InputError for whatever the user can mend. The ranker is loaded and tried before it is kept.
    """
    from genlab.mini.rankers import make_ranker, mean_reciprocal_rank
    from genlab.sources.ranker_folders import copy_model, download_model

    if kind == RankerKind.bm25 and source == "hub":
        raise InputError(
            f"rankers.{output.name}.source=hub: BM25 is counted from a query table, no hub has it; "
            "set source to mini and path to the table"
        )
    made_here = source == "mini" or kind == RankerKind.bm25
    with written_whole(output) as folder:
        folder.mkdir()
        manifest: dict[str, str | int | float] = {
            "name": output.name,
            "kind": str(kind),
            "source": str(source),
        }
        if made_here:
            manifest |= make_ranker(kind, path, max_queries, dim, epochs, seed, folder)
        elif source == "hub":
            group = f"rankers.{output.name}"
            commit = download_model(kind, hub_id, revision, folder / "model", group)
            manifest |= {"hub_id": hub_id, "revision": commit}
        else:
            copy_model(kind, path, folder / "model")
            manifest |= {"path": str(path)}
        write_json(folder / "ranker.json", manifest)
        ranker = load_ranker(folder, batch_size=64)
        if made_here:
            manifest |= mean_reciprocal_rank(ranker.relevance, path)
            write_json(folder / "ranker.json", manifest)
    return manifest


if __name__ == "__main__":
    run(app)
