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
# What is measured of a generated text: 0 or 1, or a number.
SHARES = ("rating_recovered", "rubric_recovered", "finished")
MEANS = (
    "rating_error",  # |recovered - asked|, in stars
    "keyword_recall",  # share of the asked keywords that stand in the text
    "loss_per_token",  # nats, under the fluency model
    "bits_per_byte",  # the same, whatever its tokenizer
    "distinct_1",  # different words over words, within the text
    "distinct_2",
    "self_repetition",  # share of its word n-grams that repeat an earlier one
    "copied_share",  # longest run of words that is in a train review, over the text's words
    "n_words",
    "n_tokens",
)
# Shares of a text, from 0 to 1.
SHARES_OF_TEXT = ("keyword_recall", "distinct_1", "distinct_2", "self_repetition", "copied_share")


def bounds_of(metric: str) -> tuple[float, float] | None:
    """Return the least and greatest possible value of a column of scores, None if it has none."""
    if metric in SHARES + SHARES_OF_TEXT:
        return 0.0, 1.0
    # One star asked for, five recovered, is an error of four.
    return {"rating_error": (0.0, 4.0), "predicted_rating": (1.0, 5.0)}.get(metric)


SCORE_SCHEMA = pl.Schema(
    {name: GENERATE_SCHEMA[name] for name in ("text_id", "review_id", "arm", "decoding", "rating")}
    | {
        "organisation": pl.String,  # of the asked review; null if not known
        "text": pl.String,
        "predicted_rating": pl.Int8,  # null: no classifier, or a text without a known word
        "predicted_rubric": pl.String,
        **dict.fromkeys([*SHARES, *MEANS], pl.Float64),  # null: does not count
        "copied_words": pl.Int64,
        "loss": pl.Float64,  # of all tokens, nats
        "n_read_tokens": pl.Int64,  # the fluency model's tokens
        "n_bytes": pl.Int64,
    }
)


def count_ratings(ratings: Iterable[int]) -> dict[str, int]:
    """Return how many reviews have each rating, zeros too, under names DVC can show."""
    counts = pl.Series(ratings, dtype=pl.Int8)
    return {f"stars_{stars}": int((counts == stars).sum()) for stars in STARS}
