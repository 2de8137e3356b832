"""train: move the policy towards the winners.

Reads the pairs, the policy, its reference, and the corpus, whose texts are slic's targets. Writes a
folder with the model and its training curve. A killed run resumes from its last checkpoint in
.scratch/alignment.
"""

import sys
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.chosen import Chosen, is_left_out
from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.core.tables import read_table
from genlab.models.lora import Lora
from genlab.models.saved import save_checked
from genlab.preference.divergence import check_same_tokenizer
from genlab.preference.rows import check_rows_fit, draw_targets, preference_rows
from genlab.preference.trainer import (
    Loss,
    PreferenceRecipe,
    preference_curve,
    sft_batches,
    summarize_curves,
    train_policy,
)
from pipelines.alignment.arms import BEFORE, CURVE

app = stage_app()


def check(recipe: PreferenceRecipe, output: Path) -> None:
    """Raise InputError for an arm's name that is taken, or a checkpoint between two points."""
    if output.name.casefold() == BEFORE:
        raise InputError(
            f"arms.{output.name}: {BEFORE} is the model before alignment; give the arm another name"
        )
    if recipe.save_steps % recipe.logging_steps:
        raise InputError(
            f"train.save_steps={recipe.save_steps} must be a multiple of train.logging_steps="
            f"{recipe.logging_steps}, or the curve of a resumed run would differ"
        )


@app.command()
@grouped_options
def main(
    pairs: Path,
    corpus: Path,
    policy: Path,
    reference: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    chosen: Chosen,
    recipe: PreferenceRecipe,
    lora: Lora,
) -> None:
    """Train one arm."""
    from genlab.models.loading import load_causal_model, load_tokenizer

    check(recipe, output)
    if is_left_out(chosen, output, {metrics: {"trainings": 0}}):
        return
    check_same_tokenizer(policy, reference)
    tokenizer, table = load_tokenizer(policy), read_table(pairs)
    rows = preference_rows(table, tokenizer.eos_token_id)
    if recipe.loss is Loss.slic:
        longest = max(map(len, rows["chosen_ids"] + rows["rejected_ids"]))
        texts = read_table(corpus).filter(pl.col("split") == "train")
        rows["target_ids"] = draw_targets(table, texts, tokenizer, longest, recipe.seed)
    check_rows_fit(rows, load_causal_model(policy))

    with resumable_folder("alignment", sys.argv[1:], [pairs, corpus, policy, reference]) as scratch:
        model, log = train_policy(scratch, policy, reference, tokenizer, rows, recipe, lora)
        points = preference_curve(log, recipe.seed)
        with written_whole(output) as folder:
            batches = sft_batches(rows, recipe)
            save_checked(model, tokenizer, folder, batches, load_causal_model)
            write_json(folder / CURVE, points)

    write_json(metrics, summarize_curves(points))


if __name__ == "__main__":
    run(app)
