"""The arms of the comparison, which differ in the weights they train and in their reviews.

The functions here read an arm's rows, prepare its text-to-text model and summarize its training.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.program import InputError
from genlab.models.likelihood import perplexity
from genlab.models.lora import Lora, Method, add_lora
from genlab.models.training import Recipe, validation_loss

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, Trainer


def read_rows(tokens: Path, split: str, ratings: list[int]) -> "Dataset":
    """Return a split's rows of these ratings; raise InputError if there are none."""
    from datasets import Dataset

    rows = Dataset.from_file(str(tokens / f"{split}.arrow"), in_memory=False)
    chosen = np.flatnonzero(np.isin(rows.data.column("rating").to_numpy(), ratings))
    if not len(chosen):
        stars = ", ".join(map(str, sorted(ratings)))
        raise InputError(
            f"{tokens / split}.arrow: no review is rated {stars}; see metrics/dedup.json, and set "
            "the arm's ratings to some that are there"
        )
    # A copy of what is left, so that row numbers are places in the table.
    return Dataset(rows.data.table.take(chosen))


def prepare_model(model: "PreTrainedModel", method: Method, lora: Lora) -> "PreTrainedModel":
    """Return the model with what is to be trained, and print how much that is."""
    if method is Method.lora:
        model = add_lora(model, lora)
    trained, all_weights = model.num_parameters(only_trainable=True), model.num_parameters()
    line = f"{trained:,} of {all_weights:,} parameters are trained ({trained / all_weights:.1%})"
    if method is Method.lora:
        line += (
            f": LoRA of rank {lora.r} on {lora.target_modules}, {n_adapted(model)} matrices, "
            f"scale {lora.alpha}/{lora.r} = {lora.alpha / lora.r:g}"
        )
    print(line)
    return model


def n_adapted(model: "PreTrainedModel") -> int:
    """Return how many matrices have an adapter."""
    return sum(name.endswith("lora_A") for name, _ in model.named_modules())


def summarize_training(
    model: "PreTrainedModel", trainer: "Trainer", recipe: Recipe, method: Method, lora: Lora
) -> dict[str, float]:
    """Return what metrics say of an arm: its loss, its best epoch, what was trained."""
    log = trainer.state.log_history
    loss = validation_loss(log, recipe)
    losses = {entry["eval_loss"]: entry["epoch"] for entry in reversed(log) if "eval_loss" in entry}
    found = {
        "validation_loss": loss,
        "validation_perplexity": perplexity(loss),
        "best_epoch": losses[min(losses)],
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "train_rows": len(trainer.train_dataset),
        "trained_parameters": model.num_parameters(only_trainable=True),
    }
    if method is Method.lora:
        found |= {"lora_scale": lora.alpha / lora.r, "lora_matrices": n_adapted(model)}
    return found
