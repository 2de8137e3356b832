"""fetch: the dialogues and the base model - all that comes from outside.

A command for each. Both are made here (`mini`), downloaded (`hub`) or the user's own (`file`); the
base model may also be `bundled` (made once, kept in minis/base). It gets tokens for two speakers,
whatever its source.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import write_table
from genlab.mini.gpt2 import Sizes, check_sizes
from genlab.sources.bad_rows import BadRows, BadRowsAre
from genlab.sources.bundled import check_model_origin
from genlab.sources.decoding import Encoding
from genlab.sources.manifests import with_progress, write_manifest
from genlab.sources.source import ModelOrigin, ModelSource, Origin, Source
from pipelines.chitchat.dialogue_files import DialogueFormat
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA

app = stage_app()

SOURCES_WITHOUT_PATH = {"base": frozenset({"mini", "hub"})}  # for genlab check


@app.command()
@grouped_options
def corpus(
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    manifest: Annotated[Path, Option(help="JSON of source, revision and checksums")],
    origin: Origin,
    format: Annotated[DialogueFormat, Option(help="file: how it is written; auto recognises it")],
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")],
    column: Annotated[str, Option(help="of the list of turns, in JSON objects and on the hub")],
    bad_rows: Annotated[
        BadRowsAre, Option(help="stop at a row that is no dialogue, or drop and count")
    ],
    max_text_bytes: Annotated[int, Option(min=1, help="of a turn; more is a bad row")],
    n_dialogues: Annotated[int, Option(min=0, help="0: all there are; mini: at least 1")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the dialogues as one table."""
    from pipelines.chitchat import dialogue_files, mini_dialogues

    bad = BadRows(are_dropped=bad_rows is BadRowsAre.drop)
    files: Counter[str] = Counter()
    commit, n_turns = "none", 0
    if origin.source is Source.mini:
        frames = mini_dialogues.make_dialogues(origin.path, n_dialogues, seed)
    elif origin.source is Source.hub:
        frames, commit = dialogue_files.read_hub_dialogues(
            origin.hub_id, origin.revision, column, max_text_bytes, n_dialogues, seed, bad
        )
    else:
        frames = dialogue_files.read_dialogue_files(
            origin.path, format, encoding, column, max_text_bytes, n_dialogues, seed, bad, files
        )

    def counted():
        nonlocal n_turns
        for frame in frames:
            n_turns += int(frame["turns"].list.len().sum())
            yield frame

    shown = with_progress(counted(), "fetching the dialogues", "dialogues")
    n_rows = write_table(output, shown, DIALOGUE_SCHEMA)

    counts = {"dialogues": n_rows, "turns": n_turns, "bad_rows": bad.counts.total()}
    write_json(metrics, counts | ({"files": dict(files)} if files else {}))
    write_manifest(manifest, origin.source, origin.asset, commit, output, rows=n_rows)


def check_base(origin: ModelOrigin, n_dialogues: int, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none, or not the bundled one."""
    check_model_origin(origin, asdict(sizes) | {"n_dialogues": n_dialogues})
    if origin.source is ModelSource.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of its size, and of its training")],
    manifest: Annotated[Path, Option(help="JSON of source, revision and checksums")],
    origin: ModelOrigin,
    n_dialogues: Annotated[int, Option(min=100, help="mini: dialogues to pretrain on")],
    sizes: Sizes,
) -> None:
    """Fetch the language model that is to be fine-tuned."""
    from pipelines.chitchat.base_model import fetch_base

    check_base(origin, n_dialogues, sizes)
    commit, numbers = fetch_base(origin, n_dialogues, sizes, output)
    write_json(metrics, {"model": numbers})
    write_manifest(manifest, origin.source, origin.asset, commit, output)


if __name__ == "__main__":
    run(app)
