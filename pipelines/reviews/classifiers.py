"""Classifiers that read a rating, or a rubric, off a review: what from, and how far to trust them.

They are trained on real reviews of the train split and measured on real ones of the test split.
A classifier is right more often about the reviews it was trained on, and a generator that copies
them gains by it: that is measured, too (`train_accuracy`, `train_balanced`).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.statistics.intervals import interval, wilson_interval
from genlab.statistics.shares import macro_share
from genlab.text.classifier import Classifier
from pipelines.reviews.schemas import STARS

# What is read off a review, where it has several: its first rubric, which says what it is most.
OWN_CLASS = {"rating": pl.col("rating"), "rubric": pl.col("rubrics").list.first()}


def common_rubrics(train: pl.DataFrame, min_reviews: int) -> list[str]:
    """Return the rubrics that at least so many train reviews name first, sorted."""
    counts = Counter(train["rubrics"].list.first())
    return sorted(rubric for rubric, n in counts.items() if n >= min_reviews)


def measure_on_reviews(classifier: Classifier, kind: str, reviews: pl.DataFrame) -> dict:
    """Return how often a classifier of "rating" or "rubric" is right about real reviews.

    A rubric is right if it is any of the review's. Reviews of a class that the classifier never met
    (`n_unknown`) are left out.
    """
    known = reviews.filter(OWN_CLASS[kind].is_in(classifier.classes))
    own = known.select(OWN_CLASS[kind]).to_series().to_list()
    numbers = {"classes": len(classifier.classes), "n_unknown": reviews.height - len(own)}
    if not own:
        return numbers
    accepted = known["rubrics"].to_list() if kind == "rubric" else [[each] for each in own]
    predicted = classifier.predict(known["text"].to_list())
    return numbers | measure_classifier(predicted, accepted, own, known["rating"].to_list())


def check_gain(kind: str, numbers: dict, min_gain: float) -> None:
    """Say how much better than one that always says the same a classifier of `kind` is.

    Raises InputError below `min_gain`: what such a classifier reads off a text is no result. The
    balanced accuracy of a constant one is that of one class of all.
    """
    if "balanced" not in numbers:
        return
    found, constant = numbers["balanced"]["value"], 1 / numbers["classes"]
    said = f"{kind} classifier: balanced accuracy {found:.2f}, always the same {constant:.2f}"
    if found - constant < min_gain:
        raise InputError(
            f"{said}: it can hardly tell, and what it reads off texts would be no result; give "
            "more reviews or other columns, or lower classify.min_gain"
        )
    print(said)


def measure_classifier(
    predicted: Sequence, accepted: Sequence[Sequence], strata: Sequence, ratings: Sequence[int]
) -> dict:
    """Return n, the accuracy and the balanced accuracy, and that of each rating, with ends.

    Text i is right if predicted[i] is among accepted[i]. The balanced accuracy is the mean over
    the different `strata` (the text's own class) of the share that is right; `constant` is what
    the best classifier that always says the same would have. Intervals: Wilson's, of the mean over
    strata its stratified form (`genlab.statistics.shares`).
    """
    hits = np.array([p in among for p, among in zip(predicted, accepted, strict=True)])
    n = len(hits)
    named = Counter(each for among in accepted for each in set(among))
    numbers: dict = {"n": n, "constant": max(named.values()) / n}
    numbers["accuracy"] = interval(hits.mean(), *wilson_interval(int(hits.sum()), n))
    columns = {value: np.array([each == value for each in strata]) for value in sorted(set(strata))}
    sizes = [int(column.sum()) for column in columns.values()]
    right = [int(hits[column].sum()) for column in columns.values()]
    numbers["balanced"] = interval(*macro_share(right, sizes))
    for stars in STARS:
        own = hits[np.array(ratings) == stars]
        if len(own):
            ends = wilson_interval(int(own.sum()), len(own))
            numbers[f"stars_{stars}"] = interval(own.mean(), *ends)
    return numbers
