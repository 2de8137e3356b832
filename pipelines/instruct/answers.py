"""What an answer in words is worth: exact match and F1 of words, as SQuAD's and TriviaQA's scripts.

Both sides are normalised: lower case, no punctuation, no articles, single spaces.
"""

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Return an answer without what does not matter (Rajpurkar et al. 2016)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(text: str, aliases: list[str]) -> float:
    """Return 1.0 if the text is one of the aliases, else 0.0."""
    return float(normalise_answer(text) in map(normalise_answer, aliases))


def word_f1(text: str, aliases: list[str]) -> float:
    """Return the highest F1 of the text's words and an alias's; 1.0 if both have none."""
    return max(f1_of(normalise_answer(text).split(), normalise_answer(a).split()) for a in aliases)


def f1_of(found: list[str], wanted: list[str]) -> float:
    """Return the harmonic mean of precision and recall of two bags of words."""
    if not found or not wanted:
        return float(found == wanted)
    same = (Counter(found) & Counter(wanted)).total()
    return 2 * same / (len(found) + len(wanted))
