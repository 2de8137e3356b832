"""A linear classifier of texts: TF-IDF of words and characters, logistic regression.

Trained with scikit-learn and kept as what it is, a list of terms and arrays of numbers: JSON and
safetensors, no pickle. The weights it had in memory and those it has when loaded are the same bits.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from typer import Option

from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.text.normal_form import words

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

MAX_ITER = 1000  # of L-BFGS; the mini reviews took at most 111


@dataclass(frozen=True)
class Features:
    """What a classifier sees of a text."""

    word_ngrams: Annotated[int, Option(min=1, max=3, help="Longest sequence of words seen.")]
    char_ngrams: Annotated[
        int, Option(min=0, max=8, help="Of characters in a word; 0: none, else 2-.")
    ]
    min_texts: Annotated[int, Option(min=1, help="Terms in fewer train texts are not seen.")]
    max_features: Annotated[
        int, Option(min=0, help="Of words, and of characters: the most frequent; 0: all.")
    ]
    sublinear_tf: bool = True  # 1 + ln of a term's count, in place of the count
    normal_form: bool = False  # words of genlab.text.normal_form; else runs of letters and digits


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

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Return float64[texts, classes]; of two classes the second column is the log-odds."""
        return self.find_terms(texts) @ self.weights.T + self.bias

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


def make_vectorizer(kind: str, features: Features, **vocabulary: Any) -> "TfidfVectorizer":
    """Return an unfitted vectorizer of words, or of characters inside words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    options: dict[str, Any] = {"token_pattern": r"\w+", "ngram_range": (1, features.word_ngrams)}
    if kind == "char":
        options = {"analyzer": "char_wb", "ngram_range": (2, features.char_ngrams)}
    elif features.normal_form:
        options |= {"tokenizer": words, "token_pattern": None, "lowercase": False}
    return TfidfVectorizer(sublinear_tf=features.sublinear_tf, **options, **vocabulary)


def stack(blocks: Sequence["csr_array"]) -> "csr_array":
    """Return the blocks of columns side by side."""
    from scipy.sparse import hstack

    return hstack(blocks, format="csr")


def train_classifier(
    texts: Sequence[str],
    classes: Sequence,
    features: Features,
    inverse_penalty: float,
    balanced: bool,
    source: str,
    key: str,
) -> Classifier:
    """Return a classifier of these texts, of at least two classes.

    balanced: every class counts as much as any other, however many texts it has. Raises InputError
    if no term is in `features.min_texts` texts: `source` says whose, `key` is the param to lower.
    """
    from sklearn.linear_model import LogisticRegression

    fitted, blocks = {}, []
    for kind in ("word", "char") if features.char_ngrams else ("word",):
        limits = {"min_df": features.min_texts, "max_features": features.max_features or None}
        vectorizer = make_vectorizer(kind, features, **limits)
        try:
            blocks.append(vectorizer.fit_transform(texts))
        except ValueError as error:  # an empty vocabulary, or fewer texts than min_texts
            raise InputError(
                f"no {kind} stands in {features.min_texts} {source} ({error}); lower {key}"
            ) from None
        fitted[kind] = vectorizer
    weighting = "balanced" if balanced else None
    model = LogisticRegression(C=inverse_penalty, class_weight=weighting, max_iter=MAX_ITER)
    model.fit(stack(blocks), list(classes))
    # Of two classes scikit-learn keeps the second's weights alone. Of more, it keeps them column by
    # column, which safetensors would write as if they were row by row.
    two = len(model.classes_) == 2
    weights = np.concatenate([-model.coef_, model.coef_]) if two else model.coef_
    return Classifier(
        features,
        model.classes_.tolist(),
        {kind: each.get_feature_names_out().tolist() for kind, each in fitted.items()},
        {kind: each.idf_ for kind, each in fitted.items()},
        np.ascontiguousarray(weights),
        np.concatenate([-model.intercept_, model.intercept_]) if two else model.intercept_,
    )


def save_classifier(classifier: Classifier, folder: Path, name: str) -> None:
    """Write NAME.json (terms, classes) and NAME.safetensors into a folder that is there."""
    from safetensors.numpy import save_file

    known = {
        "features": asdict(classifier.features),
        "classes": classifier.classes,
        "terms": classifier.terms,
    }
    (folder / f"{name}.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    idf = {f"idf_{kind}": values for kind, values in classifier.idf.items()}
    numbers = {"weights": classifier.weights, "bias": classifier.bias, **idf}
    save_file(numbers, folder / f"{name}.safetensors")


def load_classifier(folder: Path, name: str) -> Classifier | None:
    """Return a saved classifier, None if there is none; raise InputError if it is not whole."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    try:
        known = parse_json(path.read_text(encoding="utf-8"))
        numbers = load_file(folder / f"{name}.safetensors")
        classifier = Classifier(
            Features(**known["features"]),
            known["classes"],
            known["terms"],
            {kind: numbers[f"idf_{kind}"] for kind in known["terms"]},
            numbers["weights"],
            numbers["bias"],
        )
        n_terms = sum(map(len, classifier.terms.values()))
        if classifier.weights.shape != (len(classifier.classes), n_terms) or any(
            len(terms) != len(classifier.idf[kind]) for kind, terms in classifier.terms.items()
        ):
            raise ValueError("its arrays do not fit its lists")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(
            f"{path}: not a whole classifier ({error}); run `dvc repro`, which makes it anew"
        ) from None
    return classifier
