"""Ask every arm for a review, side by side, on a page.

    python -m ask                    # in this pipeline's folder, after `dvc repro`
    python -m ask --arm full         # only this arm

A request is a prompt as the reviews' own are: rubrics, rating, keywords. Beside each review stand
the stars that the classifier reads off it. Texts are decoded as the stage generate does, by the
study's way; the random numbers depend on the draw alone, whichever arm writes.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.core.commands import chosen_folders, group_from, stage_options
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import read_table
from genlab.web.shown_page import OnlyArms, Port, show_page

if TYPE_CHECKING:
    from starlette.routing import Route
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from genlab.models.decoding import Decoding
    from genlab.web.asking import Asking
    from genlab.web.streams import Streams

app = stage_app()

STAGES = ("tokenize", "generate", "score")


@app.command()
def main(
    arms: OnlyArms = None,
    port: Port = 0,
) -> None:
    """Serve the page until Ctrl-C."""
    from genlab.web.asking import PAGE, asking_routes

    options = stage_options(STAGES)
    generate = options["generate"]
    folders = {arm: generate["models"] / arm for arm in generate["arms"]}
    folders = chosen_folders(folders, arms)

    def load(streams: "Streams") -> "list[Route]":
        with progress(f"loading {len(folders)} models"):
            asking = make_asking(options, folders)
        return asking_routes(asking, streams)

    show_page(PAGE, port, load)


def make_asking(options: dict[str, dict[str, Any]], folders: dict[str, Path]) -> "Asking":
    """Return what the page may ask, with the models loaded.

    options: of the programs of STAGES.
    """
    from genlab.models.decoding import Decoding
    from genlab.models.loading import load_for_inference, load_text_to_text_model
    from genlab.text.classifier import load_classifier
    from genlab.web.asking import Asking

    generate = options["generate"]
    decoding = group_from(Decoding, generate)
    most = options["tokenize"]["max_prompt_tokens"]
    models = {
        arm: load_for_inference(folder, load=load_text_to_text_model)
        for arm, folder in folders.items()
    }
    stars = load_classifier(options["score"]["classifiers"], "rating")

    def answer(arm: str, prompt: str, draw: int) -> tuple[str, list[str]]:
        text = write_review(*models[arm], prompt, most, decoding, draw)
        read = stars.predict([text])[0] if stars else None  # None, too, where it knows no word
        return text, ["" if read is None else str(read)]

    return Asking(
        "A review from every arm",
        "Stars: what a classifier, trained on real reviews, reads off the text.",
        "A request: rubrics, rating, keywords",
        list(models),
        ["stars"],
        answer,
        requests(generate["output"]),
    )


def write_review(
    tokenizer: "PreTrainedTokenizerBase",
    model: "PreTrainedModel",
    prompt: str,
    most: int,
    decoding: "Decoding",
    draw: int,
) -> str:
    """Return a model's review; of the prompt `most` tokens are read, as in training."""
    from genlab.models.prompts import encode, frame
    from genlab.models.seq2seq_decoding import generate_texts
    from genlab.models.token_texts import decode_texts

    start, _ = frame(tokenizer)
    ids = [*start, *encode(tokenizer, [prompt])[0]][: most - 1]
    asked = [[*ids, tokenizer.eos_token_id]]
    tokens, _ = generate_texts(model, asked, [f"asked-{draw}"], decoding, 1)
    return decode_texts(tokenizer, tokens)[0].strip()


def requests(generated: Path) -> list[str]:
    """Return a request for each rating, of those that the run has asked."""
    if not generated.is_file():
        return []
    rows = read_table(generated).unique("rating", keep="first", maintain_order=True)
    return rows.sort("rating")["prompt"].to_list()


if __name__ == "__main__":
    run(app)
