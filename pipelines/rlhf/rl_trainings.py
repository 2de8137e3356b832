"""The trainings of one arm of RL, one a seed: each is kept when it is finished.

So a killed run goes on where it was. A finished one is a folder of snapshots with its curve.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.files import write_json, written_whole
from pipelines.rlhf.reinforcement import RlRecipe, check_prompts_fit, train_policy
from pipelines.rlhf.reward_model import check_reads_as, load_reward_model, rate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def train_once(
    scratch: Path,
    start: Path,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: dict[str, list[int]],
    texts: list[list[int]],
    reward_folder: Path,
    recipe: RlRecipe,
    snapshots: list[int],
) -> Path:
    """Train the policy of one seed, unless it is there; return its folder in `scratch`.

    prompts, texts: as `train_policy` takes them. Raises InputError for a reward model that reads
    other tokens than the policy writes, or too few at a time for a prompt and its answer.
    """
    finished = scratch / f"finished-{recipe.seed}"
    if finished.is_dir():
        return finished
    check_reads_as(reward_folder, start)
    reward = load_reward_model(reward_folder)
    check_prompts_fit(prompts, reward.model, reward_folder, recipe)
    folder = scratch / f"{recipe.seed}"
    rates = partial(rate, reward)
    log = train_policy(folder, start, tokenizer, prompts, texts, rates, recipe, snapshots)
    save_snapshots(folder / "snapshots", finished, snapshots, tokenizer, log, recipe.seed)
    return finished


def write_arm(output: Path, finished: dict[str, Path], points: list[dict]) -> None:
    """Write an arm's folder: the snapshots of each training below its seed, and one curve.json."""
    with written_whole(output) as folder:
        for seed, training in finished.items():
            shutil.copytree(training, folder / seed, ignore=shutil.ignore_patterns("curve.json"))
        write_json(folder / "curve.json", points)


def curve_points(log: list[dict], seed: int) -> Iterator[dict]:
    """Yield plot points of a training: seed, step, proxy reward, KL and length of its answers."""
    for entry in log:
        yield {
            "seed": str(seed),
            "step": entry["step"],
            "reward": entry["reward"],
            "new_tokens": entry["completions/mean_length"],
            **({"kl": entry["kl"]} if "kl" in entry else {}),  # with beta 0 TRL reckons none
        }


def save_snapshots(
    kept: Path,
    output: Path,
    snapshots: list[int],
    tokenizer: "PreTrainedTokenizerBase",
    log: list[dict],
    seed: int,
) -> None:
    """Write a training's snapshots with their tokenizer, and its curve, to a folder."""
    with written_whole(output) as folder:
        for step in snapshots:
            shutil.copytree(kept / f"{step}", folder / f"{step}")
            tokenizer.save_pretrained(folder / f"{step}")
        write_json(folder / "curve.json", list(curve_points(log, seed)))


def last_means(points: list[dict], n_steps: int) -> dict[str, float]:
    """Return what the trainings' last steps have on average: reward, KL, new tokens."""
    last = [point for point in points if point["step"] == n_steps]
    return {
        name: sum(point[name] for point in last) / len(last)
        for name in ("reward", "kl", "new_tokens")
        if all(name in point for point in last)
    }
