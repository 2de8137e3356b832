"""Files of reviews, as raw rows with their places: tskv, CSV, JSON or Parquet, packed or not.

tskv is Yandex's: key=value fields between tabs. Nothing is known here of what a row must hold but
the names of its columns, which are the user's to give.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from genlab.core.program import InputError
from genlab.sources.csv_text import csv_rows, file_lines, pass_over, read_header
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import (
    OnBadRow,
    recognise_start,
    stop,
    text_lines,
)
from genlab.sources.json_text import array_rows
from genlab.sources.text_files import (
    all_of,
    check_columns,
    line_rows,
    parquet_rows,
)


class ReviewFormat(StrEnum):
    """How a file is laid out."""

    auto = "auto"  # by its content
    tskv = "tskv"
    csv = "csv"  # comma, semicolon, tab or bar, with a header
    jsonl = "jsonl"
    json = "json"  # an array of objects
    parquet = "parquet"


EXTENSIONS = (".tskv", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
NONE = "none"  # as a column's name: there is no such column

RARE_SHARE = 0.01  # ours: of rows; a key in fewer is more likely a text's own word before a =

# tskv's escapes; a backslash before anything else is left alone.
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\", "=": "="}


@dataclass(frozen=True)
class Columns:
    """What the columns are called; "none" for one that is not there."""

    id_column: Annotated[str, Option(help="none: rows are numbered")]
    organisation_column: Annotated[str, Option(help="none: not known")]
    address_column: Annotated[str, Option(help="none: the name tells the place")]
    rubrics_column: Annotated[str, Option(help="none: all get the default rubric")]
    rating_column: Annotated[str, Option()]
    text_column: Annotated[str, Option()]
    rubric_separator: Annotated[str, Option(help="between rubrics of one text")]
    default_rubric: Annotated[str, Option(help="for a review that has none")]
    max_text_bytes: Annotated[int, Option(min=1, help="a longer text is a bad row")]

    def optional(self) -> list[str]:
        """Return the named columns that a review can do without."""
        names = (self.organisation_column, self.address_column, self.rubrics_column)
        return [name for name in names if name != NONE]


def read_rows(
    file: Path,
    layout: ReviewFormat,
    columns: Columns,
    encoding: Encoding = Encoding.auto,
    on_bad_row: OnBadRow = stop,
) -> Iterator[tuple[str, Any]]:
    """Yield the raw rows of one file with their places; a row of JSON or CSV may be unreadable."""
    kind = recognise(file, encoding) if layout is ReviewFormat.auto else layout
    if kind is ReviewFormat.parquet:
        choose = all_of(needed_columns(columns), check_column_names)
        yield from parquet_rows(file, choose, by_name=True)
        return
    needed = [columns.text_column, columns.rating_column]
    if kind is ReviewFormat.tskv:  # which leaves out what is empty
        known = (*needed, *columns.optional(), columns.id_column)
        rows: Iterator[tuple[str, Any]] = tskv_rows(file, encoding, on_bad_row, known)
    else:
        needed += columns.optional()
        if kind is ReviewFormat.csv:
            number, _, names = read_header(file, file_lines(file, encoding, pass_over))
            check_column_names(f"{file}, line {number}", names, needed)
        readers = {
            ReviewFormat.csv: csv_rows,
            ReviewFormat.jsonl: line_rows,
            ReviewFormat.json: array_rows,
        }
        rows = readers[kind](file, encoding, on_bad_row)
    is_first = True
    for place, row in rows:
        if is_first and isinstance(row, dict):  # a wrong name, not a bad row
            check_column_names(place, row, needed)
        is_first = False
        yield place, row


def check_column_names(place: str, there: Iterable[str], needed: Iterable[str]) -> None:
    """Raise InputError for a column of the user's that is not there."""
    try:
        check_columns(place, there, needed)
    except InputError as error:
        message = str(error).replace("; add it", "").replace("; add them", "")
        raise InputError(
            f"{message}; name the columns in corpus.text_column, rating_column, ... (none: without)"
        ) from None


def recognise(file: Path, encoding: Encoding = Encoding.auto) -> ReviewFormat:
    """Return the format of a file by its content; raise InputError for what holds no rows."""
    is_parquet, start = recognise_start(file, "reviews", encoding)
    if is_parquet:
        return ReviewFormat.parquet
    if start.startswith("{"):
        return ReviewFormat.jsonl
    if start.startswith("["):
        return ReviewFormat.json
    fields = re.split("[\r\n]", start)[0].removeprefix("tskv\t").split("\t")
    # Not all of them: a raw tab in a text is tskv, too, and a bad row.
    is_tskv = bool(re.match(r"(?!(?i:sep)=.?$)[A-Za-z_]\w*=", fields[0]))
    return ReviewFormat.tskv if is_tskv else ReviewFormat.csv


def tskv_rows(
    file: Path,
    encoding: Encoding = Encoding.auto,
    on_bad_row: OnBadRow = stop,
    known: Collection[str] = (),
) -> Iterator[tuple[str, dict]]:
    """Yield the rows of a tskv file: lines of key=value fields between tabs.

    A tab inside a value must be written \\t: behind a raw one stands no key, and the row is bad. So
    is one with a key that hardly any row has, and that is not among `known`: a text's own word.
    """
    counts, n_rows = key_counts(file, encoding)
    least = max(2, RARE_SHARE * n_rows)
    rare = {key for key, n in counts.items() if n < least and n_rows > 1} - set(known)
    for place, line in text_lines(file, encoding, on_bad_row):
        row: dict[str, str] = {}
        fault = None
        for part, key, value in tskv_fields(line):
            if key is None:
                fault = f"{part[:40]!r} between tabs is no key=value; write a tab in a text as \\t"
            elif key in row:
                fault = f"the key {key!r} occurs twice; remove one"
            elif key in rare:
                fault = (
                    f"the key of {part[:40]!r} is in {counts[key]} of {n_rows} rows; write a tab "
                    "in a text as \\t, or remove that field"
                )
            row[key or part] = re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[0]), value)
        if fault:
            on_bad_row(InputError(f"{place}: {fault}"))
        else:
            yield place, row


def tskv_fields(line: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield each field of a line with its key, None if it has none, and its value."""
    for part in line.removeprefix("tskv\t").split("\t"):
        key, equals, value = part.partition("=")
        if part.strip():  # nothing is lost with a blank one
            yield part, key if equals and re.fullmatch(r"\w+", key) else None, value


def key_counts(file: Path, encoding: Encoding) -> tuple[Counter[str], int]:
    """Return in how many rows of a tskv file each key is, and how many rows there are."""
    counts: Counter[str] = Counter()
    n_rows = 0
    for _, line in text_lines(file, encoding, pass_over):
        n_rows += 1
        counts.update({key for _, key, _ in tskv_fields(line) if key is not None})
    return counts, n_rows


def needed_columns(columns: Columns) -> list[str]:
    """Return the names of all columns that are to be there."""
    own_id = [] if columns.id_column == NONE else [columns.id_column]
    return [*own_id, *columns.optional(), columns.rating_column, columns.text_column]
