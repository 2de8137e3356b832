"""What training needs around transformers' Trainer: token means, a recipe, the curve.

Checkpoints are kept by step, with what a killed training needs to go on from them.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import pyarrow.compute as pc
from typer import Option

from genlab.core.files import remove
from genlab.core.processes import best_device, is_first
from genlab.core.program import InputError
from genlab.models.batches import IGNORED, LengthGroupedOrder, row_lengths
from genlab.models.likelihood import perplexity
from genlab.models.loading import Dtype
from genlab.models.positions import usable_positions
from genlab.models.shown_training import train_from

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments


class Schedule(StrEnum):
    """How the learning rate goes on, by transformers' names."""

    linear = "linear"
    cosine = "cosine"
    constant = "constant"
    constant_with_warmup = "constant_with_warmup"


def token_mean_trainer(**options) -> "Trainer":
    """Return a transformers Trainer with two differences; options are the Trainer's.

    Its validation loss is a mean over TOKENS: the library's is a mean over batches of the batch's
    mean, which depends on the batch size and is not the logarithm of the perplexity. Its rows
    come in `LengthGroupedOrder`.
    """
    import torch
    from torch.utils.data import DataLoader
    from transformers import Trainer, TrainerControl

    is_encoder_decoder = options["model"].config.is_encoder_decoder

    class TokenMeanTrainer(Trainer):
        def _get_train_sampler(self, train_dataset=None):
            rows = self.train_dataset if train_dataset is None else train_dataset
            of_each = self.args.train_batch_size * self.args.gradient_accumulation_steps
            of_all = of_each * self.args.world_size  # the same order for 1 x 8 rows and for 2 x 4
            return LengthGroupedOrder(row_lengths(rows), of_all, self.args.seed)

        @torch.inference_mode()
        def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
            self.model.eval()
            sums = torch.zeros(2, dtype=torch.float64)  # negative log likelihood, tokens
            rows = self.eval_dataset if eval_dataset is None else eval_dataset
            loader = DataLoader(rows, self.args.eval_batch_size, collate_fn=self.data_collator)
            # Not the library's, which repeats rows until all processes have equally many.
            for number, batch in enumerate(loader):
                if number % self.args.world_size != self.args.process_index:
                    continue
                batch = self._prepare_inputs(batch)
                # A causal model has no prediction for the first.
                labels = batch["labels"][:, 0 if is_encoder_decoder else 1 :]
                n_tokens = (labels != IGNORED).sum()
                loss = self.model(**batch).loss  # mean over the batch's tokens
                each = torch.stack((loss.double() * n_tokens, n_tokens.double()))
                sums += each.cpu()
            # Once, as processes may have seen one batch more or less than others.
            sums = self.accelerator.reduce(sums.to(self.args.device), "sum").cpu()
            metrics = {f"{metric_key_prefix}_loss": float(sums[0] / sums[1])}
            self.log(metrics)
            self.control: TrainerControl = self.callback_handler.on_evaluate(
                self.args, self.state, self.control, metrics
            )
            return metrics

    return TokenMeanTrainer(**options)


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train; the fields are params of `train` and transformers' own."""

    epochs: Annotated[float, Option(min=0.01, max=10**4, help="at most, with early stopping")]
    learning_rate: Annotated[float, Option(min=0.0)]
    lr_scheduler_type: Annotated[Schedule, Option(help="how the learning rate falls")]
    warmup_steps: Annotated[int, Option(min=0)]
    weight_decay: Annotated[float, Option(min=0.0)]
    batch_size: Annotated[int, Option(min=1, help="rows per process and step")]
    gradient_accumulation_steps: Annotated[int, Option(min=1)]
    early_stopping_patience: Annotated[
        int, Option(min=0, help="epochs without gain; 0: off, and the last epoch is kept")
    ]
    save_steps: Annotated[int, Option(min=1, help="steps between checkpoints of a killed run")]
    seed: Annotated[int, Option(min=0)]


