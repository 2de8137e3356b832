"""Reinforcement learning against the reward model: TRL's RLOO and GRPO with what they lack here.

InstructGPT used PPO. TRL has removed its PPO trainer (September 2026); RLOO and GRPO stand in for
it. Both take the mean of a prompt's other answers for the value function that PPO has to train. An
answer is one action, as in the paper. Changed from TRL:

- answers are drawn by genlab's decoding from streams of (seed, step, place), so that a killed
  training goes on with the very same ones;
- prompts are asked in an order of the seed's alone, which a killed training keeps, too;
- answers stay token ids, and the reward is `rate`'s of these ids with the end-of-text;
- positions follow the mask: TRL pads prompts on the left and lets GPT-2 count the padding, so the
  probabilities it trains are not those the answers were drawn with;
- ptx: gamma times the language-model loss of pretraining texts is added in the same step;
- beta is always given (GRPO's default is no KL term), and dropout is off.

The betas do not mean the same: RLOO takes beta times the summed log-ratio off the reward, GRPO adds
beta times a per-token estimate to the loss.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from typer import Option

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.models.batches import collate
from genlab.models.saved import check_loads_the_same, row_batches
from genlab.models.shown_training import train_from
from genlab.models.training import last_whole_checkpoint
from pipelines.rlhf.trl_settings import shared_settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

Rate = Callable[[list[list[int]], list[list[int]]], np.ndarray]


class Algorithm(StrEnum):
    """TRL's trainer: RLOO (Ahmadian et al. 2024) or GRPO (Shao et al. 2024)."""

    rloo = "rloo"
    grpo = "grpo"


@dataclass(frozen=True)
class RlRecipe:
    """One arm of reinforcement learning: the fields are params of `arms.NAME` and of `rl`."""

    algorithm: Annotated[Algorithm, Option(help="PPO's stand-ins; TRL has no PPO any more")]
    beta: Annotated[float, Option(min=0.0, help="coefficient of KL to the start of RL")]
    ptx_gamma: Annotated[float, Option(min=0.0, help="weight of the pretraining loss; 0: no ptx")]
    steps: Annotated[int, Option(min=1)]
    prompts_per_step: Annotated[int, Option(min=1)]
    num_generations: Annotated[int, Option(min=2, help="answers to each of them")]
    ptx_batch_size: Annotated[int, Option(min=1, help="pretraining texts a step")]
    learning_rate: Annotated[float, Option(min=0.0)]
    warmup_steps: Annotated[int, Option(min=0)]
    max_completion_length: Annotated[int, Option(min=1, help="new tokens of an answer")]
    save_steps: Annotated[int, Option(min=1, help="steps between checkpoints of a killed run")]
    seed: Annotated[int, Option(min=0)]


def policy_trainer(
    recipe: RlRecipe,
    rate: Rate,
    texts: list[list[int]],
    prompt_ids: dict[str, list[int]],
    **options,
) -> Any:
    """Return TRL's trainer of the recipe's algorithm; `options` are the trainer's.

    rate: rewards of answers, given prompts and answers as ids. texts: the token ids of pretraining
    texts, for ptx. prompt_ids: the tokens of every prompt in the data set.
    """
    import trl

    tokenizer = options["processing_class"]
    is_grpo = recipe.algorithm is Algorithm.grpo
    base: Any = trl.GRPOTrainer if is_grpo else trl.RLOOTrainer
    if len({tuple(ids) for ids in prompt_ids.values()}) < len(prompt_ids):
        raise InputError("two prompts have the same tokens; run `dvc repro` from fetch on")

    class PolicyTrainer(base):
        def _tokenize_prompts(self, prompts):
            return [prompt_ids[prompt] for prompt in prompts], None, {}

        def _generate_single_turn(self, asked, *args, **kwargs):
            answers = draw_answers(self.model, tokenizer, asked, recipe, self.state.global_step)
            return (answers, None) if is_grpo else answers

        def _get_per_token_logps_and_entropies(
            self, model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
        ):
            return log_probabilities(model, input_ids, attention_mask, logits_to_keep, kwargs)

        def _compute_loss(self, model, inputs):
            loss = super()._compute_loss(model, inputs)
            if not recipe.ptx_gamma:
                return loss
            n, size = self.state.global_step, recipe.ptx_batch_size
            batch = [texts[(n * size + i) % len(texts)] for i in range(size)]
            language_loss = loss_of_texts(model, batch, tokenizer.eos_token_id)
            self._metrics["train"]["language_loss"].append(language_loss.item())
            return loss + recipe.ptx_gamma * language_loss

        def create_model_card(self, *args, **kwargs):
            """Write none: its template names the user's machine and a hub."""

    def proxy_reward(prompts, completion_ids, **columns) -> list[float]:
        return rate([prompt_ids[p] for p in prompts], completion_ids).tolist()

    return PolicyTrainer(reward_funcs=proxy_reward, **options)


