"""The generated reviews that are scored, and two real ones beside each as references.

The rows are checked: every arm and decoding has one text for each of the same test reviews. Two
arms are added under every decoding. `real` is the test review itself and shows what people's texts
reach. `real_other` is another evaluated test review, of another rating and, if possible, no rubric
in common. It shows what a text gets that ignores the request; a rating by chance would be right
more often. References have no tokens and no end.
"""

from pathlib import Path
from random import Random

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import read_batches
from genlab.models.loading import load_tokenizer
from genlab.models.token_texts import decode_texts
from pipelines.reviews.schemas import GENERATE_SCHEMA, STARS

REAL, REAL_OTHER = "real", "real_other"
REFERENCES = (REAL, REAL_OTHER)
GROUP = ["decoding", "arm"]
ASKED = ["rubrics", "rating", "keywords"]


def read_generated(path: Path, reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the generated rows, arms in turn and each in one order of reviews.

    Raises InputError for a column, a value or a row that is missing or there twice, a rating
    outside 1 to 5, and rows that were made from other reviews than these.
    """
    batches = list(read_batches(path))
    if not batches:
        raise InputError(f"{path}: it has no row; run `dvc repro generate`")
    table = pl.concat(batches)
    for name, kind in GENERATE_SCHEMA.items():
        if name not in table.columns:
            raise InputError(f"{path}: it has no column {name}; run `dvc repro generate`")
        found = table.schema[name]
        if found != kind and not (found.is_integer() and kind.is_integer()):
            raise InputError(f"{path}: column {name} holds {found}, not {kind}")
    table = table.select(GENERATE_SCHEMA.names())
    check_rows(path, table, reviews)
    check_whole(path, table)
    order = table.select("review_id").unique(maintain_order=True).with_row_index("place")
    arms = table.select(GROUP).unique(maintain_order=True).with_row_index("group")
    return (
        table.cast({"rating": pl.Int8})
        .join(order, on="review_id")
        .join(arms, on=GROUP)
        .sort("group", "place")
        .drop("group", "place")
    )


def cut_generated(rows: pl.DataFrame, tokenizer_folder: Path, max_len: int) -> pl.DataFrame:
    """Return GENERATE_SCHEMA rows cut to their first `max_len` new tokens.

    A greedy text becomes the generation of that length. A text that beams wrote is cut, not
    searched anew: the best beam of fewer tokens may be another.
    """
    n_tokens = rows["tokens"].list.len()
    texts = rows["text"].to_list()
    if too_long := (n_tokens > max_len).arg_true().to_list():
        tokens = rows["tokens"].list.head(max_len)[too_long].to_list()
        decoded = decode_texts(load_tokenizer(tokenizer_folder), tokens)
        for row, text in zip(too_long, decoded, strict=True):
            texts[row] = text
    return rows.with_columns(
        tokens=pl.col("tokens").list.head(max_len),
        text=pl.Series(texts, dtype=pl.String),
        # After max_len tokens the end-of-text would have been one more.
        finished=pl.col("finished") & (n_tokens < max_len),
    )


def check_written(rows: pl.DataFrame, arm: str, decoding: str) -> None:
    """Raise InputError unless there are texts of `arm`, and texts of `decoding`."""
    for key, value in (("arm", arm), ("decoding", decoding)):
        if value not in rows[key]:
            known = ", ".join(rows[key].unique().sort())
            raise InputError(f"score.{key}={value}: no text was written so; there is {known}")


def check_rows(path: Path, table: pl.DataFrame, reviews: pl.DataFrame) -> None:
    """Raise InputError for the first row that can't be scored, naming it."""
    for name in GENERATE_SCHEMA.names():
        missing = table[name].is_null()
        if name in ("rubrics", "keywords"):
            missing |= table[name].list.eval(pl.element().is_null()).list.any().fill_null(False)
        if missing.any():
            row = missing.to_list().index(True)
            which = table["text_id"][row] or f"in row {row + 1}"
            raise InputError(f"{path}: text {which} has no {name}; run `dvc repro generate`")
    real = reviews.filter(pl.col("split") == "test")["review_id"].implode()
    known = table.join(
        reviews.select("review_id", real_rating="rating"),
        on="review_id",
        how="left",
        maintain_order="left",
    )
    tests = [
        (pl.col("text_id").is_duplicated(), "is there twice"),
        (~pl.col("rating").is_in(STARS), "asks for a rating that is not 1 to 5"),
        (pl.col("arm").is_in(REFERENCES), f"bears an arm's name that is score's: {REFERENCES}"),
        (~pl.col("review_id").is_in(real), "is of no test review"),
        (pl.col("rating") != pl.col("real_rating"), "asks for another rating than its review has"),
    ]
    for is_wrong, reason in tests:
        wrong = known.filter(is_wrong)
        if wrong.height:
            raise InputError(
                f"{path}: text {wrong['text_id'][0]} {reason} ({wrong.height} such rows); run "
                "`dvc repro generate`"
            )


def check_whole(path: Path, table: pl.DataFrame) -> None:
    """Raise InputError unless every arm and decoding has every review once, asked alike."""
    twice = table.filter(pl.struct(*GROUP, "review_id").is_duplicated())
    if twice.height:
        arm, review = twice["arm"][0], twice["review_id"][0]
        raise InputError(f"{path}: arm {arm} has more than one text for review {review}")
    everywhere = table.select("review_id").unique(maintain_order=True)
    for (decoding, arm), rows in table.group_by(GROUP, maintain_order=True):
        lost = everywhere.join(rows, on="review_id", how="anti", maintain_order="left")
        if lost.height:
            raise InputError(
                f"{path}: arm {arm} ({decoding}) has no text for review {lost['review_id'][0]}, "
                f"which other arms have ({lost.height} such reviews); run `dvc repro generate`"
            )
    asked = table.group_by("review_id", maintain_order=True).agg(n=pl.struct(ASKED).n_unique())
    unlike = asked.filter(pl.col("n") > 1)
    if unlike.height:
        raise InputError(
            f"{path}: arms were asked for different things for review {unlike['review_id'][0]}, "
            "so they can't be compared; run `dvc repro generate`"
        )


def add_references(generated: pl.DataFrame, reviews: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the generated rows, and after them the references, under every decoding."""
    inputs = generated.unique("review_id", maintain_order=True)
    inputs = inputs.drop("text").join(
        reviews.select("review_id", "text"), on="review_id", maintain_order="left"
    )
    others = draw_others(inputs, seed)
    texts = {REAL: inputs["text"]}
    if others is not None:
        texts[REAL_OTHER] = inputs["text"].gather(others)
    nothing = {"prompt": pl.lit(""), "tokens": pl.lit(None), "finished": pl.lit(None)}
    references = [
        inputs.with_columns(text, arm=pl.lit(arm), decoding=pl.lit(decoding), **nothing)
        .with_columns(text_id=pl.format("{}/{}/{}", "review_id", "arm", "decoding"))
        .select(GENERATE_SCHEMA.names())
        .cast(GENERATE_SCHEMA)
        for decoding in generated["decoding"].unique(maintain_order=True)
        for arm, text in texts.items()
    ]
    return pl.concat([generated, *references])


def with_organisations(rows: pl.DataFrame, reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the organisation of the review whose properties were asked for.

    Reviews of one organisation share its rubrics and details, and are not independent.
    """
    known = reviews.select("review_id", pl.col("organisation").replace("", None))
    return rows.join(known, on="review_id", how="left", maintain_order="left")


def draw_others(inputs: pl.DataFrame, seed: int) -> list[int] | None:
    """Return for each input the row of another, drawn at random: another rating and rubric.

    Another rating only, where no input of another rating has other rubrics (reviews of one kind
    of place); None if all have one rating.
    """
    rng = Random(seed)
    ratings = inputs["rating"].to_list()
    rubrics = [frozenset(each) for each in inputs["rubrics"].to_list()]
    drawn = []
    for rating, own in zip(ratings, rubrics, strict=True):
        rated = [row for row, other in enumerate(ratings) if other != rating]
        if not rated:
            return None
        drawn.append(rng.choice([row for row in rated if not rubrics[row] & own] or rated))
    return drawn
