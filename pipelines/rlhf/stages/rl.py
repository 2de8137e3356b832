"""rl: optimise the policy against the reward model, once for every training seed of an arm.

Reads the prompts of RL, the plain text (for ptx), the model that RL starts from, and the reward
models: training s is against reward model s, so that their luck is part of the trainings' spread.
Writes a folder with a policy per seed and snapshot. A killed run resumes: finished seeds are kept
in .scratch/rlhf-rl, and the one in progress goes on from its last checkpoint.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.chosen import Chosen, is_left_out
from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.core.tables import read_table
from genlab.models.prompts import encode_prompts
from pipelines.rlhf.arms import RESERVED, read_curves
from pipelines.rlhf.prompt_lengths import check_answers_fit
from pipelines.rlhf.reinforcement import RlRecipe
from pipelines.rlhf.reward_model import check_n_seeds, reward_models
from pipelines.rlhf.rl_trainings import last_means, train_once, write_arm
from pipelines.rlhf.schemas import plain_texts
from pipelines.rlhf.supervised import text_rows

app = stage_app()


def check(
    recipe: RlRecipe,
    output: Path,
    snapshots: list[int],
    n_seeds: int,
    prompts: Path,
    start: Path,
    rewards: Path,
    made_by: dict[str, dict],
) -> None:
    """Raise InputError for an arm that cannot be trained. made_by: as `genlab check` says."""
    check_arm(recipe, output, snapshots)
    check_n_seeds(n_seeds, made_by[str(rewards)]["n_seeds"], output.name)
    base = made_by[str(start.parent)]["base"]
    check_answers_fit(
        "rl.max_completion_length", recipe.max_completion_length, prompts, base, made_by
    )


def check_arm(recipe: RlRecipe, output: Path, snapshots: list[int]) -> None:
    """Raise InputError for an arm's name that is taken, or snapshots that cannot be kept."""
    if output.name.casefold() in RESERVED:
        raise InputError(
            f"arms.{output.name}: {', '.join(RESERVED)} are other models; give the arm another name"
        )
    wrong = [step for step in snapshots if not 0 < step <= recipe.steps]
    if wrong:
        raise InputError(
            f"rl.snapshots: step {wrong[0]} is not among rl.steps={recipe.steps}; take steps from 1"
        )
    twice = [step for step in snapshots if snapshots.count(step) > 1]
    if twice:
        raise InputError(f"rl.snapshots has {twice[0]} twice; give each step once")
    if recipe.steps not in snapshots:
        raise InputError(f"rl.snapshots: must have the last step, rl.steps={recipe.steps}")


@app.command()
@grouped_options
def main(
    prompts: Path,
    texts: Path,
    start: Path,
    rewards: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    chosen: Chosen,
    recipe: RlRecipe,
    snapshots: Annotated[list[int], Option(help="steps after which the policy is kept")],
    n_seeds: Annotated[int, Option(min=1, help="trainings: seed, seed + 1, ...")],
) -> None:
    """Train one arm."""
    from genlab.models.loading import load_tokenizer

    if is_left_out(chosen, output, {metrics: {"trainings": 0}}):
        return
    check_arm(recipe, output, snapshots)
    tokenizer = load_tokenizer(start)
    asked = read_table(prompts).filter(pl.col("purpose") == "rl")["prompt"].to_list()
    ids = dict(zip(asked, encode_prompts(tokenizer, asked), strict=True))
    plain = plain_texts(texts, "train")
    if recipe.ptx_gamma and not plain:
        raise InputError(
            f"arms.{output.name}.ptx_gamma={recipe.ptx_gamma}: there is no plain text to keep the "
            "language-model loss on; give some (corpus.texts_path), or set it to 0"
        )
    longest = max(map(len, ids.values())) + recipe.max_completion_length
    ptx = [row["input_ids"] for row in text_rows(tokenizer, plain, longest)]
    models = reward_models(rewards, n_seeds, output.name)

    recipes = [replace(recipe, seed=recipe.seed + number) for number in range(n_seeds)]
    with resumable_folder("rlhf-rl", sys.argv[1:], [prompts, texts, start, rewards]) as scratch:
        finished = {
            f"{each.seed}": train_once(scratch, start, tokenizer, ids, ptx, model, each, snapshots)
            for each, model in zip(recipes, models, strict=False)  # there may be more models
        }
        points = read_curves(finished.values())
        write_arm(output, finished, points)
    means = last_means(points, recipe.steps)
    write_json(metrics, {"trainings": n_seeds, "steps": recipe.steps, **means})


if __name__ == "__main__":
    run(app)
