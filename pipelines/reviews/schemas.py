"""The tables between the stages of this pipeline, one row a review."""

from collections.abc import Iterable

import polars as pl

from genlab.models.token_texts import GENERATED

SPLITS = ("train", "validation", "test")
STARS = (1, 2, 3, 4, 5)

REVIEW_SCHEMA = pl.Schema(
    {
        "review_id": pl.String(),
        "organisation": pl.String(),  # name and address; "" if not known
        "rubrics": pl.List(pl.String),  # at least one
        "rating": pl.Int8(),  # 1 to 5
        "text": pl.String(),
    }
)
SPLIT_SCHEMA = pl.Schema(REVIEW_SCHEMA | {"split": pl.String()})
KEYWORD_SCHEMA = pl.Schema(SPLIT_SCHEMA | {"keywords": pl.List(pl.String)})
# One row a generated text: every arm and decoding writes one for each of the same test reviews.
GENERATE_SCHEMA = pl.Schema(
    {
        "text_id": pl.String(),  # review_id/arm/decoding
        "review_id": pl.String(),  # the test review whose properties are asked for
        "arm": pl.String(),
        "decoding": pl.String(),  # study | greedy
        "rubrics": pl.List(pl.String),
        "rating": pl.Int8(),
        "keywords": pl.List(pl.String),
        **GENERATED,
        "text": pl.String(),  # of all its tokens; score cuts to gen.max_len
    }
)


def count_ratings(ratings: Iterable[int]) -> dict[str, int]:
    """Return how many reviews have each rating, zeros too, under names DVC can show."""
    counts = pl.Series(ratings, dtype=pl.Int8)
    return {f"stars_{stars}": int((counts == stars).sum()) for stars in STARS}
