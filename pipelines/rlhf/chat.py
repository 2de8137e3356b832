"""Ask all steps the same thing, in this folder: base, SFT, start, DPO and RL side by side.

    python -m chat                                  # asks for prompts, until an empty line
    python -m chat --prompt "name two fruits ."     # answers one
    python -m chat --arm ptx --seed 18              # another arm of RL, another training
    python -m chat --page                           # on a page of this machine

Beside each answer stand the reward model's proxy and, for a prompt of the mini world, the truth.
Random numbers are those of the prompt alone: ask again for the same answers, or with another
--draw for others.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import read_line, table
from genlab.labelling.terminal import printable
from genlab.web.shown_page import Port, show_page
from pipelines.rlhf.arms import BASE, DPO, SFT, START, numbered
from pipelines.rlhf.mini_world import read_world

if TYPE_CHECKING:
    from starlette.routing import Route

    from genlab.web.streams import Streams
    from pipelines.rlhf.steps import Steps

app = stage_app()

EMPTY = "(empty)"
WORLD = Path("instructions.yaml")
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
    world: Annotated[Path, Option(help="the mini world's vocabulary")] = WORLD,
    page: Annotated[bool, Option("--page", help="ask on a page in the browser")] = False,
    port: Port = 0,
) -> None:
    """Answer prompts by all steps side by side."""
    from pipelines.rlhf.steps import load_steps

    rewards = data / "reward"
    seed = seed or next((each.name for each in numbered(rewards)), "none")
    folders = step_folders(data, arm, seed)
    for folder in (*folders.values(), rewards / seed):
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such model; run `dvc repro`, or name another arm or seed"
            )
    words = read_world(world) if world.is_file() or world != WORLD else None
    steps = load_steps(folders, rewards / seed, words, cap)
    if page:
        show_steps(steps, data / "fetch/prompts.parquet", port, seed, draw)
    elif prompt:
        print(answers_to(prompt, steps, draw))
    else:
        converse(lambda asked: answers_to(asked, steps, draw))


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


def converse(answer: Callable[[str], str], ask: Callable[[str], str] = read_line) -> None:
    """Print answers to prompts, or what is wrong with one, until an empty line or Ctrl-C."""
    while True:
        try:
            asked = ask("prompt (empty ends): ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if not asked:
            return
        try:
            print(answer(asked))
        except InputError as error:  # of this prompt, as one that is too long
            print(f"error: {error}")


def answers_to(prompt: str, steps: "Steps", draw: int) -> str:
    """Return a table of each step's answer with proxy reward and truth."""
    from pipelines.rlhf.steps import answer_of

    lines = []
    for name in steps.models:
        found = answer_of(steps, name, prompt, draw)
        lines.append([name, *cells_of(found.proxy, found.truth), printable(found.text) or EMPTY])
    return table(lines, HEADERS, left=["answer"])


def cells_of(proxy: float, truth: float | None) -> list[str]:
    """Return proxy and truth as they are shown; a prompt of no known world has no truth."""
    return [f"{proxy:.2f}", "" if truth is None else f"{truth:.2f}"]


def show_steps(steps: "Steps", prompts: Path, port: int, seed: str, first: int) -> None:
    """Serve the page on which all steps answer side by side; `first` is the draw it begins with."""
    from genlab.web.asking import PAGE, Asking, asking_routes
    from pipelines.rlhf.steps import answer_of, held_out_prompts

    def answer(name: str, prompt: str, draw: int) -> tuple[str, list[str]]:
        found = answer_of(steps, name, prompt, first + draw)
        return found.text, cells_of(found.proxy, found.truth)

    asking = Asking(
        "All steps side by side",
        f"Training {seed}. Proxy: the reward model's word. Truth: the hidden rule's, at most 2.5, "
        "for a prompt that asks for some members of a category.",
        "A prompt",
        list(steps.models),
        list(HEADERS[1:3]),
        answer,
        held_out_prompts(prompts),
    )

    def load(streams: "Streams") -> "list[Route]":
        return asking_routes(asking, streams)

    show_page(PAGE, port, load)


if __name__ == "__main__":
    run(app, "python -m chat")
