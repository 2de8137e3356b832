"""Preference pairs: two texts of one prompt, the winner with the higher reward.

A strategy says which two may be paired. random: any two. margin: two whose rewards are more than
`margin` apart. threshold: one above and one below `threshold`. Pairs are row numbers in a table of
rewarded texts (prompt, prompt_tokens, text_id, text, tokens, finished, reward) until `pair_table`
makes the table that training reads.
"""

from collections import Counter
from enum import StrEnum

import numpy as np
import polars as pl

from genlab.core.program import InputError

LOOKED_AT = 50  # candidates for every pair that is wanted: strategies that take one in fifty

SIDES = ("chosen", "rejected")
PAIR_SCHEMA = pl.Schema(
    {
        "prompt": pl.String,
        "prompt_tokens": pl.List(pl.Int32),
        **{
            f"{side}_{name}": kind
            for side in SIDES
            for name, kind in (
                ("id", pl.String),
                ("tokens", pl.List(pl.Int32)),
                ("finished", pl.Boolean),
                ("reward", pl.Float32),
            )
        },
    }
)


class Strategy(StrEnum):
    """How pairs are chosen among the texts of a prompt: `choose_pairs`."""

    random = "random"
    margin = "margin"
    threshold = "threshold"


# Why a candidate is no pair; the first reason that holds is counted.
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
    """Return int64 [n_pairs or fewer, 2] of (winner, loser) rows, and the drop reasons' counts.

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
    n_seen = taken[-1] + 1 if len(taken) == n_pairs else len(candidates)
    dropped: Counter[str] = Counter()
    undecided = np.ones(n_seen, bool)
    for reason in REASONS:
        hit = undecided & refused[reason][:n_seen]
        dropped[reason] = int(hit.sum())
        undecided &= ~hit
    if not len(taken):
        limits = {"margin": f" of {margin}", "threshold": f" of {threshold}"}.get(strategy, "")
        raise InputError(
            f"strategy {strategy}{limits} leaves no pair of the {n_seen} looked at ("
            + ", ".join(f"{reason}: {n}" for reason, n in dropped.items() if n)
            + f"); rewards lie between {rewards.min():.3f} and {rewards.max():.3f}: lower the "
            "margin, move the threshold, or take another strategy"
        )
    first_wins = (rewards[a] > rewards[b])[taken, None]
    return np.where(first_wins, candidates[taken], candidates[taken][:, ::-1]), dropped


def pair_table(texts: pl.DataFrame, pairs: np.ndarray) -> pl.DataFrame:
    """Return PAIR_SCHEMA rows of `pairs`, int64 [n, 2] of (winner, loser) rows of `texts`."""
    table = {name: texts[name].gather(pairs[:, 0]) for name in ("prompt", "prompt_tokens")}
    for side, rows in zip(SIDES, pairs.T, strict=True):
        table[f"{side}_id"] = texts["text_id"].gather(rows)
        for name in ("tokens", "finished", "reward"):
            table[f"{side}_{name}"] = texts[name].gather(rows)
    return pl.DataFrame(table, PAIR_SCHEMA)


def measure_pairs(texts: pl.DataFrame, pairs: np.ndarray) -> dict[str, float]:
    """Return the pairs' number and mean gap of reward, and what else a policy could learn of them.

    length_bias: mean tokens of the winner minus the loser's. longer_wins: the share of pairs of
    unequal length whose winner is longer; 0.5 means that length does not matter.
    """
    winners, losers = texts[pairs[:, 0]], texts[pairs[:, 1]]
    gaps = (winners["reward"] - losers["reward"]).to_numpy()
    lengths = [side["tokens"].list.len().to_numpy().astype(int) for side in (winners, losers)]
    longer = lengths[0] - lengths[1]
    unequal = longer[longer != 0]
    return {
        "pairs": len(pairs),
        "mean_gap": float(gaps.mean(dtype=np.float64)),
        "texts_used": len(np.unique(pairs)),
        "length_bias": float(longer.mean()),
        "longer_wins": float((unequal > 0).mean()) if len(unequal) else 0.5,
        "duplicate_winners": 1 - winners["text"].n_unique() / len(pairs),
        "without_end": 1 - float(np.mean([winners["finished"], losers["finished"]])),
    }
