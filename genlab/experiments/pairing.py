"""Two runs, or two sets of runs of several trainings, paired unit by unit.

The rows of a run have one row per unit and group: a query and a ranker, or a text. The head of
claims.yaml names their columns. A set of runs has one table per training, all with the same units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import polars as pl

from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.experiments.layout import Layout
from genlab.statistics.clusters import number_clusters
from genlab.statistics.column_means import group_mean

Side = list[pl.DataFrame]  # a table per training
ROUNDING = 1e-6  # by which a share, such as a mean over samples, may be below 0 or above 1
FEWEST_NUMBERS = 4  # ours: ids that are numbers, from which on a single word among them is an error
SAME_UNIT = "doc_hash"  # of lm-evaluation-harness: the same document has the same


@dataclass(frozen=True)
class Pairing:
    """The rows of one group that both sides have, in the same order, and counts of the others.

    base, other: a table per training; all tables have the same units.
    """

    base: Side
    other: Side
    only_base: int
    only_other: int
    constant: str = ""  # "base" or "other": the side that is one number, not a measurement
    matched: bool = True  # the k-th training of both sides is the same, or shares its seed

    @property
    def height(self) -> int:
        """Return the number of pairs."""
        return self.base[0].height

    def values(self, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return both sides' columns, float64[trainings, pairs, columns]; NaN does not count."""
        chosen = [pl.col(column).cast(pl.Float64) for column in columns]
        base, other = (
            np.stack([rows.select(chosen).to_numpy() for rows in side])
            for side in (self.base, self.other)
        )
        return base, other

    def clusters(self, layout: Layout) -> np.ndarray | None:
        """Return the number of each pair's cluster, int[pairs]; None if units have none.

        A unit whose cluster is not known is a cluster of its own.
        """
        return None if layout.cluster is None else number_clusters(self.base[0][layout.cluster])

    def other_lists(self) -> int:
        """Return how many pairs have different numbers of candidates on the two sides."""
        base, other = self.base[0], self.other[0]
        if "n_candidates" not in base.columns or "n_candidates" not in other.columns:
            return 0
        return int((base["n_candidates"] != other["n_candidates"]).sum())

    def same_rows(self, layout: Layout) -> str:
        """Return what is identical on both sides, in a word: texts, else all values; "" if neither.

        Values are all metrics and scores. One equal metric is not enough: other texts may have the
        same place.
        """
        shared = [name for name in self.base[0].columns if name in self.other[0].columns]
        told = [name for name in shared if name in ("text", "tokens")]
        columns = {metric.column for metric in layout.metrics.values()} | {"score", "n_tokens"}
        names = told or [name for name in shared if name in columns]
        if self.constant or not names or not self.matched:
            return ""
        pairs = zip(self.base, self.other, strict=True)
        alike = all(a.select(names).equals(b.select(names)) for a, b in pairs)
        return ("texts" if told else "values") if alike else ""


def pair_rows(
    layout: Layout,
    base: pl.DataFrame | Sequence[pl.DataFrame],
    other: pl.DataFrame | Sequence[pl.DataFrame],
    metrics: Iterable[str],
    names: tuple[str, str] = ("BASE", "OTHER"),
    *,
    matched: bool = True,
) -> dict[str, Pairing]:
    """Return group -> its pairs, for the groups that all tables have.

    base, other: a table, or one per training.
    matched: the k-th tables of both sides are of the same training.
    Raises InputError if a table lacks a column or has a unit twice, if a metric's column holds no
    numbers or an infinite one, if the units are of two types, or if no unit is in all tables.
    """
    metrics = list(metrics)
    sides = []
    for given, name in zip((base, other), names, strict=True):
        tables = [given] if isinstance(given, pl.DataFrame) else list(given)
        for table in tables:
            check_rows(layout, table, metrics, name)
        sides.append([by_group(layout, table) for table in tables])
    check_types(layout, sides, names)
    check_documents(layout, sides, names)
    pairings = {}
    for group in sides[0][0]:
        if not all(group in groups for side in sides for groups in side):
            continue
        ours, theirs = ([groups[group] for groups in side] for side in sides)
        shared = reduce(
            lambda left, right: left.join(
                right.select(layout.unit), on=layout.unit, how="semi", maintain_order="left"
            ),
            [*ours, *theirs],
        ).select(layout.unit)
        if not shared.height:
            continue
        pairings[group] = Pairing(
            in_order(layout, shared, ours),
            in_order(layout, shared, theirs),
            ours[0].height - shared.height,
            theirs[0].height - shared.height,
            matched=matched,
        )
    if not pairings:
        raise InputError(
            f"no {layout.unit} is in both {names[0]} and {names[1]}, so nothing can be compared; "
            "both must be runs on the same data"
        )
    return pairings


