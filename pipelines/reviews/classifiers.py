"""Judges of generated reviews: classifiers that read a rating, or a rubric, off a text.

In: real reviews of the train split. Out: a classifier (TF-IDF of words and characters, logistic
regression), and how often it is right about real reviews of the test split. It is right more often
about those it was trained on, and a generator that copies them gains by it: that is measured, too
(`train_accuracy`, `train_balanced`). Kept as numbers and a list of terms: no pickle.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zipfile import BadZipFile

import numpy as np
import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.statistics.intervals import interval, wilson_interval
from genlab.statistics.shares import macro_share
from pipelines.reviews.schemas import STARS

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

MAX_ITER = 1000  # of L-BFGS; the mini reviews took at most 111
# What is read off a review, where it has several: its first rubric, which says what it is most.
OWN_CLASS = {"rating": pl.col("rating"), "rubric": pl.col("rubrics").list.first()}


@dataclass(frozen=True)
class Features:
    """What a classifier sees of a text; `classify.py` says what each key does."""

    word_ngrams: Annotated[int, Option(min=1, max=3, help="Longest sequence of words seen.")]
    char_ngrams: Annotated[
        int, Option(min=0, max=8, help="Of characters in a word; 0: none, else 2-.")
    ]
    min_texts: Annotated[int, Option(min=1, help="Terms in fewer train reviews are not seen.")]
    max_features: Annotated[
        int, Option(min=1, help="Of words, and of characters: the most frequent.")
    ]


@dataclass(frozen=True)
class Classifier:
    """A linear classifier of texts into `classes`.

    terms and idf: of each kind of feature ("word", "char") the vocabulary and float64[terms].
    weights: float64[classes, all terms]; bias: float64[classes].
    """

    features: Features
    classes: list
    terms: dict[str, list[str]]
    idf: dict[str, np.ndarray]
    weights: np.ndarray
    bias: np.ndarray

    @cached_property
    def vectorizers(self) -> list["TfidfVectorizer"]:
        """scikit-learn's vectorizers with this vocabulary and these weights."""
        made = []
        for kind, terms in self.terms.items():
            vectorizer = make_vectorizer(kind, self.features, vocabulary=terms)
            vectorizer.idf_ = self.idf[kind]
            made.append(vectorizer)
        return made

    def find_terms(self, texts: Sequence[str]) -> "csr_array":
        """Return the weighted terms of each text, sparse float64[texts, all terms]."""
        return stack([vectorizer.transform(texts) for vectorizer in self.vectorizers])

    def predict(self, texts: Sequence[str]) -> list:
        """Return the likeliest class of each text; None for a text without any known term.

        Such a text (an empty one, say) has no class: its likeliest would be the bias's, whatever
        it says.
        """
        if not texts:
            return []
        found = self.find_terms(texts)
        best = (found @ self.weights.T + self.bias).argmax(axis=1)
        is_blank = np.diff(found.indptr) == 0
        return [
            None if blank else self.classes[place]
            for place, blank in zip(best, is_blank, strict=True)
        ]


