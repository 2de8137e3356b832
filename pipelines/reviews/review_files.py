"""Real reviews, from files or the Hugging Face Hub, as frames of REVIEW_SCHEMA.

In: Yandex's tskv (key=value fields between tabs), CSV, JSON Lines or Parquet, packed with gzip or
not; column names are the user's to give. Out: frames in the files' order. A row that is no review
is named with its file, its number and what is wrong; it stops the stage, or is left out and
counted. A review without an organisation keeps "", one without a rubric gets the default one.
"""

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from typer import Option

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS
from genlab.passages.corpus_rows import check_text
from genlab.sources.hub import load_dataset
from genlab.sources.text_files import (
    FOREIGN_CONTENT,
    HEAD_BYTES,
    PARQUET_ROWS,
    check_columns,
    line_rows,
    one_line,
    opened,
    shown,
    text_lines,
)
from pipelines.reviews.schemas import REVIEW_SCHEMA, STARS


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

MAX_BAD_ROWS_SHOWN = 10


class BadRow(InputError):
    """A row that is no review; `reason` is the column that is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


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


@dataclass
class BadRows:
    """What is done with rows that are no reviews, and how many there were of each reason."""

    are_dropped: bool
    counts: Counter = field(default_factory=Counter)

    def add(self, error: BadRow) -> None:
        """Count a bad row and name the first few on stderr; raise it if rows are not dropped."""
        if not self.are_dropped:
            raise InputError(f"{error}; or leave such rows out with corpus.bad_rows=drop")
        self.counts[error.reason] += 1
        if self.counts.total() <= MAX_BAD_ROWS_SHOWN:
            print(f"left out: {error}", file=sys.stderr)
        elif self.counts.total() == MAX_BAD_ROWS_SHOWN + 1:
            print("left out: more, see the counts", file=sys.stderr)


def read_review_files(
    path: Path, layout: ReviewFormat, columns: Columns, n_reviews: int, bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Yield the reviews of a file, or of all data files of a folder; the first n_reviews (0: all).

    Raises InputError for what cannot be read, and if there is no review at all.
    """
    parts = ((file.name.split(".")[0], read_rows(file, layout, columns)) for file in find(path))
    yield from collect_frames(str(path), parts, columns, n_reviews, bad_rows)


