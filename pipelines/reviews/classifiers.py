"""Classifiers that predict a rating, or a rubric, from a review, and their accuracy.

They are trained on real reviews of the train split and measured on real ones of the test split.
A classifier is right more often about the reviews it was trained on, and a generator that copies
them gains by it: that is measured, too (`train_accuracy`, `train_balanced`).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.statistics.intervals import SHARE, bootstrap_interval, interval, wilson_interval
from genlab.statistics.shares import macro_share
from genlab.statistics.strata import macro_interval
from genlab.text.classifier import Classifier
from pipelines.reviews.organisations import organisations_of
from pipelines.reviews.schemas import STARS

# What is read off a review, where it has several: its first rubric, which says what it is most.
OWN_CLASS = {"rating": pl.col("rating"), "rubric": pl.col("rubrics").list.first()}


def common_rubrics(train: pl.DataFrame, min_reviews: int) -> list[str]:
    """Return the rubrics that at least so many train reviews name first, sorted."""
    counts = Counter(train["rubrics"].list.first())
    return sorted(rubric for rubric, n in counts.items() if n >= min_reviews)


def measure_on_reviews(classifier: Classifier, kind: str, reviews: pl.DataFrame, seed: int) -> dict:
    """Return how often a classifier of "rating" or "rubric" is right about real reviews.

    A rubric is right if it is any of the review's. Reviews of a class that the classifier never met
    (`n_unknown`) are left out. Intervals draw organisations, which n_organisations counts, or
    single reviews where none is known; seed: of the bootstrap.
    """
    known = reviews.filter(OWN_CLASS[kind].is_in(classifier.classes))
    own = known.select(OWN_CLASS[kind]).to_series().to_list()
    numbers = {"classes": len(classifier.classes), "n_unknown": reviews.height - len(own)}
    if not own:
        return numbers
    accepted = known["rubrics"].to_list() if kind == "rubric" else [[each] for each in own]
    predicted = classifier.predict(known["text"].to_list())
    organisations = organisations_of(known)
    found = measure_classifier(
        predicted, accepted, own, known["rating"].to_list(), organisations.numbers, seed
    )
    return numbers | organisations.counted | found


def check_gain(kind: str, numbers: dict, min_gain: float) -> None:
    """Print by how much a classifier of `kind` is better than the best constant one.

    Raises InputError if that is below `min_gain`, because its predictions would not be results. A
    constant classifier's balanced accuracy is 1 / number of classes.
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
    predicted: Sequence,
    accepted: Sequence[Sequence],
    strata: Sequence,
    ratings: Sequence[int],
    clusters: np.ndarray | None = None,
    seed: int = 0,
) -> dict:
    """Return n, the accuracy and the balanced accuracy, and that of each rating, with ends.

    Text i is right if predicted[i] is among accepted[i]. The balanced accuracy is the mean over
    the different `strata` (the text's own class) of the share that is right; `constant` is what
    the best classifier that always says the same would have. clusters: int[n], from 0, of texts
    that are not independent: intervals draw them whole. Without, intervals are Wilson's, of the
    mean over strata its stratified form (`genlab.statistics.shares`).
    """
    hits = np.array([p in among for p, among in zip(predicted, accepted, strict=True)])
    n = len(hits)
    named = Counter(each for among in accepted for each in set(among))
    numbers: dict = {"n": n, "constant": max(named.values()) / n}
    numbers["accuracy"] = share_of(hits, clusters, seed)
    numbers["balanced"] = balanced_share(hits, strata, clusters, seed)
    for stars in STARS:
        own = np.array(ratings) == stars
        if own.any():
            of_own = None if clusters is None else np.unique(clusters[own], return_inverse=True)[1]
            numbers[f"stars_{stars}"] = share_of(hits[own], of_own, seed)
    return numbers


def share_of(hits: np.ndarray, clusters: np.ndarray | None, seed: int) -> dict[str, float]:
    """Return the share of bool[n] that is true, and its interval; clusters as above."""
    if clusters is None:
        return interval(hits.mean(), *wilson_interval(int(hits.sum()), len(hits)))
    return interval(
        hits.mean(), *bootstrap_interval(hits, seed=seed, bounds=SHARE, clusters=clusters)
    )


def balanced_share(
    hits: np.ndarray, strata: Sequence, clusters: np.ndarray | None, seed: int
) -> dict[str, float]:
    """Return the mean over strata of the share of bool[n] that is true, and its interval."""
    classes = sorted(set(strata))
    number = np.array([classes.index(each) for each in strata])
    if clusters is None:
        own = [hits[number == k] for k in range(len(classes))]
        return interval(*macro_share([int(each.sum()) for each in own], list(map(len, own))))
    column = hits[:, None].astype(np.float64)
    found = macro_interval(column, number, clusters, seed=seed, bounds=[SHARE])
    return interval(*(each[0] for each in found))
