"""Query tables as tests write them down, and a text whose shingles are counted."""

import polars as pl

from genlab.core.tables import QUERY_SCHEMA

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
