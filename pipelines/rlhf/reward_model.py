"""The reward model: one number for an answer to a prompt, by one function wherever it is needed.

Training, reinforcement learning and evaluation all call `rate`, on token ids with the end-of-text
kept. TRL's own path would train a reward model with that token and then rate decoded text without
it. The model computes in float64 and the reward is rounded to float32: what padding and batches
change in the last bits is then rounded away, and the reward of an answer is the same to the bit
in any batch.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.scratch import scratch_root
from genlab.core.shapes import parse_json
from genlab.models.batches import pad_right
from genlab.models.loading import OUTPUTS, load_tokenizer, read_weights
from genlab.models.model_files import check_model_folder, first_line
from genlab.models.saved import N_SCORED, check_same_scores
from genlab.models.trial import trial_ids
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
        kind = AutoModelForSequenceClassification
        with suppress_seqcls_warning():
            model, _ = read_weights(kind, base, num_labels=1, dtype="float32", **OUTPUTS)
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
    if not n_layer:
        return model
    if blocks is None:
        raise InputError(
            f"reward.n_layer={n_layer}: a {type(model).__name__} has its layers where they are not "
            "found here; 0 keeps all"
        )
    n_blocks = len(blocks)
    check_n_layer(n_layer, n_blocks, base)
    del blocks[n_layer:]
    for name, value in vars(model.config).items():  # of each layer its kind, as Qwen's and Gemma's
        if isinstance(value, list) and len(value) == n_blocks and name.startswith("layer"):
            setattr(model.config, name, value[:n_layer])
    model.config.num_hidden_layers = n_layer
    try:
        model.config.validate()
    except Exception as error:  # each kind has its own
        raise InputError(
            f"reward.n_layer={n_layer}: a {type(model).__name__} cannot be cut ({first_line(error)}"
            "); 0 keeps all"
        ) from error
    return model


def check_n_layer(n_layer: int, n_blocks: int, base: Path) -> None:
    """Raise InputError for more layers than the `n_blocks` of the reward model's base."""
    if n_layer > n_blocks:
        raise InputError(f"reward.n_layer={n_layer}: {base} has {n_blocks} layers; 0 keeps all")


def scores(model: "PreTrainedModel", rows: list[list[int]]) -> "torch.Tensor":
    """Return [b]: the score at each row's last token, which is told by its place, not by its id."""
    import torch

    ids, mask = pad_right(rows, device=model.device)
    last = torch.tensor([len(row) - 1 for row in rows], device=model.device)
    return scores_of(model, ids, mask, last)


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
        model, found = read_weights(
            AutoModelForSequenceClassification, folder, dtype="float64", **OUTPUTS
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


def try_reward_base(base: Path) -> None:
    """Raise InputError if no reward model can be made of the language model in `base`.

    One is trained a step, saved, loaded and asked, as the stage `reward` does it after others.
    """
    tokenizer = load_tokenizer(base)
    ids = trial_ids(tokenizer, str(base))
    scratch_root().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="trial-", dir=scratch_root()) as name:
        try:
            alone, together = trial_scores(base, tokenizer, [ids[:4], ids], Path(name))
        except InputError as error:
            raise InputError(str(error).replace(name, str(base))) from error
        except Exception as error:  # a foreign model's code raises anything
            raise InputError(
                f"{base}: no reward model can be made of it ({type(error).__name__}: "
                f"{first_line(error)}); take a base of another kind"
            ) from error
    if not np.allclose(together[:1], alone, rtol=1e-4, atol=1e-5):
        raise InputError(
            f"{base}: a reward model made of it rates an answer otherwise when a longer one is "
            "beside it; take a base of another kind"
        )


def trial_scores(
    base: Path, tokenizer: "PreTrainedTokenizerBase", rows: list[list[int]], folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of the first row alone [1] and of all [n], by a model saved to `folder`.

    Raises InputError if the model scores them otherwise in memory.
    """
    import torch

    model = new_reward_model(base, 0).train()
    torch.nn.init.normal_(model.score.weight)
    scores(model, rows).sum().backward()
    save_reward_model(model.eval(), tokenizer, 0.0, folder)
    saved = load_reward_model(folder).model
    with torch.inference_mode():
        one, alone = scores(model, rows[:1]).numpy(), scores(saved, rows[:1]).cpu().numpy()
        together = scores(saved, rows).cpu().numpy()
    check_same_scores(one, alone, f"a reward model made of {base}")
    return alone, together


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
