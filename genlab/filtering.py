"""What the filtering stages share: one row per passage, and the fate of every row.

A fate is a String column: null for a row that is kept, else the first reason to drop it. Counting
fates, not drops, makes in = out + dropped hold by construction.
"""

from collections import Counter
from collections.abc import Iterable

import polars as pl


def count_fates(fates: pl.Series) -> Counter:
    """Return how many rows met each fate; None counts the kept ones."""
    counts = fates.value_counts()
    return Counter(dict(zip(counts.to_series(0), counts.to_series(1), strict=True)))


def first_reason(rules: Iterable[tuple[str, pl.Expr]]) -> pl.Expr:
    """Return the fate of each row: the name of the first (name, condition) that is true."""
    return pl.coalesce(pl.when(condition).then(pl.lit(name)) for name, condition in rules)


def flow(fates: Counter, reasons: Iterable[str]) -> dict:
    """Return rows in, out and dropped by reason (zeros too, so that runs compare key by key)."""
    dropped = {reason: fates[reason] for reason in reasons}
    return {"in": fates.total(), "out": fates[None], "dropped": dropped}


def explode_passages(queries: pl.DataFrame) -> pl.DataFrame:
    """Return one row per passage, in order: row (of its query), text, is_selected."""
    is_filled = pl.col("passages").list.len() > 0
    passages = queries.select("row", "passages").filter(is_filled).explode("passages")
    return passages.unnest("passages")


def count_characters(*columns: pl.Series) -> int:
    """Return the number of characters in the columns' texts."""
    return sum(column.str.len_chars().sum() for column in columns)
