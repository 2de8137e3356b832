"""reward: train a reward model from the rankings, once for every training seed.

Reads the rankings, the prompts (whose demonstrations shall have a mean reward of 0), and the base
of the reward model. Writes a folder with a model per seed. A killed run resumes: finished seeds are
kept in .scratch/rlhf-reward, and the one in progress goes on from its last checkpoint.
"""

import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.core.tables import read_table
from genlab.models.prompts import encode_bodies, encode_prompts
from pipelines.rlhf.arms import read_curves
from pipelines.rlhf.rankings import Ties, reward_rows
from pipelines.rlhf.rated_answers import check_accuracy
from pipelines.rlhf.reward_model import check_n_layer, check_reads_as
from pipelines.rlhf.reward_training import RewardRecipe, train_once

app = stage_app()


def check(recipe: RewardRecipe, base: Path, made_by: dict[str, dict]) -> None:
    """Raise InputError for more layers than a mini base has. made_by: as `genlab check` says.

    Other bases' layers are known only once they are fetched; the training checks those.
    """
    options = made_by.get(str(base), {})
    if options.get("source") == "policy":
        options = made_by.get(str(options["policy"]), {})
    if options.get("source") in ("bundled", "mini"):
        check_n_layer(recipe.n_layer, options["n_layer"], base)


@app.command()
@grouped_options
def main(
    ranked: Path,
    prompts: Path,
    base: Path,
    policy: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    curves: Annotated[Path, Option(help="loss and accuracy against steps, for dvc plots")],
    ties: Annotated[Ties, Option(help="two answers of one rank")],
    n_prompts: Annotated[int, Option(min=0, help="rankings that are learnt from; 0: all")],
    n_seeds: Annotated[int, Option(min=1, help="trainings: seed, seed + 1, ...")],
    min_accuracy: Annotated[
        float, Option(min=0.0, max=1.0, help="of held-out pairs ranked right; below: refused")
    ],
    recipe: RewardRecipe,
) -> None:
    """Train the reward models."""
    from genlab.models.loading import load_tokenizer

    check_reads_as(base, policy)
    tokenizer, dropped = load_tokenizer(base), Counter[str]()
    answers = read_table(ranked)
    mine = answers.filter(pl.col("purpose") == "reward")
    rows = reward_rows(mine, ties, tokenizer.eos_token_id, dropped)
    rows = rows[:n_prompts] if n_prompts else rows
    shown = read_table(prompts).filter(pl.col("purpose") == "sft")
    asked = encode_prompts(tokenizer, shown["prompt"].to_list())
    demonstrations = encode_bodies(tokenizer, shown["demonstration"].to_list())

    recipes = [replace(recipe, seed=recipe.seed + number) for number in range(n_seeds)]
    with resumable_folder("rlhf-reward", sys.argv[1:], [ranked, prompts, base]) as scratch:
        finished = {
            f"{each.seed}": train_once(scratch, base, tokenizer, rows, asked, demonstrations, each)
            for each in recipes
        }
        held_out = answers.filter(pl.col("purpose") == "held_out")
        models = {seed: folder / "model" for seed, folder in finished.items()}
        check_accuracy(models, held_out, tokenizer.eos_token_id, min_accuracy)
        points = read_curves(finished.values())
        with written_whole(output) as folder:
            for seed, model in models.items():
                shutil.copytree(model, folder / seed)
    write_json(curves, points)
    last = {point["seed"]: point for point in points}
    counts = {f"dropped_{reason}": n for reason, n in dropped.items()}
    write_json(
        metrics,
        {
            "trainings": n_seeds,
            "prompts": len(rows),
            "answers": sum(len(row["ranks"]) for row in rows),
            "last_loss": sum(point["loss"] for point in last.values()) / len(last),
            **counts,
        },
    )


if __name__ == "__main__":
    run(app)
