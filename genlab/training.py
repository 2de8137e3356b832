"""What training needs around transformers' Trainer: a collator, an order of rows, token means,
checkpoints by step and what they need to be resumed from, the curve.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from genlab.program import InputError

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel, Trainer, TrainerCallback

IGNORED = -100  # the label torch's cross-entropy leaves out


def collate(rows: list[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows of token ids to the longest: input_ids, attention_mask and labels, each [b, t].

    Labels are ignored at padding BY POSITION and at the first `n_prompt` tokens. Never by token
    id: where padding shares its id with end-of-text, that would take end-of-text out of the loss
    and generation would never stop.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.full((len(rows), longest), pad_id)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        ids = torch.as_tensor(row["input_ids"])
        input_ids[i, : len(ids)] = ids
        mask[i, : len(ids)] = 1
        labels[i, row["n_prompt"] : len(ids)] = ids[row["n_prompt"] :]
    return {"input_ids": input_ids, "attention_mask": mask, "labels": labels}


class LengthGroupedOrder:
    """Row numbers with neighbours of similar length, in an order of (seed, epoch) alone.

    The library's own sampler draws from torch's global random numbers, whose state at the start
    of an epoch is in no checkpoint: a training killed after its first epoch would go on with
    other batches than those it was in the middle of.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        import torch
        from transformers.trainer_pt_utils import get_length_grouped_indices

        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))


def row_lengths(rows: "Dataset") -> list[int]:
    """Return the number of token ids of every row, without reading the ids."""
    import pyarrow.compute as pc

    return pc.list_value_length(rows.data.column("input_ids")).to_pylist()


def causal_trainer(**options) -> "Trainer":
    """Return a transformers Trainer with two differences; options are the Trainer's.

    Its validation loss is a mean over TOKENS: the library's is a mean over batches of the batch's
    mean, which depends on the batch size and is not the logarithm of the perplexity. Its rows
    come in `LengthGroupedOrder`.
    """
    import torch
    from transformers import Trainer

    class CausalTrainer(Trainer):
        def _get_train_sampler(self, train_dataset=None):
            rows = self.train_dataset if train_dataset is None else train_dataset
            batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps
            return LengthGroupedOrder(row_lengths(rows), batch_size, self.args.seed)

        @torch.inference_mode()
        def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
            self.model.eval()
            sums = torch.zeros(2, dtype=torch.float64)  # negative log likelihood, tokens
            for batch in self.get_eval_dataloader(eval_dataset):
                n_tokens = (batch["labels"][:, 1:] != IGNORED).sum()  # the first has no prediction
                loss = self.model(**batch).loss  # mean over the batch's tokens
                each = torch.stack((loss.double() * n_tokens, n_tokens.double()))
                sums += self.accelerator.reduce(each, "sum").cpu()
            metrics = {f"{metric_key_prefix}_loss": float(sums[0] / sums[1])}
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(
                self.args, self.state, self.control, metrics
            )
            return metrics

    return CausalTrainer(**options)


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


def perplexity(loss: float) -> float:
    """Return exp of a mean negative log likelihood per token, in nats."""
    return math.exp(min(loss, 700.0))  # 700: above, exp overflows a double


def check_rows_fit(tokens: Path, rows: "Dataset", model: "PreTrainedModel") -> None:
    """Raise InputError if a row of token ids is longer than the model has positions."""
    n_positions = getattr(model.config, "max_position_embeddings", None)
    longest = pc.max(pc.list_value_length(rows.data["input_ids"])).as_py()
    if n_positions and longest > n_positions:
        raise InputError(
            f"{tokens}: a row of {longest} tokens exceeds the model's {n_positions} positions; "
            "lower tokenize.block_size"
        )


def lora_config(r: int, alpha: int, dropout: float, target_modules: str) -> "LoraConfig":
    """Return the settings of LoRA adapters (Hu et al. 2021) on the named or all linear modules."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_modules if target_modules == "all-linear" else [target_modules],
    )


def add_lora(
    model: "PreTrainedModel", r: int, alpha: int, dropout: float, target_modules: str
) -> "PeftModel":
    """Return `model` with LoRA adapters; raise InputError if no module has that name."""
    from peft import get_peft_model

    try:
        return get_peft_model(model, lora_config(r, alpha, dropout, target_modules))
    except ValueError as error:
        raise InputError(f"train.lora.target_modules={target_modules}: {error}") from error
