"""sft: imitate the demonstrations (`sft`), and make the model that RL starts from (`start`).

Reads the prompts with demonstrations, the plain text, and the base model. Writes a folder with both
models. A killed run resumes: the finished one is kept in .scratch/rlhf-sft, and the other goes on
from its last checkpoint.
"""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.core.tables import read_table
from genlab.models.prompts import MaxUnknownShare
from genlab.models.saved import save_checked
from pipelines.rlhf.schemas import plain_texts
from pipelines.rlhf.supervised import (
    SftRecipe,
    check_known,
    demonstration_rows,
    mixed_in,
    supervised_batches,
    text_rows,
    train_supervised,
)

app = stage_app()


@app.command()
@grouped_options
def main(
    prompts: Path,
    texts: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    max_unknown_share: MaxUnknownShare,
    recipe: SftRecipe,
) -> None:
    """Train both models."""
    from genlab.models.loading import load_causal_model, load_tokenizer

    tokenizer = load_tokenizer(base)
    asked = read_table(prompts)
    shown = asked.filter(pl.col("purpose") == "sft")
    rows = demonstration_rows(
        tokenizer, shown["prompt"].to_list(), shown["demonstration"].to_list()
    )
    plain = plain_texts(texts, "train")
    read = [*asked["prompt"], *asked["demonstration"].drop_nulls()]
    check_known(tokenizer, base, {prompts: read, texts: plain}, max_unknown_share)
    longest = max(len(row["input_ids"]) for row in rows)
    mixed = mixed_in(rows, text_rows(tokenizer, plain, longest), recipe.start_mix)

    numbers: dict[str, float] = {"demonstrations": len(rows), "mixed_in": len(mixed) - len(rows)}
    trained = {"sft": (rows, recipe.epochs), "start": (mixed, recipe.start_epochs)}
    with resumable_folder("rlhf-sft", sys.argv[1:], [prompts, texts, base]) as scratch:
        for name, (given, epochs) in trained.items():
            finished = scratch / f"finished-{name}"
            if not finished.is_dir():
                model, loss = train_supervised(
                    scratch / name, base, tokenizer, given, epochs, recipe
                )
                with written_whole(finished) as folder:
                    batches = supervised_batches(given, recipe)
                    save_checked(model, tokenizer, folder / "model", batches, load_causal_model)
                    write_json(folder / "loss.json", loss)
            numbers[f"{name}_loss"] = float((finished / "loss.json").read_text(encoding="utf-8"))
        with written_whole(output) as folder:
            for name in trained:
                shutil.copytree(scratch / f"finished-{name}" / "model", folder / name)
    write_json(metrics, numbers)


if __name__ == "__main__":
    run(app)
