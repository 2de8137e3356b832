"""train: fine-tune a text-to-text model on reviews to order; one arm of the comparison a run.

In: token ids (train.arrow, validation.arrow) and the folder of the model to start from: the base,
or another arm's. Out: the tuned model's folder in Hub layout, LoRA merged, with the adapters in
its subfolder adapter/; and the loss curve. A killed run resumes from its last checkpoint.
"""

import sys
from pathlib import Path

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.processes import is_first, limit_threads
from genlab.core.program import run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.models.training import (
    Method,
    Recipe,
    Schedule,
    collate_pairs,
    train_resumably,
    training_curve,
)
from pipelines.reviews.adapters import (
    Lora,
    optimizer_of,
    prepare_model,
    read_rows,
    summarize_training,
)
from pipelines.reviews.tracking import tracked

app = stage_app()


@app.command()
def main(
    tokens: Path,
    output: Path,
    metrics: Path = Option(..., help="JSON of losses, epochs and sizes"),
    curve: Path = Option(..., help="loss against epoch, for dvc plots"),
    start: Path = Option(..., help="folder of the model to start from"),
    method: Method = Option(..., help="train all weights, or low-rank adapters"),
    ratings: list[int] = Option(..., min=1, max=5, help="reviews to train on; repeat the option"),
    epochs: float = Option(..., min=0.01, help="at most, with early stopping"),
    learning_rate: float = Option(..., min=0.0),
    embedding_learning_rate: float = Option(..., min=0.0, help="full: of the embeddings"),
    lr_scheduler_type: Schedule = Option(..., help="how the learning rate falls"),
    warmup_steps: int = Option(..., min=0),
    weight_decay: float = Option(..., min=0.0),
    batch_size: int = Option(..., min=1, help="rows per process and step"),
    gradient_accumulation_steps: int = Option(..., min=1),
    early_stopping_patience: int = Option(..., min=0, help="epochs without gain; 0: off"),
    save_steps: int = Option(..., min=1, help="steps between checkpoints of a killed run"),
    mlflow_store: str = Option(
        ..., help="none, or a SQLite file of the original checkout; read it with all of MLflow"
    ),
    seed: int = Option(..., min=0),
    lora_r: int = Option(..., "--lora.r", min=1),
    lora_alpha: int = Option(..., "--lora.alpha", min=1, help="scale is alpha / r"),
    lora_dropout: float = Option(..., "--lora.dropout", min=0.0, max=1.0),
    lora_target_modules: str = Option(
        ..., "--lora.target_modules", help="names with commas between, or all-linear"
    ),
) -> None:
    """Fine-tune one arm, keep the best epoch when early stopping is on, else the last."""
    options = locals()
    from transformers import set_seed

    from genlab.models.loading import load_text_to_text_model, load_tokenizer

    recipe = Recipe(**{name: options[name] for name in Recipe.__annotations__})
    lora = Lora(lora_r, lora_alpha, lora_dropout, lora_target_modules)
    set_seed(seed)  # the adapters' first values are drawn before there is a Trainer
    tokenizer, model = load_tokenizer(start), load_text_to_text_model(start)
    limit_threads(model)
    data = {split: read_rows(tokens, split, ratings) for split in ("train", "validation")}
    model = prepare_model(model, method, lora)
    optimizer = optimizer_of(model, learning_rate, embedding_learning_rate, weight_decay)

    with resumable_folder("train", sys.argv[1:], [tokens, start]) as scratch:
        with tracked(mlflow_store, output.name, options) as report_to:
            trainer = train_resumably(
                model,
                data,
                lambda rows: collate_pairs(rows, tokenizer.pad_token_id),
                recipe,
                scratch,
                report_to,
                optimizer,
            )
        if not is_first():
            return
        found = summarize_training(model, trainer, recipe, method, lora)
        with written_whole(output) as folder:
            if method is Method.lora:
                model.save_pretrained(folder / "adapter")
                model = model.merge_and_unload()
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    write_json(curve, training_curve(trainer.state.log_history))
    write_json(metrics, {"training": found})


if __name__ == "__main__":
    run(app)
