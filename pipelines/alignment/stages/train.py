"""train: move the policy towards the winners, once for every training seed.

In: the pairs, the corpus (texts to be written, for slic), the policy and its reference. Out: a
folder with a model a seed, and the curves. One program for all seeds of an arm, because loading the
libraries takes longer than training a small model. A killed run resumes: finished seeds are kept
in .scratch/alignment, the one it was in goes on from its last checkpoint.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.core.tables import read_table
from genlab.models.training import Lora, Method, lora_config
from genlab.preference.divergence import check_same_tokenizer
from genlab.preference.rows import check_rows_fit, draw_targets, preference_rows
from genlab.preference.trainer import (
    Loss,
    PreferenceRecipe,
    preference_curve,
    summarize_curves,
    train_policy,
)

app = stage_app()


def check(recipe: PreferenceRecipe) -> None:
    """Raise InputError if checkpoints and points of the curve would not fall together."""
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
    curve: Annotated[Path, Option(help="loss, margin and accuracy against steps, for dvc plots")],
    recipe: PreferenceRecipe,
    method: Annotated[Method, Option(help="train all weights, or low-rank adapters")],
    n_seeds: Annotated[int, Option(min=1, help="trainings: seed, seed + 1, ...")],
    seed: Annotated[int, Option(min=0)],
    lora: Lora,
) -> None:
    """Train one arm."""
    from genlab.models.loading import load_causal_model, load_tokenizer

    check(recipe)
    check_same_tokenizer(policy, reference)
    tokenizer, table = load_tokenizer(policy), read_table(pairs)
    rows = preference_rows(table, tokenizer.eos_token_id)
    if recipe.loss is Loss.slic:
        longest = max(map(len, rows["chosen_ids"] + rows["rejected_ids"]))
        rows["target_ids"] = draw_targets(table, corpus, tokenizer, longest, seed)
    check_rows_fit(rows, load_causal_model(policy).config)
    adapters = lora_config(lora)

    points, seeds = [], range(seed, seed + n_seeds)
    inputs = [pairs, corpus, policy, reference]
    with resumable_folder("alignment", sys.argv[1:], inputs) as scratch:
        for each in seeds:
            finished = scratch / f"finished-{each}"
            if not finished.is_dir():
                model, log = train_policy(
                    scratch / f"{each}",
                    policy,
                    reference,
                    tokenizer,
                    rows,
                    recipe,
                    adapters if method is Method.lora else None,
                    seed=each,
                )
                with written_whole(finished) as folder:
                    model.save_pretrained(folder / "model")
                    tokenizer.save_pretrained(folder / "model")
                    write_json(folder / "curve.json", preference_curve(log, each))
            points += json.loads((finished / "curve.json").read_text(encoding="utf-8"))
        with written_whole(output) as folder:
            for each in seeds:
                shutil.copytree(scratch / f"finished-{each}" / "model", folder / f"{each}")

    write_json(curve, points)
    write_json(metrics, summarize_curves(points))


if __name__ == "__main__":
    run(app)
