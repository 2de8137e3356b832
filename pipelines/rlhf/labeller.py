"""The labeller of the mini world: ranks answers by their truth, with noise, and may call ties.

Each answer is felt as truth + noise * g, with g of the standard Gumbel distribution, and felt
values within one step of a grid are tied. So P(a above b) is known in closed form: without a grid
it is sigmoid((truth_a - truth_b) / noise) (Bradley-Terry; the ranking is Plackett-Luce's), with one
a sum over its steps. The best any reward model can do, the noise ceiling, follows from it.
"""

from math import ceil

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import random_stream

BELOW, ABOVE = 4.0, 40.0  # noises around the truths outside which nothing is felt: 1e-17 of all
BLOCK = 1_000_000  # steps times pairs that are reckoned at once: 8 MB an array
FINEST = 1000  # steps a noise, and a unit of truth: 1 in 1,000 pairs is tied


def rank_answers(
    truths: list[float], answer_ids: list[str], noise: float, step: float, seed: int
) -> list[int]:
    """Return the rank of each answer, 1 for the best; ties share one.

    The noise is never drawn from the stream of the answer's tokens, whatever the seeds: a model
    could predict such noise from the answer's first word.
    """
    uniforms = np.array([random_stream(seed, f"{name} felt", 1)[0] for name in answer_ids])
    felt = np.array(truths) - noise * np.log(-np.log(np.clip(uniforms, 1e-300, 1 - 1e-16)))
    grades = np.floor(felt / step) if step else felt
    return [int((grades > grade).sum()) + 1 for grade in grades]


def win_shares(
    a: np.ndarray, b: np.ndarray, noise: float, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return [n], [n]: the probability that `a` is ranked above `b`, and below; else a tie."""
    if not noise:
        a, b = (np.floor(each / step) if step else each for each in (a, b))
        return (a > b).astype(float), (b > a).astype(float)
    if not step:
        above = 1 / (1 + np.exp(-(a - b) / noise))
        return above, 1 - above
    low = np.floor((min(a.min(), b.min()) - BELOW * noise) / step)
    high = np.ceil((max(a.max(), b.max()) + ABOVE * noise) / step)
    edges = np.arange(low, high + 1) * step
    pairs, places = np.unique(np.stack([a, b]), axis=1, return_inverse=True)
    n_blocks = ceil(len(edges) * pairs.shape[1] / BLOCK)
    blocks = [
        shares_on_grid(part, edges, noise) for part in np.array_split(pairs, n_blocks, axis=1)
    ]
    above, below = np.concatenate(blocks, axis=1)[:, places.ravel()]
    return above, below


def shares_on_grid(pairs: np.ndarray, edges: np.ndarray, noise: float) -> np.ndarray:
    """Return [2, n]: for pairs [2, n] the probability that each is felt in a higher step."""
    cdf_a, cdf_b = (
        np.exp(-np.exp(-np.clip((edges[:, None] - each) / noise, -700, None))) for each in pairs
    )
    in_a, in_b = np.diff(cdf_a, axis=0), np.diff(cdf_b, axis=0)
    return np.stack([(in_a * cdf_b[:-1]).sum(0), (in_b * cdf_a[:-1]).sum(0)])


def check_grid(noise: float, step: float) -> None:
    """Raise InputError for a grid that is too fine compared with the noise.

    With FINEST steps per unit of noise hardly any answers are tied, and the sum over the steps
    would take too long.
    """
    if noise and 0 < step < max(noise / FINEST, 1 / FINEST):
        raise InputError(
            f"rank.step={step}: too fine for rank.noise={noise}; give 0 for no ties, or at least "
            f"{max(noise / FINEST, 1 / FINEST):g}"
        )


def best_accuracy(a: np.ndarray, b: np.ndarray, noise: float, step: float) -> np.ndarray:
    """Return [n]: the most that can be expected of a guess which of two untied answers won."""
    above, below = win_shares(a, b, noise, step)
    untied = above + below
    return np.where(untied > 0, np.maximum(above, below) / np.where(untied > 0, untied, 1), np.nan)


def rank_by_rule(rows: pl.DataFrame, noise: float, step: float, seed: int) -> pl.DataFrame:
    """Return the answers with the labeller's ranks."""
    parts = []
    for _, group in rows.group_by("prompt_id", maintain_order=True):
        truths, names = group["truth"].to_list(), group["answer_id"].to_list()
        ranks = rank_answers(truths, names, noise, step, seed)
        parts.append(group.with_columns(rank=pl.Series(ranks, dtype=pl.Int32)))
    return pl.concat(parts)
