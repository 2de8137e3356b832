"""Give every review keywords that a reader would type to ask for such a review.

Reads reviews with splits, and a keyword model's folder. Writes the reviews in order, with their
most telling nouns as keywords or, if the folder holds a model, its output.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import BATCH_ROWS, read_table, write_table
from genlab.text.filtering import flow
from pipelines.reviews.keyword_model import write_keywords
from pipelines.reviews.keywords import REASONS, Rules, tidy_keywords, weigh_keywords
from pipelines.reviews.schemas import KEYWORD_SCHEMA

app = stage_app()


def check(separator: str) -> None:
    """Raise InputError for a separator that separates nothing."""
    if not separator:
        raise InputError(
            "enrich.separator is empty; give the characters that stand between keywords, such as ;,"
        )


@app.command()
@grouped_options
def main(
    reviews: Path,
    keyword_model: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    rules: Rules,
    separator: Annotated[str, Option(help="Model: between its keywords; any of these characters.")],
    batch_size: Annotated[int, Option(min=1, help="Model: texts at a time.")],
    max_new_tokens: Annotated[int, Option(min=1, help="Model: per text.")],
) -> None:
    """Find keywords, drop duplicates and non-words, count why."""
    check(separator)
    table = read_table(reviews)
    texts = table["text"].to_list()

    if (keyword_model / "config.json").is_file():
        fates: Counter[str | None] = Counter()
        written = write_keywords(texts, keyword_model, separator, batch_size, max_new_tokens)
        keywords = [tidy_keywords(proposed, rules, fates) for proposed in written]
    else:
        keywords, fates = weigh_keywords(texts, (table["split"] == "train").to_list(), rules)
    enriched = table.with_columns(keywords=pl.Series(keywords, dtype=pl.List(pl.String)))

    write_table(output, enriched.iter_slices(BATCH_ROWS), KEYWORD_SCHEMA)

    counts = enriched["keywords"].list.len()
    write_json(
        metrics,
        {
            "reviews": {"out": table.height, "without_keywords": int((counts == 0).sum())},
            "words": flow(fates, REASONS),
            "keywords": {
                "per_review": round(int(counts.sum()) / len(counts), 3),
                "different": enriched["keywords"].explode().n_unique(),
            },
        },
    )


if __name__ == "__main__":
    run(app)
