"""Drop copies of reviews, and divide the rest into train, validation and test.

Reads cleaned reviews. Writes those kept, in order, with their split; no organisation and no
near-duplicate is in two splits. The corpus is held in memory: half a million reviews of the
source study's data take about 1 GB.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import BATCH_ROWS, read_table, write_table
from genlab.text.filtering import count_fates, flow
from pipelines.reviews.review_splits import (
    REASONS,
    Rules,
    check_any_left,
    check_rules,
    split_reviews,
)
from pipelines.reviews.schemas import SPLIT_SCHEMA, SPLITS, count_ratings

app = stage_app()


def check(rules: Rules) -> None:
    """Raise InputError for shares that leave nothing to train on, or thresholds that find none."""
    check_rules(rules)


@app.command()
@grouped_options
def main(
    reviews: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    rules: Rules,
) -> None:
    """Drop exact and near copies, split by organisation, count both."""
    check(rules)
    table = read_table(reviews)

    fates = split_reviews(table, rules)
    kept = table.with_columns(fates).filter(pl.col("fate").is_null()).drop("fate")
    sizes = {split: int((kept["split"] == split).sum()) for split in SPLITS}
    check_any_left(str(reviews), sizes, rules)

    write_table(output, kept.iter_slices(BATCH_ROWS), SPLIT_SCHEMA)

    splits = {split: kept.filter(split=split) for split in SPLITS}
    known = pl.col("organisation") != ""
    write_json(
        metrics,
        {
            "reviews": flow(count_fates(fates["fate"]), REASONS),
            "splits": {
                split: {
                    "reviews": rows.height,
                    "organisations": rows.filter(known)["organisation"].n_unique(),
                    **count_ratings(rows["rating"]),
                }
                for split, rows in splits.items()
            },
        },
    )


if __name__ == "__main__":
    run(app)