def train_resumably(
    model: "PreTrainedModel",
    data: "dict[str, Dataset]",
    data_collator: Callable[[list[dict]], dict],
    recipe: Recipe,
    scratch: Path,
    report_to: str = "none",
    optimizer: "torch.optim.Optimizer | None" = None,
    dtype: Dtype = Dtype.float32,
) -> "Trainer":
    """Train `model` on data["train"], from a killed run's checkpoint on, and return the trainer.

    With early stopping the model is the best epoch's, by the loss on data["validation"], else the
    last's. `scratch` is the folder of checkpoints; `report_to` a tracker of transformers' (mlflow);
    `optimizer` AdamW by default; with bfloat16 products are computed in it, while weights and sums
    stay float32. Raises InputError if the loss ends up infinite or NaN.
    """
    from transformers import EarlyStoppingCallback

    patience = recipe.early_stopping_patience
    trainer = token_mean_trainer(
        model=model,
        args=training_arguments(recipe, scratch, report_to, dtype),
        train_dataset=data["train"],
        eval_dataset=data["validation"],
        data_collator=data_collator,
        optimizers=(optimizer, None),
        callbacks=[save_every(recipe.save_steps)]
        + [EarlyStoppingCallback(patience)] * (patience > 0),
    )
    checkpoint = last_whole_checkpoint(scratch)
    if checkpoint and (epochs := epochs_if_stopped(checkpoint)):
        trainer.args.num_train_epochs = epochs
    train_from(trainer, checkpoint, "training")
    trainer.accelerator.wait_for_everyone()  # the first process deletes the checkpoints
    loss = validation_loss(trainer.state.log_history, recipe)
    if not math.isfinite(loss):
        if is_first():
            remove(scratch)  # nothing to resume from
        raise InputError(
            f"the validation loss is {loss}: training diverged; lower the learning_rate "
            f"({recipe.learning_rate}), or raise warmup_steps"
        )
    return trainer


def training_arguments(
    recipe: Recipe, scratch: Path, report_to: str, dtype: Dtype
) -> "TrainingArguments":
    """Return transformers' settings for a recipe."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.lr_scheduler_type,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=4 * recipe.batch_size,  # no gradients to hold
        gradient_accumulation_steps=recipe.gradient_accumulation_steps,
        bf16=dtype is Dtype.bfloat16,
        remove_unused_columns=False,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=recipe.early_stopping_patience > 0,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,  # the patience used up so far
        logging_steps=20,
        report_to=report_to,
        seed=recipe.seed,
        dataloader_pin_memory=False,
        use_cpu=best_device().type == "cpu",  # must be told, or processes stay alone
    )


def validation_loss(log_history: list[dict], recipe: Recipe) -> float:
    """Return the validation loss, nats per token, of the weights that a training keeps."""
    losses = [entry["eval_loss"] for entry in log_history if "eval_loss" in entry]
    return min(losses) if recipe.early_stopping_patience else losses[-1]


def save_every(n_steps: int) -> "TrainerCallback":
    """Return a callback that asks for a checkpoint every `n_steps`, beside those at epoch ends.

    At an epoch's last step it leaves the checkpoint to the Trainer, which evaluates first: resumed
    from one that was made before, a training would skip that evaluation.
    """
    from transformers import TrainerCallback

    class SaveEvery(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step % n_steps == 0 and not state.epoch.is_integer():
                control.should_save = True

    return SaveEvery()


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Return the latest checkpoint in `folder` that was written to its end, None if there is none.

    The Trainer writes trainer_state.json last; a kill in the middle leaves it missing or broken.
    """
    for path in sorted(
        folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True
    ):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return path
    return None


def epochs_if_stopped(checkpoint: Path) -> float | None:
    """Return the epochs of a training that had stopped early when it was killed, else None.

    The Trainer would train one epoch more, because it resets the restored decision to stop.
    """
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    control = state.get("stateful_callbacks", {}).get("TrainerControl", {}).get("args", {})
    return state["epoch"] if control.get("should_training_stop") else None


def training_curve(log_history: list[dict]) -> list[dict]:
    """Return the Trainer's log as plot points: epoch, split, loss (nats per token), perplexity."""
    return [
        {
            "epoch": round(entry["epoch"], 4),
            "split": split,
            "loss": entry[key],
            "perplexity": perplexity(entry[key]),
        }
        for entry in log_history
        for split, key in (("train", "loss"), ("validation", "eval_loss"))
        if key in entry
    ]


def check_rows_fit(
    tokens: Path,
    rows: "Dataset",
    model: "PreTrainedModel",
    keys: Mapping[str, str] = MappingProxyType({"input_ids": "tokenize.block_size"}),
) -> None:
    """Raise InputError if a row of token ids is longer than the model has positions.

    keys: {column of ids: the param that limits it}.
    """
    n_positions = usable_positions(model)
    for column, key in keys.items():
        longest = pc.max(pc.list_value_length(rows.data[column])).as_py() or 0  # None of no row
        if n_positions and longest > n_positions:
            raise InputError(
                f"{tokens}: a row of {longest} tokens exceeds the model's {n_positions} positions; "
                f"lower {key}"
            )
