"""Ask every arm a task in words, and see how likely each holds each answer.

In this pipeline's folder, after `dvc repro`:

    python -m ask "the ship was huge near the sea. is it big or small?" big small
    python -m ask "where does anna live?"                    # without choices: in its own words
    python -m ask --page                                     # on a page of this machine

Each arm prints its most likely choice, and of every choice the log probability (nats, summed over
its tokens with the end-of-text) and its share among the choices.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table
from genlab.web.shown_page import Port, show_page

if TYPE_CHECKING:
    from starlette.routing import Route
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from genlab.web.streams import Streams

    Arm = tuple[PreTrainedTokenizerBase, PreTrainedModel]

app = stage_app()

HERE = Path(__file__).parent
EXAMPLES = ["the ship was huge near the sea. is it big or small? | big | small"]


@app.command()
def main(
    text: Annotated[str, Argument(help="the task, as you would say it")] = "",
    choices: Annotated[list[str] | None, Argument(help="answers to choose from")] = None,
    arms: Annotated[
        list[str] | None, Option("--arm", help="only this arm; repeat it; all if not given")
    ] = None,
    max_new_tokens: Annotated[int, Option(min=1, help="of an answer in its own words")] = 16,
    json_output: Annotated[bool, Option("--json", help="print JSON")] = False,
    page: Annotated[bool, Option("--page", help="ask on a page in the browser")] = False,
    port: Port = 0,
) -> None:
    """Print what each arm answers."""
    from pipelines.instruct.arms import model_folders

    choices = check_choices(choices or [])
    if page and text:
        raise InputError("--page: the task is typed there; leave it out here")
    if not page and not text.strip():
        raise InputError("nothing is asked; give a text")
    base, trained = HERE / "data/fetch/base", HERE / "data/train"
    if not base.is_dir() or not trained.is_dir():
        raise InputError(f"{base}: no models yet; run `dvc repro` in {HERE}")
    there = sorted(path.name for path in trained.iterdir() if (path / "config.json").is_file())
    folders = model_folders(base, trained, there)
    for arm in arms or []:
        if arm not in folders:
            raise InputError(f"--arm {arm}: there are {', '.join(folders)}")
    folders = {arm: folder for arm, folder in folders.items() if not arms or arm in arms}
    if page:
        show_arms(folders, max_new_tokens, port)
        return
    found = {
        arm: answer(load_arm(folder), text, choices, max_new_tokens)
        for arm, folder in folders.items()
    }
    print(json.dumps(found, indent=2, ensure_ascii=False) if json_output else as_text(found))


def check_choices(choices: list[str]) -> list[str]:
    """Return the choices without blanks around them; raise InputError if they are none."""
    choices = [choice.strip() for choice in choices]
    if not all(choices) or len(set(choices)) < len(choices) or len(choices) == 1:
        raise InputError("choices must be two or more, none empty, none twice")
    return choices


def load_arm(folder: Path) -> "Arm":
    """Return an arm's tokenizer and model."""
    from genlab.models.loading import load_for_inference, load_text_to_text_model

    return load_for_inference(folder, load=load_text_to_text_model)


def answer(arm: "Arm", text: str, choices: list[str], max_new_tokens: int) -> dict:
    """Return an arm's answer; with choices their log probabilities and shares, too."""
    from genlab.models.decoding import Decoding
    from genlab.models.prompts import encode, frame
    from genlab.models.seq2seq_decoding import generate_texts
    from pipelines.instruct.rank_classification import choice_scores, predict

    tokenizer, model = arm
    start, _ = frame(tokenizer)
    end = tokenizer.eos_token_id
    source, *options = (
        [*start, *ids, end]
        for ids in encode(tokenizer, [text, *choices], read_special_tokens=False)
    )
    if not choices:
        greedy = Decoding(max_new_tokens, 0.0, 0, 1.0, 1, 1.0, 17)
        [ids], _ = generate_texts(model, [source], ["asked"], greedy, 1)
        return {"answer": tokenizer.decode(ids, skip_special_tokens=True).strip()}
    [scores] = choice_scores(model, [source], [options], 1)
    sums = scores[:, 0]
    total = math.log(sum(math.exp(each - sums.max()) for each in sums)) + sums.max()
    return {
        "answer": choices[predict(scores)],
        "log_probability": dict(zip(choices, map(float, sums), strict=True)),
        "share": {c: math.exp(each - total) for c, each in zip(choices, sums, strict=True)},
    }


def as_text(found: dict[str, dict]) -> str:
    """Return the answers as a table, a row for each arm."""
    rows = []
    for arm, each in found.items():
        cells = [
            f"{value:.2f} ({each['share'][choice]:.0%})"
            for choice, value in each.get("log_probability", {}).items()
        ]
        rows.append([arm, each["answer"], *cells])
    choices = next(iter(found.values())).get("log_probability", {})
    return table(rows, ["arm", "answer", *choices], left=["answer"])


def show_arms(folders: dict[str, Path], max_new_tokens: int, port: int) -> None:
    """Serve the page on which the arms answer side by side."""
    from genlab.web.asking import PAGE, Asking, asking_routes

    def load(streams: "Streams") -> "list[Route]":
        loaded = {arm: load_arm(folder) for arm, folder in folders.items()}

        def ask(arm: str, prompt: str, draw: int) -> tuple[str, list[str]]:
            text, *choices = prompt.split("|")
            found = answer(loaded[arm], text.strip(), check_choices(choices), max_new_tokens)
            share = found.get("share", {}).get(found["answer"])
            return found["answer"], ["" if share is None else f"{share:.0%}"]

        asking = Asking(
            "Every arm side by side",
            "Ask in words; after | stand answers to choose from, and beside an answer its share "
            "among them. Nothing is drawn: an arm answers the same again.",
            "A task",
            list(loaded),
            ["share"],
            ask,
            EXAMPLES,
            is_drawn=False,
        )
        return asking_routes(asking, streams)

    show_page(PAGE, port, load)


if __name__ == "__main__":
    run(app, "python -m ask")
