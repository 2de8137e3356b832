"""dpo: the same rankings without reward model or RL, once for every training seed.

Reads the rankings and the model that RL starts from. All untied pairs of the rankings are learnt by
DPO (Rafailov et al. 2023), with genlab's preference trainer. Writes a folder with a model per seed.
A killed run resumes as `reward` does.
"""

import shutil
import sys
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
from genlab.models.lora import Lora
from genlab.models.saved import save_checked
from genlab.preference.rows import check_rows_fit, preference_rows
from pipelines.rlhf.dpo_recipe import DpoRecipe
from pipelines.rlhf.rankings import has_a_pair, preference_pairs

app = stage_app()


@app.command()
@grouped_options
def main(
    ranked: Path,
    start: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    n_prompts: Annotated[int, Option(min=0, help="rankings that are learnt from; 0: all")],
    n_seeds: Annotated[int, Option(min=1, help="trainings: seed, seed + 1, ...")],
    recipe: DpoRecipe,
) -> None:
    """Train the policies."""
    from genlab.models.loading import load_causal_model, load_tokenizer
    from genlab.preference.trainer import sft_batches, train_policy

    tokenizer = load_tokenizer(start)
    mine = read_table(ranked).filter(pl.col("purpose") == "reward")
    if n_prompts:  # those of the reward model
        mine = mine.filter(has_a_pair())
        names = mine["prompt_id"].unique(maintain_order=True)[:n_prompts]
        mine = mine.filter(pl.col("prompt_id").is_in(names.implode()))
    rows = preference_rows(preference_pairs(mine), tokenizer.eos_token_id)
    model = load_causal_model(start)
    check_rows_fit(rows, model)
    no_lora = Lora(1, 1, 0.0, "none")
    log: list[dict] = []
    seeds = range(recipe.seed, recipe.seed + n_seeds)
    with resumable_folder("rlhf-dpo", sys.argv[1:], [ranked, start]) as scratch:
        for seed in seeds:
            finished = scratch / f"finished-{seed}"
            if not finished.is_dir():
                of_seed = replace(recipe, seed=seed).preference()
                model, log = train_policy(
                    scratch / f"{seed}", start, start, tokenizer, rows, of_seed, no_lora
                )
                with written_whole(finished) as folder:
                    batches = sft_batches(rows, of_seed)
                    save_checked(model, tokenizer, folder, batches, load_causal_model)
                    write_json(folder / "loss.json", [e["loss"] for e in log if "loss" in e])
        with written_whole(output) as folder:
            for seed in seeds:
                shutil.copytree(scratch / f"finished-{seed}", folder / f"{seed}")
    write_json(metrics, {"trainings": n_seeds, "pairs": len(rows["prompt_ids"])})


if __name__ == "__main__":
    run(app)
