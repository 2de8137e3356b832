"""The reward model: one number for an answer to a prompt, by one function wherever it is needed.

Training, reinforcement learning and evaluation all call `rate`, on token ids with the end-of-text
kept. TRL's own path would train a reward model with that token and then rate decoded text without
it. The model computes in float64 and the reward is rounded to float32: what padding and batches
change in the last bits is then rounded away, and the reward of an answer is the same to the bit
in any batch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.models.loading import check_model_folder, first_line, load_tokenizer, quiet_loading
from genlab.models.saved import N_SCORED, check_same_scores
from pipelines.rlhf.arms import numbered

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SETTINGS = "reward.json"  # beside the weights: what is taken off every score


@dataclass(frozen=True)
class RewardModel:
    """A model with one score, and the offset that gives demonstrations a mean reward of 0."""

    model: "PreTrainedModel"
    offset: float
    folder: Path
    batch_size: int = 64


def new_reward_model(base: Path, seed: int) -> "PreTrainedModel":
    """Return the language model in `base` with one score in place of its vocabulary's.

    The score's weights are drawn from `seed`. Raises InputError for a model without such a head.
    """
    import torch
    from transformers import AutoModelForSequenceClassification
    from trl.trainer.reward_trainer import suppress_seqcls_warning

    check_model_folder(base)
    torch.manual_seed(seed)
    try:
        with quiet_loading(), suppress_seqcls_warning():
            model = AutoModelForSequenceClassification.from_pretrained(
                base,
                num_labels=1,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="float32",
            )
    except Exception as error:  # safetensors and json raise their own kinds for broken files
        raise InputError(f"{base}: no base of a reward model ({first_line(error)})") from error
    if not hasattr(model, "score"):
        raise InputError(
            f"{base}: a {model.config.model_type} has no score of its last token; a reward model "
            "starts from a causal language model such as GPT-2"
        )
    # Else the scores of a small model begin as large as the differences to be learnt.
    torch.nn.init.zeros_(model.score.weight)
    return model


def keep_layers(model: "PreTrainedModel", n_layer: int, base: Path) -> "PreTrainedModel":
    """Return the model with its first `n_layer` blocks alone; 0 keeps all."""
    blocks = getattr(model.base_model, "h", None)
    blocks = getattr(model.base_model, "layers", None) if blocks is None else blocks
    n_blocks = 0 if blocks is None else len(blocks)
    check_n_layer(n_layer, n_blocks, base)
    if n_layer and blocks is not None:
        del blocks[n_layer:]
        model.config.num_hidden_layers = n_layer
    return model


def check_n_layer(n_layer: int, n_blocks: int, base: Path) -> None:
    """Raise InputError for more layers than the `n_blocks` of the reward model's base."""
    if n_layer > n_blocks:
        raise InputError(f"reward.n_layer={n_layer}: {base} has {n_blocks} layers; 0 keeps all")


def scores(model: "PreTrainedModel", rows: list[list[int]], pad_id: int = 0) -> "torch.Tensor":
    """Return [b]: the score at each row's last token, which is told by its place, not by its id."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])
    last = torch.tensor([len(row) - 1 for row in rows])
    mask = (torch.arange(longest) <= last[:, None]).long()
    return scores_of(model, ids.to(model.device), mask.to(model.device), last.to(model.device))


def scores_of(
    model: "PreTrainedModel", ids: "torch.Tensor", mask: "torch.Tensor", last: "torch.Tensor"
) -> "torch.Tensor":
    """Return [b]: the score at place `last` [b] of rows of ids [b, t], padded right."""
    import torch

    hidden = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)[0]
    rows = torch.arange(len(ids), device=ids.device)
    return model.score(hidden[rows, last])[:, 0]


def rate(reward: RewardModel, prompts: list[list[int]], answers: list[list[int]]) -> np.ndarray:
    """Return float32 [n]: the reward of each answer, given token ids with its end-of-text, if any.

    Raises InputError if a reward is not a number, or a text has more tokens than the model reads.
    """
    import torch

    from genlab.models.positions import usable_positions

    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    n_positions, longest = usable_positions(reward.model), max(map(len, rows), default=0)
    if n_positions and longest > n_positions:
        raise InputError(
            f"{reward.folder}: a prompt and its answer have {longest} tokens, and the model reads "
            f"{n_positions} at most; shorten them, or take another reward_base"
        )
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found = np.zeros(len(rows), np.float64)
    with torch.inference_mode():
        for start in range(0, len(order), reward.batch_size):
            batch = order[start : start + reward.batch_size]
            found[batch] = scores(reward.model, [rows[i] for i in batch]).cpu().numpy()
    if not np.isfinite(found).all():
        raise InputError(
            f"{reward.folder}: the reward of {np.sum(~np.isfinite(found))} of {len(found)} answers "
            "is not a number; its weights are broken, train it again with a lower "
            "reward.learning_rate"
        )
    return (found - reward.offset).astype(np.float32)


def save_reward_model(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    offset: float,
    folder: Path,
) -> None:
    """Write weights, tokenizer and offset to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / SETTINGS, {"offset": offset})


