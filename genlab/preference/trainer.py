"""Preference training: TRL's DPO trainer on token ids, with our loss, order of rows and curve.

It takes a policy and rows of prompt_ids, chosen_ids, rejected_ids and, for slic, target_ids. Rows
are token ids, not text: TRL would tokenize text again and put an end-of-text after every text,
which teaches a text that was cut at the limit to stop there.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from typer import Option

from genlab.core.program import InputError
from genlab.models.batches import LengthGroupedOrder, collate
from genlab.models.loading import load_causal_model
from genlab.models.lora import Lora, Method, check_not_tied, lora_config
from genlab.models.saved import row_batches
from genlab.models.shown_training import train_from
from genlab.models.training import last_whole_checkpoint
from genlab.preference.losses import slic_loss

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
    from trl import DPOConfig, DPOTrainer


class Loss(StrEnum):
    """The loss of a pair; margin: log(policy / reference) of the winner, less the loser's.

    All but `slic` are TRL's. Its ipo takes that margin per token, or the same beta would mean
    something else for longer texts.
    """

    sigmoid = "sigmoid"  # -log sigmoid(beta * margin): DPO, Rafailov et al. 2023, equation 7
    hinge = "hinge"  # max(0, 1 - beta * margin): the hinge-norm loss of RSO, Liu et al. 2023
    hinge_sft = "hinge+sft"  # the same, and the winner's cross-entropy
    ipo = "ipo"  # (margin - 1 / (2 beta))^2: IPO, Azar et al. 2023, equation 17, with tau = beta
    slic = "slic"  # SLiC-HF, Zhao et al. 2023: `slic_loss`


class Optimizer(StrEnum):
    """The optimizer, by transformers' names."""

    rmsprop = "rmsprop"
    adamw = "adamw_torch"


@dataclass(frozen=True)
class PreferenceRecipe:
    """The loss, and how long and fast to train; the fields are params of `train`."""

    loss: Annotated[Loss, Option()]
    beta: Annotated[float, Option(min=1e-6, help="how much a margin counts; not of slic")]
    slic_delta: Annotated[
        float, Option("--slic.delta", min=0.0, help="margin in nats that is enough")
    ]
    slic_weight: Annotated[
        float, Option("--slic.weight", min=0.0, help="lambda, of the target text")
    ]
    sft_weight: Annotated[float, Option(min=0.0, help="hinge+sft: of the winner's cross-entropy")]
    method: Annotated[Method, Option(help="train all weights, or low-rank adapters")]
    optimizer: Annotated[Optimizer, Option()]
    epochs: Annotated[float, Option(min=0.01, max=10**4)]
    learning_rate: Annotated[float, Option(min=0.0)]
    warmup_steps: Annotated[int, Option(min=0)]
    batch_size: Annotated[int, Option(min=1, help="pairs per device and step")]
    gradient_accumulation_steps: Annotated[int, Option(min=1)]
    precompute_reference: Annotated[
        bool, Option(help="the reference's log p once, before training")
    ]
    logging_steps: Annotated[int, Option(min=1)]
    save_steps: Annotated[int, Option(min=1, help="a multiple of logging_steps")]
    seed: Annotated[int, Option(min=0)]


# Our losses -> TRL's names; slic only borrows the place of one.
TRL_LOSSES = {
    Loss.sigmoid: ["sigmoid"],
    Loss.hinge: ["hinge"],
    Loss.hinge_sft: ["hinge", "sft"],
    Loss.ipo: ["ipo"],
    Loss.slic: ["hinge"],
}
CURVE = {
    "loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "logps/chosen": "chosen_log_p",
    "logps/rejected": "rejected_log_p",
}


