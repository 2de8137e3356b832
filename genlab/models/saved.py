"""A trained model is saved, loaded again, and must have the loss it had in memory.

Reports are about the model in memory, but later stages use the one on disk. The two can differ
without an error: if adapters were merged into a tied matrix, or the format leaves out weights. So
every training ends with a comparison of their losses on a few batches. Models without a loss, such
as classifiers, are compared by their scores of a few texts.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.program import InputError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

N_BATCHES = 3
# Relative, of a batch's mean loss. Merged adapters round to 1e-6 of it; a lost one changes the
# second digit.
MOST_DIFFERENCE = 1e-4
# What to do where it is not saved as it was trained.
WHOLE = "see that the disk is in order; if it is, this kind of model cannot be saved whole"
ADAPTED = "train with method=full, or name other layers in lora.target_modules"
N_SCORED = 8  # texts by whose scores a model without a loss is compared


def save_checked(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path,
    batches: Iterable[dict],
    load: Callable[[Path], "PreTrainedModel"],
) -> None:
    """Save a model, its adapters merged, with its tokenizer to `folder`, and load it again.

    `batches`: inputs with labels; the first few are read. `load` is what later stages load this
    kind of model with. Raises InputError if a batch has another loss after loading. Merging
    changes `model`.
    """
    from peft import PeftModel

    few = first_batches(batches)
    measured = mean_losses(model, few)
    advice = ADAPTED if isinstance(model, PeftModel) else WHOLE
    merged = model.merge_and_unload() if isinstance(model, PeftModel) else model
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    saved = mean_losses(load(folder).to(model.device), few)
    check_same_losses(measured, saved, advice)


def check_loads_the_same(
    model: "PreTrainedModel", saved: "PreTrainedModel", batches: Iterable[dict]
) -> None:
    """Raise InputError if `saved`, a reloaded model, has another loss than the one in memory.

    `batches` are as `save_checked` reads them.
    """
    few = first_batches(batches)
    check_same_losses(mean_losses(model, few), mean_losses(saved.to(model.device), few), WHOLE)


def first_batches(batches: Iterable[dict]) -> list[dict]:
    """Return the few batches by which a saved model is compared."""
    return [batch for batch, _ in zip(batches, range(N_BATCHES), strict=False)]


def check_same_losses(measured: list[float], saved: list[float], advice: str) -> None:
    """Raise InputError if the losses of the saved model are not those measured in memory."""
    for before, after in zip(measured, saved, strict=True):
        if not math.isclose(before, after, rel_tol=MOST_DIFFERENCE, abs_tol=MOST_DIFFERENCE):
            raise InputError(
                f"the trained model has the loss {before:.4g} in memory, but {after:.4g} when it "
                "is saved and loaded again: its weights are not saved as they were trained; "
                + advice
            )


def check_same_scores(measured: np.ndarray, saved: np.ndarray, shown: str) -> None:
    """Raise InputError if a saved model's scores of a few texts differ from those in memory.

    `shown` is the model's name for the message. Rounding on another device changes a score by less
    than a thousandth.
    """
    if not np.allclose(measured, saved, rtol=1e-3, atol=1e-4):
        apart = np.abs(np.asarray(measured) - saved).max()
        raise InputError(
            f"{shown}: saved and loaded again, it scores the same texts otherwise than it did in "
            f"memory (by up to {apart:.4g}): its weights are not saved as they were trained; "
            f"{WHOLE}"
        )


def mean_losses(model: "PreTrainedModel", batches: list[dict[str, "torch.Tensor"]]) -> list[float]:
    """Return the mean loss per token of each batch, in nats, without dropout.

    What a Trainer put around the model is taken off: in mixed precision that rounds the products,
    by more than what is looked for.
    """
    import torch
    from accelerate.utils import extract_model_from_parallel

    model = extract_model_from_parallel(model, keep_fp32_wrapper=False)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        losses = [
            model(**{name: values.to(model.device) for name, values in batch.items()}).loss.item()
            for batch in batches
        ]
    model.train(was_training)
    return losses


def row_batches(
    rows: Iterable[dict], collate: Callable[[list[dict]], dict], batch_size: int
) -> Iterable[dict]:
    """Yield batches of the rows in their order, as `collate` makes them."""
    batch: list[dict] = []
    for row in rows:
        batch.append(row)
        if len(batch) == batch_size:
            yield collate(batch)
            batch = []
    if batch:
        yield collate(batch)
