"""How varied a set of texts is. Each measure has a value per text, so that arms can be paired.

Sets of unequal size cannot be compared: a larger one shows more different tokens. `generate` writes
the same number of texts for every model.
"""

from collections import Counter
from collections.abc import Sequence
from math import exp, log

import numpy as np


def entropy_by_text(texts: Sequence[Sequence[int]]) -> np.ndarray:
    """Return float64 [n]: a value per text whose mean is the entropy, to resample and to pair.

    The source study's diversity is the Shannon entropy, in nats, of the tokens of all texts
    together; 0 without any token. It is a property of a set of texts. So each text's value is the
    set's entropy plus the text's influence on it, as in `ratio_by_text`.
    """
    counts = Counter(token for text in texts for token in text)
    total = sum(counts.values())
    surprisal = {token: log(total / count) for token, count in counts.items()}
    sums = np.array([sum(surprisal[token] for token in text) for text in texts])
    return ratio_by_text(sums, np.array([len(text) for text in texts]))


def ratio_by_text(sums: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return float64 [n]: a value per text whose mean is sum(sums) / sum(lengths), a token's mean.

    A text's value is that ratio R plus the text's first-order influence on it, (sum - R * length) *
    n / sum(lengths): the values of the infinitesimal jackknife (Efron and Tibshirani 1993, section
    21.2). So the interval of their mean is the ratio's. The texts' own ratios would not do, as long
    texts weigh more in R. Zeros if there is no token.
    """
    sums, total = np.asarray(sums, np.float64), lengths.sum()
    if not total:
        return np.zeros(len(sums))
    ratio = sums.sum() / total
    return ratio + (sums - ratio * lengths) * (len(sums) / total)


def self_bleu(texts: Sequence[Sequence[int]], max_n: int = 4) -> np.ndarray:
    """Return float64 [n]: BLEU of every text against all others; high where texts are alike.

    Zhu et al. 2018, "Texygen", section 3.3: BLEU (Papineni et al. 2002) up to `max_n`-grams with
    all other texts as references, so the count of an n-gram is clipped at the most any one other
    text has. A precision of 0 counts as half a match (Chin-Yew Lin and Och 2004's smoothing would
    count one). Texts shorter than n tokens are rated by their shorter n-grams. NaN for an empty
    text and where there is no other.
    """
    grams = [[ngram_counts(text, n) for n in range(1, max_n + 1)] for text in texts]
    # The most and the second most that any text has of an n-gram: without text i it is the second
    # where i has the most.
    most: list[dict] = []
    for n in range(max_n):
        best: dict[tuple, tuple[int, int, int]] = {}  # count, text, second count
        for i, counts in enumerate(grams):
            for gram, count in counts[n].items():
                first, owner, second = best.get(gram, (0, -1, 0))
                if count > first:
                    best[gram] = (count, i, first)
                elif count > second:
                    best[gram] = (first, owner, count)
        most.append(best)
    lengths = sorted(len(text) for text in texts)
    scores = np.full(len(texts), np.nan)
    for i, counts in enumerate(grams):
        size = len(texts[i])
        if not size or len(texts) < 2:
            continue
        log_precisions = []
        for n in range(min(max_n, size)):
            matches = sum(
                min(count, most[n][gram][2 if most[n][gram][1] == i else 0])
                for gram, count in counts[n].items()
            )
            log_precisions.append(log(max(matches, 0.5) / (size - n)))
        closest = closest_length(lengths, size)
        brevity = 0.0 if size > closest else 1 - closest / size
        scores[i] = exp(brevity + sum(log_precisions) / len(log_precisions))
    return scores


def closest_length(lengths: Sequence[int], size: int) -> int:
    """Return the length nearest to `size` among the sorted lengths without one of that size.

    Of two as near, the shorter, as BLEU's brevity penalty wants it.
    """
    place = int(np.searchsorted(lengths, size))
    others = [*lengths[max(0, place - 1) : place], *lengths[place + 1 : place + 2]]
    return min(others, key=lambda length: (abs(length - size), length))


def ngram_counts(text: Sequence[int], n: int) -> Counter:
    """Return how often each n-gram stands in the text."""
    return Counter(zip(*(text[start:] for start in range(n)), strict=False))
