"""What training needs around transformers' Trainer: a collator, checkpoints by step, the curve."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import Trainer, TrainerCallback

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


def causal_trainer(**options) -> "Trainer":
    """Return a transformers Trainer whose validation loss is a mean over TOKENS.

    The library's own is a mean over batches of the batch's mean, which depends on the batch size
    and is not the logarithm of the perplexity. Options are the Trainer's.
    """
    import torch
    from transformers import Trainer

    class CausalTrainer(Trainer):
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
    """Return a callback that asks for a checkpoint every `n_steps`, beside those at epoch ends."""
    from transformers import TrainerCallback

    class SaveEvery(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step % n_steps == 0:
                control.should_save = True

    return SaveEvery()


def training_curve(log_history: list[dict]) -> list[dict]:
    """Return the Trainer's log as plot points: epoch, and loss as `train` or as `validation`."""
    return [
        {"epoch": round(entry["epoch"], 4), split: entry[key]}
        for entry in log_history
        for split, key in (("train", "loss"), ("validation", "eval_loss"))
        if key in entry
    ]


def perplexity(loss: float) -> float:
    """Return exp of a mean negative log likelihood per token, in nats."""
    return math.exp(min(loss, 700.0))  # 700: above, exp overflows a double