def draw_answers(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    asked: list[list[int]],
    recipe: RlRecipe,
    step: int,
) -> list[list[int]]:
    """Return an answer to each of a step's prompts, as token ids, drawn without dropout."""
    from genlab.models.decoding import Decoding, decode_batch
    from genlab.models.end_of_text import end_tokens

    decoding = Decoding(recipe.max_completion_length, 1.0, 0, 1.0, 1, 1.0, recipe.seed)
    streams = [random_stream(recipe.seed, f"{step}-{i}", decoding.cap) for i in range(len(asked))]
    was_training = model.training
    model.eval()
    ends = end_tokens(model, tokenizer)
    answers = decode_batch(model, asked, np.stack(streams), decoding, ends)
    model.train(was_training)
    return answers


def log_probabilities(
    model: "PreTrainedModel",
    input_ids: "torch.Tensor",
    attention_mask: "torch.Tensor",
    n: int,
    asked: dict,
) -> tuple["torch.Tensor", "torch.Tensor | None", None]:
    """Return [b, n]: those of the last n of ids [b, t], padded on both sides, as TRL wants them.

    Positions follow the mask. The second is their entropies, if `asked` has compute_entropy.
    """
    labels = input_ids.masked_fill(attention_mask == 0, -100)
    labels[:, :-n] = -100
    output = model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=(attention_mask.cumsum(1) - 1).clamp(min=0),
        labels=labels,
        fused_lm_head=True,
        use_cache=False,
    )
    entropies = output.entropy[:, -n:] if asked.get("compute_entropy", False) else None
    return output.log_probs[:, -n:], entropies, None


def loss_of_texts(model: "PreTrainedModel", texts: list[list[int]], pad_id: int) -> "torch.Tensor":
    """Return the language-model loss of plain texts, a mean over all their tokens, in nats."""
    given = collate([{"input_ids": ids, "n_prompt": 0} for ids in texts], pad_id)
    return model(**{name: each.to(model.device) for name, each in given.items()}).loss


