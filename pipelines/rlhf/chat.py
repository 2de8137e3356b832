"""Ask all steps the same thing, in this folder: base, SFT, start, DPO and RL side by side.

    python -m chat                                  # asks for prompts, until an empty line
    python -m chat --prompt "name two fruits ."     # answers one
    python -m chat --arm ptx --seed 18              # another arm of RL, another training

Beside each answer stand the reward model's proxy and, for a prompt of the mini world, the truth.
Random numbers are those of the prompt alone: ask again for the same answers, or with another
--draw for others.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table
from genlab.labelling.terminal import printable
from pipelines.rlhf.arms import BASE, DPO, SFT, START, numbered
from pipelines.rlhf.mini_world import Asked, World, read_world

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from pipelines.rlhf.reward_model import RewardModel

app = stage_app()

HEADERS = ("step", "proxy", "truth", "answer")


@app.command()
def main(
    prompt: Annotated[str, Option(help="answer this one and end")] = "",
    arm: Annotated[str, Option(help="arm of RL")] = "main",
    seed: Annotated[
        str, Option(help="training of reward model, DPO and RL; the first if empty")
    ] = "",
    cap: Annotated[int, Option(min=1, help="most new tokens")] = 24,
    draw: Annotated[int, Option(min=0, help="of the answers")] = 0,
    data: Annotated[Path, Option(help="folder of the run")] = Path("data"),
    world: Annotated[Path, Option(help="the mini world's vocabulary")] = Path("instructions.yaml"),
) -> None:
    """Answer prompts by all steps side by side."""
    from pipelines.rlhf.reward_model import load_reward_model

    rewards = data / "reward"
    seed = seed or next((each.name for each in numbered(rewards)), "none")
    folders = step_folders(data, arm, seed)
    for folder in (*folders.values(), rewards / seed):
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such model; run `dvc repro`, or name another arm or seed"
            )
    words = read_world(world) if world.is_file() else None
    models = load_steps(folders)
    reward = load_reward_model(rewards / seed)
    if prompt:
        print(answers_to(prompt, models, reward, words, cap, draw))
    else:
        converse(lambda asked: answers_to(asked, models, reward, words, cap, draw))


def step_folders(data: Path, arm: str, seed: str) -> dict[str, Path]:
    """Return the model folder of each step; of RL the last snapshot."""
    snapshots = numbered(data / "rl" / arm / seed)
    last = snapshots[-1] if snapshots else data / "rl" / arm / seed / "none"
    return {
        BASE: data / "fetch/base",
        SFT: data / "sft" / SFT,
        START: data / "sft" / START,
        DPO: data / DPO / seed,
        f"RL ({arm})": last,
    }


def load_steps(
    folders: dict[str, Path],
) -> dict[str, tuple["PreTrainedTokenizerBase", "PreTrainedModel"]]:
    """Return tokenizer and model of each step."""
    from genlab.models.loading import load_for_inference

    return {name: load_for_inference(folder) for name, folder in folders.items()}


def converse(answer: Callable[[str], str], ask: Callable[[str], str] = input) -> None:
    """Print answers to prompts until an empty line, Ctrl-D or Ctrl-C."""
    while True:
        try:
            asked = ask("prompt (empty ends): ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if not asked:
            return
        print(answer(asked))


def answers_to(
    prompt: str,
    models: dict[str, tuple["PreTrainedTokenizerBase", "PreTrainedModel"]],
    reward: "RewardModel",
    world: World | None,
    cap: int,
    draw: int,
) -> str:
    """Return a table of each step's answer with proxy reward and truth."""
    import polars as pl

    from pipelines.rlhf.answers import full_answers, sampling, write_answers
    from pipelines.rlhf.reward_model import rate

    asked = asked_of(prompt, world)
    rows = pl.DataFrame(
        {
            "prompt_id": [prompt],
            "prompt": [prompt],
            "category": [asked.category if asked else None],
            "asked": [asked.n if asked else None],
        },
        {"prompt_id": pl.String, "prompt": pl.String, "category": pl.String, "asked": pl.Int32},
    )
    lines = []
    for name, (tokenizer, model) in models.items():
        found = write_answers(model, tokenizer, rows, 1, sampling(cap, draw), 1, world)
        given = full_answers(found, tokenizer.eos_token_id)
        proxy = rate(reward, found["prompt_tokens"].to_list(), given)[0]
        truth = found["truth"][0]
        shown = "" if truth is None else f"{truth:.2f}"
        lines.append([name, f"{proxy:.2f}", shown, printable(found["text"][0]) or "(empty)"])
    return table(lines, HEADERS, left=["answer"])


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


if __name__ == "__main__":
    run(app)
