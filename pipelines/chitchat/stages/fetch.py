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
from genlab.sources.file_text import with_files
from genlab.sources.manifests import Manifest, with_progress, write_manifest
from genlab.sources.source import ModelOrigin, ModelSource, Origin
from pipelines.chitchat.dialogue_files import Reading, fetch_dialogues
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA

app = stage_app()

SOURCES_WITHOUT_PATH = {"base": frozenset({"mini", "hub"})}  # for genlab check


@app.command()
@grouped_options
def corpus(
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    manifest: Manifest,
    origin: Origin,
    reading: Reading,
    bad_rows: Annotated[
        BadRowsAre, Option(help="stop at a row that is no dialogue, or drop and count")
    ],
) -> None:
    """Fetch the dialogues as one table."""
    bad = BadRows(are_dropped=bad_rows is BadRowsAre.drop)
    files: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    frames, commit = fetch_dialogues(origin, reading, bad, files, messages)
    n_turns = 0

    def counted():
        nonlocal n_turns
        for frame in frames:
            n_turns += int(frame["turns"].list.len().sum())
            yield frame

    shown = with_progress(counted(), "fetching the dialogues", "dialogues")
    n_rows = write_table(output, shown, DIALOGUE_SCHEMA)

    counts = {"dialogues": n_rows, "turns": n_turns, "bad_rows": bad.counts.total()}
    left_out = {"messages_left_out": dict(messages)} if messages else {}  # of Telegram's exports
    write_json(metrics, with_files(counts | left_out, files))
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
    manifest: Manifest,
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
