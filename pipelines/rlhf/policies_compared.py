"""RL, best-of-n and DPO on one scale: what each gains, how far it moves, how much it costs.

Best-of-n answers the first of the held-out prompts alone, so what stands beside it is measured on
these, too.
"""

from dataclasses import dataclass, field
from math import sqrt
from typing import TypeGuard

import numpy as np
import polars as pl

from genlab.statistics.intervals import interval
from genlab.statistics.trainings import interval_of_trainings
from pipelines.rlhf.arms import BASE, BEST, DPO, SFT, START
from pipelines.rlhf.best_of_n import expected_best, kl_bound
from pipelines.rlhf.metrics import linear_root, peak_step
from pipelines.rlhf.overoptimisation import (
    Form,
    fit_gain,
    linear_turn,
    read_at,
    residual_deviation,
    turning_interval,
    turning_point,
)
from pipelines.rlhf.rated_answers import rate_once
from pipelines.rlhf.reward_model import RewardModel


@dataclass(frozen=True)
class Point:
    """One policy's mean over prompts: distance d from the start (root of nats), proxy, truth.

    truths, roots: float64[prompts], by prompt_id: values of single prompts whose means are truth
    and d. A bound has no roots.
    """

    arm: str
    seed: str
    step: int
    d: float
    proxy: float
    truth: float
    truths: np.ndarray = field(default_factory=lambda: np.empty(0), compare=False, repr=False)
    roots: np.ndarray = field(default_factory=lambda: np.empty(0), compare=False, repr=False)


def rl_points(rows: pl.DataFrame) -> list[Point]:
    """Return a point per model, given held-out answers with proxy, of every arm and training."""
    points = []
    models = rows.sort("prompt_id", maintain_order=True).partition_by(
        "arm", "seed", "step", as_dict=True, include_key=False
    )
    for arm, seed, step in rows.select("arm", "seed", "step").unique(maintain_order=True).rows():
        kl, proxy, truths = (
            models[arm, seed, step][name].cast(pl.Float64).to_numpy()
            for name in ("kl", "proxy", "truth")
        )
        d = sqrt(max(float(kl.mean()), 0.0))
        means = d, float(proxy.mean()), float(truths.mean())
        points.append(Point(arm, seed, step, *means, truths, linear_root(kl)))
    return points


def on_prompts_of(rows: pl.DataFrame, drawn: pl.DataFrame) -> pl.DataFrame:
    """Return the answers to the prompts that best-of-n was drawn for."""
    return rows.filter(pl.col("prompt_id").is_in(drawn["prompt_id"].unique().implode()))


def best_points(drawn: pl.DataFrame, seed: str) -> list[Point]:
    """Return best-of-n's points for n = 1, 2, 4, ... under one reward model's proxy; d is a bound.

    drawn: all answers of the start with prompt_id, proxy and truth.
    """
    groups = [
        (group["proxy"].to_numpy(), group["truth"].cast(pl.Float64).to_numpy())
        for group in drawn.sort("prompt_id", maintain_order=True).partition_by(
            "prompt_id", maintain_order=True
        )
    ]
    n_all = min(len(proxy) for proxy, _ in groups)
    points = []
    for n in (2**k for k in range(n_all.bit_length()) if 2**k <= n_all):
        proxies = [expected_best(proxy, proxy, n) for proxy, _ in groups]
        truths = np.array([expected_best(proxy, truth, n) for proxy, truth in groups])
        means = sqrt(float(kl_bound(n))), float(np.mean(proxies)), float(truths.mean())
        points.append(Point(BEST, seed, n, *means, truths))
    return points


