"""Rows of a file as examples, whose fields templates read: JSON Lines, JSON, CSV and TSV."""

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from genlab.core.program import InputError
from genlab.sources.csv_text import csv_rows
from genlab.sources.decoding import Encoding
from genlab.sources.json_text import json_rows
from genlab.sources.text_files import check_text, data_extension, shown

TABLES = (".csv", ".tsv")
EXTENSIONS = (".jsonl", ".ndjson", ".json", *TABLES)
# Fields that mean something to the stages: the choices of a template, and how often a crawl states
# a fact.
RESERVED = ("answer_choices", "times_seen")


def object_rows(path: Path, encoding: Encoding = Encoding.auto) -> Iterator[tuple[str, dict]]:
    """Yield the objects of a JSON file with their places; InputError for what is none."""
    try:
        for place, row in json_rows(path, "objects, one a line", encoding):
            if not isinstance(row, dict):
                raise InputError(f"{place}: {shown(row)}, not an object; a row is {{...}}")
            check_text(place, "the row", json.dumps(row, ensure_ascii=False), sys.maxsize)
            yield place, row
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def check_finite(place: str, row: dict) -> None:
    """Raise InputError for a NaN, which would be asked as the word "nan"."""
    try:
        json.dumps(row, allow_nan=False)
    except ValueError:
        raise InputError(
            f"{place}: it holds NaN or Infinity, which is no text and no label; write what it is"
        ) from None


def read_examples(files: list[Path], asked: str | None = None) -> list[list[dict]]:
    """Return the rows of each file of one data set, whose names end in one of EXTENSIONS.

    A table's column holds int if all its cells in all tables are whole numbers, so that a label is
    of one type in training and in the test; other columns hold text. Raises InputError, with file
    and row, for a row that is none and a cell that a program broke, and for a file without rows.
    asked: the data set's templates; of columns that these do not name any cell may be broken.
    """
    parts = [list(checked_rows(file, asked)) for file in files]
    tables = (part for file, part in zip(files, parts, strict=True) if is_table(file))
    rows = list(chain.from_iterable(tables))
    names = dict.fromkeys(chain.from_iterable(rows))
    whole = [name for name in names if all(is_whole(row[name]) for row in rows if name in row)]
    for row in rows:
        row |= {name: int(row[name]) for name in whole if name in row}
    return parts


def checked_rows(file: Path, asked: str | None) -> Iterator[dict]:
    """Yield the rows of a file as they stand there; raise InputError as `read_examples`."""
    n_rows = 0
    for place, row in csv_objects(file, asked) if is_table(file) else object_rows(file):
        check_finite(place, row)
        if taken := [name for name in RESERVED if name in row]:
            raise InputError(f"{place}: the field {taken[0]} is the stages' own; rename it")
        n_rows += 1
        yield row
    if not n_rows:
        raise InputError(f"{file}: there is no row below the header; give one for each example")


def is_table(file: Path) -> bool:
    """Return whether a file is CSV or TSV, by its name."""
    return data_extension(file) in TABLES


def csv_objects(file: Path, asked: str | None) -> Iterator[tuple[str, dict]]:
    """Yield the rows of a table as objects with their places; InputError for one that is broken.

    A template reads a field by its name, so a column is not read if `asked` never has its name.
    """

    @cache
    def is_read(name: str) -> bool:
        named = rf"(?<!\w){re.escape(name)}(?!\w)"
        return asked is None or re.search(named, asked) is not None

    for place, row in csv_rows(file):
        if not isinstance(row, dict):
            raise InputError(
                f"{place}: {len(row)} fields, which are not as many as the header's columns; put "
                "a field that holds the separator in quotes"
            )
        for name, value in row.items():
            check_text(place, name, value, sys.maxsize, of_table=is_read(name))
        yield place, row


def is_whole(value: str) -> bool:
    """Return whether a cell is a whole number as Python writes it, and no code such as 007."""
    return re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) is not None
