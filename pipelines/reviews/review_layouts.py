"""Files of reviews, as raw rows with their places: tskv, CSV, JSON Lines or Parquet, packed or not.

tskv is Yandex's: key=value fields between tabs. Nothing is known here of what a row must hold but
the names of its columns, which are the user's to give.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from genlab.core.program import InputError
from genlab.sources.text_files import (
    check_columns,
    data_extension,
    line_rows,
    one_line,
    opened,
    parquet_rows,
    recognise_start,
    text_lines,
)


class ReviewFormat(StrEnum):
    """How a file is laid out."""

    auto = "auto"  # by its content
    tskv = "tskv"
    csv = "csv"  # comma, semicolon or tab, with a header
    jsonl = "jsonl"
    parquet = "parquet"


EXTENSIONS = (".tskv", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
NONE = "none"  # as a column's name: there is no such column

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


def find_files(path: Path) -> list[Path]:
    """Return the file at `path`, or the data files of the folder there in order of name."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; correct corpus.path")
    there = sorted(path.iterdir())
    files = [file for file in there if data_extension(file) in EXTENSIONS]
    if not files:
        names = ", ".join(file.name for file in there[:20]) or "nothing"
        raise InputError(
            f"{path}: no data file in this folder (there: {names}); give files ending in "
            f"{' '.join(EXTENSIONS)} (or .gz of these)"
        )
    return files


def read_rows(file: Path, layout: ReviewFormat, columns: Columns) -> Iterator[tuple[str, Any]]:
    """Yield the raw rows of one file with their places."""
    kind = recognise(file) if layout is ReviewFormat.auto else layout
    if kind is ReviewFormat.parquet:
        yield from parquet_rows(file, needed_columns(columns), check_column_names)
        return
    readers = {
        ReviewFormat.tskv: tskv_rows,
        ReviewFormat.csv: csv_rows,
        ReviewFormat.jsonl: line_rows,
    }
    needed = [columns.text_column, columns.rating_column]
    if kind is not ReviewFormat.tskv:  # which leaves out what is empty
        needed += columns.optional()
    is_first = True
    for place, row in readers[kind](file):
        if is_first and isinstance(row, dict):  # a wrong name, not a bad row
            check_column_names(place, row, needed)
        is_first = False
        yield place, row


def check_column_names(place: str, there: Iterable[str], needed: Iterable[str]) -> None:
    """Raise InputError for a column of the user's that is not there."""
    try:
        check_columns(place, there, needed)
    except InputError as error:
        message = str(error).replace("; add it", "")
        raise InputError(
            f"{message}; name the columns in corpus.text_column, rating_column, ... (none: without)"
        ) from None


def recognise(file: Path) -> ReviewFormat:
    """Return the format of a file by its content; raise InputError for what holds no rows."""
    is_parquet, start = recognise_start(file, "reviews")
    if is_parquet:
        return ReviewFormat.parquet
    if start.startswith(b"{"):
        return ReviewFormat.jsonl
    fields = start.split(b"\n")[0].removeprefix(b"tskv\t").split(b"\t")
    is_tskv = all(re.match(rb"[A-Za-z_]\w*=", each) for each in fields)
    return ReviewFormat.tskv if is_tskv else ReviewFormat.csv


def tskv_rows(file: Path) -> Iterator[tuple[str, dict]]:
    """Yield the rows of a tskv file: lines of key=value fields between tabs."""
    for place, line in text_lines(file):
        row = {}
        for part in line.removeprefix("tskv\t").split("\t"):
            key, equals, value = part.partition("=")
            if equals:
                row[key] = re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[0]), value)
        yield place, row


def csv_rows(file: Path) -> Iterator[tuple[str, dict | list]]:
    """Yield the rows of a CSV file with a header; the header tells what separates."""
    with opened(file) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            header = lines.readline()
            delimiter = max(",;\t", key=header.count)
            names = next(csv.reader([header], delimiter=delimiter))
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            for row in reader:
                if row:
                    place = f"{file}, line {reader.line_num + 1}"
                    # One that is too short or too long has a quote or a separator too many.
                    yield (
                        place,
                        dict(zip(names, row, strict=True)) if len(row) == len(names) else row,
                    )
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{file}: broken CSV after line {reader.line_num + 1} ({one_line(error)}); "
                "correct its quotes, save it as UTF-8"
            ) from None


def needed_columns(columns: Columns) -> list[str]:
    """Return the names of all columns that are to be there."""
    own_id = [] if columns.id_column == NONE else [columns.id_column]
    return [*own_id, *columns.optional(), columns.rating_column, columns.text_column]
