"""The texts of a table, of whatever kind: CSV, TSV, JSON, JSON Lines or Parquet with a text column.

What people call that column is known here, so that a table among plain texts is not taken for one.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from genlab.core.program import InputError
from genlab.sources.csv_text import csv_rows
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import recognise_start
from genlab.sources.json_text import json_rows
from genlab.sources.text_files import (
    check_distinct,
    data_extension,
    parquet_rows,
    refuse_missing,
    shown,
)

TEXT_NAMES = ("text", "review", "sentence")
# Not .txt: such a file is a text, or has one in each line.
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


# How a JSON object begins, alone or in an array: {"text":
OBJECT = re.compile(r'\[?\s*\{\s*"(?:[^"\\\n]|\\.)*"\s*:')


def is_table(name: PurePath) -> bool:
    """Return whether a file's name is that of a table, packed or not."""
    return data_extension(name) in TABLES


def holds_objects(start: str) -> bool:
    """Return whether a file that begins so has JSON objects, whatever its name says."""
    return OBJECT.match(start) is not None


def table_texts(file: Path, encoding: Encoding = Encoding.auto) -> Iterator[tuple[str, object]]:
    """Yield what a table's text column holds, with its places; raise InputError without one."""
    is_parquet, start = recognise_start(file, "texts", encoding)
    if is_parquet:
        rows = parquet_rows(file, lambda place, there: [text_column(place, there)])
    elif start.startswith(("{", "[")):
        rows = json_rows(file, "texts", encoding)
    else:
        rows = csv_rows(file, encoding)
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError(f"{place}: {shown(row)} where a row with a column text belongs")
        yield place, row[text_column(place, list(row))]


def text_column(place: str, there: Sequence[str]) -> str:
    """Return the name of the column of texts; raise InputError if there is none, or two."""
    found = only_column(place, there, TEXT_NAMES)
    refuse_missing(place, there, ["text"] * (found is None))
    assert found is not None  # by the line above
    return found


def only_column(place: str, there: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the column that bears one of the known names, None if there is none.

    Raises InputError if there are two: nobody can tell which one is meant.
    """
    found = [name for name in there if name.strip().lower() in known]
    check_distinct(place, found)
    if len(found) > 1:
        raise InputError(
            f"{place}: columns {' and '.join(map(shown, found))} may both be the {known[0]}; "
            "remove or rename one"
        )
    return found[0] if found else None
