"""Real reviews, from files or the Hugging Face Hub, as frames of REVIEW_SCHEMA.

Frames keep the files' order. A row that is no review is named with its file, its number and its
fault. It stops the stage, or is left out and counted. A review without an organisation keeps "";
one without a rubric gets the default one.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS
from genlab.sources.hub import load_dataset
from genlab.sources.text_files import check_text, dataset_rows, shown
from pipelines.reviews.review_layouts import (
    NONE,
    Columns,
    ReviewFormat,
    check_column_names,
    find_files,
    needed_columns,
    read_rows,
)
from pipelines.reviews.schemas import REVIEW_SCHEMA, STARS

MAX_BAD_ROWS_SHOWN = 10


class BadRow(InputError):
    """A row that is no review; `reason` is the column that is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BadRowsAre(StrEnum):
    """What becomes of rows that are no reviews."""

    stop = "stop"
    drop = "drop"


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


@dataclass
class ReviewCounts:
    """What is counted of the reviews while they pass."""

    ratings: Counter = field(default_factory=Counter)
    organisations: set[str] = field(default_factory=set)

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Count the reviews of a frame; return it."""
        self.ratings.update(frame["rating"])
        self.organisations.update(frame["organisation"])
        return frame

    def numbers(self, bad_rows: BadRows) -> dict[str, int | dict[str, int]]:
        """Return the metrics of the corpus."""
        bad = {"total": bad_rows.counts.total(), **dict(sorted(bad_rows.counts.items()))}
        return {
            "reviews": self.ratings.total(),
            "bad_rows": bad,
            "organisations": len(self.organisations - {""}),
            "ratings": {f"stars_{stars}": self.ratings[stars] for stars in STARS},
        }


def read_review_files(
    path: Path, layout: ReviewFormat, columns: Columns, n_reviews: int, bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Yield the reviews of a file, or of all data files of a folder; the first n_reviews (0: all).

    Raises InputError for what cannot be read, and if there is no review at all.
    """
    parts = (
        (file.name.split(".")[0], read_rows(file, layout, columns)) for file in find_files(path)
    )
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
    name = f"{hub_id}, train"
    rows = dataset_rows(name, dataset["train"], needed_columns(columns), check_column_names)
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
