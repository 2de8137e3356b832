"""Clean the corpus to plain text, and count every drop by its reason.

Reads the fetched queries with passages. Writes the same queries in order, texts cleaned, without
what the rules reject. A rule's count in the metrics bears the name of its params key.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Argument, Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import QUERY_SCHEMA, read_batches, write_table
from genlab.passages.cleaning import (
    LINE_REASONS,
    PASSAGE_REASONS,
    QUERY_REASONS,
    WordBounds,
    check_any_left,
    check_bounds,
    clean_batch,
)
from genlab.text.filtering import Counts, flow, map_ahead, query_flow, split_sizes
from genlab.text.rules import TextRules

# 2,000 queries with their passages are 7 MB of text: small enough for memory to be used again.
BATCH_ROWS = 2_000

app = stage_app()


def cleaned_batches(
    corpus: Path, rules: TextRules, bounds: WordBounds, counts: Counts
) -> Iterator[pl.DataFrame]:
    """Yield the cleaned batches; raise InputError at the end if a split is left empty."""
    clean = partial(clean_batch, rules=rules, bounds=bounds)
    batches = read_batches(corpus, BATCH_ROWS)
    for frame, batch_counts in map_ahead(clean, batches, pl.thread_pool_size()):
        counts.add(batch_counts)
        yield frame
    check_any_left(str(corpus), counts)


def check(bounds: WordBounds) -> None:
    """Raise InputError for bounds that drop every row."""
    check_bounds(bounds)


@app.command()
@grouped_options
def main(
    corpus: Annotated[Path, Argument(help="Queries with passages (Parquet).")],
    output: Annotated[Path, Argument(help="The cleaned queries (Parquet).")],
    metrics: Annotated[Path, Option(help="Counts by reason (JSON).")],
    rules: TextRules,
    bounds: WordBounds,
) -> None:
    """Clean texts, drop what is no plain text, count why."""
    check(bounds)
    counts = Counts()

    write_table(output, cleaned_batches(corpus, rules, bounds, counts), QUERY_SCHEMA)

    write_json(
        metrics,
        {
            "queries": query_flow(counts, QUERY_REASONS),
            "passages": flow(counts.passages, PASSAGE_REASONS),
            "lines": flow(counts.lines, LINE_REASONS),
            "chars": dict(counts.chars),
            "splits": split_sizes(counts),
        },
    )


if __name__ == "__main__":
    run(app)
