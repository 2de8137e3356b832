"""Answers with their proxy reward, each under the reward model of its own training."""

import numpy as np
import polars as pl

from genlab.core.program import InputError
from pipelines.rlhf.answers import full_answers
from pipelines.rlhf.reward_model import RewardModel, rate


def rate_once(model: RewardModel, rows: pl.DataFrame, end: int) -> np.ndarray:
    """Return float32 [n]: the reward of each row's answer; equal ones are read once."""
    asked, given = rows["prompt_tokens"].to_list(), full_answers(rows, end)
    keys = [(tuple(a), tuple(b)) for a, b in zip(asked, given, strict=True)]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    found = rate(model, [list(a) for a, _ in places], [list(b) for _, b in places])
    return found[[places[key] for key in keys]]


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
