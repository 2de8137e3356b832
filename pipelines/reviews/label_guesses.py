"""What the classifiers would answer to the questionnaire (label.yaml) about each text.

Guesses of the answers that they can tell, for prediction-powered shares of people's labels. They
follow the questionnaire's rule: of several faults the one lowest in the list. Nobody guesses
whether a text is coherent.
"""

import polars as pl

# label.yaml's words: a low rating is 1 or 2, a high one 4 or 5.
LOW, HIGH = 2, 4


def guess_answers(scored: pl.DataFrame) -> pl.DataFrame:
    """Return text_id and a column of 0.0 or 1.0 for every answer that is guessed.

    scored: SCORE_SCHEMA rows. A guess is null where a classifier does not know what was asked.
    """
    asked, found = pl.col("rating"), pl.col("predicted_rating")
    is_positive = (asked <= LOW) & (found >= HIGH).fill_null(False)
    is_negative = (asked >= HIGH) & (found <= LOW).fill_null(False)
    fits_rubric = pl.col("rubric_recovered") == 1
    fits_tone = ~is_positive & ~is_negative
    is_known = pl.col("rating_recovered").is_not_null() & pl.col("rubric_recovered").is_not_null()
    guesses = {
        "correct": fits_rubric & fits_tone,
        "any_rubric": ~fits_rubric & fits_tone,
        "positive_at_low": is_positive,
        "negative_at_high": is_negative,
    }
    return scored.select(
        "text_id",
        **{name: pl.when(is_known).then(guess.cast(pl.Float64)) for name, guess in guesses.items()},
    )
