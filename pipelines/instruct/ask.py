"""Ask every arm a task in words, and see how likely each holds each answer.

In this pipeline's folder, after `dvc repro`:

    python -m ask "the ship was huge near the sea. is it big or small?" big small
    python -m ask "where does anna live?"                    # without choices: in its own words

Each arm prints its most likely choice, and of every choice the log probability (nats, summed over
its tokens with the end-of-text) and its share among the choices.
"""

import json
import math
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table

app = stage_app()

HERE = Path(__file__).parent


@app.command()
def main(
    text: Annotated[str, Argument(help="the task, as you would say it")],
    choices: Annotated[list[str] | None, Argument(help="answers to choose from")] = None,
    arms: Annotated[
        list[str] | None, Option("--arm", help="only this arm; repeat it; all if not given")
    ] = None,
    max_new_tokens: Annotated[int, Option(min=1, help="of an answer in its own words")] = 16,
    json_output: Annotated[bool, Option("--json", help="print JSON")] = False,
) -> None:
    """Print what each arm answers."""
    from pipelines.instruct.arms import model_folders

    choices = [choice.strip() for choice in choices or []]
    if not text.strip():
        raise InputError("nothing is asked; give a text")
    if not all(choices) or len(set(choices)) < len(choices) or len(choices) == 1:
        raise InputError("choices must be two or more, none empty, none twice")
    base, trained = HERE / "data/fetch/base", HERE / "data/train"
    if not base.is_dir() or not trained.is_dir():
        raise InputError(f"{base}: no models yet; run `dvc repro` in {HERE}")
    there = sorted(path.name for path in trained.iterdir() if (path / "config.json").is_file())
    folders = model_folders(base, trained, there)
    for arm in arms or []:
        if arm not in folders:
            raise InputError(f"--arm {arm}: there are {', '.join(folders)}")
    found = {
        arm: answer(folder, text, choices, max_new_tokens)
        for arm, folder in folders.items()
        if not arms or arm in arms
    }
    print(json.dumps(found, indent=2, ensure_ascii=False) if json_output else as_text(found))


def answer(folder: Path, text: str, choices: list[str], max_new_tokens: int) -> dict:
    """Return an arm's answer; with choices their log probabilities and shares, too."""
    from genlab.models.decoding import Decoding
    from genlab.models.loading import load_for_inference, load_text_to_text_model
    from genlab.models.prompts import encode, frame
    from genlab.models.seq2seq_decoding import generate_texts
    from pipelines.instruct.rank_classification import choice_scores, predict

    tokenizer, model = load_for_inference(folder, load=load_text_to_text_model)
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


if __name__ == "__main__":
    run(app, "python -m ask")
