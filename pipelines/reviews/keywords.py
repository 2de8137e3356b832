"""Keywords of reviews: the nouns that tell a review from the others.

A text gets at most `max_keywords`, the most telling first, and the fate of every word is counted.
pymorphy3 says which words are Russian nouns and gives their dictionary form; scikit-learn's TF-IDF
weighs them, learned from the train split. Only nouns count: "отвратительный" as a keyword would
give the rating away. A noun its dictionary lacks ("бариста") counts if enough reviews have it,
otherwise it is taken for a typo.

YAKE, the usual choice, has the AGPL's licence file, and on reviews of twenty words it mostly
returns the verbs.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from typer import Option

from genlab.core.program import InputError
from genlab.text.normal_form import words
from pipelines.reviews.morphology import morphology

# What becomes of a word that is no keyword, in the order in which it is looked for.
REASONS = ("not_a_word", "not_a_noun", "min_chars", "duplicate", "min_reviews", "max_keywords")


@dataclass(frozen=True)
class Rules:
    """What makes a keyword; `enrich.py` says what each key does."""

    max_keywords: Annotated[int, Option(min=1, help="Per review.")]
    min_chars: Annotated[int, Option(min=1, help="Shorter keywords are dropped.")]
    min_reviews: Annotated[int, Option(min=1, help="Nouns in fewer train reviews are dropped.")]
    min_reviews_unknown: Annotated[
        int, Option(min=1, help="The same for nouns that are not in the dictionary.")
    ]
    dictionary_forms: Annotated[bool, Option(help="солянка; else as in the text: солянку.")]


@cache
def analyse(word: str) -> tuple[str, str | None]:
    """Return a lower-case word's dictionary form, and why it can't be a keyword (None: it can).

    The form has no e-dieresis, as clean writes the texts. pymorphy3 guesses the form of a word
    that is not in its dictionary by the word's ending; of its guesses the one that leaves the word
    as it is goes first ("бариста", not "барист").
    """
    if not re.fullmatch("[а-яё]+", word):
        return word, "not_a_word"
    guesses = morphology().parse(word)
    unbent = [guess for guess in guesses if guess.normal_form == word and guess.tag.POS == "NOUN"]
    best = unbent[0] if unbent and not is_known(word) else guesses[0]
    return best.normal_form.replace("ё", "е"), None if best.tag.POS == "NOUN" else "not_a_noun"


@cache
def is_known(word: str) -> bool:
    """Return whether a lower-case word is in pymorphy3's dictionary."""
    return morphology().word_is_known(word)


def find_nouns(text: str, rules: Rules, fates: Counter) -> dict[str, str]:
    """Return {dictionary form: form in the text} of a text's nouns; count the other words."""
    nouns: dict[str, str] = {}
    for word in words(text):
        form, reason = analyse(word)
        if reason is None and len(form) < rules.min_chars:
            reason = "min_chars"
        if reason is None and form in nouns:
            reason = "duplicate"
        if reason is None:
            nouns[form] = word
        else:
            fates[reason] += 1
    return nouns


def weigh_keywords(
    texts: Sequence[str], is_train: Sequence[bool], rules: Rules
) -> tuple[list[list[str]], Counter]:
    """Return each text's keywords by falling weight, and the fates of all words.

    A word in few train texts weighs much (Spärck Jones 1972). Words of equal weight stand in the
    text's order. Raises InputError if no train text has a keyword.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    fates: Counter[str | None] = Counter()
    nouns = [find_nouns(text, rules, fates) for text in texts]
    train = [found for found, is_one in zip(nouns, is_train, strict=True) if is_one]
    n_reviews = Counter(form for found in train for form in found)
    # Texts come as lists of words already.
    vectorizer = TfidfVectorizer(analyzer=list, min_df=rules.min_reviews)
    try:
        vectorizer.fit(train)
    except ValueError as error:  # an empty vocabulary, or fewer texts than min_reviews
        raise InputError(
            f"no noun stands in {rules.min_reviews} reviews of the train split ({error}); lower "
            "enrich.min_reviews, or give Russian texts"
        ) from None
    weights = dict(zip(vectorizer.get_feature_names_out(), vectorizer.idf_, strict=True))
    keywords = []
    for found in nouns:
        proper = [
            form
            for form, word in found.items()
            if is_known(word) or n_reviews[form] >= rules.min_reviews_unknown
        ]
        known = [form for form in proper if form in weights]
        order = np.argsort([-weights[form] for form in known], kind="stable")
        best = [known[place] for place in order[: rules.max_keywords]]
        keywords.append([form if rules.dictionary_forms else found[form] for form in best])
        fates["not_a_word"] += len(found) - len(proper)
        fates["min_reviews"] += len(proper) - len(known)
        fates["max_keywords"] += len(known) - len(best)
        fates[None] += len(best)
    return keywords, fates


def tidy_keywords(proposed: Sequence[str], rules: Rules, fates: Counter) -> list[str]:
    """Return keywords a model proposed for one text, without duplicates and non-words.

    A keyword may be several words: all must be in the dictionary. Two are the same if their
    dictionary forms are. Counts the others by reason.
    """
    kept: dict[tuple[str, ...], str] = {}
    for keyword in proposed:
        parts = words(keyword)
        analysed = [analyse(part) for part in parts]
        forms = tuple(form for form, _ in analysed)
        is_word = [reason != "not_a_word" for _, reason in analysed]
        if not parts or not all(is_word) or not all(map(is_known, parts)):
            reason = "not_a_word"
        elif len(" ".join(forms)) < rules.min_chars:
            reason = "min_chars"
        elif forms in kept:
            reason = "duplicate"
        elif len(kept) == rules.max_keywords:
            reason = "max_keywords"
        else:
            reason = None
            kept[forms] = " ".join(parts)
        fates[reason] += 1
    return list(kept.values())
