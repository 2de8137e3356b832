"""What the filtering stages share: one row per passage, the fate of every row, and the counts.

A fate is a String column: null for a row that is kept, else the first reason to drop it. Counting
fates, not drops, makes in = out + dropped hold by construction.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl


@dataclass
class Counts:
    """What became of queries, passages and lines; the key None counts those kept."""

    queries: defaultdict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    passages: Counter = field(default_factory=Counter)
    lines: Counter = field(default_factory=Counter)
    chars: Counter = field(default_factory=Counter)  # of queries and passages, "in" and "out"
    leaked_answers: int = 0  # training queries whose answer is a validation query's

    def add(self, other: "Counts") -> None:
        """Add another batch's counts."""
        for split, fates in other.queries.items():
            self.queries[split] += fates
        self.passages += other.passages
        self.lines += other.lines
        self.chars += other.chars
        self.leaked_answers += other.leaked_answers


def map_ahead(function: Callable, items: Iterable, n_workers: int) -> Iterator:
    """Yield function(item) in order, computed in threads, at most n_workers + 1 items at a time.

    For functions that spend their time in Polars, which releases Python's lock.
    """
    with ThreadPoolExecutor(n_workers) as pool:
        pending: deque[Future] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > n_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def count_fates(fates: pl.Series) -> Counter:
    """Return how many rows met each fate; None counts the kept ones."""
    counts = fates.value_counts()
    return Counter(dict(zip(counts.to_series(0), counts.to_series(1), strict=True)))


def count_by_split(queries: pl.DataFrame) -> defaultdict[str, Counter]:
    """Return how many queries of each split met each fate."""
    counts = defaultdict(Counter)
    for (split,), rows in queries.group_by("split"):
        counts[split] = count_fates(rows["fate"])
    return counts


def count_characters(*columns: pl.Series) -> int:
    """Return the number of characters in the columns' texts."""
    return sum(int(column.str.len_chars().sum()) for column in columns)


def first_reason(rules: Iterable[tuple[str, pl.Expr]]) -> pl.Expr:
    """Return the fate of each row: the name of the first (name, condition) that is true."""
    reasons = [pl.when(condition).then(pl.lit(name)) for name, condition in rules]
    return pl.coalesce(*reasons, pl.lit(None, pl.String))


def mark_rows(table: pl.DataFrame, reason: str, rows: list[int]) -> pl.DataFrame:
    """Return the table with `reason` as the fate of those of `rows` that have none yet.

    table: with the columns `row` (UInt32) and `fate`.
    """
    is_meant = pl.col("row").is_in(pl.Series(rows, dtype=pl.UInt32).implode())
    return table.with_columns(fate=pl.coalesce("fate", first_reason([(reason, is_meant)])))


def flow(fates: Counter, reasons: Iterable[str]) -> dict:
    """Return rows in, out and dropped by reason (zeros too, so that runs compare key by key)."""
    dropped = {reason: fates[reason] for reason in reasons}
    return {"in": fates.total(), "out": fates[None], "dropped": dropped}


def query_flow(counts: Counts, reasons: Iterable[str]) -> dict:
    """Return the flow of the queries of all splits."""
    return flow(sum(counts.queries.values(), Counter()), reasons)


def split_sizes(counts: Counts) -> dict[str, int]:
    """Return the number of queries left in each split that came in."""
    return {split: fates[None] for split, fates in sorted(counts.queries.items())}


def explode_passages(queries: pl.DataFrame) -> pl.DataFrame:
    """Return one row per passage, in order: row (of its query), text, is_selected."""
    is_filled = pl.col("passages").list.len() > 0
    passages = queries.select("row", "passages").filter(is_filled).explode("passages")
    return passages.unnest("passages")


def implode_passages(passages: pl.DataFrame) -> pl.DataFrame:
    """Return one row per `row` that has passages: row, passages as the query table holds them."""
    passage = pl.struct("text", "is_selected").alias("passages")
    return passages.group_by("row", maintain_order=True).agg(passage)