def fit_trainings(
    points: list[Point], starts: dict[str, Point], form: Form, bootstrap_seed: int
) -> dict:
    """Return the fit of the truth gained against d for every training, and the turning point d*.

    starts: seed -> the point of the start (n = 1) under that training's reward model. residual_sd
    is how far the points lie from their fit, over all trainings the root of the mean square.
    """
    fits: dict[str, dict] = {}
    turns, ends, deviations, of_prompts = [], [], [], []
    for seed in dict.fromkeys(point.seed for point in points):
        mine = [point for point in points if point.seed == seed and point.d > 0]
        if len({point.d for point in mine}) < 2:
            continue
        d = np.array([point.d for point in mine])
        gain = np.array([point.truth - starts[seed].truth for point in mine])
        a, b = fit_gain(d, gain, form)
        fits[seed] = {"a": a, "b": b}
        if len(d) > 2:
            fits[seed]["residual_sd"] = residual_deviation(d, gain, a, b, form)
            deviations.append(fits[seed]["residual_sd"])
        turns.append(turning_point(a, b, form))
        ends.append(float(d.max()))
        gains = np.stack([point.truths - starts[seed].truths for point in mine])
        roots = [
            point.roots if len(point.roots) else np.full(gains.shape[1], point.d) for point in mine
        ]
        of_prompts.append(linear_turn(np.stack(roots), gains, form))
    if not fits:
        return {}
    means = {name: float(np.mean([fit[name] for fit in fits.values()])) for name in ("a", "b")}
    if deviations:
        means["residual_sd"] = float(np.sqrt(np.mean(np.square(deviations))))
    turn = turning_interval(turns, ends, of_prompts, bootstrap_seed)
    return {**means, "turning_point": turn, "trainings": fits}


def at_equal_kl(
    points: list[Point], beside: list[Point], arm: str, bootstrap_seed: int
) -> dict[str, dict]:
    """Return the truth of DPO, of an arm of RL and of best-of-n at DPO's distance from the start.

    points: means over all held-out prompts; beside: best-of-n's points, and the others' on its
    prompts (rl_beside_best). There best-of-n and RL start from the same value, the start's mean
    over all its answers. Values are interpolated between the two points around DPO's distance,
    training by training, and left out if there are none. The distance of best-of-n is an upper
    bound. Intervals generalise to new prompts and new trainings, with each training's DPO distance
    taken as given.
    """
    found: dict[str, list[np.ndarray]] = {
        "d": [], "rl": [], "dpo": [], "rl_beside_best": [], "best_of": []
    }  # fmt: skip
    for dpo in (point for point in points if point.arm == DPO):
        mine = [point for point in points if point.seed == dpo.seed and point.arm in (arm, START)]
        same = [point for point in beside if point.seed == dpo.seed]
        best = [point for point in same if point.arm == BEST]
        begun = [point for point in same if point.arm == arm] + [p for p in best if p.step == 1]
        paths = {"rl": mine, "rl_beside_best": begun, "best_of": best}
        read = {
            name: read_at(dpo.d, [(p.d, p.truths) for p in path]) for name, path in paths.items()
        }
        told = {name: values for name, values in read.items() if is_told(values)}
        if len(told) < len(paths):
            continue
        for name, values in {"d": dpo.roots, "dpo": dpo.truths, **told}.items():
            found[name].append(values)
    return summarized(found, bootstrap_seed)


def at_equal_samples(
    beside: list[Point], arm: str, peak: int, per_step: int, n_served: int, bootstrap_seed: int
) -> dict[str, dict]:
    """Return the truth of RL at its peak, and of best-of-n that scores as many answers in all.

    beside: means over the prompts of best-of-n. RL scores steps * per_step answers once, however
    many prompts it then serves; best-of-n scores n for each. For `n_served` prompts the two have
    scored the same at n = peak * per_step / n_served.
    """
    n = peak * per_step / n_served
    found: dict[str, list[np.ndarray]] = {"rl_beside_best": [], "best_of": []}
    for point in (p for p in beside if p.arm == arm and p.step == peak):
        curve = [(float(p.step), p.truths) for p in beside if (p.arm, p.seed) == (BEST, point.seed)]
        if curve:
            values = read_at(min(max(n, 1.0), max(at for at, _ in curve)), curve)
            if is_told(values):
                found["rl_beside_best"].append(point.truths)
                found["best_of"].append(values)
    return {"n": {"value": n}, **summarized(found, bootstrap_seed)}


