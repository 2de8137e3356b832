"""How good a reward model is on rankings it has not seen: accuracy, calibration, what it follows.

Pairs of one prompt share answers, so every interval is for other prompts, drawn whole, and that of
the mean over several trainings for other trainings, too. Accuracy stands between chance and the
noise ceiling: the most that can be expected where the labeller's noise is known.
"""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.tables import read_table
from genlab.statistics.intervals import SHARE, interval, ratio_interval
from genlab.statistics.trainings import interval_of_trainings
from pipelines.rlhf.rankings import pair_table
from pipelines.rlhf.rated_answers import margins_of, rate_once, right_of
from pipelines.rlhf.reward_model import RewardModel

# ours: of equal count, of sigmoid(better - worse) folded to above one half
N_BINS = 10


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


def over_both(trainings: list[pl.DataFrame], column: str, seed: int) -> dict[str, float]:
    """Return the mean of a column over pairs and trainings, in [0, 1], with a two-level interval.

    trainings: each one's pairs, of the same prompts; several. In each the mean is a ratio of two
    sums over prompts, linearised there, so a prompt without a pair brings nothing to it.
    """
    prompts = pl.concat([pairs.select("prompt_id") for pairs in trainings]).unique(
        maintain_order=True
    )
    values = []
    for pairs in trainings:
        groups = pairs.group_by("prompt_id").agg(total=pl.col(column).sum(), n=pl.len())
        own = prompts.join(groups, on="prompt_id", how="left", maintain_order="left").fill_null(0)
        total, n = own["total"].to_numpy(), own["n"].to_numpy()
        ratio = total.sum() / n.sum()
        values.append(ratio + (total - ratio * n) / n.mean())
    counts = {"pairs": trainings[0].height, "prompts": prompts.height}
    means = np.stack(values)[:, :, None]
    if prompts.height < 3:
        return {"value": float(means.mean()), **counts}
    mean, low, high = (float(end[0]) for end in interval_of_trainings(means, [SHARE], seed=seed))
    return interval(mean, max(low, 0.0), min(high, 1.0)) | counts