def make_vectorizer(kind: str, features: Features, **vocabulary) -> "TfidfVectorizer":
    """Return an unfitted vectorizer of words, or of characters inside words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if kind == "word":
        kind_options = {"token_pattern": r"\w+", "ngram_range": (1, features.word_ngrams)}
    else:
        kind_options = {"analyzer": "char_wb", "ngram_range": (2, features.char_ngrams)}
    return TfidfVectorizer(sublinear_tf=True, **kind_options, **vocabulary)


def stack(blocks: Sequence["csr_array"]) -> "csr_array":
    """Return the blocks of columns side by side."""
    from scipy.sparse import hstack

    return hstack(blocks, format="csr")


def train_classifier(
    texts: Sequence[str], classes: Sequence, features: Features, inverse_penalty: float
) -> Classifier:
    """Return a classifier of these texts, every class counting as much as any other.

    Raises InputError if no term is in `features.min_texts` texts. At least two classes.
    """
    from sklearn.linear_model import LogisticRegression

    fitted, blocks = {}, []
    for kind in ("word", "char") if features.char_ngrams else ("word",):
        vectorizer = make_vectorizer(
            kind, features, min_df=features.min_texts, max_features=features.max_features
        )
        try:
            blocks.append(vectorizer.fit_transform(texts))
        except ValueError as error:  # an empty vocabulary, or fewer texts than min_texts
            raise InputError(
                f"no {kind} stands in {features.min_texts} reviews of the train split ({error}); "
                "lower classify.min_texts"
            ) from None
        fitted[kind] = vectorizer
    model = LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=MAX_ITER)
    model.fit(stack(blocks), list(classes))
    # Of two classes scikit-learn keeps the second's weights alone.
    two = len(model.classes_) == 2
    return Classifier(
        features,
        model.classes_.tolist(),
        {kind: each.get_feature_names_out().tolist() for kind, each in fitted.items()},
        {kind: each.idf_ for kind, each in fitted.items()},
        np.concatenate([-model.coef_, model.coef_]) if two else model.coef_,
        np.concatenate([-model.intercept_, model.intercept_]) if two else model.intercept_,
    )


def save_classifier(classifier: Classifier, folder: Path, name: str) -> None:
    """Write NAME.json (terms, classes) and NAME.npz (numbers) into a folder that is there."""
    known = {
        "features": asdict(classifier.features),
        "classes": classifier.classes,
        "terms": classifier.terms,
    }
    (folder / f"{name}.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    idf = {f"idf_{kind}": values for kind, values in classifier.idf.items()}
    np.savez_compressed(
        folder / f"{name}.npz", weights=classifier.weights, bias=classifier.bias, **idf
    )


def load_classifier(folder: Path, name: str) -> Classifier | None:
    """Return a saved classifier, None if there is none; raise InputError if it is not whole."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        with np.load(folder / f"{name}.npz", allow_pickle=False) as numbers:
            idf = {kind: numbers[f"idf_{kind}"] for kind in known["terms"]}
            classifier = Classifier(
                Features(**known["features"]),
                known["classes"],
                known["terms"],
                idf,
                numbers["weights"],
                numbers["bias"],
            )
        n_terms = sum(map(len, classifier.terms.values()))
        if classifier.weights.shape != (len(classifier.classes), n_terms) or any(
            len(terms) != len(classifier.idf[kind]) for kind, terms in classifier.terms.items()
        ):
            raise ValueError("its arrays do not fit its lists")
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(
            f"{path}: not a whole classifier ({error}); run `dvc repro classify`"
        ) from None
    return classifier


# ---- what they are trained on, and how far to trust them


def common_rubrics(train: pl.DataFrame, min_reviews: int) -> list[str]:
    """Return the rubrics that at least so many train reviews name first, sorted."""
    counts = Counter(train["rubrics"].list.first())
    return sorted(rubric for rubric, n in counts.items() if n >= min_reviews)


def measure_on_reviews(
    classifier: Classifier, kind: str, reviews: pl.DataFrame
) -> dict[str, float]:
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


def measure_classifier(
    predicted: Sequence, accepted: Sequence[Sequence], strata: Sequence, ratings: Sequence[int]
) -> dict[str, float]:
    """Return n, the accuracy and the balanced accuracy, and that of each rating, with ends.

    Text i is right if predicted[i] is among accepted[i]. The balanced accuracy is the mean over
    the different `strata` (the text's own class) of the share that is right; `constant` is what
    the best classifier that always says the same would have. Intervals: Wilson's, of the mean over
    strata its stratified form (`genlab.labelling.agreement`).
    """
    hits = np.array([p in among for p, among in zip(predicted, accepted, strict=True)])
    n = len(hits)
    named = Counter(each for among in accepted for each in set(among))
    numbers = {"n": n, "constant": max(named.values()) / n}
    numbers["accuracy"] = interval(hits.mean(), *wilson_interval(int(hits.sum()), n))
    columns = {value: np.array([each == value for each in strata]) for value in set(strata)}
    sizes = [int(column.sum()) for column in columns.values()]
    right = [int(hits[column].sum()) for column in columns.values()]
    numbers["balanced"] = interval(*macro_share(right, sizes))
    for stars in STARS:
        own = hits[np.array(ratings) == stars]
        if len(own):
            ends = wilson_interval(int(own.sum()), len(own))
            numbers[f"stars_{stars}"] = interval(own.mean(), *ends)
    return numbers
