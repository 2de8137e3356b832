"""Query tables as tests write them down, and a text whose shingles are counted."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from genlab.core.tables import QUERY_SCHEMA, write_table

# 94 characters, no run of five twice: 90 shingles; with one more letter at the end 90 of 91 are
# shared. With the ends padded: 98, and 94 of 103.
LONG = (
    "the quick brown fox jumps over a lazy dog while seventy grumpy wizards make toxic brew for kin"
)


def table(*rows: tuple) -> pl.DataFrame:
    """Return queries q0, q1, ... from (split, query, passages); a text in a tuple is selected."""
    return pl.DataFrame(
        [
            {
                "query_id": f"q{number}",
                "query": query,
                "passages": [
                    {"text": "".join(passage), "is_selected": isinstance(passage, tuple)}
                    for passage in passages
                ],
                "split": split,
            }
            for number, (split, query, passages) in enumerate(rows)
        ],
        schema=QUERY_SCHEMA,
    )


def write_queries(path: Path, rows: Iterable[tuple], ids: Iterable[str] | None = None) -> Path:
    """Write the table of such rows, its queries called by `ids` if these are given."""
    queries = table(*rows)
    if ids is not None:
        queries = queries.with_columns(query_id=pl.Series(list(ids), dtype=pl.String))
    write_table(path, [queries], QUERY_SCHEMA)
    return path
