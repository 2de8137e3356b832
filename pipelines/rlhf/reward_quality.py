"""How good a reward model is on rankings it has not seen: accuracy, calibration, what it follows.

Pairs of one prompt share answers, so every interval resamples whole prompts. Accuracy stands
between chance and the noise ceiling: the most that can be expected where the labeller's noise is
known.
"""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.tables import read_table
from genlab.statistics.intervals import SHARE, interval, ratio_interval
from pipelines.rlhf.metrics import spread
from pipelines.rlhf.rankings import pair_table
from pipelines.rlhf.rated_answers import margins_of, rate_once, right_of
from pipelines.rlhf.reward_model import RewardModel

N_BINS = 10  # ours: of equal count, of sigmoid(better - worse) folded to above one half


def pair_scores(pairs: pl.DataFrame, rewards: np.ndarray, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the untied pairs with margin (better's reward minus worse's), right and lengths."""
    untied = pairs.filter(~pl.col("is_tied"))
    better, worse = untied["better"].to_numpy(), untied["worse"].to_numpy()
    margin = margins_of(untied, rewards)
    lengths = rows["tokens"].list.len().to_numpy().astype(int)
    kinds = rows["kind"].to_list()
    return untied.with_columns(
        margin=pl.Series(margin),
        right=pl.Series(right_of(margin)),
        is_same_length=pl.Series(lengths[better] == lengths[worse]),
        pair_of=pl.Series(
            [
                f"{kinds[a]} over {kinds[b]}" if kinds[a] else ""
                for a, b in zip(better, worse, strict=True)
            ],
            dtype=pl.String,
        ),
    )


def clustered(pairs: pl.DataFrame, column: str, seed: int) -> dict[str, float]:
    """Return the mean of a column, in [0, 1], over pairs, with an interval that resamples prompts.

    The mean is a ratio of two sums over prompts.
    """
    groups = pairs.group_by("prompt_id", maintain_order=True).agg(
        total=pl.col(column).sum(), n=pl.len()
    )
    total, n = groups["total"].to_numpy(), groups["n"].to_numpy()
    value = total.sum() / n.sum()
    if len(groups) < 3:
        return {"value": float(value), "pairs": pairs.height, "prompts": len(groups)}
    prompts = np.arange(len(groups))
    value, low, high = ratio_interval(total, n, prompts, seed=seed, bounds=SHARE)
    found = interval(value, max(low, 0.0), min(high, 1.0))
    return found | {"pairs": pairs.height, "prompts": len(groups)}


def measure_accuracy(pairs: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Return the accuracy: of all pairs, of the sure and the unsure half, at equal length."""
    size = pairs["margin"].abs()
    found = {"all": clustered(pairs, "right", seed)}
    parts = {
        "small margin": pairs.filter(size <= size.median()),
        "large margin": pairs.filter(size > size.median()),
        "equal length": pairs.filter(pl.col("is_same_length")),
    }
    common = pairs["pair_of"].value_counts(sort=True).head(6)["pair_of"].to_list()
    parts |= {name: pairs.filter(pl.col("pair_of") == name) for name in common if name}
    for name, part in parts.items():
        if part.height:
            found[name] = clustered(part, "right", seed)
            ceiling = part["ceiling"].drop_nulls()
            if len(ceiling):
                found[name]["ceiling"] = float(ceiling.mean())  # type: ignore[arg-type]
    ceiling = pairs["ceiling"].drop_nulls()
    if len(ceiling):
        found["all"]["ceiling"] = float(ceiling.mean())  # type: ignore[arg-type]
    return found


def measure_calibration(pairs: pl.DataFrame) -> tuple[dict[str, float], list[dict]]:
    """Return Brier score and expected calibration error, and the points of the reliability curve.

    Of each pair the model says sigmoid(|margin|) that the one it likes better won; right or not.
    """
    margin = pairs["margin"].to_numpy()
    said = 1 / (1 + np.exp(-np.abs(margin)))
    was = pairs["right"].to_numpy().astype(float)
    order = np.argsort(said, kind="stable")
    bins = [each for each in np.array_split(order, N_BINS) if len(each)]
    points = [
        {"said": float(said[b].mean()), "was": float(was[b].mean()), "pairs": len(b)} for b in bins
    ]
    error = sum(p["pairs"] * abs(p["said"] - p["was"]) for p in points) / len(said)
    return {"brier": float(((said - was) ** 2).mean()), "calibration_error": error}, points


def measure_reward(
    ranked: Path,
    models: dict[str, RewardModel],
    end: int,
    noise: float | None,
    step: float,
    seed: int,
) -> tuple[dict, list[dict]]:
    """Return the reward models' quality on held-out rankings, and points of their calibration.

    noise: that of the labeller who ranked them by the hidden rule; None for other rankings.
    """
    rows = read_table(ranked).filter(pl.col("purpose") == "held_out")
    pairs = pair_table(rows, noise, step)
    if not pairs.filter(~pl.col("is_tied")).height:
        return {"note": "no held-out answers are ranked apart, so nothing can be said"}, []
    of_models: dict[str, dict] = {}
    reliability: list[dict] = []
    score_pairs = partial(pair_scores, pairs, rows=rows)
    for name, model in models.items():
        rewards = rate_once(model, rows, end)
        scored = score_pairs(rewards)
        numbers, curve = measure_calibration(scored)
        lengths = rows["tokens"].list.len().to_numpy()
        of_models[name] = {
            "accuracy": measure_accuracy(scored, seed),
            "calibration": numbers,
            **length_correlation(rewards, lengths),
        }
        reliability += [{"arm": "reward model", "seed": name, **point} for point in curve]
    first = next(iter(of_models.values()))
    over = {
        "accuracy": [each["accuracy"]["all"]["value"] for each in of_models.values()],
        "brier": [each["calibration"]["brier"] for each in of_models.values()],
        "calibration_error": [
            each["calibration"]["calibration_error"] for each in of_models.values()
        ],
    }
    seeds = {name: spread(np.array(each)) for name, each in over.items()}
    length_alone = score_pairs(-rows["tokens"].list.len().to_numpy().astype(np.float64))
    baselines = {"chance": 0.5, "shorter_wins": clustered(length_alone, "right", seed)["value"]}
    if "ceiling" in first["accuracy"]["all"]:
        baselines["ceiling"] = first["accuracy"]["all"]["ceiling"]
    return {"trainings": of_models, "over_trainings": seeds, "baselines": baselines}, reliability


def length_correlation(rewards: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
    """Return how reward and length go together; {} where one of them never differs."""
    if np.ptp(rewards) == 0 or np.ptp(lengths) == 0:
        return {}
    return {"length_correlation": float(np.corrcoef(rewards, lengths)[0, 1])}


def said_of(quality: dict) -> str:
    """Return in a line how many held-out pairs the reward models rank right, beside chance."""
    if "trainings" not in quality:
        return f"reward models: {quality['note']}"
    shares = [each["accuracy"]["all"]["value"] for each in quality["trainings"].values()]
    return (
        f"reward models: {min(shares):.1%} to {max(shares):.1%} of held-out pairs are ranked "
        f"right, chance is {quality['baselines']['chance']:.0%}"
    )


def headline_of(quality: dict) -> dict[str, float]:
    """Return the reward model's main numbers alone."""
    if "trainings" not in quality:
        return {}
    first = next(iter(quality["trainings"].values()))
    found = {"accuracy": first["accuracy"]["all"]["value"], **first["calibration"]}
    for name, each in quality["over_trainings"].items():
        if each:
            found[name] = each["seeds"]["value"]
    return {**found, **quality["baselines"]}