def in_order(layout: Layout, units: pl.DataFrame, side: Side) -> Side:
    """Return each table's rows of these units, in the units' order."""
    return [units.join(table, on=layout.unit, how="left", maintain_order="left") for table in side]


def by_group(layout: Layout, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return group -> its rows, in order of appearance; all under "" without groups.

    Several samples of a unit become one row: the mean of each number, and lists of all texts and
    tokens.
    """
    parts = rows.with_columns(_group=group_of(layout)).partition_by(
        "_group", as_dict=True, maintain_order=True
    )
    return {key: mean_of_samples(layout, part) for (key,), part in parts.items()}


def group_of(layout: Layout) -> pl.Expr:
    """Return the name of a row's group; "" if it is blank or rows have no groups."""
    return pl.col(layout.group).cast(pl.String).fill_null("") if layout.group else pl.lit("")


def mean_of_samples(layout: Layout, rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per unit of one group."""
    if layout.sample is None or rows[layout.sample].n_unique() < 2:
        return rows
    measured = {metric.column for metric in layout.metrics.values()} | {"score", "n_tokens"}
    kept = [name for name in rows.columns if name not in (layout.unit, layout.sample)]
    means = [
        group_mean(pl.col(name).cast(pl.Float64).fill_nan(None))
        for name in kept
        if name in measured
    ]
    others = [
        pl.col(name) if name in ("text", "tokens") else pl.col(name).first()
        for name in kept
        if name not in measured
    ]
    return rows.group_by(layout.unit, maintain_order=True).agg(*means, *others)


def check_types(
    layout: Layout, sides: list[list[dict[str, pl.DataFrame]]], names: tuple[str, str]
) -> None:
    """Raise InputError if the units of both sides, tables by group, are of two types."""
    types = [next(iter(side[0].values())).schema[layout.unit] for side in sides if side[0]]
    if len(set(types)) > 1 and not all(each.is_integer() for each in types):
        raise InputError(
            f"{layout.unit} is {types[0]} in {names[0]} but {types[1]} in {names[1]}, so nothing "
            "can be paired; write it as one type in both"
        )


def check_documents(
    layout: Layout, sides: list[list[dict[str, pl.DataFrame]]], names: tuple[str, str]
) -> None:
    """Raise InputError if one unit means two documents, as in logs of two tasks."""
    first: dict[str, dict] = {}
    for side, name in zip(sides, names, strict=True):
        for groups in side:
            for group, rows in groups.items():
                if SAME_UNIT not in rows.columns:
                    continue
                found = dict(rows.select(layout.unit, SAME_UNIT).iter_rows())
                known = first.setdefault(group, found)
                for unit in known.keys() & found.keys():
                    if known[unit] != found[unit]:
                        raise InputError(
                            f"{name}: {layout.unit} {unit} is another document than in "
                            f"{names[0]} ({SAME_UNIT} differs); put the logs of several tasks "
                            "into one file, with group: [task, filter], or compare task by task"
                        )


def check_rows(layout: Layout, frame: pl.DataFrame, metrics: Iterable[str], name: str) -> None:
    """Raise InputError for a missing column, a value that is not finite, or a repeated unit."""
    if frame.is_empty():
        raise InputError(f"{name}: it has no rows, so nothing can be compared")
    key = [name for name in (layout.unit, *layout.columns_of_group(), layout.sample) if name]
    asked = [layout.metrics[metric] for metric in metrics]
    measured = [metric.column for metric in asked]
    for column in [*key, *([layout.cluster] if layout.cluster else []), *measured]:
        if column not in frame.columns:
            raise InputError(
                f"{name}: its rows have no column {column}{did_you_mean(column, frame.columns)}; "
                "see rows: in claims.yaml"
            )
    for column in (*key, *([layout.cluster] if layout.cluster else [])):
        if (kind := frame.schema[column]).is_nested():
            raise InputError(
                f"{name}: column {column} holds {kind}, which names no unit, group or cluster; "
                "see rows: in claims.yaml"
            )
    check_units(layout, frame, name)
    for column in measured:
        kind = frame.schema[column]
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise InputError(
                f"{name}: column {column} holds {kind}, not numbers{such_as(frame[column])}, so it "
                "cannot be a metric; see rows: in claims.yaml"
            )
        infinite = frame.filter(pl.col(column).cast(pl.Float64).is_infinite())
        if infinite.height:
            unit = f"{layout.unit} {infinite[layout.unit][0]}"
            raise InputError(
                f"{name}: column {column} is infinite at {unit}, so it has no mean; leave the "
                "value out"
            )
    check_shares(layout, frame, [each.column for each in asked if each.kind == "share"], name)
    twice = frame.filter(frame.select(key).is_duplicated())
    if twice.height:
        which = " and ".join(f"{column} {twice[column][0]}" for column in key)
        raise InputError(
            f"{name}: more than one row for {which}; name what tells them apart under group, or "
            "sample, of rows: in claims.yaml, or leave one"
        )


def check_shares(layout: Layout, frame: pl.DataFrame, shares: Iterable[str], name: str) -> None:
    """Raise InputError for a share that is not between 0 and 1, such as one in per cent."""
    for column in shares:
        value = pl.col(column).cast(pl.Float64).fill_nan(None)
        odd = frame.filter(~value.is_between(-ROUNDING, 1 + ROUNDING))
        if odd.height:
            raise InputError(
                f"{name}: column {column} is {odd[column][0]} at {layout.unit} "
                f"{odd[layout.unit][0]}, and a share is 0 or 1 for every unit; divide it by 100 if "
                "it is in per cent, or leave out kind: share in claims.yaml"
            )


def check_units(layout: Layout, frame: pl.DataFrame, name: str) -> None:
    """Raise InputError for a row without a unit, inexact ids, or a word among numbers.

    Ids as floats are inexact from 2**53 on. A single word among numbers may be a row of totals.
    """
    if n_without := frame[layout.unit].null_count():
        row = frame[layout.unit].to_list().index(None) + 1
        raise InputError(
            f"{name}: row {row} has no {layout.unit} ({n_without} of {frame.height} have none), so "
            "it cannot be paired; name its unit, or remove it"
        )
    if frame.schema[layout.unit].is_float() and (frame[layout.unit].abs() >= 2**53).any():
        raise InputError(
            f"{name}: {layout.unit} holds numbers with a point of 2**53 and more, which have lost "
            "their last digits, so units may be mixed up; write them as text"
        )
    if frame.schema[layout.unit] == pl.String:
        ids = frame[layout.unit].unique(maintain_order=True)
        words = ids.filter(ids.cast(pl.Float64, strict=False).is_null())
        if len(words) == 1 and len(ids) > FEWEST_NUMBERS:
            raise InputError(
                f"{name}: {layout.unit} is a number in all rows but {words[0][:40]!r}; remove the "
                "row if it holds totals, or call its unit by a number"
            )


def such_as(column: pl.Series) -> str:
    """Return a hint with the first text of a column that is not a number: 0,5 or NA."""
    if column.dtype != pl.String:
        return ""
    odd = column.filter(column.is_not_null() & column.cast(pl.Float64, strict=False).is_null())
    return f" (such as {odd[0][:40]!r})" if odd.len() else " (but numbers in quotes)"


def count_asked(layout: Layout, pairings: Iterable[Pairing], metrics: Iterable[str]) -> int:
    """Return how many differences have a pair that differs: the tests that Holm corrects for."""
    columns = [layout.metrics[metric].column for metric in metrics]
    return sum(int((count_different(*pairing.values(columns)) > 0).sum()) for pairing in pairings)


def count_different(base: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each column, int[m], how many pairs differ in any training.

    base, other: float64[trainings, pairs, m]; NaN where the metric does not count the unit. If the
    sides have different numbers of trainings, a pair differs if any two trainings do.
    """
    if len(base) != len(other):
        base, other = base[:, None], other[None]
    differ = (base != other) & ~np.isnan(base) & ~np.isnan(other)
    return differ.reshape(-1, *differ.shape[-2:]).any(axis=0).sum(axis=0)