def read_hub_reviews(
    hub_id: str, revision: str, columns: Columns, n_reviews: int, bad_rows: BadRows
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return the reviews of a Hub dataset's split train at `revision`, and the commit.

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
    rows = hub_rows(f"{hub_id}, train", dataset["train"], columns)
    return collect_frames(hub_id, [("hub", rows)], columns, n_reviews, bad_rows), commit


def collect_frames(
    corpus: str, parts: Any, columns: Columns, n_reviews: int, bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Yield frames from parts (name, rows); an id is the row's own, or "<name>-<number>"."""
    rows: list[dict] = []
    ids: set[str] = set()
    for name, placed in parts:
        for number, (place, row) in enumerate(placed):
            try:
                review = check_row(place, row, columns, f"{name}-{number}")
                if review["review_id"] in ids:
                    raise BadRow("id", f"{place}: id {shown(review['review_id'])} occurs twice")
            except BadRow as error:
                bad_rows.add(error)
                continue
            ids.add(review["review_id"])
            rows.append(review)
            if len(rows) == BATCH_ROWS:
                yield pl.DataFrame(rows, schema=REVIEW_SCHEMA)
                rows = []
            if len(ids) == n_reviews:
                break
        if ids and len(ids) == n_reviews:
            break
    if not ids:
        why = f" ({bad_rows.counts.total()} rows are bad)" if bad_rows.counts else ""
        raise InputError(f"{corpus}: there are no reviews in it{why}; correct corpus.path")
    if rows:
        yield pl.DataFrame(rows, schema=REVIEW_SCHEMA)


def check_row(place: str, row: Any, columns: Columns, new_id: str) -> dict[str, Any]:
    """Return a raw row as a review; raise BadRow naming the column that is wrong."""
    if not isinstance(row, dict):
        raise BadRow("row", f"{place}: {shown(row)} where an object belongs")
    review_id = new_id if columns.id_column == NONE else row.get(columns.id_column)
    if isinstance(review_id, bool) or not isinstance(review_id, int | str) or review_id == "":
        raise BadRow("id", f"{place}: {columns.id_column} is {shown(review_id)}, not an id")
    text = row.get(columns.text_column)
    try:
        check_text(place, columns.text_column, text, columns.max_text_bytes, may_be_blank=False)
    except InputError as error:
        raise BadRow("text", str(error)) from None
    name, address = (
        read_name(place, row, column)
        for column in (columns.organisation_column, columns.address_column)
    )
    return {
        "review_id": str(review_id),
        # Without a name an address says little: many places share one.
        "organisation": f"{name}, {address}" if name and address else name,
        "rubrics": read_rubrics(place, row, columns),
        "rating": read_rating(place, columns.rating_column, row.get(columns.rating_column)),
        "text": text,
    }


def read_rating(place: str, column: str, value: Any) -> int:
    """Return a whole rating from 1 to 5; Yandex writes "3." for 3."""
    try:
        rating = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        rating = float("nan")
    if rating not in STARS:
        raise BadRow("rating", f"{place}: {column} is {shown(value)}, not a whole number 1 to 5")
    return int(rating)


def read_name(place: str, row: dict, column: str) -> str:
    """Return the text in a column that may be missing or empty, on one line."""
    value = row.get(column) if column != NONE else None
    if value is not None and not isinstance(value, str):
        raise BadRow("organisation", f"{place}: {column} is {shown(value)}, not text")
    return " ".join((value or "").split())


def read_rubrics(place: str, row: dict, columns: Columns) -> list[str]:
    """Return a row's rubrics, from a list or a separated text; the default one if there is none."""
    value = row.get(columns.rubrics_column) if columns.rubrics_column != NONE else None
    parts = value.split(columns.rubric_separator) if isinstance(value, str) else value or []
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadRow("rubrics", f"{place}: {columns.rubrics_column} is {shown(value)}, not text")
    rubrics = [" ".join(part.split()) for part in parts]
    return list(dict.fromkeys(filter(None, rubrics))) or [columns.default_rubric]


def find(path: Path) -> list[Path]:
    """Return the file at `path`, or the data files of the folder there in order of name."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; correct corpus.path")
    there = sorted(path.iterdir())
    files = [
        file for file in there if Path(file.name.lower().removesuffix(".gz")).suffix in EXTENSIONS
    ]
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
        yield from parquet_rows(file, columns)
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


def check_column_names(place: str, there: Any, needed: list[str]) -> None:
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
    with open(file, "rb") as raw:
        if raw.read(4) == b"PAR1":
            return ReviewFormat.parquet
    with opened(file) as stream:
        head = stream.read(HEAD_BYTES)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise InputError(f"{file}: the file is empty; give one with reviews")
    for magic, what in FOREIGN_CONTENT:
        if head.startswith(magic) or start[:64].lower().startswith(magic):
            raise InputError(f"{file}: this is {what}")
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


def parquet_rows(file: Path, columns: Columns) -> Iterator[tuple[str, dict]]:
    """Yield the rows of a Parquet file with their places; rows count from 0."""
    needed = needed_columns(columns)
    number = 0
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:  # see genlab/core/tables.py
            check_column_names(str(file), table.schema_arrow.names, needed)
            for batch in table.iter_batches(PARQUET_ROWS, columns=needed):
                for row in batch.to_pylist():
                    yield f"{file}, row {number} (counted from 0)", row
                    number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a whole Parquet file ({one_line(error)})") from None


def needed_columns(columns: Columns) -> list[str]:
    """Return the names of all columns that are to be there."""
    own_id = [] if columns.id_column == NONE else [columns.id_column]
    return [*own_id, *columns.optional(), columns.rating_column, columns.text_column]


def hub_rows(name: str, rows: Any, columns: Columns) -> Iterator[tuple[str, dict]]:
    """Yield the rows of a datasets.Dataset with their places."""
    needed = needed_columns(columns)
    check_column_names(name, rows.column_names, needed)
    number = 0
    for table in rows.select_columns(needed).with_format("arrow").iter(PARQUET_ROWS):
        for row in table.to_pylist():
            yield f"{name}, row {number} (counted from 0)", row
            number += 1
