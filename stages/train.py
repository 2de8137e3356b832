"""train: fine-tune a causal language model on the tokenized documents.

In: token ids (train.arrow, validation.arrow) and the base model's folder. Out: the tuned model's
folder in Hub layout (LoRA is merged, so later stages need not know), and the loss curve. A killed
run resumes from its last checkpoint in .scratch/train.
"""

import math
import sys
from enum import StrEnum
from pathlib import Path

import typer

from genlab.files import remove, write_json, written_whole
from genlab.processes import best_device, is_first
from genlab.program import InputError, run, stage_app
from genlab.scratch import resumable_folder
from genlab.training import (
    add_lora,
    causal_trainer,
    check_rows_fit,
    collate,
    last_whole_checkpoint,
    perplexity,
    save_every,
    training_curve,
)

app = stage_app()


class Method(StrEnum):
    full = "full"
    lora = "lora"


class Schedule(StrEnum):
    linear = "linear"
    cosine = "cosine"
    constant = "constant"
    constant_with_warmup = "constant_with_warmup"


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
    seed: int = typer.Option(..., min=0),
    lora_r: int = typer.Option(..., "--lora.r", min=1),
    lora_alpha: int = typer.Option(..., "--lora.alpha", min=1, help="scale is alpha / r"),
    lora_dropout: float = typer.Option(..., "--lora.dropout", min=0.0, max=1.0),
    lora_target_modules: str = typer.Option(
        ..., "--lora.target_modules", help="name, or all-linear"
    ),
) -> None:
    """Fine-tune, keep the best epoch when early stopping is on, else the last."""
    from datasets import Dataset
    from transformers import EarlyStoppingCallback, TrainingArguments, set_seed

    from genlab.models import load_causal_model, load_tokenizer

    set_seed(seed)  # the adapters' first values are drawn before there is a Trainer
    tokenizer, model = load_tokenizer(base), load_causal_model(base)
    data = {
        split: Dataset.from_file(str(tokens / f"{split}.arrow"), in_memory=False)
        for split in ("train", "validation")
    }
    check_rows_fit(tokens, data["train"], model)
    if method is Method.lora:
        model = add_lora(model, lora_r, lora_alpha, lora_dropout, lora_target_modules)
    n_trainable = model.num_parameters(only_trainable=True)

    with resumable_folder("train", sys.argv[1:], [tokens, base]) as scratch:
        trainer = causal_trainer(
            model=model,
            args=TrainingArguments(
                output_dir=str(scratch),
                num_train_epochs=epochs,
                learning_rate=learning_rate,
                lr_scheduler_type=lr_scheduler_type,
                warmup_steps=warmup_steps,
                weight_decay=weight_decay,
                per_device_train_batch_size=batch_size,
                per_device_eval_batch_size=4 * batch_size,  # no gradients to hold
                gradient_accumulation_steps=gradient_accumulation_steps,
                remove_unused_columns=False,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=2,
                load_best_model_at_end=early_stopping_patience > 0,
                metric_for_best_model="eval_loss",
                greater_is_better=False,
                restore_callback_states_from_checkpoint=True,  # the patience used up so far
                logging_steps=20,
                report_to="none",
                seed=seed,
                dataloader_pin_memory=False,
                use_cpu=best_device().type == "cpu",  # must be told, or processes stay alone
            ),
            train_dataset=data["train"],
            eval_dataset=data["validation"],
            data_collator=lambda rows: collate(rows, tokenizer.eos_token_id),
            callbacks=[save_every(save_steps)]
            + [EarlyStoppingCallback(early_stopping_patience)] * (early_stopping_patience > 0),
        )
        checkpoint = last_whole_checkpoint(scratch)
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        trainer.accelerator.wait_for_everyone()  # the first process deletes the checkpoints
        if not is_first():
            return
        points = training_curve(trainer.state.log_history)
        losses = [point["loss"] for point in points if point["split"] == "validation"]
        loss = min(losses) if early_stopping_patience else losses[-1]  # of the weights kept
        if not math.isfinite(loss):
            remove(scratch)  # nothing to resume from
            raise InputError(
                f"the validation loss is {loss}: training diverged; lower train.learning_rate="
                f"{learning_rate}, or raise train.warmup_steps"
            )
        with written_whole(output) as folder:
            tuned = model.merge_and_unload() if method is Method.lora else model
            tuned.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    write_json(curve, points)
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
