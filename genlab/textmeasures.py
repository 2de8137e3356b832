"""What generated texts are like, whatever a ranker thinks of them.

In: token ids or texts of one arm. Out: one number for the whole arm. They stand beside the ranks
to tell why a text ranks as it does: a text that repeats its query, or one text for every query,
can rank well and say nothing.
"""

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence

WORD = re.compile(r"\w+")


def distinct_n(token_lists: Iterable[Sequence[Hashable]], n: int) -> float:
    """Return the number of distinct n-grams over the number of all n-grams of all texts together.

    From 0 to 1; no n-gram spans two texts; 0.0 if every text is shorter than n. Falls as texts
    get longer or more (the vocabulary is finite): compare arms of the same size. Li et al. 2016,
    "A Diversity-Promoting Objective Function for Neural Conversation Models", section 5.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    distinct: set[tuple[Hashable, ...]] = set()
    n_all = 0
    for tokens in token_lists:
        distinct.update(zip(*(tokens[start:] for start in range(n)), strict=False))
        n_all += max(0, len(tokens) - n + 1)
    return len(distinct) / n_all if n_all else 0.0


def query_echo_rate(queries: Sequence[str], texts: Sequence[str]) -> float:
    """Return the share of texts that contain their whole query as consecutive words.

    Case and punctuation do not matter: "What is RBA?" is in "so what, is RBA safe". A query
    without any word is echoed by no text. Raises ValueError for no texts or unequal lengths.
    """
    if not texts:
        raise ValueError("no texts to measure")
    return sum(echoes(query, text) for query, text in zip(queries, texts, strict=True)) / len(texts)


def echoes(query: str, text: str) -> bool:
    """Say whether the words of `query`, at least one, stand in `text` next to each other."""
    wanted = words_in_spaces(query)
    return wanted != "  " and wanted in words_in_spaces(text)


def words_in_spaces(text: str) -> str:
    """Return the case-folded words of `text`, each between two single spaces."""
    folded = unicodedata.normalize("NFC", text.casefold())
    return f" {' '.join(WORD.findall(folded))} "