def draw_order(prompts: list[str], n: int, seed: int) -> list[str]:
    """Return the prompts of a whole training: all once, then all again in another order."""
    n_passes = -(-n // len(prompts))
    orders = [np.random.default_rng((seed, number)) for number in range(n_passes)]
    return [prompts[i] for each in orders for i in each.permutation(len(prompts))][:n]


def trl_settings(recipe: RlRecipe, folder: Path) -> Any:
    """Return TRL's config of a training whose checkpoints go to `folder`."""
    import trl

    # What RLOO and GRPO must be told alike; both defaults would differ.
    options: dict[str, Any] = {"beta": recipe.beta, "num_iterations": 1, "epsilon": 0.2}
    if recipe.algorithm is Algorithm.grpo:
        options |= {"loss_type": "grpo", "scale_rewards": "group"}  # the paper's, not TRL's dapo
        config: Any = trl.GRPOConfig
    else:
        config = trl.RLOOConfig
    return config(
        max_steps=recipe.steps,
        shuffle_dataset=False,  # TRL's order of a later epoch is in no checkpoint: see draw_order
        per_device_train_batch_size=recipe.prompts_per_step * recipe.num_generations,
        num_generations=recipe.num_generations,
        max_completion_length=recipe.max_completion_length,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant_with_warmup",  # InstructGPT, appendix C.4
        warmup_steps=recipe.warmup_steps,
        temperature=1.0,
        disable_dropout=True,  # else the ratio to the drawing policy is not 1 at step 0
        **shared_settings(folder, recipe.save_steps, recipe.seed),
        **options,
    )


def keep_snapshots(folder: Path, steps: list[int]) -> "TrainerCallback":
    """Return a callback that saves the policy's weights to `folder`/STEP after these steps."""
    from transformers import TrainerCallback

    class Snapshots(TrainerCallback):
        def on_step_end(self, args, state, control, model, **kwargs):
            if state.global_step in steps:
                model.save_pretrained(folder / f"{state.global_step}")

    return Snapshots()


def check_prompts_fit(
    prompts: dict[str, list[int]], model: "PreTrainedModel", folder: Path, recipe: RlRecipe
) -> None:
    """Raise InputError if the longest prompt and answer exceed the positions of the model.

    model: the policy or the reward model, which was loaded from `folder`.
    """
    from genlab.models.positions import usable_positions

    n_positions = usable_positions(model)
    longest = max(prompts, key=lambda prompt: len(prompts[prompt]))
    if n_positions and len(prompts[longest]) + recipe.max_completion_length > n_positions:
        raise InputError(
            f"{folder}: the prompt {longest[:40]!r} of {len(prompts[longest])} tokens and "
            f"rl.max_completion_length={recipe.max_completion_length} new ones exceed the model's "
            f"{n_positions} positions; lower rl.max_completion_length, or shorten the prompt"
        )


def train_policy(
    folder: Path,
    start: Path,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: dict[str, list[int]],
    texts: list[list[int]],
    rate: Rate,
    recipe: RlRecipe,
    snapshots: list[int],
) -> list[dict]:
    """Train a policy from the model in `start`; return the Trainer's log, an entry a step.

    prompts: text -> token ids. `folder` keeps checkpoints, from the last of which training goes on,
    and in `folder`/snapshots/STEP the policy after each step of `snapshots`, the last of which is
    the training's. Raises InputError if training diverged, a prompt is too long for the model, or
    the last snapshot is another model when it is loaded.
    """
    from datasets import Dataset

    from genlab.models.loading import load_causal_model, quiet_loading

    model = load_causal_model(start)
    check_prompts_fit(prompts, model, start, recipe)
    asked = draw_order(list(prompts), recipe.steps * recipe.prompts_per_step, recipe.seed)
    with quiet_loading():
        trainer = policy_trainer(
            recipe,
            rate,
            texts,
            prompts,
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list([{"prompt": each} for each in asked]),
            args=trl_settings(recipe, folder),
            callbacks=[keep_snapshots(folder / "snapshots", snapshots)],
        )
    what = f"{recipe.algorithm}, seed {recipe.seed}"
    train_from(trainer, last_whole_checkpoint(folder), what)
    log = [entry for entry in trainer.state.log_history if "reward" in entry]
    if not all(math.isfinite(entry[name]) for entry in log for name in ("loss", "reward")):
        raise InputError(
            f"the loss or the reward is not finite ({what}): training diverged; lower "
            f"rl.learning_rate={recipe.learning_rate}"
        )
    last = load_causal_model(folder / "snapshots" / f"{recipe.steps}")
    rows = [{"input_ids": ids, "n_prompt": 0} for ids in prompts.values()]
    batches = row_batches(rows, lambda batch: collate(batch, 0), recipe.prompts_per_step)
    check_loads_the_same(trainer.model, last, batches)
    return log
