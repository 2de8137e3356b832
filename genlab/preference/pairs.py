"""Which two texts become winner and loser: of one prompt, of different reward, by a strategy.

In: rewarded texts. Out: pairs of row numbers, and what became of those that were looked at.

random: any two. margin: two whose rewards are more than `margin` apart. threshold: one above and
one below `threshold`.
"""

from collections import Counter
from enum import StrEnum

import numpy as np
import polars as pl

from genlab.core.program import InputError

LOOKED_AT = 50  # candidates for every pair that is wanted: strategies that take one in fifty


class Strategy(StrEnum):
    random = "random"
    margin = "margin"
    threshold = "threshold"


# Why a candidate is no pair, in the order in which it is looked for.
REASONS = ("same_text", "equal_reward", "margin", "threshold")


def draw_candidates(prompts: pl.Series, n: int, seed: int) -> np.ndarray:
    """Return int64 [n or fewer, 2]: different pairs of row numbers of one prompt, in random order.

    All pairs of all prompts are numbered, those of a prompt with k rows by k (k - 1) / 2 numbers,
    and the numbers are drawn without repetition.
    """
    groups = [
        np.array(rows)
        for rows in pl.DataFrame({"prompt": prompts})
        .with_row_index("row")
        .group_by("prompt", maintain_order=True)
        .agg("row")["row"]
    ]
    sizes = np.array([len(rows) * (len(rows) - 1) // 2 for rows in groups])
    first = np.concatenate([[0], np.cumsum(sizes)])
    rng = np.random.default_rng(seed)
    numbers = rng.choice(first[-1], min(n, first[-1]), replace=False)
    of_group = np.searchsorted(first, numbers, side="right") - 1
    within = numbers - first[of_group]
    # Pair number m of a group is (i, j), i > j, with m = i (i - 1) / 2 + j.
    i = np.floor((1 + np.sqrt(1 + 8 * within)) / 2).astype(np.int64)
    j = within - i * (i - 1) // 2
    rows = [(groups[g][a], groups[g][b]) for g, a, b in zip(of_group, i, j, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def choose_pairs(
    texts: pl.DataFrame,
    strategy: Strategy,
    n_pairs: int,
    margin: float,
    threshold: float,
    seed: int,
) -> tuple[np.ndarray, Counter]:
    """Return int64 [n_pairs or fewer, 2] of (winner, loser) rows, and why others were left out.

    Raises InputError if no pair is left.
    """
    candidates = draw_candidates(texts["prompt"], LOOKED_AT * n_pairs, seed)
    if not len(candidates):
        raise InputError("no prompt has two texts, so there are no pairs; raise sample.n_texts")
    rewards = texts["reward"].to_numpy().astype(np.float64)
    names = texts["text"].rank("dense").to_numpy()
    a, b = candidates.T
    gap = np.abs(rewards[a] - rewards[b])
    low, high = np.minimum(rewards[a], rewards[b]), np.maximum(rewards[a], rewards[b])
    refused = {
        "same_text": names[a] == names[b],
        "equal_reward": gap == 0,
        "margin": (gap <= margin) & (strategy is Strategy.margin),
        "threshold": ~((low < threshold) & (high > threshold)) & (strategy is Strategy.threshold),
    }
    kept = ~np.any(list(refused.values()), axis=0)
    taken = np.flatnonzero(kept)[:n_pairs]
    looked_at = taken[-1] + 1 if len(taken) == n_pairs else len(candidates)
    fates: Counter[str] = Counter()
    open_yet = np.ones(looked_at, bool)
    for reason in REASONS:
        hit = open_yet & refused[reason][:looked_at]
        fates[reason] = int(hit.sum())
        open_yet &= ~hit
    if not len(taken):
        limits = {"margin": f" of {margin}", "threshold": f" of {threshold}"}.get(strategy, "")
        raise InputError(
            f"strategy {strategy}{limits} leaves no pair of the {looked_at} looked at ("
            + ", ".join(f"{reason}: {n}" for reason, n in fates.items() if n)
            + f"); rewards lie between {rewards.min():.3f} and {rewards.max():.3f}: lower the "
            "margin, move the threshold, or take another strategy"
        )
    first_wins = (rewards[a] > rewards[b])[taken, None]
    return np.where(first_wins, candidates[taken], candidates[taken][:, ::-1]), fates


def measure_pairs(texts: pl.DataFrame, pairs: np.ndarray) -> dict[str, float]:
    """Return what the pairs teach beside the reward: lengths, and texts that come again.

    length_bias: mean tokens of the winner minus the loser's; longer_wins: the share of pairs of
    unequal length whose winner is longer, 0.5 if length does not matter.
    """
    winners, losers = texts[pairs[:, 0]], texts[pairs[:, 1]]
    gaps = winners["reward"] - losers["reward"]
    lengths = [side["tokens"].list.len().cast(pl.Int64) for side in (winners, losers)]
    longer = lengths[0] - lengths[1]
    unequal = longer.filter(longer != 0)
    return {
        "pairs": len(pairs),
        "mean_gap": gaps.mean(),
        "texts_used": len(np.unique(pairs)),
        "length_bias": longer.mean(),
        "longer_wins": (unequal > 0).mean() if len(unequal) else 0.5,
        "duplicate_winners": 1 - winners["text"].n_unique() / len(pairs),
        "without_end": float(np.mean([(~side["finished"]).mean() for side in (winners, losers)])),
    }
