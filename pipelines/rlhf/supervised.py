"""Supervised fine-tuning: TRL's SFTTrainer on token ids, the loss on the answer only.

Two models come of it. `sft` imitates the demonstrations for all epochs. `start`, where RL begins,
is short and has pretraining text mixed in, as in InstructGPT (appendix C.3); it is not the longest.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError
from genlab.models.batches import collate
from genlab.models.prompts import (
    check_unknown,
    count_unknown,
    encode_bodies,
    encode_prompts,
)
from genlab.models.saved import row_batches
from genlab.models.shown_training import train_from
from genlab.models.training import last_whole_checkpoint
from pipelines.rlhf.trl_settings import shared_settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig


@dataclass(frozen=True)
class SftRecipe:
    """How both models are trained; the fields are params of `sft`."""

    epochs: Annotated[float, Option(min=0.01, max=10**4, help="of the model that imitates")]
    start_epochs: Annotated[
        float, Option(min=0.01, max=10**4, help="of the model that RL starts from")
    ]
    start_mix: Annotated[
        float, Option(min=0.0, max=0.9, help="share of pretraining texts among its rows")
    ]
    learning_rate: Annotated[float, Option(min=0.0)]
    warmup_steps: Annotated[int, Option(min=0)]
    batch_size: Annotated[int, Option(min=1)]
    save_steps: Annotated[int, Option(min=1, help="steps between checkpoints of a killed run")]
    seed: Annotated[int, Option(min=0)]


def check_known(
    tokenizer: "PreTrainedTokenizerBase",
    base: Path,
    texts: dict[Path, list[str]],
    max_unknown_share: float,
) -> None:
    """Say how many tokens the base does not know; raise InputError if their share is too large.

    texts: those of each file.
    """
    for place, of_place in texts.items():
        unknown, tokens = count_unknown(tokenizer, of_place)
        print(f"{place}: {unknown:,} of {tokens:,} tokens are unknown to the base")
        check_unknown(unknown, tokens, max_unknown_share, str(place), base, "sft")


def demonstration_rows(
    tokenizer: "PreTrainedTokenizerBase", prompts: list[str], answers: list[str]
) -> list[dict]:
    """Return rows of input_ids and completion_mask: 1 for the answer and its end-of-text."""
    pairs = zip(encode_prompts(tokenizer, prompts), encode_bodies(tokenizer, answers), strict=True)
    return [
        {"input_ids": [*p, *a], "completion_mask": [0] * len(p) + [1] * len(a)} for p, a in pairs
    ]


def text_rows(tokenizer: "PreTrainedTokenizerBase", texts: list[str], longest: int) -> list[dict]:
    """Return rows of plain texts, cut to `longest` tokens, all of which count in the loss."""
    rows = [ids[:longest] for ids in encode_bodies(tokenizer, texts)]
    return [{"input_ids": ids, "completion_mask": [1] * len(ids)} for ids in rows]


def supervised_batches(rows: list[dict], recipe: SftRecipe) -> Iterable[dict]:
    """Yield batches of `demonstration_rows` or `text_rows`, as language modelling reads them."""
    texts = [
        {"input_ids": row["input_ids"], "n_prompt": row["completion_mask"].count(0)} for row in rows
    ]
    return row_batches(texts, lambda batch: collate(batch, 0), recipe.batch_size)


def mixed_in(rows: list[dict], texts: list[dict], share: float) -> list[dict]:
    """Return the rows with so many texts that these are a share of all; InputError if too few."""
    n = round(len(rows) * share / (1 - share))
    if n > len(texts):
        raise InputError(
            f"sft.start_mix={share} needs {n} pretraining texts, and there are {len(texts)}; give "
            "more (corpus.texts_path), or lower it"
        )
    return rows + texts[:n]


def check_rows_fit(rows: list[dict], model: "PreTrainedModel") -> None:
    """Raise InputError if a prompt and its demonstration exceed the model's positions."""
    from genlab.models.positions import usable_positions

    n_positions, longest = usable_positions(model), max(len(row["input_ids"]) for row in rows)
    if n_positions and longest > n_positions:
        raise InputError(
            f"a prompt and demonstration of {longest} tokens exceed the base's {n_positions} "
            "positions; shorten it, or take another base"
        )


def trl_settings(recipe: SftRecipe, folder: Path, epochs: float) -> "SFTConfig":
    """Return TRL's config of a training whose checkpoints go to `folder`."""
    from trl import SFTConfig

    return SFTConfig(
        num_train_epochs=epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",  # InstructGPT, appendix C.1
        warmup_steps=recipe.warmup_steps,
        per_device_train_batch_size=recipe.batch_size,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        **shared_settings(folder, recipe.save_steps, recipe.seed),
    )


def train_supervised(
    folder: Path,
    base: Path,
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[dict],
    epochs: float,
    recipe: SftRecipe,
) -> tuple["PreTrainedModel", float]:
    """Return the model trained on `rows`, and its last epoch's mean loss, nats per token.

    `folder` keeps checkpoints, and training goes on from the last one there. Raises InputError if
    training diverged.
    """
    from datasets import Dataset
    from trl import SFTTrainer

    from genlab.models.loading import load_causal_model, quiet_loading

    class Quiet(SFTTrainer):
        def create_model_card(self, *args, **kwargs):
            """Write none: its template names the user's machine and a hub."""

    model = load_causal_model(base)
    check_rows_fit(rows, model)
    labelled = [
        {
            "input_ids": row["input_ids"],
            "labels": [
                token if counts else -100
                for token, counts in zip(row["input_ids"], row["completion_mask"], strict=True)
            ],
        }
        for row in rows
    ]
    with quiet_loading():
        trainer = Quiet(
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(labelled),
            args=trl_settings(recipe, folder, epochs),
        )
    train_from(trainer, last_whole_checkpoint(folder), f"supervised, {folder.name}")
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    n_last = max(1, min(len(losses), math.ceil(len(rows) / recipe.batch_size)))
    loss = sum(losses[-n_last:]) / n_last
    if not math.isfinite(loss):
        raise InputError(
            f"the loss is {loss}: training diverged; lower sft.learning_rate={recipe.learning_rate}"
        )
    return trainer.model.eval(), loss
