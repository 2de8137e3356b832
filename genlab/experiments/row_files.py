"""Tables of rows in any common form: Parquet, CSV, TSV, JSON and JSON Lines.

Parquet is what genlab's own stages write. The others are for other people's tables: a DVC
repository's predictions, or the sample log of lm-evaluation-harness, whose lines hold far more than
numbers. Of those only the columns that claims.yaml names are read; `doc.id` is a value in a value.
An id that is written with zeros in front stays a text: 007 is not 7.
"""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import polars as pl

from genlab.core.delimiters import delimiter_of, said_in
from genlab.core.program import InputError
from genlab.core.shapes import parse_json

SUFFIXES = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson")


def may_hold_rows(run: str) -> bool:
    """Return whether a name is that of a table of rows, by its ending.

    Raises InputError for an existing file with another ending, instead of taking it for a revision.
    """
    if Path(run).suffix.lower() in SUFFIXES:
        return True
    if Path(run).suffix and Path(run).is_file():
        raise InputError(
            f"{run}: not a table of rows by its name; they end in {', '.join(SUFFIXES)}"
        )
    return False


def parse_rows(path: Path, content: bytes, columns: Iterable[str], where: str) -> pl.DataFrame:
    """Return a file's rows; InputError naming the file if its content is not what its name says.

    columns: the columns read from JSON, None where an entry lacks one; other formats give all their
    columns. where: the file's name for messages.
    """
    named = f"{path} of {where}" if where else str(path)
    match suffix := path.suffix.lower():
        case ".csv" | ".tsv":
            return parse_separated(content, suffix == ".tsv", named)
        case ".json" | ".jsonl" | ".ndjson":
            return parse_objects(content, suffix != ".json", list(columns), named)
        case _:
            try:
                found = pl.read_parquet(io.BytesIO(content))
            except pl.exceptions.ComputeError as error:
                raise InputError(f"{named}: not a whole Parquet file ({error})") from None
            return found.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def parse_separated(content: bytes, is_tsv: bool, named: str) -> pl.DataFrame:
    """Return the rows of a CSV or TSV; the delimiter of a CSV is found in its header.

    Rows of empty cells, as spreadsheets write below a table, are skipped.
    """
    text = decoded(content, named)
    rows = separated_rows(text, "\t" if is_tsv else separator_of(text), named)
    if not rows:
        raise InputError(f"{named}: the file is empty; give one with a header and rows")
    names = [name.strip() for name in rows[0][1]]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise InputError(f"{named}: the column {twice[0]} is there twice; rename or remove one")
    plain = io.StringIO()
    writer = csv.writer(plain)
    writer.writerow(names)
    for line, row in rows[1:]:
        if len(row) != len(names):
            raise InputError(
                f"{named}: line {line}: {len(row)} fields, but {len(names)} in the "
                "header; correct the line, or what separates inside its text"
            )
        writer.writerow(row)
    table = plain.getvalue().encode()
    try:
        written = pl.read_csv(table, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        kind = "TSV" if is_tsv else "CSV"
        raise InputError(f"{named}: no {kind} ({' '.join(str(error).split())})") from None
    try:
        found = pl.read_csv(table, infer_schema_length=None)
    except pl.exceptions.PolarsError:  # a column has digits of other scripts, or forty of them
        found = pl.DataFrame([read_column(table, i, texts) for i, texts in enumerate(written)])
    zeros = [
        name
        for name, kind in found.schema.items()
        if kind.is_integer() and written[name].str.contains(r"^[+-]?0\d").any()
    ]
    return found.with_columns(written.select(zeros))


def read_column(table: bytes, i: int, texts: pl.Series) -> pl.Series:
    """Return column i of a CSV as polars reads it; its texts, as given, if polars cannot."""
    try:
        found = pl.read_csv(table, columns=[i], infer_schema_length=None).to_series()
        return found.alias(texts.name)
    except pl.exceptions.PolarsError:
        return texts


def separator_of(text: str) -> str:
    """Return the delimiter of a CSV; a quoted name in its header may span lines."""
    header = re.match(r'(?:"[^"]*"|[^"\r\n])*', text.lstrip("\r\n"))
    return delimiter_of(header[0] if header else "")


def separated_rows(text: str, separator: str, named: str) -> list[tuple[int, list[str]]]:
    """Return header and rows (but for empty ones), with the numbers of the lines they end on.

    In a TSV a quote is text unless it encloses a whole field; in a CSV it is an InputError.
    """
    try:
        return read_fields(text, separator, csv.QUOTE_MINIMAL)
    except csv.Error as error:
        if separator == "\t":
            return read_fields(text, separator, csv.QUOTE_NONE)
        raise InputError(
            f"{named}: {error}; double the quotes inside a text that stands in quotes"
        ) from None


def read_fields(text: str, separator: str, quoting: Literal[0, 3]) -> list[tuple[int, list[str]]]:
    """Return the rows as `separated_rows`; raise csv.Error, with the line, for a broken quote."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # the process has one for all
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        quoting=quoting,
        skipinitialspace=True,
        strict=True,
    )
    try:
        there = ((reader.line_num, row) for row in reader if any(map(str.strip, row)))
        return [(line, [said_in(field) for field in row]) for line, row in there]
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: broken CSV ({error})") from None


def decoded(content: bytes, named: str) -> str:
    """Return the text of a file in UTF-8; raise InputError for another encoding."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{named}: not UTF-8 at byte {error.start}; save it as UTF-8, and unpacked"
        ) from None


def parse_objects(content: bytes, is_lines: bool, columns: list[str], named: str) -> pl.DataFrame:
    """Return the wanted values of JSON objects, one per line or in one list."""
    text = decoded(content, named)
    entries: list[tuple[int, object]] = []
    pieces = enumerate(text.split("\n"), 1) if is_lines else [(1, text)]
    for number, piece in pieces:
        if not piece.strip():
            continue
        try:
            found = parse_json(piece, distinct=True)
        except ValueError as error:
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
    """Return an entry's value by name or dotted path; None if it has none."""
    if column in entry:
        return entry[column]
    found: object = entry
    for name in column.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
