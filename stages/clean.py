"""Clean the corpus: plain text in, plain text out, and every drop counted by its reason.

In: queries with passages as fetched. Out: the same queries in order, texts cleaned, without what
the rules reject. A rule's count in the metrics bears the name of its params key.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from typer import Argument, Option

from genlab.cleaning import (
    LINE_REASONS,
    PASSAGE_REASONS,
    QUERY_REASONS,
    Rules,
    check_any_left,
    check_rules,
    clean_batch,
)
from genlab.files import write_json
from genlab.filtering import Counts, flow, map_ahead, query_flow, split_sizes
from genlab.program import run, stage_app
from genlab.tables import QUERY_SCHEMA, read_batches, write_table

# 2,000 queries with their passages are 7 MB of text: small enough for memory to be used again.
BATCH_ROWS = 2_000

app = stage_app()


def cleaned_batches(corpus: Path, rules: Rules, counts: Counts) -> Iterator[pl.DataFrame]:
    """Yield the cleaned batches; raise InputError at the end if a split is left empty."""
    clean = partial(clean_batch, rules=rules)
    batches = read_batches(corpus, BATCH_ROWS)
    for frame, batch_counts in map_ahead(clean, batches, pl.thread_pool_size()):
        counts.add(batch_counts)
        yield frame
    check_any_left(str(corpus), counts)


@app.command()
def main(
    corpus: Annotated[Path, Argument(help="Queries with passages (Parquet).")],
    output: Annotated[Path, Argument(help="The cleaned queries (Parquet).")],
    metrics: Annotated[Path, Option(help="Counts by reason (JSON).")],
    repair_encoding: Annotated[bool, Option(help="UTF-8 that was read as Latin-1.")],
    unicode_form: Annotated[Literal["NFC", "NFKC", "none"], Option(help="Normalisation form.")],
    strip_markup: Annotated[bool, Option(help="HTML tags out, entities decoded.")],
    strip_citations: Annotated[bool, Option(help="[1], [edit], [citation needed] out.")],
    lower_case: Annotated[bool, Option(help="Lower-case every text.")],
    drop_javascript_lines: Annotated[bool, Option(help="Lines naming javascript.")],
    require_terminal_punctuation: Annotated[bool, Option(help="Lines that end in none.")],
    min_line_words: Annotated[int, Option(min=0, help="Shorter lines are dropped.")],
    drop_lorem_ipsum: Annotated[bool, Option(help="Passages of placeholder text.")],
    drop_curly_brackets: Annotated[bool, Option(help="Passages with { or }.")],
    min_query_words: Annotated[int, Option(min=1, help="Shorter queries are dropped.")],
    max_query_words: Annotated[int, Option(min=1, help="Longer queries are dropped.")],
    min_passage_words: Annotated[int, Option(min=1, help="Shorter passages are dropped.")],
    max_passage_words: Annotated[int, Option(min=1, help="Longer passages are dropped.")],
    min_new_words: Annotated[
        int, Option(min=0, help="Passages with fewer words that the query lacks; 0: off.")
    ],
) -> None:
    """Clean texts, drop what is no plain text, count why."""
    options = locals()
    rules = Rules(**{name: options[name] for name in Rules.__annotations__})
    check_rules(rules)
    counts = Counts()

    write_table(output, cleaned_batches(corpus, rules, counts), QUERY_SCHEMA)

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
