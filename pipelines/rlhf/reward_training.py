"""Training of the reward model from rankings: TRL's trainer with our collator and loss.

The loss of a prompt is the mean over its pairs of -log sigmoid(better - worse), as in InstructGPT,
equation 1. Its K answers are encoded once for all C(K, 2) pairs; TRL would encode two texts a
pair, twelve instead of four at K = 4. The gradient is that of TRL's pairs (a test compares). Of
prompts with unequally many pairs each counts as one.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError
from genlab.models.batches import pad_right
from genlab.models.shown_training import train_from
from genlab.models.training import last_whole_checkpoint
from pipelines.rlhf.reward_model import (
    check_saved,
    keep_layers,
    load_reward_model,
    new_reward_model,
    rate,
    save_reward_model,
    scores_of,
)
from pipelines.rlhf.trl_settings import shared_settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import RewardTrainer


@dataclass(frozen=True)
class RewardRecipe:
    """How the reward model is trained; the fields are params of `reward`."""

    n_layer: Annotated[int, Option(min=0, help="the base's first layers that are kept; 0: all")]
    epochs: Annotated[float, Option(min=0.01, max=10**4)]
    learning_rate: Annotated[float, Option(min=0.0)]
    warmup_steps: Annotated[int, Option(min=0)]
    batch_size: Annotated[int, Option(min=1, help="prompts a step, each with all its answers")]
    save_steps: Annotated[int, Option(min=1, help="steps between checkpoints of a killed run")]
    seed: Annotated[int, Option(min=0)]


def ranked_pairs(ranks: list[int]) -> list[tuple[int, int]]:
    """Return (better, worse) places of all pairs of answers whose ranks differ; 1 is the best."""
    pairs = combinations(range(len(ranks)), 2)
    ordered = (sorted(pair, key=lambda i: ranks[i]) for pair in pairs)
    return [(a, b) for a, b in ordered if ranks[a] != ranks[b]]


class GroupCollator:
    """Stack the answers of a batch's prompts, each once, and list their pairs.

    Rows have prompt_ids, answer_ids (a list for each answer) and ranks. The batch has input_ids
    and attention_mask [answers, t], last [answers], better and worse [pairs] (numbers of answers)
    and weight [pairs], which sums to 1.
    """

    def __init__(self, pad_id: int):
        self.pad_id = pad_id

    def __call__(self, rows: list[dict]) -> dict[str, "torch.Tensor"]:
        import torch

        texts: list[list[int]] = []
        better, worse, weight = [], [], []
        for row in rows:
            pairs = ranked_pairs(row["ranks"])
            better += [len(texts) + a for a, _ in pairs]
            worse += [len(texts) + b for _, b in pairs]
            weight += [1 / (len(pairs) * len(rows))] * len(pairs)
            texts += [[*row["prompt_ids"], *ids] for ids in row["answer_ids"]]
        padded, mask = pad_right(texts, self.pad_id)
        return {
            "input_ids": padded,
            "attention_mask": mask,
            "last": torch.tensor([len(ids) - 1 for ids in texts]),
            "better": torch.tensor(better),
            "worse": torch.tensor(worse),
            "weight": torch.tensor(weight),
        }


def group_loss(model: "PreTrainedModel", inputs: dict) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return the loss of a batch of GroupCollator's, and the margins [pairs]."""
    from torch.nn.functional import logsigmoid

    found = scores_of(model, inputs["input_ids"], inputs["attention_mask"], inputs["last"])
    margins = found[inputs["better"]] - found[inputs["worse"]]
    return -(inputs["weight"] * logsigmoid(margins)).sum(), margins


def reward_trainer(pad_id: int, **options) -> "RewardTrainer":
    """Return TRL's RewardTrainer with our collator and loss; options are RewardTrainer's."""
    from trl import RewardTrainer

    class GroupRewardTrainer(RewardTrainer):
        def _prepare_dataset(self, dataset, *args):
            return dataset  # already token ids

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            loss, margins = group_loss(model, inputs)
            self._metrics["train"]["accuracy"].append((margins > 0).float().mean().item())
            self._metrics["train"]["margin"].append(margins.mean().item())
            return (loss, margins) if return_outputs else loss

        def create_model_card(self, *args, **kwargs):
            """Write none: its template names the user's machine and a hub."""

    return GroupRewardTrainer(data_collator=GroupCollator(pad_id), **options)


