"""train: fine-tune a causal language model on the tokenized documents.

In: token ids (train.arrow, validation.arrow) and the base model's folder. Out: the tuned model's
folder in Hub layout (LoRA is merged, so later stages need not know), and the loss curve. A killed
run resumes from its last checkpoint in .scratch/train.
"""

import sys
from pathlib import Path

import typer

from genlab.core.files import write_json, written_whole
from genlab.core.processes import is_first, limit_threads
from genlab.core.program import run, stage_app
from genlab.core.scratch import resumable_folder
from genlab.models.loading import Dtype, load_causal_model, load_tokenizer
from genlab.models.training import (
    Method,
    Recipe,
    Schedule,
    add_lora,
    check_rows_fit,
    collate,
    perplexity,
    train_resumably,
    training_curve,
    validation_loss,
)

app = stage_app()


@app.command()
def main(
    tokens: Path,
    base: Path,
    output: Path,
    metrics: Path = typer.Option(...),
    curve: Path = typer.Option(..., help="loss against epoch, for dvc plots"),
    method: Method = typer.Option(..., help="train all weights, or low-rank adapters"),
    epochs: float = typer.Option(..., min=0.01),
    learning_rate: float = typer.Option(..., min=0.0),
    lr_scheduler_type: Schedule = typer.Option(..., help="how the learning rate falls"),
    warmup_steps: int = typer.Option(..., min=0),
    weight_decay: float = typer.Option(..., min=0.0),
    batch_size: int = typer.Option(..., min=1, help="rows per process and step"),
    gradient_accumulation_steps: int = typer.Option(..., min=1),
    early_stopping_patience: int = typer.Option(..., min=0, help="epochs without gain; 0: off"),
    save_steps: int = typer.Option(..., min=1, help="steps between checkpoints of a killed run"),
    dtype: Dtype = typer.Option(..., help="of the products; weights and sums are float32"),
    seed: int = typer.Option(..., min=0),
    lora_r: int = typer.Option(..., "--lora.r", min=1),
    lora_alpha: int = typer.Option(..., "--lora.alpha", min=1, help="scale is alpha / r"),
    lora_dropout: float = typer.Option(..., "--lora.dropout", min=0.0, max=1.0),
    lora_target_modules: str = typer.Option(
        ..., "--lora.target_modules", help="name, or all-linear"
    ),
) -> None:
    """Fine-tune, keep the best epoch when early stopping is on, else the last."""
    options = locals()
    from datasets import Dataset
    from transformers import set_seed

    recipe = Recipe(**{name: options[name] for name in Recipe.__annotations__})
    set_seed(seed)  # the adapters' first values are drawn before there is a Trainer
    tokenizer, model = load_tokenizer(base), load_causal_model(base)
    limit_threads(model)
    data = {
        split: Dataset.from_file(str(tokens / f"{split}.arrow"), in_memory=False)
        for split in ("train", "validation")
    }
    check_rows_fit(tokens, data["train"], model)
    if method is Method.lora:
        model = add_lora(model, lora_r, lora_alpha, lora_dropout, lora_target_modules)
    n_trainable = model.num_parameters(only_trainable=True)

    with resumable_folder("train", sys.argv[1:], [tokens, base]) as scratch:
        trainer = train_resumably(
            model,
            data,
            lambda rows: collate(rows, tokenizer.eos_token_id),
            recipe,
            scratch,
            dtype=dtype,
        )
        if not is_first():
            return
        with written_whole(output) as folder:
            tuned = model.merge_and_unload() if method is Method.lora else model
            tuned.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    log = trainer.state.log_history
    loss = validation_loss(log, recipe)
    write_json(curve, training_curve(log))
    write_json(
        metrics,
        {
            "validation_loss": loss,
            "validation_perplexity": perplexity(loss),
            "steps": trainer.state.global_step,
            "trainable_parameters": n_trainable,
        },
    )


if __name__ == "__main__":
    run(app)