def preference_trainer(recipe: PreferenceRecipe, **options) -> "DPOTrainer":
    """Return a TRL DPOTrainer for the recipe's loss; `options` are DPOTrainer's.

    The order of its rows depends on (seed, epoch) alone, so that a killed run resumes in the same.
    """
    from trl import DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    class PreferenceTrainer(DPOTrainer):
        def _prepare_dataset(self, dataset, *args):
            return dataset  # already token ids

        def _get_train_sampler(self, train_dataset=None):
            rows = options["train_dataset"] if train_dataset is None else train_dataset
            lengths = [
                max(map(len, pair))
                for pair in zip(rows["chosen_ids"], rows["rejected_ids"], strict=True)
            ]
            batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps
            return LengthGroupedOrder(lengths, batch_size, self.args.seed)

        def create_model_card(self, *args, **kwargs):
            """Write none: its template names the user's machine and a hub."""

    class SlicTrainer(PreferenceTrainer):
        def _set_signature_columns_if_needed(self):
            super()._set_signature_columns_if_needed()
            columns: list[str] = self._signature_columns or []  # type: ignore[has-type]
            if "target_ids" not in columns:
                self._signature_columns = [*columns, "target_ids"]

        def _compute_loss(self, model, inputs, return_outputs):
            winner, loser, target = sequence_log_probs(model, inputs).chunk(3)
            values = slic_loss(winner, loser, target, recipe.slic_delta, recipe.slic_weight)
            mode = "train" if model.training else "eval"
            margins = self.beta * (winner - loser).detach()
            for name, value in (
                ("rewards/margins", margins.mean()),
                ("rewards/accuracies", (margins > 0).float().mean()),
                ("logps/chosen", winner.mean()),
                ("logps/rejected", loser.mean()),
            ):
                gathered = self.accelerator.gather(value.detach())
                self._metrics[mode][name].append(gathered.mean().item())
            return (values.mean(), None) if return_outputs else values.mean()

    tokenizer = options["processing_class"]
    # Padding is masked by position, so that it may share its id with the end-of-text.
    if recipe.loss is Loss.slic:
        return SlicTrainer(data_collator=TripleCollator(tokenizer.eos_token_id), **options)
    collator = DataCollatorForPreference(pad_token_id=tokenizer.eos_token_id)
    return PreferenceTrainer(data_collator=collator, **options)


class TripleCollator:
    """Stack a batch's winners, losers and targets: padded ids and masks, each [3b, t]."""

    def __init__(self, pad_id: int):
        self.pad_id = pad_id

    def __call__(self, rows: list[dict]) -> dict[str, "torch.Tensor"]:
        import torch

        texts = [
            (row["prompt_ids"], row[name])
            for name in ("chosen_ids", "rejected_ids", "target_ids")
            for row in rows
        ]
        longest = max(len(prompt) + len(ids) for prompt, ids in texts)
        input_ids = torch.full((len(texts), longest), self.pad_id)
        attention, completion = torch.zeros((2, len(texts), longest), dtype=torch.long)
        for i, (prompt, ids) in enumerate(texts):
            end = len(prompt) + len(ids)
            input_ids[i, :end] = torch.as_tensor([*prompt, *ids])
            attention[i, :end] = 1
            completion[i, len(prompt) : end] = 1
        return {
            "input_ids": input_ids,
            "attention_mask": attention,
            "completion_mask": completion,
        }


def sequence_log_probs(model: "PreTrainedModel", inputs: dict) -> "torch.Tensor":
    """Return [b]: log p of each row's completion under `model`."""
    labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
    output = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        labels=labels,
        use_cache=False,
        fused_lm_head=True,  # TRL's: log p of the labels without all the scores
    )
    return output.log_probs.sum(1)


