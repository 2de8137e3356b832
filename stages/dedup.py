"""Drop duplicates: of queries within and across splits, and of passages within a query's list.

Reads cleaned queries with passages. Writes them in order, without duplicates. The corpus is read
twice: once to compare across it (queries, validation answers), once to write.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Argument, Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import QUERY_SCHEMA, read_batches, write_table
from genlab.passages.duplicates import (
    PASSAGE_REASONS,
    QUERY_REASONS,
    Rules,
    check_any_left,
    dedup_batch,
    find_query_fates,
    index_answers,
    read_keys,
)
from genlab.text.filtering import Counts, flow, map_ahead, query_flow, split_sizes

# A quarter of the usual: each passage also has its normalized text and its signature.
BATCH_ROWS = 5_000

app = stage_app()


def deduped_batches(corpus: Path, rules: Rules, counts: Counts) -> Iterator[pl.DataFrame]:
    """Yield the batches without duplicates; raise InputError if a split is left empty."""
    queries, answers = read_keys(read_batches(corpus, BATCH_ROWS))
    fates = find_query_fates(queries, rules)
    index = index_answers(answers, fates, rules)

    def with_fates() -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        n_rows = 0
        for batch in read_batches(corpus, BATCH_ROWS):
            yield batch, fates[n_rows : n_rows + batch.height]
            n_rows += batch.height

    def dedup(batch_fates: tuple[pl.DataFrame, pl.Series]) -> tuple[pl.DataFrame, Counts]:
        return dedup_batch(*batch_fates, index, rules)

    for frame, batch_counts in map_ahead(dedup, with_fates(), pl.thread_pool_size()):
        counts.add(batch_counts)
        yield frame
    check_any_left(str(corpus), counts)


@app.command()
@grouped_options
def main(
    corpus: Annotated[Path, Argument(help="Cleaned queries with passages (Parquet).")],
    output: Annotated[Path, Argument(help="The queries without duplicates (Parquet).")],
    metrics: Annotated[Path, Option(help="Counts by reason (JSON).")],
    rules: Rules,
) -> None:
    """Drop exact and near duplicates, and count why."""
    counts = Counts()

    write_table(output, deduped_batches(corpus, rules, counts), QUERY_SCHEMA)

    write_json(
        metrics,
        {
            "queries": query_flow(counts, QUERY_REASONS),
            "passages": flow(counts.passages, PASSAGE_REASONS),
            "leaked_answers": counts.leaked_answers,
            "chars": dict(counts.chars),
            "splits": split_sizes(counts),
        },
    )


if __name__ == "__main__":
    run(app)
