"""What a generated review is worth, text by text.

Rows of `generated_reviews` become SCORE_SCHEMA rows, by the classifiers and the real train reviews.

An empty text scores 0 on recovery and recall and the maximum rating error; per-word measures skip
it. So does a text without any word that the classifiers know. A text of one word that some review
has is copied whole.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from genlab.text.classifier import Classifier
from genlab.text.copied_spans import longest_copied_spans
from genlab.text.measures import distinct_n, repeated_share
from genlab.text.normal_form import words
from pipelines.reviews.keywords import analyse
from pipelines.reviews.schemas import SCORE_SCHEMA, STARS


def score_texts(
    rows: pl.DataFrame,
    train: pl.Series,
    classifiers: dict[str, Classifier | None],
    losses: list[np.ndarray],
    repetition_words: int,
) -> pl.DataFrame:
    """Return SCORE_SCHEMA rows of GENERATE_SCHEMA rows with their organisation, in their order.

    classifiers: of "rating" and "rubric", None where there is none; losses: of each row's text.
    """
    texts, tokens = rows["text"].to_list(), rows["tokens"].to_list()
    token_lists = [words(text) for text in texts]
    n_words = [len(tokens) for tokens in token_lists]
    copied = longest_copied_spans(texts, train)
    guesses = {
        name: classifier.predict(texts) if classifier else [None] * len(texts)
        for name, classifier in classifiers.items()
    }
    asked = rows.select("rating", "rubrics", "keywords").iter_rows()
    columns = [
        {
            **compare_rating(classifiers["rating"], guesses["rating"][row], rating),
            **compare_rubric(classifiers["rubric"], guesses["rubric"][row], rubrics),
            "keyword_recall": keyword_recall(keywords, token_lists[row]),
            "distinct_1": within(token_lists[row], 1),
            "distinct_2": within(token_lists[row], 2),
            "self_repetition": repeated_share(token_lists[row], repetition_words),
            "copied_words": int(copied[row]),
            "copied_share": copied[row] / n_words[row] if n_words[row] else None,
            "loss": float(losses[row].sum()),
            "n_read_tokens": len(losses[row]),
            "n_bytes": len(texts[row].encode()),
            "loss_per_token": float(losses[row].mean()) if len(losses[row]) else None,
            "bits_per_byte": bits(losses[row], texts[row]),
            "n_words": n_words[row],
            "n_tokens": None if tokens[row] is None else len(tokens[row]),
        }
        for row, (rating, rubrics, keywords) in enumerate(asked)
    ]
    kinds = {name: SCORE_SCHEMA[name] for name in columns[0]}
    measured = pl.DataFrame(columns, schema=kinds, strict=False)
    return rows.with_columns(measured).select(
        pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()
    )


def compare_rating(classifier: Classifier | None, found: int | None, asked: int) -> dict:
    """Return what the rating found says; nothing if the classifier does not know the asked one."""
    if classifier is None or asked not in classifier.classes:
        return {"predicted_rating": None, "rating_recovered": None, "rating_error": None}
    worst = max(abs(stars - asked) for stars in STARS)
    return {
        "predicted_rating": found,
        "rating_recovered": float(found == asked),
        "rating_error": float(worst if found is None else abs(found - asked)),
    }


def compare_rubric(classifier: Classifier | None, found: str | None, asked: list[str]) -> dict:
    """Return whether the classifier names one of the asked rubrics; nothing where it knows none."""
    if classifier is None or not set(asked) & set(classifier.classes):
        return {"predicted_rubric": None, "rubric_recovered": None}
    return {
        "predicted_rubric": found,
        "rubric_recovered": float(found in asked),
    }


def keyword_recall(keywords: Sequence[str], tokens: Sequence[str]) -> float | None:
    """Return the share of keywords whose words stand in the text side by side, in any form.

    A word is another's form if they have one dictionary form, or one is the other's: the form of a
    form can be another word's ("стекло", glass, and "flowed down"). None without keywords.
    """
    if not keywords:
        return None
    text = [forms_of(token) for token in tokens]
    wanted = [[forms_of(word) for word in words(keyword)] for keyword in keywords]
    return sum(stands_in(keyword, text) for keyword in wanted) / len(wanted)


def stands_in(wanted: list[set[str]], text: list[set[str]]) -> bool:
    """Return whether words with these forms, at least one, stand in the text side by side."""
    return bool(wanted) and any(
        all(a & b for a, b in zip(wanted, text[start:], strict=False))
        for start in range(len(text) - len(wanted) + 1)
    )


def forms_of(word: str) -> set[str]:
    """Return a lower-case word and its dictionary form, without e-dieresis."""
    return {word.replace("ё", "е"), analyse(word)[0]}


def within(tokens: Sequence[str], n: int) -> float | None:
    """Return a text's distinct-n; None if it is shorter than n words."""
    return distinct_n([tokens], n) if len(tokens) >= n else None


def bits(losses: np.ndarray, text: str) -> float | None:
    """Return a text's bits per byte; None without a token."""
    return float(losses.sum() / np.log(2) / len(text.encode())) if len(losses) else None
