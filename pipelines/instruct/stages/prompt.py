"""prompt: turn every example into texts, one for each template of its task.

Reads tasks and templates. Writes a row for each example and template: trained tasks have train and
test rows, held-out ones test rows alone. Templates come from anywhere: they are rendered in a
process with limits (rendering.py). What renders to nothing is skipped, and counted.
"""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from pipelines.instruct.asked_examples import ask_all, choose_templates
from pipelines.instruct.mixtures import check_held_out, check_tasks
from pipelines.instruct.prompt_templates import read_templates
from pipelines.instruct.rendering import Limits, renderer
from pipelines.instruct.schemas import PROMPT_SCHEMA

app = stage_app()


class BadTemplatesAre(StrEnum):
    """What becomes of a template that cannot be rendered."""

    stop = "stop"
    left_out = "left_out"


def check(tasks: list[str], held_out: list[str]) -> None:
    """Raise InputError for a task that is named twice, or trained on and held out."""
    check_tasks("prompt.tasks", tasks, tasks)
    check_tasks("prompt.held_out", held_out, held_out)
    check_held_out(tasks, held_out, "prompt.tasks")


@app.command()
@grouped_options
def main(
    examples: Path,
    templates: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    tasks: Annotated[list[str], Option(help="trained on; repeat the option")],
    held_out: Annotated[list[str], Option(help="tested on alone; repeat the option")],
    n_templates: Annotated[int, Option(min=1, help="prompts of a trained task, its first ones")],
    with_reversed: Annotated[bool, Option(help="train on templates that turn a task round, too")],
    n_test_trained: Annotated[int, Option(min=1, help="test examples of a trained task, at most")],
    bad_templates: Annotated[
        BadTemplatesAre, Option(help="stop at one that fails, or leave it out and name it")
    ],
    limits: Limits,
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Render the examples of all tasks."""
    check(tasks, held_out)
    table = read_table(examples)
    known = table["task"].unique(maintain_order=True).to_list()
    check_tasks("prompt.tasks", tasks, known)
    check_tasks("prompt.held_out", held_out, known)
    found = read_templates(templates)
    skipped: Counter[str] = Counter()
    frames, n_used = [], 0
    with renderer(limits, seed) as made:
        for task in [*tasks, *held_out]:
            is_held_out = task in held_out
            chosen = choose_templates(found[task], n_templates, with_reversed, is_held_out)
            n_used += len(chosen)
            for split in ("test",) if is_held_out else ("train", "test"):
                rows = table.filter(task=task, split=split)
                if not is_held_out and split == "test":
                    rows = rows.head(n_test_trained)
                for ask, number, template in chosen:
                    if ask == "reversed" and split == "test":
                        continue
                    head = (task, split, is_held_out, template.name, number, ask)
                    try:
                        frames.append(ask_all(made, template, head, rows, skipped))
                    except InputError as error:
                        if bad_templates is BadTemplatesAre.stop:
                            raise
                        print(f"left out: {error}")
                        skipped["templates_left_out"] += 1
    if not frames:
        raise InputError(
            f"{templates}: no template is left ({skipped['templates_left_out']} are left out); "
            "prompt.bad_templates=stop ends at the first and says why"
        )
    prompts = pl.concat(frames)
    write_table(output, [prompts], PROMPT_SCHEMA)
    counts = {
        "train_rows": prompts.filter(split="train").height,
        "test_rows": prompts.filter(split="test").height,
        "templates": n_used,
        "skipped": {"total": skipped.total(), **dict(skipped)},
    }
    write_json(metrics, {"prompts": counts})


if __name__ == "__main__":
    run(app)
