"""Ask every arm a task in words, and see how likely each holds each answer.

In this pipeline's folder, after `dvc repro`:

    python -m ask "the ship was huge near the sea. is it big or small?" big small
    python -m ask "where does anna live?"                    # without choices: in its own words
    python -m ask --page                                     # on a page of this machine

The base is asked, and the arms of compared.arms. Each prints its most likely choice, and of every
choice the log probability (nats, summed over its tokens with the end-of-text) and its share among
the choices. A task is cut to as many tokens as those of the training (tokenize.max_input_tokens in
params.yaml), and it is said if it is.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from genlab.core.commands import chosen_folders, stage_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import in_one_line, table
from genlab.web.bodies import writable
from genlab.web.shown_page import OnlyArms, Port, show_page

if TYPE_CHECKING:
    from starlette.routing import Route
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from genlab.web.streams import Streams

    Arm = tuple[PreTrainedTokenizerBase, PreTrainedModel]

app = stage_app()


@dataclass(frozen=True)
class Limits:
    """How many tokens are read, and written without choices."""

    max_input_tokens: int
    max_new_tokens: int


LEGEND = (
    "Below a choice: its log probability in nats (and share among the choices). A share says what\n"
    "an arm prefers, not how often it is right: report/index.html has that, with intervals."
)
EXAMPLES = ["the ship was huge near the sea. is it big or small? | big | small"]


@app.command()
def main(
    text: Annotated[str, Argument(help="the task, as you would say it")] = "",
    choices: Annotated[list[str] | None, Argument(help="answers to choose from")] = None,
    arms: OnlyArms = None,
    max_new_tokens: Annotated[int, Option(min=1, help="of an answer in its own words")] = 16,
    json_output: Annotated[bool, Option("--json", help="print JSON")] = False,
    page: Annotated[bool, Option("--page", help="ask on a page in the browser")] = False,
    port: Port = 0,
) -> None:
    """Print what each arm answers."""
    from pipelines.instruct.arms import model_folders

    choices = check_choices(choices or [])
    if any(writable(each) != each for each in (text, *choices)):
        raise InputError("the task or a choice has bytes that are no text in UTF-8; type it again")
    if page and text:
        raise InputError("--page: the task is typed there; leave it out here")
    if not page and not text.strip():
        raise InputError(
            "nothing is asked; type a task, and answers to choose from if there are any, as in "
            'python -m ask "is a ship big or small?" big small, or --page to ask in a browser'
        )
    options = stage_options(("tokenize", "generate"))
    generate = options["generate"]
    folders = model_folders(generate["base"], generate["trained"], generate["arms"])
    folders = chosen_folders(folders, arms)
    limits = Limits(options["tokenize"]["max_input_tokens"], max_new_tokens)
    if page:
        show_arms(folders, limits, port)
        return
    found = {
        arm: answer(load_arm(folder), text, choices, limits) for arm, folder in folders.items()
    }
    print(json.dumps(found, indent=2, ensure_ascii=False) if json_output else as_text(found))


def check_choices(choices: list[str]) -> list[str]:
    """Return the choices without blanks around them; raise InputError if they are not choices."""
    choices = [choice.strip() for choice in choices]
    if not all(choices) or len(set(choices)) < len(choices) or len(choices) == 1:
        raise InputError("choices must be two or more, none empty, none twice")
    return choices


def load_arm(folder: Path) -> "Arm":
    """Return an arm's tokenizer and model."""
    from genlab.models.loading import load_for_inference, load_text_to_text_model

    return load_for_inference(folder, load=load_text_to_text_model)


def answer(arm: "Arm", text: str, choices: list[str], limits: Limits) -> dict:
    """Return an arm's answer; with choices their log probabilities and shares, too.

    tokens_cut: how many tokens of the text it did not read. Raises InputError for choices that its
    tokenizer does not tell apart.
    """
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
    if len(set(map(tuple, options))) < len(options):
        raise InputError(
            "two choices have the same tokens, as of words that the model does not know; give "
            "others"
        )
    cut = {"tokens_cut": max(0, len(source) - limits.max_input_tokens)}
    source = [*source[:-1][: limits.max_input_tokens - 1], end]
    if not choices:
        greedy = Decoding(limits.max_new_tokens, 0.0, 0, 1.0, 1, 1.0, 17)
        [ids], _ = generate_texts(model, [source], ["asked"], greedy, 1)
        return {"answer": tokenizer.decode(ids, skip_special_tokens=True).strip()} | cut
    [scores] = choice_scores(model, [source], [options], 1)
    sums = scores[:, 0]
    total = math.log(sum(math.exp(each - sums.max()) for each in sums)) + sums.max()
    return {
        "answer": choices[predict(scores)],
        "log_probability": dict(zip(choices, map(float, sums), strict=True)),
        "share": {c: math.exp(each - total) for c, each in zip(choices, sums, strict=True)},
    } | cut


def as_text(found: dict[str, dict]) -> str:
    """Return the answers as a table, a row for each arm."""
    rows = []
    for arm, each in found.items():
        cells = [
            f"{value:.2f} ({each['share'][choice]:.0%})"
            for choice, value in each.get("log_probability", {}).items()
        ]
        rows.append([arm, in_one_line(each["answer"]), *cells])
    choices = map(in_one_line, next(iter(found.values())).get("log_probability", {}))
    lines = [table(rows, ["arm", "answer", *choices], left=["answer"])]
    lines += [LEGEND] * bool(rows[0][2:])
    lines += [f"{arm}: {note_of(each)}" for arm, each in found.items() if each["tokens_cut"]]
    return "\n".join(lines)


def note_of(found: dict) -> str:
    """Return the note on a task that was cut; "" for one that was not."""
    n = found["tokens_cut"]
    return f"read without its last {n} tokens (tokenize.max_input_tokens)" if n else ""


def show_arms(folders: dict[str, Path], limits: Limits, port: int) -> None:
    """Serve the page on which the arms answer side by side."""
    from genlab.web.asking import PAGE, Asking, asking_routes

    def load(streams: "Streams") -> "list[Route]":
        loaded = {arm: load_arm(folder) for arm, folder in folders.items()}

        def ask(arm: str, prompt: str, draw: int) -> tuple[str, list[str]]:
            text, *choices = prompt.split("|")
            found = answer(loaded[arm], text.strip(), check_choices(choices), limits)
            share = found.get("share", {}).get(found["answer"])
            said = ["" if share is None else f"{share:.0%}", note_of(found)]
            return found["answer"], [" ".join(filter(None, said))]

        asking = Asking(
            "Every arm side by side",
            "Ask in words; after | stand answers to choose from, and beside an answer its share "
            "among them, which says what an arm prefers, not how often it is right. Nothing is "
            "drawn: an arm answers the same again.",
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
