"""Rows of a file as examples, whose fields templates read: JSON Lines, JSON, CSV and TSV."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from genlab.core.program import InputError
from genlab.sources.csv_text import csv_rows
from genlab.sources.decoding import Encoding
from genlab.sources.json_text import json_rows
from genlab.sources.text_files import check_text, data_extension, shown

TABLES = (".csv", ".tsv")
EXTENSIONS = (".jsonl", ".ndjson", ".json", *TABLES)


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


def read_examples(file: Path) -> list[dict]:
    """Return the rows of a file of one of EXTENSIONS; a CSV's columns of whole numbers hold int.

    Raises InputError, with file and row, for what is no row, and for a file without any.
    """
    is_table = data_extension(file) in TABLES
    rows = []
    for place, row in csv_objects(file) if is_table else object_rows(file):
        check_finite(place, row)
        rows.append(row)
    if not rows:
        raise InputError(f"{file}: there is no row below the header; give one for each example")
    whole = [name for name in rows[0] if all(is_whole(row[name]) for row in rows)]
    return [row | {name: int(row[name]) for name in whole} for row in rows] if is_table else rows


def csv_objects(file: Path) -> Iterator[tuple[str, dict]]:
    """Yield the rows of a CSV as objects with their places; InputError for one that is broken."""
    for place, row in csv_rows(file):
        if not isinstance(row, dict):
            raise InputError(
                f"{place}: {len(row)} fields, which are not as many as the header's columns; put "
                "a field that holds the separator in quotes"
            )
        yield place, row


def is_whole(value: object) -> bool:
    """Return whether a value is text that says a whole number, and no code such as 007."""
    is_number = isinstance(value, str) and value.isascii() and value.isdigit()
    return is_number and str(value) == (str(value).lstrip("0") or "0")
