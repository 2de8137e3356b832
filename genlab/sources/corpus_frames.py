"""A corpus of rows, of files or of the Hub, as frames of a table: what its readers share."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import draw
from genlab.core.tables import BATCH_ROWS
from genlab.sources.bad_rows import BadRows
from genlab.sources.hub import load_dataset
from genlab.sources.text_files import ChooseColumns, data_stem, dataset_rows


def names_of(files: Sequence[Path], extensions: Sequence[str]) -> list[str]:
    """Return the prefix for the row ids of each file: its stem, if no other file has the same."""
    stems = [data_stem(file, extensions) for file in files]
    n = Counter(stems)
    return [stem if n[stem] == 1 else file.name for stem, file in zip(stems, files, strict=True)]


def hub_rows(
    hub_id: str, revision: str, choose: ChooseColumns
) -> tuple[Iterator[tuple[str, Any]], str]:
    """Return the rows of a Hub dataset's split train at `revision`, with places, and its commit.

    `hub_id` may be a folder in the Hub's layout. Whatever fails on the way is one InputError.
    """
    dataset, commit = load_dataset(
        hub_id,
        "",
        revision,
        ["train"],
        asked=f"{hub_id} at revision {revision}",
        instead="download the file and set corpus.source: file",
    )
    return dataset_rows(f"{hub_id}, train", dataset["train"], choose, by_name=True), commit


def frames_of(
    rows: Iterator[dict], schema: pl.Schema, n: int, seed: int, none_there: str, bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Yield the rows in frames; `n` of them, drawn of all, as a file may be sorted, or all for 0.

    Raises InputError if there are no rows; its message begins with `none_there` and says how many
    of `bad_rows` there were.
    """
    chosen = draw(rows, n, seed) if n else rows
    any_there = False
    while batch := list(islice(chosen, BATCH_ROWS)):
        any_there = True
        yield pl.DataFrame(batch, schema=schema)
    if not any_there:
        why = f" ({bad_rows.counts.total()} rows are bad)" if bad_rows.counts else ""
        raise InputError(f"{none_there} in it{why}; correct corpus.path")
