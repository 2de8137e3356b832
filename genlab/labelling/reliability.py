"""Krippendorff's alpha: how reliable the answers of any number of raters are.

Alpha is 1 minus the ratio of the disagreement observed within texts to that expected if answers
were assigned to texts at random. A text counts if at least two raters judged it; raters may be
missing.
Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
"""

from typing import Literal

import numpy as np

from genlab.statistics.bootstrap import percentile_ends
from genlab.statistics.weighted_sums import exact_parts, weighted_sums

Scale = Literal["nominal", "ordinal"]
N_RESAMPLES = 10_000


def krippendorffs_alpha(counts: np.ndarray, scale: Scale) -> float:
    """Return alpha of int[texts, answers], how many raters gave each answer; NaN if not defined.

    nominal: two answers are equal or not. ordinal: the answers are ordered, and the distance of two
    grows with the number of answers given between them. Alpha is undefined if all answers are
    equal, or if no text has two.
    """
    pairable = counts[counts.sum(axis=1) >= 2]
    return float(alphas_of(coincidences(pairable).sum(axis=0)[None], scale)[0])


def coincidences(counts: np.ndarray) -> np.ndarray:
    """Return float64[texts, k, k]: ordered pairs of different raters' answers to a text.

    Each pair weighs 1 / (raters - 1), so that a text counts as often as it has answers.
    """
    counts = counts.astype(np.float64)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    return pairs / (counts.sum(axis=1) - 1)[:, None, None]


def alphas_of(matrices: np.ndarray, scale: Scale) -> np.ndarray:
    """Return alpha, float64[m], of coincidence matrices float64[m, k, k]."""
    totals = matrices.sum(axis=2)
    apart = squared_distances(totals, scale)
    n = totals.sum(axis=1)
    observed = (matrices * apart).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * apart).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0: all answers alike
        return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)


def squared_distances(totals: np.ndarray, scale: Scale) -> np.ndarray:
    """Return how far apart two answers are, float64[m, k, k], given how often each was given.

    ordinal: the number of answers given between the two, plus half of the answers at each end.
    """
    m, k = totals.shape
    if scale == "nominal":
        return np.broadcast_to(1 - np.eye(k), (m, k, k))
    middles = np.cumsum(totals, axis=1) - totals / 2
    return (middles[:, :, None] - middles[:, None, :]) ** 2


def independent_answers(n_given: np.ndarray) -> np.ndarray:
    """Return the share of each pair of independent answers, float64[k, k], adding up to 1.

    n_given: int[k], how often each answer was given; each counts once more, so no share is 0.
    """
    shares = (n_given + 1) / (n_given.sum() + len(n_given))
    return np.outer(shares, shares)


def alpha_interval(counts: np.ndarray, scale: Scale, seed: int) -> tuple[float, float]:
    """Return the percentile bootstrap interval (low, high) of alpha, texts resampled.

    Texts that were judged alike are drawn together, from a multinomial distribution. Beside them
    one imagined text is drawn from, whose two answers are independent: without it, raters who
    never disagreed get no width, and those who hardly do too little (benchmarks/COVERAGE.md). A
    resample where alpha is not defined is left out.
    """
    counts = counts[counts.sum(axis=1) >= 2]
    kinds, n_texts = np.unique(counts, axis=0, return_counts=True)
    n, k = int(n_texts.sum()), counts.shape[1]
    pairs = np.eye(k, dtype=int)[np.indices((k, k)).reshape(2, -1)].sum(axis=0)  # [k * k, k]
    imagined = independent_answers(counts.sum(axis=0)).ravel()
    shares = np.concatenate([n_texts, imagined]) / (n + 1)
    drawn = np.random.default_rng(seed).multinomial(n, shares, N_RESAMPLES)
    of_kinds = coincidences(np.concatenate([kinds, pairs]))
    sums = weighted_sums(drawn, exact_parts(of_kinds.reshape(len(of_kinds), -1), n))
    matrices = sums.reshape(-1, *of_kinds.shape[1:])
    return percentile_ends(alphas_of(matrices, scale))
