"""A good, a middling and a bad text as they stand on a page: the flagship's, or rows of a table."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from genlab.core.params import did_you_mean, is_number
from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.experiments.layout import Layout, Metric
from genlab.report.examples import EXAMPLES
from genlab.report.opening import OPENING, TextsAsked
from genlab.report.sentences import fill, in_words

TENTHS = "A tenth of all stands before the good one in this order, and a tenth after the bad one."

WHERE = f"{OPENING}: examples"
LENGTH = 1000  # characters of a text that are shown


@dataclass(frozen=True)
class Shown:
    """A text on the page, with its number and what it stands beside."""

    name: str  # good, middling or bad
    number: str
    text: str
    asked: dict[str, str]  # label -> what was given, or what a person wrote
    label: str  # whose text it is


def tell_label(asked: TextsAsked | None, values: dict) -> str:
    """Return what stands before each text; values: what a sentence can name."""
    return fill((asked or TextsAsked()).label, values, f"{WHERE}: label")


def show_picked(examples: dict[str, dict], label: str) -> list[Shown]:
    """Return the flagship's three texts as they stand on its page."""
    return [
        Shown(
            name,
            f"place {', '.join(f'{place:g} ({ranker})' for ranker, place in e['places'].items())}"
            f" of {e['n_texts']}",
            e["text"],
            {"query": e["query"], "a real answer": e["answer"]},
            label,
        )
        for name, e in examples.items()
    ]


def read_examples(asked: TextsAsked, layout: Layout, values: dict) -> list[Shown]:
    """Return three rows of the table that claims.yaml compares, as report.yaml asks for them.

    They are ordered by the metric and, where that is equal, by the others of rows.shown and the
    unit. Raises InputError as `read_asked_rows` does. [] and a line on stderr if no row is left: a
    run of other data may lack the metric.
    """
    metrics = metrics_of(asked, layout)
    name, first = next(iter(metrics.items()))
    rows = read_asked_rows(asked, layout, values, read_here)
    if not rows.height:
        print(f"{WHERE}: no row of {layout.path} has a {name}; no text is shown", file=sys.stderr)
        return []
    label = tell_label(asked, values)
    ordered = rows.sort(
        *(metric.column for metric in metrics.values()),
        layout.unit,
        descending=[*(metric.better == "higher" for metric in metrics.values()), False],
        nulls_last=True,
        maintain_order=True,
    )
    at = [round(share * (rows.height - 1)) for share in EXAMPLES.values()]
    return [
        Shown(
            kind,
            f"{name.replace('_', ' ')} {in_words(row[first.column])} ({first.better} is better)",
            shorten(row[asked.text]),
            tell_asked(asked, row),
            label,
        )
        for kind, row in zip(EXAMPLES, ordered[at].to_dicts(), strict=True)
    ]


def read_here(path: Path) -> pl.DataFrame:
    """Return a table of the workspace; raise InputError if it is not there."""
    if not path.is_file():
        raise InputError(f"{WHERE}: {path}: no such file")
    return read_table(path)


def read_asked_rows(
    asked: TextsAsked, layout: Layout, values: dict, read: Callable[[Path], pl.DataFrame]
) -> pl.DataFrame:
    """Return the rows that report.yaml asks for and that have the metric, with what is joined.

    values: what a sentence can name; read: how a path becomes a table. Raises InputError for a
    column or a table that is not there.
    """
    metrics = metrics_of(asked, layout)
    rows = read(layout.path)
    if asked.joined:
        rows = join(rows, read(Path(asked.joined["table"])), asked.joined)
    for column in (
        *(metric.column for metric in metrics.values()),
        *asked.where,
        asked.text,
        *asked.asked.values(),
    ):
        check_column(WHERE, column, rows)
    first = next(iter(metrics.values()))
    rows = rows.filter(pl.col(first.column).is_not_null())
    for column, value in asked.where.items():
        wanted = fill(value, values, f"{WHERE}: where") if isinstance(value, str) else value
        rows = rows.filter(has_value(column, wanted, rows.schema[column]))
    return rows


def has_value(column: str, wanted: object, kind: pl.DataType) -> pl.Expr:
    """Say of each row whether a column of this kind has a value of report.yaml's.

    Numbers are compared as numbers and all else as text, because a seed may be either in a table.
    Booleans need care: they are `true` and `false` as polars' text, but `True` and `False` as
    Python's.
    """
    if wanted is None:
        return pl.col(column).is_null()
    if is_number(wanted) and kind.is_numeric():
        return pl.col(column) == wanted
    if isinstance(wanted, str) and kind.is_float():  # "2" is 2.0, whose text is another
        return pl.col(column) == pl.lit(wanted).cast(pl.Float64, strict=False)
    if kind.is_nested():
        raise InputError(f"{WHERE}: where: {column} holds lists; name a column of single values")
    text, words = pl.col(column).cast(pl.String), str(wanted)
    if isinstance(wanted, bool) or kind == pl.Boolean:
        text, words = text.str.to_lowercase(), words.lower()
    return text == words


def tell_asked(asked: TextsAsked, row: dict) -> dict[str, str]:
    """Return label -> the inputs given for a text, without empty ones."""
    told = {label: shorten(row[column]) for label, column in asked.asked.items()}
    return {label: words for label, words in told.items() if words}


def metrics_of(asked: TextsAsked, layout: Layout) -> dict[str, Metric]:
    """Return the metric that orders the texts, and then the others of rows.shown."""
    first = asked.metric or layout.shown[0]
    if first not in layout.metrics:
        hint = did_you_mean(first, layout.metrics)
        raise InputError(f"{WHERE}: claims.yaml has no metric {first}{hint}")
    return {name: layout.metrics[name] for name in dict.fromkeys((first, *layout.shown))}


def check_column(where: str, column: str, rows: pl.DataFrame) -> None:
    """Raise InputError for a column that the rows have not."""
    if column not in rows.columns:
        raise InputError(f"{where}: no column {column}{did_you_mean(column, rows.columns)}")


def join(rows: pl.DataFrame, table: pl.DataFrame, joined: dict) -> pl.DataFrame:
    """Return the rows with the columns of another table, of its first row for each of them.

    One whose name the rows have, too, is called `joined.NAME`.
    """
    on, where = joined["on"], f"{WHERE}: joined"
    for theirs, ours in on.items():
        check_column(f"{where}: {joined['table']}", theirs, table)
        check_column(where, ours, rows)
    first = table.unique(list(on), keep="first", maintain_order=True)
    taken = {name: f"joined.{name}" for name in first.columns if name in rows.columns}
    return rows.join(
        first.rename({name: new for name, new in taken.items() if name not in on}),
        left_on=list(on.values()),
        right_on=list(on),
        how="left",
        maintain_order="left",
    )


def shorten(value: object) -> str:
    """Return a text, or a list's texts on a line each; of a long one its beginning."""
    parts = value if isinstance(value, list) else [] if value is None else [value]
    text = "\n".join(map(str, parts))
    return text if len(text) <= LENGTH else f"{text[:LENGTH]} [...]"