def check_rows_fit(rows: list[dict], model: "PreTrainedModel", base: Path) -> None:
    """Raise InputError if a prompt and a ranked answer exceed the model's positions."""
    from genlab.models.positions import usable_positions

    n_positions = usable_positions(model)
    longest = max(len(row["prompt_ids"]) + max(map(len, row["answer_ids"])) for row in rows)
    if n_positions and longest > n_positions:
        raise InputError(
            f"a prompt and its ranked answer of {longest} tokens exceed the {n_positions} "
            f"positions of {base}; lower rank.cap, or shorten the answers (rank.by=given), or take "
            "another reward_base"
        )


def train_reward_model(
    folder: Path,
    base: Path,
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[dict],
    recipe: RewardRecipe,
) -> tuple["PreTrainedModel", list[dict]]:
    """Return the reward model trained on `rows` (see GroupCollator), and the Trainer's log.

    `folder` keeps checkpoints, and training goes on from the last one there. Raises InputError if
    training diverged, or a row is too long for the base.
    """
    from datasets import Dataset
    from trl import RewardConfig

    from genlab.core.numerics import hold_arithmetic

    model = keep_layers(new_reward_model(base, recipe.seed), recipe.n_layer, base)
    check_rows_fit(rows, model, base)
    hold_arithmetic(model.num_parameters())
    trainer = reward_trainer(
        tokenizer.eos_token_id,
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        args=RewardConfig(
            num_train_epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            warmup_steps=recipe.warmup_steps,
            lr_scheduler_type="cosine",  # InstructGPT, appendix C.2
            per_device_train_batch_size=recipe.batch_size,
            max_length=None,  # TRL would leave out what is longer
            remove_unused_columns=False,
            disable_dropout=True,
            **shared_settings(folder, recipe.save_steps, recipe.seed),
        ),
    )
    what = f"training the reward model with seed {recipe.seed}"
    train_from(trainer, last_whole_checkpoint(folder), what)
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    if not all(math.isfinite(entry["loss"]) for entry in log):
        raise InputError(
            f"the reward model's loss is not finite with seed {recipe.seed}: training diverged; "
            f"lower reward.learning_rate={recipe.learning_rate}"
        )
    return trainer.model.eval(), log


def reward_curve(log: list[dict], seed: int) -> list[dict]:
    """Return the Trainer's log as plot points: arm, seed, step, loss (nats), accuracy."""
    return [
        {
            "arm": "reward model",
            "seed": str(seed),
            "step": each["step"],
            "loss": each["loss"],
            "accuracy": each["accuracy"],
        }
        for each in log
    ]


def train_once(
    scratch: Path,
    base: Path,
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[dict],
    asked: list[list[int]],
    demonstrations: list[list[int]],
    recipe: RewardRecipe,
) -> Path:
    """Train the reward model of one seed, unless it is there; return its folder in `scratch`.

    The folder has the model below `model` and its curve in curve.json. asked and demonstrations:
    token ids; their mean reward is taken off, so that demonstrations score 0 on average
    (InstructGPT, section 3.5). Raises InputError if the saved model rates otherwise than the
    trained one.
    """
    finished = scratch / f"finished-{recipe.seed}"
    if finished.is_dir():
        return finished
    model, log = train_reward_model(scratch / f"{recipe.seed}", base, tokenizer, rows, recipe)
    save_reward_model(model, tokenizer, 0.0, scratch / f"raw-{recipe.seed}")
    raw = load_reward_model(scratch / f"raw-{recipe.seed}")
    offset = float(rate(raw, asked, demonstrations).mean())
    with written_whole(finished) as folder:
        save_reward_model(model, tokenizer, offset, folder / "model")
        saved = load_reward_model(folder / "model")
        check_saved(model, saved, asked, demonstrations)
        write_json(folder / "curve.json", reward_curve(log, recipe.seed))
    return finished
