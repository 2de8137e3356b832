"""Have the base and every arm write on from the same words, side by side, on a page.

    python -m ask                    # in this pipeline's folder, after `dvc repro`
    python -m ask --arm main         # beside the base only this one

Beside each text stand the reward that was optimised and the one that was held out. Where the
corpus has prompts, what is typed is a prompt; else it is the beginning of a text. Texts are decoded
as the stage generate does; the random numbers depend on the draw alone, whichever model writes.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from genlab.core.commands import chosen_folders, group_from, stage_options
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.seeds import order_of
from genlab.core.tables import read_table
from genlab.web.shown_page import OnlyArms, Port, show_page

if TYPE_CHECKING:
    from starlette.routing import Route
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from genlab.models.decoding import Decoding
    from genlab.web.asking import Asking
    from genlab.web.streams import Streams

app = stage_app()

N_EXAMPLES = 4
EXAMPLE_WORDS = 4  # of a text's beginning


@app.command()
def main(
    arms: OnlyArms = None,
    port: Port = 0,
) -> None:
    """Serve the page until Ctrl-C."""
    from genlab.web.asking import PAGE, asking_routes
    from pipelines.alignment.arms import BEFORE

    options = stage_options(("generate", "score"))
    generate = options["generate"]
    folders = {arm: generate["trained"] / arm for arm in generate["arms"]}
    folders = {BEFORE: generate["base"]} | chosen_folders(folders, arms)

    def load(streams: "Streams") -> "list[Route]":
        with progress(f"loading {len(folders)} models and 2 rewards"):
            asking = make_asking(generate, options["score"], folders)
        return asking_routes(asking, streams)

    show_page(PAGE, port, load)


def make_asking(
    generate: dict[str, Any], score: dict[str, Any], folders: dict[str, Path]
) -> "Asking":
    """Return what the page may ask: the models and both rewards are loaded.

    generate, score: the options of these stages' programs.
    """
    from genlab.models.decoding import Decoding
    from genlab.models.loading import load_for_inference
    from genlab.preference.rewards import load_reward
    from genlab.web.asking import Asking
    from pipelines.alignment.sampling import read_prompts

    decoding = group_from(Decoding, generate)
    prompts = read_prompts(generate["corpus"], "validation", 0)
    has_prompts = prompts != [""]
    models = {name: load_for_inference(folder) for name, folder in folders.items()}
    rewards = [load_reward(score[name], 1) for name in ("reward_model", "held_out_reward")]

    def answer(name: str, prompt: str, draw: int) -> tuple[str, list[str]]:
        text = write_on(*models[name], prompt, has_prompts, decoding, draw)
        asked = prompt if has_prompts else ""
        return text, [f"{float(rates([asked], [text])[0]):.2f}" for rates in rewards]

    return Asking(
        "Before and after alignment",
        "Reward: what was optimised. Held out: a second reward that was not. Higher is better.",
        "A prompt" if has_prompts else "The beginning of a text",
        list(models),
        ["reward", "held out"],
        answer,
        prompts[:N_EXAMPLES] if has_prompts else beginnings(generate["corpus"]),
    )


def write_on(
    tokenizer: "PreTrainedTokenizerBase",
    model: "PreTrainedModel",
    prompt: str,
    has_prompts: bool,
    decoding: "Decoding",
    draw: int,
) -> str:
    """Return a model's text after a prompt, or the text that it makes of a beginning."""
    from genlab.models.decoding import generate
    from genlab.models.end_of_text import end_tokens
    from genlab.models.prompts import encode
    from genlab.models.token_texts import decode_texts
    from pipelines.alignment.sampling import prompt_ids

    [before] = prompt_ids(tokenizer, [prompt if has_prompts else ""])
    begun = [] if has_prompts else encode(tokenizer, [prompt], read_special_tokens=False)[0]
    ends = end_tokens(model, tokenizer)
    [tokens], _ = generate(model, [[*before, *begun]], [f"asked-{draw}"], decoding, ends, 1)
    return decode_texts(tokenizer, [[*begun, *tokens]])[0].strip()


def beginnings(corpus: Path) -> list[str]:
    """Return how some validation texts begin."""
    texts = read_table(corpus).filter(pl.col("split") == "validation")["text"].unique()
    drawn = sorted(texts, key=order_of)[:N_EXAMPLES]
    return [" ".join(text.split()[:EXAMPLE_WORDS]) for text in drawn]


if __name__ == "__main__":
    run(app)
