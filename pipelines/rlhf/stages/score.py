"""score: what the reward model is worth, what RL gained, and where it went too far.

Reads the answers of all models, the many answers for best-of-n, the rankings, and the reward
models. Writes a row per prompt and arm of one training, which claims compare one after the other;
the headline and all numbers with their intervals, over all trainings; and the points of the
pictures.
"""

from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from pipelines.rlhf import metrics as measures
from pipelines.rlhf.arms import (
    BASE,
    DPO,
    SFT,
    START,
    arms_of_rl,
    check_arm,
    check_training,
    numbered,
)
from pipelines.rlhf.arms_measured import measure_arms
from pipelines.rlhf.pictures import best_of_n_points, draw_optimisation, optimisation_points
from pipelines.rlhf.policies_compared import measure_policies
from pipelines.rlhf.rankings import By
from pipelines.rlhf.rated_answers import rated
from pipelines.rlhf.readme_tables import make_tables
from pipelines.rlhf.reward_model import load_reward_model
from pipelines.rlhf.reward_quality import headline_of, measure_reward, said_of

app = stage_app()


def check(
    arm: str, training: int, generated: Path, rewards: Path, made_by: dict[str, dict]
) -> None:
    """Raise InputError for an arm that is to write no answers, or a training there is none of.

    DPO stands beside every training, so it has as many. made_by: as `genlab check` says.
    """
    answers, options = made_by[str(generated)], made_by[str(rewards)]
    check_arm(arm, [BASE, SFT, START, DPO, *answers["arms"]])
    n_dpo = made_by[str(answers["dpo"])]["n_seeds"]
    if n_dpo != options["n_seeds"]:
        raise InputError(
            f"dpo.n_seeds={n_dpo}: DPO is compared training by training, and there are "
            f"{options['n_seeds']} reward models; set it to reward.n_seeds"
        )
    seeds = range(options["seed"], options["seed"] + options["n_seeds"])
    if training not in seeds:
        check_training(training, [f"{seeds[0]} to {seeds[-1]}"])


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
    arms = arms_of_rl(rows, arm)

    tables, summaries = measure_arms(rows, arms, arm, seed)
    chosen = next(name for name in (f"{arm}_{at}", arm) if name in tables)
    per_step = prompts_per_step * num_generations
    points, compared = measure_policies(
        rows, read_table(best_of), models, end, arms, per_step, seed
    )
    known_noise = noise if by is By.rule else None
    quality, reliability = measure_reward(ranked, models, end, known_noise, step, seed)

    of_training = {n: t.filter(pl.col("seed") == f"{training}") for n, t in tables.items()}
    write_table(output, [of_training[chosen]], measures.ROW_SCHEMA)
    write_table(arms_output, of_training.values(), measures.ROW_SCHEMA)
    shown = measures.headlines(summaries)
    write_json(metrics, {"answers": shown, "reward_model": headline_of(quality)})
    write_json(details, {"arms": summaries, "reward_model": quality, "policies": compared})
    write_json(readme_tables, make_tables(points, arm, summaries, compared, quality))
    lines = optimisation_points(points, arms, compared)
    write_json(optimisation, lines)
    draw_optimisation(lines, arm, picture)
    write_json(best, best_of_n_points(points))
    write_json(calibration, reliability)
    print(measures.table_of(summaries))
    print(said_of(quality))


if __name__ == "__main__":
    run(app)
