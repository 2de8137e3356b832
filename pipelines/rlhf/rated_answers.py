"""Answers with their proxy reward, and how often the better of two ranked ones has more."""

from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.program import InputError
from pipelines.rlhf.answers import full_answers
from pipelines.rlhf.rankings import pair_table
from pipelines.rlhf.reward_model import RewardModel, load_reward_model, rate


def rate_once(model: RewardModel, rows: pl.DataFrame, end: int) -> np.ndarray:
    """Return float32 [n]: the reward of each row's answer; equal ones are read once."""
    asked, given = rows["prompt_tokens"].to_list(), full_answers(rows, end)
    keys = [(tuple(a), tuple(b)) for a, b in zip(asked, given, strict=True)]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    found = rate(model, [list(a) for a, _ in places], [list(b) for _, b in places])
    return found[[places[key] for key in keys]]


def margins_of(untied: pl.DataFrame, rewards: np.ndarray) -> np.ndarray:
    """Return float64 [n]: the better answer's reward minus the worse's, of pairs of pair_table."""
    better, worse = untied["better"].to_numpy(), untied["worse"].to_numpy()
    return rewards[better].astype(np.float64) - rewards[worse]


def right_of(margins: np.ndarray) -> np.ndarray:
    """Return [n]: 1 where the better answer has more reward, 0 where less, one half where equal."""
    return np.where(margins == 0, 0.5, margins > 0)


def check_accuracy(
    models: dict[str, Path], held_out: pl.DataFrame, end: int, min_accuracy: float
) -> None:
    """Say how many held-out pairs each reward model ranks right; raise InputError if too few.

    models: folders by the names of the trainings. held_out: of RANK_SCHEMA, ranked answers to
    prompts that nothing was trained on.
    """
    pairs = pair_table(held_out, None, 0.0)
    untied = pairs.filter(~pl.col("is_tied"))
    if not untied.height:
        print("no held-out answers are ranked apart: how right the reward models are is not known")
        return
    for name, folder in models.items():
        rewards = rate_once(load_reward_model(folder), held_out, end)
        share = float(right_of(margins_of(untied, rewards)).mean())
        said = (
            f"reward model {name}: {share:.1%} of {untied.height:,} held-out pairs are ranked "
            "right, chance is 50%"
        )
        if share < min_accuracy:
            raise InputError(
                f"{said}, and reward.min_accuracy={min_accuracy} is asked for: answers that please "
                "it are hardly better; give more rankings or longer training (reward.epochs), or "
                "lower it"
            )
        print(said)


def rated(rows: pl.DataFrame, models: dict[str, RewardModel], end: int) -> pl.DataFrame:
    """Return the answers with their proxy reward, under the reward model of their own training.

    The i-th training of an arm is under the i-th reward model, by whose seed it is called. Models
    that were trained once are rated by every one, and stand there once for each.
    """
    parts = []
    for (arm,), of_arm in rows.group_by("arm", maintain_order=True):
        trainings = of_arm["seed"].unique(maintain_order=True).to_list()
        for number, (name, model) in enumerate(models.items()):
            if trainings == ["none"]:
                mine = of_arm
            elif number < len(trainings):
                mine = of_arm.filter(pl.col("seed") == trainings[number])
            else:
                continue
            proxy = rate_once(model, mine, end)
            parts.append(mine.with_columns(seed=pl.lit(name), proxy=pl.Series(proxy)))
        if len(trainings) > len(models):
            raise InputError(
                f"{arm} was trained {len(trainings)} times, and there are {len(models)} reward "
                "models; raise reward.n_seeds"
            )
    return pl.concat(parts)
