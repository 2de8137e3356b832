"""score: what the reward model is worth, what RL gained, and where it went too far.

Reads the answers of all models, the many answers for best-of-n, the rankings, and the reward
models. Writes a row per prompt and arm of one training, which claims compare one after the other;
the headline and all numbers with their intervals, over all trainings; and the points of the
pictures.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from pipelines.rlhf import metrics as measures
from pipelines.rlhf.answers import full_answers
from pipelines.rlhf.arms import BASE, DPO, SFT, START, numbered
from pipelines.rlhf.pictures import best_of_n_points, draw_optimisation, optimisation_points
from pipelines.rlhf.policies_compared import (
    Point,
    at_equal_kl,
    at_equal_samples,
    best_points,
    fit_trainings,
    rl_points,
)
from pipelines.rlhf.rankings import By, pair_table
from pipelines.rlhf.readme_tables import make_tables
from pipelines.rlhf.reward_model import RewardModel, load_reward_model, rate
from pipelines.rlhf.reward_quality import (
    clustered,
    measure_accuracy,
    measure_calibration,
    pair_scores,
)

app = stage_app()


@app.command()
def main(
    generated: Path,
    best_of: Path,
    ranked: Path,
    rewards: Path,
    output: Path,
    arms_output: Path,
    metrics: Annotated[Path, Option(help="the headline")],
    details: Annotated[Path, Option(help="all numbers, with their intervals")],
    readme_tables: Annotated[Path, Option(help="tables that README shows")],
    optimisation: Annotated[Path, Option(help="proxy and truth against distance, for dvc plots")],
    picture: Annotated[Path, Option(help="SVG of the same, of score.arm, for README")],
    best: Annotated[Path, Option(help="the same of best-of-n, for dvc plots")],
    calibration: Annotated[Path, Option(help="the reward model's reliability, for dvc plots")],
    arm: Annotated[str, Option(help="the arm of RL whose rows are compared; or another model")],
    at: Annotated[Literal["end", "peak"], Option(help="the last step, or that of most truth")],
    training: Annotated[int, Option(min=0, help="the training of which rows are written")],
    by: Annotated[By, Option(help="who ranked")],
    noise: Annotated[float, Option(min=0.0, help="the labeller's, for the ceiling")],
    step: Annotated[float, Option(min=0.0, help="the labeller's grid")],
    prompts_per_step: Annotated[int, Option(min=1, help="that RL asks")],
    num_generations: Annotated[int, Option(min=2, help="answers to each")],
    batch_size: Annotated[int, Option(min=1, help="answers a reward model reads at a time")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Measure everything."""
    from genlab.models.loading import load_tokenizer

    folders = numbered(rewards)
    end = load_tokenizer(folders[0]).eos_token_id
    models = {folder.name: load_reward_model(folder, batch_size) for folder in folders}
    check_training(training, list(models))
    rows = rated(read_table(generated), models, end)
    known = known_arms(rows, arm)
    arms = [name for name in known if name not in (BASE, SFT, START, DPO)]

    tables, summaries = measure_arms(rows, arms, arm, seed)
    chosen = next(name for name in (f"{arm}_{at}", arm) if name in tables)
    held_out = rows.filter(pl.col("purpose") == "held_out")
    drawn = read_table(best_of)
    points = rl_points(held_out.filter(~pl.col("arm").is_in([BASE, SFT])))
    points += points_of_best(drawn, models, end)
    compared = compare_policies(points, arms, rows, prompts_per_step * num_generations)
    known_noise = noise if by is By.rule else None
    quality, reliability = measure_reward(ranked, models, end, known_noise, step, seed)

    of_training = {n: t.filter(pl.col("seed") == f"{training}") for n, t in tables.items()}
    write_table(output, [of_training[chosen]], measures.ROW_SCHEMA)
    write_table(arms_output, of_training.values(), measures.ROW_SCHEMA)
    shown = measures.headlines(summaries)
    write_json(metrics, {"answers": shown, "reward_model": headline_of(quality)})
    write_json(details, {"arms": summaries, "reward_model": quality, "policies": compared})
    write_json(readme_tables, make_tables(points, arm, compared, quality))
    lines = optimisation_points(points, arms, compared)
    write_json(optimisation, lines)
    draw_optimisation(lines, arm, picture)
    write_json(best, best_of_n_points(points))
    write_json(calibration, reliability)
    print(measures.table_of(summaries))


