"""The models of all steps in memory, and what each answers to a prompt.

The random numbers of an answer are those of the prompt and the draw alone, whichever model answers.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.core.tables import read_table
from pipelines.rlhf.mini_world import Asked, World

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from pipelines.rlhf.reward_model import RewardModel

N_EXAMPLES = 4


@dataclass(frozen=True)
class Steps:
    """Tokenizer and model of each step, the reward model, and the mini world, if it is that."""

    models: dict[str, tuple["PreTrainedTokenizerBase", "PreTrainedModel"]]
    reward: "RewardModel"
    world: World | None
    cap: int  # most new tokens


@dataclass(frozen=True)
class Answered:
    """One step's answer. truth: by the hidden rule, None for a prompt that is not of its world."""

    text: str
    proxy: float
    truth: float | None


def load_steps(folders: dict[str, Path], reward: Path, world: World | None, cap: int) -> Steps:
    """Return the steps in these folders, with the reward model in `reward`."""
    from genlab.models.loading import load_for_inference
    from pipelines.rlhf.reward_model import load_reward_model

    models = {name: load_for_inference(folder) for name, folder in folders.items()}
    return Steps(models, load_reward_model(reward), world, cap)


def answer_of(steps: Steps, name: str, prompt: str, draw: int) -> Answered:
    """Return the answer of the step `name`, with proxy reward and truth."""
    from pipelines.rlhf.answers import full_answers, sampling, write_answers
    from pipelines.rlhf.reward_model import rate

    asked = asked_of(prompt, steps.world)
    rows = pl.DataFrame(
        {
            "prompt_id": [prompt],
            "prompt": [prompt],
            "category": [asked.category if asked else None],
            "asked": [asked.n if asked else None],
        },
        {"prompt_id": pl.String, "prompt": pl.String, "category": pl.String, "asked": pl.Int32},
    )
    tokenizer, model = steps.models[name]
    decoding = sampling(steps.cap, draw)
    found = write_answers(model, tokenizer, rows, 1, decoding, 1, steps.world, "--cap")
    given = full_answers(found, tokenizer.eos_token_id)
    proxy = rate(steps.reward, found["prompt_tokens"].to_list(), given)[0]
    return Answered(found["text"][0], float(proxy), found["truth"][0])


def held_out_prompts(path: Path) -> list[str]:
    """Return the first prompts that nothing was trained on; none if there is no such table."""
    if not path.is_file():
        return []
    rows = read_table(path).filter(pl.col("purpose") == "held_out")
    return rows["prompt"].head(N_EXAMPLES).to_list()


def asked_of(prompt: str, world: World | None) -> Asked | None:
    """Return what a prompt of the mini world asks for, None where it is not clear."""
    words = prompt.lower().split()
    if world is None:
        return None
    numbers = world.lists["numbers"]
    found = [
        Asked(second, numbers.index(first) + 1)
        for first, second in pairwise(words)
        if first in numbers and second in world.categories
    ]
    return found[0] if len(found) == 1 else None
