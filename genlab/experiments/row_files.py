"""Tables of rows in any common form: Parquet, CSV, TSV, JSON and JSON Lines.

Parquet is what genlab's own stages write. The others are for other people's tables: a DVC
repository's predictions, or the sample log of lm-evaluation-harness, whose lines hold far more than
numbers. Of those only the columns that claims.yaml names are read; `doc.id` is a value in a value.
"""

import io
import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from genlab.core.program import InputError

SUFFIXES = (".parquet", ".csv", ".tsv", ".json", ".jsonl")


def parse_rows(path: Path, content: bytes, columns: Iterable[str], where: str) -> pl.DataFrame:
    """Return a file's rows; InputError naming the file if its content is not what its name says.

    columns: those wanted of JSON, None where an entry lacks one; other forms give all they have.
    where: whose file it is, for messages.
    """
    named = f"{path} of {where}" if where else str(path)
    match path.suffix:
        case ".csv" | ".tsv":
            separator = "\t" if path.suffix == ".tsv" else ","
            try:
                return pl.read_csv(content, separator=separator, infer_schema_length=None)
            except pl.exceptions.PolarsError as error:
                raise InputError(f"{named}: no {path.suffix[1:].upper()} ({error})") from None
        case ".json" | ".jsonl":
            return parse_json(content, path.suffix == ".jsonl", list(columns), named)
        case _:
            try:
                return pl.read_parquet(io.BytesIO(content))
            except pl.exceptions.ComputeError as error:
                raise InputError(f"{named}: not a whole Parquet file ({error})") from None


def parse_json(content: bytes, is_lines: bool, columns: list[str], named: str) -> pl.DataFrame:
    """Return the wanted values of JSON objects, one per line or in one list."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{named}: not UTF-8") from None
    entries: list[tuple[int, object]] = []
    pieces = enumerate(text.split("\n"), 1) if is_lines else [(1, text)]
    for number, piece in pieces:
        if not piece.strip():
            continue
        try:
            found = json.loads(piece)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{named}: line {number}: no JSON ({error})") from None
        entries += [(number, found)] if is_lines else enumerate(as_list(found, named), 1)
    rows = []
    for number, entry in entries:
        if not isinstance(entry, dict):
            raise InputError(f"{named}: entry {number}: must be an object with names")
        rows.append({column: value_in(entry, column) for column in columns})
    there = [column for column in columns if any(row[column] is not None for row in rows)]
    try:
        frame = pl.DataFrame(rows, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise InputError(f"{named}: a column holds values of several kinds ({error})") from None
    except OverflowError:
        raise InputError(f"{named}: a column holds an integer beyond 128 bits") from None
    return frame.select(there)  # one that no entry has is missing, not empty


def as_list(found: object, named: str) -> list:
    """Return the entries of a JSON file."""
    if not isinstance(found, list):
        raise InputError(f"{named}: must be a list of objects")
    return found


def value_in(entry: dict, column: str) -> object:
    """Return an entry's value by name, or by names with dots between; None if it has none."""
    if column in entry:
        return entry[column]
    found: object = entry
    for name in column.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
