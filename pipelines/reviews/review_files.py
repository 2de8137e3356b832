"""Reviews, made here, from files or the Hugging Face Hub, as frames of REVIEW_SCHEMA.

Frames keep the files' order. A row that is no review is named with its file, its number and its
fault. It stops the stage, or is left out and counted. A review without an organisation keeps "";
one without a rubric gets the default one.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from typer import Option

from genlab.core.params import number_said
from genlab.core.program import InputError
from genlab.sources.bad_rows import BadRow, BadRows
from genlab.sources.corpus_frames import frames_of, hub_rows, names_of
from genlab.sources.data_files import found_files
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import with_files
from genlab.sources.source import Origin, Source
from genlab.sources.text_files import NO_VALUE, all_of, check_text, shown, whole_number
from pipelines.reviews import mini_reviews
from pipelines.reviews.review_layouts import (
    EXTENSIONS,
    NONE,
    Columns,
    ReviewFormat,
    check_column_names,
    needed_columns,
    read_rows,
)
from pipelines.reviews.schemas import REVIEW_SCHEMA, STARS


@dataclass
class ReviewCounts:
    """What is counted of the reviews while they pass."""

    files: Counter = field(default_factory=Counter)  # of a folder of the user's
    ratings: Counter = field(default_factory=Counter)
    organisations: set[str] = field(default_factory=set)

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Count the reviews of a frame; return it."""
        self.ratings.update(frame["rating"])
        self.organisations.update(frame["organisation"])
        return frame

    def numbers(self, bad_rows: BadRows) -> dict[str, int | dict[str, int]]:
        """Return the metrics of the corpus; warn of ratings that no review has."""
        if empty := [str(stars) for stars in STARS if not self.ratings[stars]]:
            print(f"warning: no review has {', '.join(empty)} stars", file=sys.stderr)
        bad = {"total": bad_rows.counts.total(), **dict(sorted(bad_rows.counts.items()))}
        numbers = {
            "reviews": self.ratings.total(),
            "bad_rows": bad,
            "organisations": len(self.organisations - {""}),
            "ratings": {f"stars_{stars}": self.ratings[stars] for stars in STARS},
        }
        return with_files(numbers, self.files)


@dataclass(frozen=True)
class Reading:
    """How reviews are read from files or the Hub, and how many."""

    format: Annotated[ReviewFormat, Option(help="file: how it is written; auto recognises it")]
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")]
    n_reviews: Annotated[int, Option(min=0, help="0: all there are; mini: at least 1")]
    seed: Annotated[int, Option(min=0)]