def trl_config(recipe: PreferenceRecipe, folder: Path) -> "DPOConfig":
    """Return TRL's settings of a training whose checkpoints go to `folder`."""
    from trl import DPOConfig

    return DPOConfig(
        output_dir=str(folder),
        loss_type=TRL_LOSSES[recipe.loss],
        loss_weights=[1.0, recipe.sft_weight] if recipe.loss is Loss.hinge_sft else None,
        beta=recipe.beta,
        optim=recipe.optimizer,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation_steps,
        precompute_ref_log_probs=recipe.precompute_reference,
        logging_steps=recipe.logging_steps,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=2,
        seed=recipe.seed,
        max_length=None,  # TRL would cut texts that sampling has cut already
        bf16=False,  # TRL's default is true, also on a CPU
        gradient_checkpointing=False,  # as bf16
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def train_policy(
    folder: Path,
    policy: Path,
    reference: Path,
    tokenizer: "PreTrainedTokenizerBase",
    rows: dict[str, list[list[int]]],
    recipe: PreferenceRecipe,
    lora: Lora,
) -> tuple["PreTrainedModel", list[dict]]:
    """Return the policy trained on `rows`, with its adapters if it has any, and the Trainer's log.

    `folder` keeps checkpoints, and training goes on from the last one there. `lora` counts for
    recipe.method lora alone. Raises InputError if training diverged.
    """
    from datasets import Dataset
    from peft import PeftModel
    from transformers import set_seed

    with_adapters = recipe.method is Method.lora
    set_seed(recipe.seed)  # the adapters' first values are drawn before the Trainer sets it
    # The reference of adapters is the model without them.
    has_own_reference = not with_adapters or policy != reference
    try:
        trainer = preference_trainer(
            recipe,
            model=load_causal_model(policy),
            ref_model=load_causal_model(reference) if has_own_reference else None,
            peft_config=lora_config(lora) if with_adapters else None,
            processing_class=tokenizer,
            train_dataset=Dataset.from_dict(rows),
            args=trl_config(recipe, folder),
        )
    except ValueError as error:
        if not with_adapters:
            raise
        raise InputError(f"train.lora.target_modules={lora.target_modules}: {error}") from error
    if isinstance(trainer.model, PeftModel):
        check_not_tied(trainer.model, lora.target_modules)
    trainer.add_callback(one_point_at_least())
    train_from(trainer, last_whole_checkpoint(folder), f"training with seed {recipe.seed}")
    log, model = trainer.state.log_history, trainer.model
    values = [value for entry in log for value in entry.values() if isinstance(value, float)]
    if not all(map(math.isfinite, values)):
        raise InputError(
            f"the loss or a margin is not finite: training diverged with seed {recipe.seed}; "
            f"lower train.learning_rate={recipe.learning_rate}, or raise train.warmup_steps"
        )
    return cast("PreTrainedModel", model), log


def one_point_at_least() -> "TrainerCallback":
    """Return what logs the last step of a training that is shorter than its logging_steps."""
    from transformers import TrainerCallback

    class OnePointAtLeast(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            is_last = state.global_step >= state.max_steps
            if is_last and not any("loss" in entry for entry in state.log_history):
                control.should_log = True

    return OnePointAtLeast()


def sft_batches(rows: dict[str, list[list[int]]], recipe: PreferenceRecipe) -> Iterable[dict]:
    """Yield batches of prompts with their winners, as language modelling reads them."""
    texts = [
        {"input_ids": [*prompt, *chosen], "n_prompt": len(prompt)}
        for prompt, chosen in zip(rows["prompt_ids"], rows["chosen_ids"], strict=True)
    ]
    return row_batches(texts, lambda batch: collate(batch, 0), recipe.batch_size)


def preference_curve(log_history: list[dict], seed: int) -> list[dict]:
    """Return the Trainer's log as plot points: seed, step, loss, margin (times beta), accuracy."""
    return [
        {"seed": str(seed), "step": entry["step"]}
        | {name: entry[key] for key, name in CURVE.items()}
        for entry in log_history
        if "loss" in entry  # the last entry, of the whole run, has none
    ]


def summarize_curves(points: list[dict]) -> dict[str, float]:
    """Return the last point's numbers, their means over the training seeds, and the steps."""
    last = {point["seed"]: point for point in points}  # a later point replaces an earlier one
    names = ("loss", "margin", "accuracy")
    means = {name: sum(point[name] for point in last.values()) / len(last) for name in names}
    return means | {"steps": max(point["step"] for point in points), "trainings": len(last)}
