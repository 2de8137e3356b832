"""train: fine-tune a text-to-text model on requested reviews, one arm a run.

Reads token ids (train.arrow, validation.arrow) and the folder of the model to start from, the base
or another arm's. Writes the tuned model's folder in Hub layout, LoRA merged, with the adapters in
its subfolder adapter/, and the loss curve. A killed run resumes from its last checkpoint.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.chosen import Chosen, is_left_out
from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.processes import is_first
from genlab.core.program import run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.mini.training import adamw_of_two_rates
from genlab.models.batches import collate_pairs
from genlab.models.dropout import ModelDropout, set_dropout
from genlab.models.lora import Lora, Method
from genlab.models.saved import row_batches, save_checked
from genlab.models.training import Recipe, check_rows_fit, train_resumably, training_curve
from pipelines.reviews.adapters import (
    prepare_model,
    read_rows,
    summarize_training,
)
from pipelines.reviews.tracking import check_store, tracked

app = stage_app()


def check(mlflow_store: str) -> None:
    """Raise InputError for a store that MLflow does not know."""
    check_store(mlflow_store)


@app.command()
@grouped_options
def main(
    tokens: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of losses, epochs and sizes")],
    curve: Annotated[Path, Option(help="loss against epoch, for dvc plots")],
    chosen: Chosen,
    start: Annotated[Path, Option(help="folder of the model to start from")],
    method: Annotated[Method, Option(help="train all weights, or low-rank adapters")],
    ratings: Annotated[
        list[int], Option(min=1, max=5, help="reviews to train on; repeat the option")
    ],
    embedding_learning_rate: Annotated[float, Option(min=0.0, help="full: of the embeddings")],
    model_dropout: ModelDropout,
    recipe: Recipe,
    lora: Lora,
    mlflow_store: Annotated[
        str,
        Option(help="none; a SQLite file of the original checkout; or the URL of an MLflow store"),
    ],
) -> None:
    """Fine-tune one arm, keep the best epoch when early stopping is on, else the last."""
    from transformers import set_seed

    from genlab.models.loading import load_text_to_text_model, load_tokenizer

    check(mlflow_store)
    if is_left_out(chosen, output, {curve: [], metrics: {"training": {"steps": 0}}}):
        return
    set_seed(recipe.seed)  # the adapters' first values are drawn before there is a Trainer
    tokenizer, model = load_tokenizer(start), load_text_to_text_model(start)
    set_dropout(model, model_dropout)
    data = {split: read_rows(tokens, split, ratings) for split in ("train", "validation")}
    limits = {"input_ids": "tokenize.max_prompt_tokens", "labels": "tokenize.max_text_tokens"}
    for rows in data.values():
        check_rows_fit(tokens, rows, model, limits)
    model = prepare_model(model, method, lora)
    optimizer = adamw_of_two_rates(
        model, recipe.learning_rate, embedding_learning_rate, recipe.weight_decay
    )

    def collate_rows(rows: list[dict]) -> dict:
        return collate_pairs(rows, tokenizer.pad_token_id)

    with resumable_folder("train", sys.argv[1:], [tokens, start]) as scratch:
        logged = {"start": start, "method": method, "ratings": ratings}
        logged |= {**asdict(recipe), "embedding_learning_rate": embedding_learning_rate}
        logged |= {"dropout": model_dropout}
        logged |= {f"lora.{name}": value for name, value in asdict(lora).items()}
        with tracked(mlflow_store, output.name, logged) as report_to:
            trainer = train_resumably(
                model, data, collate_rows, recipe, scratch, report_to, optimizer
            )
        if not is_first():
            return
        found = summarize_training(model, trainer, recipe, method, lora)
        batches = row_batches(data["validation"], collate_rows, recipe.batch_size)
        with written_whole(output) as folder:
            if method is Method.lora:
                model.save_pretrained(folder / "adapter")
            save_checked(model, tokenizer, folder, batches, load_text_to_text_model)

    write_json(curve, training_curve(trainer.state.log_history))
    write_json(metrics, {"training": found})


if __name__ == "__main__":
    run(app)
