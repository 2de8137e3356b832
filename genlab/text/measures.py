"""Measures of generated texts that use no ranker.

They take token ids or texts and return one number for a whole arm, or for a text. They help to tell
why a text ranks as it does: a text that repeats its query, or one text for every query, can rank
well and say nothing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from statistics import NormalDist

import numpy as np

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
        distinct.update(n_grams(tokens, n))
        n_all += max(0, len(tokens) - n + 1)
    return len(distinct) / n_all if n_all else 0.0


def n_grams(tokens: Sequence[Hashable], n: int) -> Iterable[tuple[Hashable, ...]]:
    """Return the runs of n tokens, in order; none if there are fewer."""
    return zip(*(tokens[start:] for start in range(n)), strict=False)


def repeated_share(tokens: Sequence[Hashable], n: int) -> float | None:
    """Return the share of a text's n-grams that repeat an earlier one of it; None without any."""
    return 1 - distinct_n([tokens], n) if len(tokens) >= n else None


def distinct_n_of_sample(
    token_lists: Sequence[Sequence[Hashable]],
    n: int,
    n_sample: int,
    level: float = 0.95,
    *,
    clusters: np.ndarray | None = None,
) -> tuple[float, float, float] | None:
    """Return the expected distinct-n of a sample of whole texts with n_sample n-grams, with ends.

    distinct-n falls with the size of the sample, so arms compare at one size only. The expected
    number of distinct n-grams in m of t texts has a closed form, sum over n-grams of
    1 - C(t - t_g, m) / C(t, m), where t_g texts hold n-gram g: rarefaction (Colwell, Mao and Chang
    2004, Ecology 85(10), section "Sample-based rarefaction"); m is n_sample over the texts' mean
    number of n-grams, between whole numbers by a straight line.

    The interval is a jackknife's, +-z standard errors, each text left out once, or each cluster
    (int[texts], from 0) of texts that are not independent: a bootstrap draws texts twice, and a
    second copy adds no n-gram, so all its values are too low. None if the texts hold fewer than
    2 n_sample n-grams, or too few without one of them or one cluster: with no text to spare there
    is no telling how another sample would differ.
    """
    held = [Counter(n_grams(tokens, n)) for tokens in token_lists]
    sizes = np.array([grams.total() for grams in held], dtype=float)
    t = len(held)
    if sizes.sum() < 2 * n_sample or t < 2:
        return None
    n_holding = Counter(gram for grams in held for gram in grams)
    n_held = np.bincount(list(n_holding.values()), minlength=t + 1)
    value = expected_distinct(n_held, t, sizes.mean(), n_sample)
    left_out = np.arange(t) if clusters is None else clusters
    g = int(left_out.max()) + 1
    without = np.empty(g)
    for cluster in range(g):
        own = np.flatnonzero(left_out == cluster)
        n_left = t - len(own)
        mean_size = (sizes.sum() - sizes[own].sum()) / max(n_left, 1)
        if n_sample > mean_size * (n_left - 1):  # a whole sample and one text more
            return None
        changed = n_held.copy()
        for gram, n_own in Counter(gram for place in own for gram in held[place]).items():
            changed[n_holding[gram]] -= 1
            changed[n_holding[gram] - n_own] += 1
        without[cluster] = expected_distinct(changed, n_left, mean_size, n_sample)
    error = np.sqrt((g - 1) / g * ((without - without.mean()) ** 2).sum())
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return float(value), float(max(0.0, value - half)), float(min(1.0, value + half))


def expected_distinct(n_held: np.ndarray, t: int, mean_size: float, n_sample: int) -> float:
    """Return the expected distinct n-grams over all n-grams, in n_sample n-grams of t texts.

    n_held: int[...], how many n-grams are in 0, 1, 2, ... of the texts.
    """
    held = np.flatnonzero(n_held)
    held = held[held > 0]
    m = n_sample / mean_size
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, t + 1)))])

    def expected(whole: int) -> float:
        rest = t - held - whole  # below 0: no sample of so many texts misses the n-gram
        possible = np.maximum(rest, 0)
        log_missed = log_factorial[t - held] - log_factorial[possible] + log_factorial[t - whole]
        missed = np.where(rest >= 0, np.exp(log_missed - log_factorial[t]), 0.0)
        return float((n_held[held] * (1 - missed)).sum())

    below = int(m)
    share = m - below
    return (expected(below) * (1 - share) + expected(below + 1) * share) / n_sample


def query_echo_rate(queries: Sequence[str], texts: Sequence[str]) -> float:
    """Return the share of texts that contain their whole query as consecutive words.

    Case and punctuation do not matter: "What is RBA?" is in "so what, is RBA safe". A query
    without any word is echoed by no text. Raises ValueError for no texts or unequal lengths.
    """
    if not texts:
        raise ValueError("no texts to measure")
    return sum(echoes(query, text) for query, text in zip(queries, texts, strict=True)) / len(texts)


def echoes(query: str, text: str) -> bool:
    """Return whether the words of `query`, at least one, stand in `text` next to each other."""
    wanted = words_in_spaces(query)
    return wanted != "  " and wanted in words_in_spaces(text)


def words_in_spaces(text: str) -> str:
    """Return the case-folded words of `text`, each between two single spaces."""
    folded = unicodedata.normalize("NFC", text.casefold())
    return f" {' '.join(WORD.findall(folded))} "
