"""Clean the reviews by the source study's rules; count every rewrite and every drop.

Reads the fetched reviews. Writes them in order, rewritten, without those too short or too long.
A rewrite in the metrics bears the name of its params key.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import read_batches, write_table
from genlab.text.filtering import flow
from pipelines.reviews.review_rules import REASONS, REWRITES, Rules, check_any_left, clean_batch
from pipelines.reviews.schemas import REVIEW_SCHEMA

app = stage_app()


@app.command()
@grouped_options
def main(
    reviews: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    rules: Rules,
) -> None:
    """Rewrite texts, drop what is too short or too long, count both."""
    fates: Counter[str | None] = Counter()
    n_changed: Counter[str] = Counter()
    chars = {"in": 0, "out": 0}

    def cleaned() -> Iterator[pl.DataFrame]:
        for batch in read_batches(reviews):
            kept, batch_fates, batch_changed = clean_batch(batch, rules)
            fates.update(batch_fates)
            n_changed.update(batch_changed)
            chars["in"] += int(batch["text"].str.len_chars().sum())
            chars["out"] += int(kept["text"].str.len_chars().sum())
            yield kept
        check_any_left(str(reviews), fates)

    write_table(output, cleaned(), REVIEW_SCHEMA)

    rewritten = {name: n_changed[name] for name in REWRITES}
    write_json(metrics, {"reviews": flow(fates, REASONS), "rewritten": rewritten, "chars": chars})


if __name__ == "__main__":
    run(app)