def check_saved(
    model: "PreTrainedModel", saved: RewardModel, prompts: list[list[int]], answers: list[list[int]]
) -> None:
    """Raise InputError if a saved reward model rates answers otherwise than `model` in memory."""
    import torch

    few = slice(N_SCORED)
    rows = [[*p, *a] for p, a in zip(prompts[few], answers[few], strict=True)]
    with torch.inference_mode():
        measured = scores(model, rows).cpu().numpy() - saved.offset
    check_same_scores(measured, rate(saved, prompts[few], answers[few]), "the reward model")


def load_reward_model(folder: Path, batch_size: int = 64) -> RewardModel:
    """Return the reward model in `folder`, ready to rate; raise InputError if it is not whole."""
    from transformers import AutoModelForSequenceClassification

    from genlab.core.numerics import hold_arithmetic
    from genlab.core.processes import best_device

    check_model_folder(folder)
    try:
        offset = float(parse_json((folder / SETTINGS).read_text(encoding="utf-8"))["offset"])
        with quiet_loading():
            model, found = AutoModelForSequenceClassification.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="float64",
                output_loading_info=True,
            )
    except Exception as error:  # safetensors and json raise their own kinds for broken files
        raise InputError(f"{folder}: no reward model ({first_line(error)})") from error
    if missing := sorted(found["missing_keys"]):
        raise InputError(f"{folder}: no whole reward model, {missing[0]} is missing")
    if model.config.num_labels != 1:
        raise InputError(
            f"{folder}: it gives {model.config.num_labels} scores (num_labels in its config.json), "
            "and a reward model gives one; take another"
        )
    hold_arithmetic(model.num_parameters())
    return RewardModel(model.eval().to(best_device()), offset, folder, batch_size)


def check_reads_as(folder: Path, policy: Path) -> None:
    """Raise InputError unless a reward model has the policy's tokenizer.

    It reads the policy's token ids; to another tokenizer they would be other words, without any
    error.
    """
    ours, theirs = load_tokenizer(folder), load_tokenizer(policy)
    if ours.get_vocab() != theirs.get_vocab() or ours.eos_token_id != theirs.eos_token_id:
        raise InputError(
            f"the tokenizers of the reward model {folder} and of the policy {policy} differ "
            f"({len(ours)} and {len(theirs)} tokens), but the one reads the other's tokens; start "
            "the reward model from a base with the policy's tokenizer"
        )


def reward_models(rewards: Path, n_seeds: int, arm: str) -> list[Path]:
    """Return the reward models' folders in order; InputError if there are fewer than trainings."""
    models = numbered(rewards)
    check_n_seeds(n_seeds, len(models), arm)
    return models


def check_n_seeds(n_seeds: int, n_models: int, arm: str) -> None:
    """Raise InputError for more trainings of an arm than reward models, of which each takes one."""
    if n_seeds > n_models:
        raise InputError(
            f"arms.{arm}.n_seeds={n_seeds}: there are {n_models} reward models; raise "
            "reward.n_seeds, or lower it"
        )