def parts_of(pairs: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return all pairs, the sure and the unsure half, those of equal length and of each kind."""
    size = pairs["margin"].abs()
    parts = {
        "all": pairs,
        "small margin": pairs.filter(size <= size.median()),
        "large margin": pairs.filter(size > size.median()),
        "equal length": pairs.filter(pl.col("is_same_length")),
    }
    common = pairs["pair_of"].value_counts(sort=True).head(6)["pair_of"].to_list()
    parts |= {name: pairs.filter(pl.col("pair_of") == name) for name in common if name}
    return {name: part for name, part in parts.items() if part.height}


def measure_accuracy(pairs: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Return one training's accuracy in each of its parts, with the ceiling where it is known."""
    return {
        name: clustered(part, "right", seed) | ceiling_of([part])
        for name, part in parts_of(pairs).items()
    }


def ceiling_of(trainings: list[pl.DataFrame]) -> dict[str, float]:
    """Return the mean ceiling of each training's pairs, averaged; {} where it is not known."""
    known = [pairs["ceiling"].drop_nulls() for pairs in trainings]
    return (
        {"ceiling": float(np.mean([each.mean() for each in known]))} if all(map(len, known)) else {}
    )


def measure_trainings(trainings: list[pl.DataFrame], seed: int) -> dict[str, dict]:
    """Return accuracy by part, brier and calibration_error over trainings; {} for one training.

    trainings: each one's scored pairs. A part counts that every training has. The calibration error
    is linearised: its bins, and on which side of them they are, are taken as they are.
    """
    if len(trainings) < 2:
        return {}
    parts = [parts_of(pairs) for pairs in trainings]
    accuracy = {
        name: over_both([each[name] for each in parts], "right", seed)
        | ceiling_of([each[name] for each in parts])
        for name in parts[0]
        if all(name in each for each in parts)
    }
    told = [pairs.with_columns(**calibration_of_pairs(pairs)) for pairs in trainings]
    numbers = {name: over_both(told, name, seed) for name in ("brier", "calibration_error")}
    return {"accuracy": accuracy, **numbers}


def said_and_was(pairs: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return what the model says and what was of each pair, float64[n], and the bins' places.

    Of each pair it says sigmoid(|margin|) that the one it likes better won; right or not.
    """
    said = 1 / (1 + np.exp(-np.abs(pairs["margin"].to_numpy())))
    order = np.argsort(said, kind="stable")
    bins = [each for each in np.array_split(order, N_BINS) if len(each)]
    return said, pairs["right"].to_numpy().astype(float), bins


def calibration_of_pairs(pairs: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return float64[n] whose means are the Brier score and the expected calibration error."""
    said, was, bins = said_and_was(pairs)
    gap = was - said
    for own in bins:
        gap[own] *= np.sign(gap[own].mean())
    return {"brier": (said - was) ** 2, "calibration_error": gap}


def measure_calibration(
    pairs: pl.DataFrame, seed: int
) -> tuple[dict[str, dict[str, float]], list[dict]]:
    """Return the Brier score and calibration error, and the points of the reliability curve."""
    said, was, bins = said_and_was(pairs)
    points = [
        {"said": float(said[b].mean()), "was": float(was[b].mean()), "pairs": len(b)} for b in bins
    ]
    columns = calibration_of_pairs(pairs)
    told = pairs.with_columns(**columns)
    return {name: clustered(told, name, seed) for name in columns}, points


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
    trainings = []
    for name, model in models.items():
        rewards = rate_once(model, rows, end)
        trainings.append(score_pairs(rewards))
        numbers, curve = measure_calibration(trainings[-1], seed)
        lengths = rows["tokens"].list.len().to_numpy()
        of_models[name] = {
            "accuracy": measure_accuracy(trainings[-1], seed),
            "calibration": numbers,
            **length_correlation(rewards, lengths),
        }
        reliability += [{"arm": "reward model", "seed": name, **point} for point in curve]
    first = next(iter(of_models.values()))
    over = measure_trainings(trainings, seed)
    length_alone = score_pairs(-rows["tokens"].list.len().to_numpy().astype(np.float64))
    baselines = {"chance": 0.5, "shorter_wins": clustered(length_alone, "right", seed)["value"]}
    if "ceiling" in first["accuracy"]["all"]:
        baselines["ceiling"] = first["accuracy"]["all"]["ceiling"]
    return {"trainings": of_models, "over_trainings": over, "baselines": baselines}, reliability


def length_correlation(rewards: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
    """Return how reward and length go together; {} where one of them never differs."""
    if np.ptp(rewards) == 0 or np.ptp(lengths) == 0:
        return {}
    x, y = (each - each.mean() for each in (rewards.astype(np.float64), lengths))
    return {"length_correlation": float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))}


def best_numbers(quality: dict) -> dict:
    """Return accuracy by part, brier and calibration_error: over trainings, or of the only one."""
    first = next(iter(quality["trainings"].values()))
    return quality["over_trainings"] or {"accuracy": first["accuracy"], **first["calibration"]}


def said_of(quality: dict) -> str:
    """Return in a line how many held-out pairs the reward models rank right, beside chance."""
    if "trainings" not in quality:
        return f"reward models: {quality['note']}"
    found = best_numbers(quality)["accuracy"]["all"]
    value, low, high = (f"{100 * found[name]:.1f}" for name in ("value", "low", "high"))
    return (
        f"reward models: {value} % [{low}, {high}] of held-out pairs are ranked right, chance is "
        f"{quality['baselines']['chance']:.0%}"
    )


def headline_of(quality: dict) -> dict[str, float]:
    """Return the reward model's main numbers alone, over trainings if there are several."""
    if "trainings" not in quality:
        return {}
    best = best_numbers(quality)
    found = {"accuracy": best["accuracy"]["all"]["value"]}
    found |= {name: best[name]["value"] for name in ("brier", "calibration_error")}
    return {**found, **quality["baselines"]}