def fetch_reviews(
    origin: Origin, reading: Reading, columns: Columns, bad_rows: BadRows, files: Counter
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return frames of REVIEW_SCHEMA, not read yet, and the Hub's commit, "none" without one.

    files: counts those read, hidden and unread of a folder of the user's.
    """
    if origin.source is Source.mini:
        made = mini_reviews.make_reviews(origin.path, reading.n_reviews, reading.seed)
        return made, "none"
    if origin.source is Source.hub:
        return read_hub_reviews(origin.hub_id, origin.revision, reading, columns, bad_rows)
    return read_review_files(origin.path, reading, columns, bad_rows, files), "none"


def read_review_files(
    path: Path, reading: Reading, columns: Columns, bad_rows: BadRows, counts: Counter | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the reviews of a file, or of all files of a folder or zip.

    Counts files read, hidden and unread. Raises InputError for what cannot be read, and if there is
    no review at all.
    """
    with found_files(path, EXTENSIONS, counts) as (place, files):
        bad = bad_rows.read_at(place, path)
        how = (reading.format, columns, reading.encoding, bad.add)
        rows = (read_rows(file, *how) for file in files)
        parts = zip(names_of(files, EXTENSIONS), rows, strict=True)
        yield from collect_frames(str(path), parts, reading, columns, bad)


def read_hub_reviews(
    hub_id: str, revision: str, reading: Reading, columns: Columns, bad_rows: BadRows
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return the reviews of a Hub dataset's split train at `revision`, and the commit."""
    choose = all_of(needed_columns(columns), check_column_names)
    rows, commit = hub_rows(hub_id, revision, choose)
    return collect_frames(hub_id, [("hub", rows)], reading, columns, bad_rows), commit


def collect_frames(
    corpus: str, parts: Any, reading: Reading, columns: Columns, bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Yield frames from parts (name, rows); an id is the row's own, or "<name>-<number>"."""
    reviews = checked_reviews(parts, columns, bad_rows)
    none_there = f"{corpus}: there are no reviews"
    yield from frames_of(
        reviews, REVIEW_SCHEMA, reading.n_reviews, reading.seed, none_there, bad_rows
    )


def checked_reviews(parts: Any, columns: Columns, bad_rows: BadRows) -> Iterator[dict[str, Any]]:
    """Yield the rows that are reviews; give the others to `bad_rows`."""
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
            yield review


def check_row(place: str, row: Any, columns: Columns, new_id: str) -> dict[str, Any]:
    """Return a raw row as a review; raise BadRow naming the column that is wrong."""
    if not isinstance(row, dict):
        in_csv = "in a CSV: {} fields, not as many as in its header; R's need col.names=NA"
        fields = f" ({in_csv.format(len(row))})" if isinstance(row, list) else ""
        raise BadRow("row", f"{place}: {shown(row)} where an object belongs{fields}")
    review_id = new_id if columns.id_column == NONE else row.get(columns.id_column)
    try:
        review_id = whole_number(place, columns.id_column, review_id)
    except InputError as error:
        raise BadRow("id", str(error)) from None
    review_id = review_id.strip() if isinstance(review_id, str) else review_id
    if isinstance(review_id, bool) or not isinstance(review_id, int | str) or review_id == "":
        raise BadRow("id", f"{place}: {columns.id_column} is {shown(review_id)}, not an id")
    check_part("id", place, columns.id_column, str(review_id), columns.max_text_bytes)
    text = row.get(columns.text_column)
    check_part("text", place, columns.text_column, text, columns.max_text_bytes, False)
    name, address = (
        read_name(place, row, column, columns.max_text_bytes)
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


def check_part(
    reason: str, place: str, name: str, value: Any, max_bytes: int, may_be_blank: bool = True
) -> None:
    """Raise BadRow unless `value` is text that can be written, of at most `max_bytes`."""
    try:
        check_text(place, name, value, max_bytes, may_be_blank)
    except InputError as error:
        raise BadRow(reason, str(error)) from None


def read_rating(place: str, column: str, value: Any) -> int:
    """Return a whole rating from 1 to 5; Yandex writes "3." for 3, the Hub's Yelp "3 stars"."""
    rating = number_said(re.sub(r" stars?$", "", value)) if isinstance(value, str) else value
    if isinstance(rating, bool) or rating not in STARS:
        raise BadRow("rating", f"{place}: {column} is {shown(value)}, not a whole number 1 to 5")
    return int(rating)


def read_name(place: str, row: dict, column: str, max_bytes: int) -> str:
    """Return the text in a column that may be missing or empty, on one line."""
    value = row.get(column) if column != NONE else None
    if value is not None and not isinstance(value, str):
        raise BadRow("organisation", f"{place}: {column} is {shown(value)}, not text")
    name = " ".join((value or "").split())
    if name in NO_VALUE:
        return ""
    check_part("organisation", place, column, value or "", max_bytes)
    return name


def read_rubrics(place: str, row: dict, columns: Columns) -> list[str]:
    """Return a row's rubrics, from a list or a separated text; the default one if there is none."""
    value = row.get(columns.rubrics_column) if columns.rubrics_column != NONE else None
    if isinstance(value, str) and re.fullmatch(r"\s*(\[.*\]|\{.*\})\s*", value, re.DOTALL):
        raise BadRow(
            "rubrics",
            f"{place}: {columns.rubrics_column} is {shown(value)}, a list as text; write its parts "
            f"with {columns.rubric_separator} between",
        )
    parts = value.split(columns.rubric_separator) if isinstance(value, str) else value or []
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadRow("rubrics", f"{place}: {columns.rubrics_column} is {shown(value)}, not text")
    rubrics = [" ".join(part.split()) for part in parts]
    named = [rubric for rubric in rubrics if rubric and rubric not in NO_VALUE]
    for rubric in named:
        check_part("rubrics", place, columns.rubrics_column, rubric, columns.max_text_bytes)
    return list(dict.fromkeys(named)) or [columns.default_rubric]