def known_arms(rows: pl.DataFrame, arm: str) -> list[str]:
    """Return all arms that wrote answers; InputError if `arm` is not among them."""
    known = rows["arm"].unique(maintain_order=True).to_list()
    if arm not in known:
        raise InputError(f"score.arm={arm} wrote no answers; there are {', '.join(known)}")
    return known


def points_of_best(drawn: pl.DataFrame, models: dict[str, RewardModel], end: int) -> list[Point]:
    """Return best-of-n's points under every reward model."""
    found = []
    for name, model in models.items():
        proxy = pl.Series(rate_once(model, drawn, end))
        found += best_points(drawn.with_columns(proxy=proxy), name)
    return found


def check_training(training: int, known: list[str]) -> None:
    """Raise InputError for a training that has no reward model; they are called by its seed."""
    if f"{training}" not in known:
        raise InputError(
            f"score.training={training}: the trainings are {', '.join(known)}; take one of them, "
            "or raise reward.n_seeds"
        )


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


def measure_arms(
    rows: pl.DataFrame, arms: list[str], every_step_of: str, seed: int
) -> tuple[dict[str, pl.DataFrame], dict[str, dict]]:
    """Return each arm's rows on the held-out prompts and its summary, RL's at end and peak.

    Of one arm those at every step that was kept stand beside, called ARM_step_STEP.
    """
    held_out = rows.filter(pl.col("purpose") == "held_out")
    views = {name: (name, measures.END, 0) for name in (BASE, SFT, START, DPO)}
    for name in arms:
        of_arm = rows.filter(pl.col("arm") == name)
        peak = measures.peak_step(of_arm.filter(pl.col("purpose") == "validation"))
        views[f"{name}_peak"] = (name, measures.PEAK, peak)
        views[f"{name}_end"] = (name, measures.END, int(of_arm["step"].max()))  # type: ignore[arg-type]
        if name == every_step_of:
            steps = sorted(set(of_arm["step"]))
            views |= {f"{name}_step_{step}": (name, measures.STEP, step) for step in steps}
    tables, summaries = {}, {}
    for view, (name, at, step) in views.items():
        mine = held_out.filter((pl.col("arm") == name) & (pl.col("step") == step))
        parts = []
        for training in mine["seed"].unique(maintain_order=True):
            sft = held_out.filter((pl.col("arm") == SFT) & (pl.col("seed") == training))
            of_seed = mine.filter(pl.col("seed") == training)
            parts.append(measures.measure_rows(of_seed.with_columns(at=pl.lit(at)), sft))
        tokens = [
            mine.filter(pl.col("seed") == part["seed"][0])["tokens"].to_list() for part in parts
        ]
        tables[view] = pl.concat(parts).with_columns(arm=pl.lit(view))
        summaries[view] = measures.summarize(parts, tokens, seed)
    return tables, summaries


def compare_policies(
    points: list[Point], arms: list[str], rows: pl.DataFrame, per_step: int
) -> dict[str, dict]:
    """Return the fits of best-of-n and of each arm, and the comparisons at equal KL and samples."""
    starts = {p.seed: p for p in points if p.arm == START}
    firsts = {p.seed: p for p in points if p.arm == "best_of" and p.step == 1}
    if any(np.isnan(p.truth) for p in starts.values()):
        return {}  # no hidden rule, so there is no truth to lose
    served = rows.filter(pl.col("purpose") == "held_out")["prompt_id"].n_unique()
    drawn = [p for p in points if p.arm == "best_of"]
    found: dict[str, dict] = {"best_of": fit_trainings(drawn, firsts, "best_of_n")}
    for arm in arms:
        mine = [p for p in points if p.arm == arm]
        validation = rows.filter((pl.col("arm") == arm) & (pl.col("purpose") == "validation"))
        peak = measures.peak_step(validation)
        found[arm] = {
            "peak_step": peak,
            "fit": fit_trainings(mine, starts, "rl"),
            "at_equal_kl": at_equal_kl(points, arm),
            "at_equal_samples": at_equal_samples(points, arm, peak, per_step, served),
        }
    return found


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
    seeds = {name: measures.spread(np.array(each)) for name, each in over.items()}
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


if __name__ == "__main__":
    run(app)