def is_told(values: np.ndarray | None) -> TypeGuard[np.ndarray]:
    """Return whether there is a value of every prompt."""
    return values is not None and not np.isnan(values).any()


def summarized(found: dict[str, list[np.ndarray]], seed: int) -> dict[str, dict]:
    """Return means over prompts and trainings, and of differences from RL, paired by both.

    found: float64[prompts] of each training. Intervals are for other prompts and, of several
    trainings, for other trainings.
    """
    values = {name: np.stack(each) for name, each in found.items() if each}
    for ours, theirs in (("rl", "dpo"), ("rl_beside_best", "best_of")):
        if ours in values and theirs in values:
            values[f"rl_minus_{theirs}"] = values[ours] - values[theirs]
    return {name: over_both(each, seed) for name, each in values.items()}


def over_both(values: np.ndarray, seed: int) -> dict[str, float]:
    """Return the mean of float64[trainings, prompts] and its two-level interval."""
    mean, low, high = interval_of_trainings(values[:, :, None], [None], seed=seed)
    return interval(mean[0], low[0], high[0])


def compare_policies(
    points: list[Point],
    beside: list[Point],
    arms: list[str],
    rows: pl.DataFrame,
    per_step: int,
    bootstrap_seed: int,
) -> dict[str, dict]:
    """Return the fits of best-of-n and of each arm, and the comparisons at equal KL and samples.

    points and beside: as `at_equal_kl`.
    """
    starts = {p.seed: p for p in points if p.arm == START}
    drawn = [p for p in beside if p.arm == BEST]
    firsts = {p.seed: p for p in drawn if p.step == 1}
    if any(np.isnan(p.truth) for p in starts.values()):
        return {}  # no hidden rule, so there is no truth to lose
    served = rows.filter(pl.col("purpose") == "held_out")["prompt_id"].n_unique()
    found: dict[str, dict] = {BEST: fit_trainings(drawn, firsts, "best_of_n", bootstrap_seed)}
    for arm in arms:
        mine = [p for p in points if p.arm == arm]
        validation = rows.filter((pl.col("arm") == arm) & (pl.col("purpose") == "validation"))
        peak = peak_step(validation)
        found[arm] = {
            "peak_step": peak,
            "fit": fit_trainings(mine, starts, "rl", bootstrap_seed),
            "at_equal_kl": at_equal_kl(points, beside, arm, bootstrap_seed),
            "at_equal_samples": at_equal_samples(
                beside, arm, peak, per_step, served, bootstrap_seed
            ),
        }
    return found


def points_of_best(drawn: pl.DataFrame, models: dict[str, RewardModel], end: int) -> list[Point]:
    """Return best-of-n's points under every reward model."""
    found = []
    for name, model in models.items():
        proxy = pl.Series(rate_once(model, drawn, end))
        found += best_points(drawn.with_columns(proxy=proxy), name)
    return found


def measure_policies(
    rows: pl.DataFrame,
    drawn: pl.DataFrame,
    models: dict[str, RewardModel],
    end: int,
    arms: list[str],
    per_step: int,
    seed: int,
) -> tuple[list[Point], dict[str, dict]]:
    """Return the points of RL, DPO and best-of-n, and their comparisons.

    rows: answers of all models, with proxy; drawn: the start's many answers, for best-of-n; end:
    the end-of-text; per_step: answers that a step of RL asks for; seed: of the bootstrap.
    """
    is_scored = (pl.col("purpose") == "held_out") & ~pl.col("arm").is_in([BASE, SFT])
    scored, of_best = rows.filter(is_scored), points_of_best(drawn, models, end)
    points = rl_points(scored) + of_best
    beside = rl_points(on_prompts_of(scored, drawn)) + of_best
    return points, compare_policies(points, beside, arms, rows, per_step, seed)
