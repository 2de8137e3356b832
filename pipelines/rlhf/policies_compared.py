"""RL, best-of-n and DPO on one scale: what each gains, how far it moves, how much it costs.

Best-of-n answers the first of the held-out prompts alone, so what stands beside it is measured on
these, too.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl

from pipelines.rlhf.arms import BEST, DPO, START
from pipelines.rlhf.best_of_n import expected_best, kl_bound
from pipelines.rlhf.metrics import peak_step, spread
from pipelines.rlhf.overoptimisation import (
    Form,
    fit_gain,
    read_at,
    residual_deviation,
    turning_interval,
    turning_point,
)
from pipelines.rlhf.rated_answers import rate_once
from pipelines.rlhf.reward_model import RewardModel


@dataclass(frozen=True)
class Point:
    """One policy's mean over prompts: distance d from the start (root of nats), proxy, truth."""

    arm: str
    seed: str
    step: int
    d: float
    proxy: float
    truth: float


def rl_points(rows: pl.DataFrame) -> list[Point]:
    """Return a point per model, given held-out answers with proxy, of every arm and training."""
    means = rows.group_by("arm", "seed", "step", maintain_order=True).agg(
        pl.col("kl").mean(), pl.col("proxy").mean(), pl.col("truth").mean()
    )
    return [
        Point(arm, seed, step, sqrt(max(kl, 0.0)), proxy, np.nan if truth is None else truth)
        for arm, seed, step, kl, proxy, truth in means.iter_rows()
    ]


def on_prompts_of(rows: pl.DataFrame, drawn: pl.DataFrame) -> pl.DataFrame:
    """Return the answers to the prompts that best-of-n was drawn for."""
    return rows.filter(pl.col("prompt_id").is_in(drawn["prompt_id"].unique().implode()))


def best_points(drawn: pl.DataFrame, seed: str) -> list[Point]:
    """Return best-of-n's points for n = 1, 2, 4, ... under one reward model's proxy; d is a bound.

    drawn: all answers of the start with prompt_id, proxy and truth.
    """
    groups = [
        (group["proxy"].to_numpy(), group["truth"].cast(pl.Float64).to_numpy())
        for _, group in drawn.group_by("prompt_id", maintain_order=True)
    ]
    n_all = min(len(proxy) for proxy, _ in groups)
    return [
        Point(
            BEST,
            seed,
            n,
            sqrt(float(kl_bound(n))),
            float(np.mean([expected_best(proxy, proxy, n) for proxy, _ in groups])),
            float(np.mean([expected_best(proxy, truth, n) for proxy, truth in groups])),
        )
        for n in (2**k for k in range(n_all.bit_length()))
        if n <= n_all
    ]


def fit_trainings(points: list[Point], starts: dict[str, Point], form: Form) -> dict:
    """Return the fit of the truth gained against d for every training, and the turning point d*.

    starts: seed -> the point of the start (n = 1) under that training's reward model. residual_sd
    is how far the points lie from their fit, over all trainings the root of the mean square.
    """
    fits: dict[str, dict] = {}
    turns, ends, deviations = [], [], []
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
    if not fits:
        return {}
    means = {name: float(np.mean([fit[name] for fit in fits.values()])) for name in ("a", "b")}
    if deviations:
        means["residual_sd"] = float(np.sqrt(np.mean(np.square(deviations))))
    turn = turning_interval(turns, ends)
    return {**means, "turning_point": turn, "trainings": fits}


def at_equal_kl(points: list[Point], beside: list[Point], arm: str) -> dict[str, dict]:
    """Return the truth of DPO, of an arm of RL and of best-of-n at DPO's distance from the start.

    points: means over all held-out prompts; beside: best-of-n's, and the others' on its prompts
    (rl_beside_best). Best-of-n and RL begin from the same value there, the start's mean over all
    its answers. Read between the two points around it, training by training; left out where there
    are none. The distance of best-of-n is its bound, so it may be less far, never farther.
    """
    found: dict[str, list[float]] = {
        "d": [], "rl": [], "dpo": [], "rl_beside_best": [], "best_of": []
    }  # fmt: skip
    for dpo in (point for point in points if point.arm == DPO):
        mine = [point for point in points if point.seed == dpo.seed and point.arm in (arm, START)]
        same = [point for point in beside if point.seed == dpo.seed]
        best = [point for point in same if point.arm == BEST]
        begun = [point for point in same if point.arm == arm] + [p for p in best if p.step == 1]
        paths = {"rl": mine, "rl_beside_best": begun, "best_of": best}
        read = {
            name: read_at(dpo.d, [(p.d, p.truth) for p in path]) for name, path in paths.items()
        }
        if any(value is None or np.isnan(value) for value in read.values()):
            continue
        for name, value in {"d": dpo.d, "dpo": dpo.truth, **read}.items():
            found[name].append(value)  # type: ignore[arg-type]
    return summarized(found)


def at_equal_samples(
    beside: list[Point], arm: str, peak: int, per_step: int, n_served: int
) -> dict[str, dict]:
    """Return the truth of RL at its peak, and of best-of-n that scores as many answers in all.

    beside: means over the prompts of best-of-n. RL scores steps * per_step answers once, however
    many prompts it then serves; best-of-n scores n for each. For `n_served` prompts the two have
    scored the same at n = peak * per_step / n_served.
    """
    n = peak * per_step / n_served
    found: dict[str, list[float]] = {"rl_beside_best": [], "best_of": []}
    for point in (p for p in beside if p.arm == arm and p.step == peak):
        curve = [(float(p.step), p.truth) for p in beside if (p.arm, p.seed) == (BEST, point.seed)]
        if curve:
            value = read_at(min(max(n, 1.0), max(at for at, _ in curve)), curve)
            if value is not None and not np.isnan(value):
                found["rl_beside_best"].append(point.truth)
                found["best_of"].append(value)
    return {"n": {"value": n}, **summarized(found)}


def summarized(found: dict[str, list[float]]) -> dict[str, dict]:
    """Return the means over trainings, with intervals, and of differences from RL, paired."""
    values = {name: np.array(each) for name, each in found.items() if each}
    for ours, theirs in (("rl", "dpo"), ("rl_beside_best", "best_of")):
        if ours in values and theirs in values:
            values[f"rl_minus_{theirs}"] = values[ours] - values[theirs]
    return {
        name: spread(each).get("seeds", {"value": float(each.mean())})
        for name, each in values.items()
    }


def compare_policies(
    points: list[Point], beside: list[Point], arms: list[str], rows: pl.DataFrame, per_step: int
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
    found: dict[str, dict] = {BEST: fit_trainings(drawn, firsts, "best_of_n")}
    for arm in arms:
        mine = [p for p in points if p.arm == arm]
        validation = rows.filter((pl.col("arm") == arm) & (pl.col("purpose") == "validation"))
        peak = peak_step(validation)
        found[arm] = {
            "peak_step": peak,
            "fit": fit_trainings(mine, starts, "rl"),
            "at_equal_kl": at_equal_kl(points, beside, arm),
            "at_equal_samples": at_equal_samples(beside, arm, peak, per_step, served),
        }
    return found


def points_of_best(drawn: pl.DataFrame, models: dict[str, RewardModel], end: int) -> list[Point]:
    """Return best-of-n's points under every reward model."""
    found = []
    for name, model in models.items():
        proxy = pl.Series(rate_once(model, drawn, end))
        found += best_points(drawn.with_columns(proxy=proxy), name)
    return found
