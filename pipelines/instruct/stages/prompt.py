"""prompt: turn every example into texts, one for each template of its task.

Reads tasks and templates. Writes a row for each example and template: trained tasks have train and
test rows, held-out ones test rows alone. Templates come from anywhere: they are rendered in a
process with limits (rendering.py). What renders to nothing is skipped, and counted.
"""

import json
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
from pipelines.instruct.mixtures import check_held_out, check_tasks
from pipelines.instruct.prompt_templates import PREFIX, PromptTemplate, read_templates
from pipelines.instruct.rendering import Limits, Rendered, Renderer, render, renderer
from pipelines.instruct.schemas import PROMPT_SCHEMA

app = stage_app()


class BadTemplatesAre(StrEnum):
    """What becomes of a template that cannot be rendered."""

    stop = "stop"
    left_out = "left_out"


def check(tasks: list[str], held_out: list[str]) -> None:
    """Raise InputError for a task that is trained on and held out."""
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
    prompts = pl.concat(frames)
    write_table(output, [prompts], PROMPT_SCHEMA)
    counts = {
        "train_rows": prompts.filter(split="train").height,
        "test_rows": prompts.filter(split="test").height,
        "templates": n_used,
        "skipped": {"total": skipped.total(), **dict(skipped)},
    }
    write_json(metrics, {"prompts": counts})


def choose_templates(
    templates: list[PromptTemplate], n_templates: int, with_reversed: bool, is_held_out: bool
) -> list[tuple[str, int, PromptTemplate]]:
    """Return (ask, number, template) of a task: its prefix, its prompts, and what turns it round.

    Of a held-out task all prompts that ask what its authors asked, as T0 is evaluated. Raises
    InputError for a task without a prompt.
    """
    prompts = [each for each in templates if each.is_original and each.name != PREFIX]
    if not prompts:
        raise InputError(
            f"{templates[0].dataset}: no template asks the original task (original_task: true)"
        )
    chosen = [("prefix", 0, each) for each in templates if each.name == PREFIX]
    kept = prompts if is_held_out else prompts[:n_templates]
    chosen += [("prompt", number, each) for number, each in enumerate(kept)]
    if with_reversed and not is_held_out:
        turned = [each for each in templates if not each.is_original]
        chosen += [("reversed", number, each) for number, each in enumerate(turned)]
    return chosen


def ask_all(
    made: Renderer, template: PromptTemplate, head: tuple, rows: pl.DataFrame, skipped: Counter
) -> pl.DataFrame:
    """Return the rows of a task's examples, asked through one template."""
    names = rows["example_id"].to_list()
    fields = [json.loads(each) for each in rows["fields"]]
    rendered = render(made, template, list(zip(names, fields, strict=True)))
    kept = []
    for name, values, text in zip(names, fields, rendered, strict=True):
        if text.skipped:
            skipped[text.skipped] += 1
            continue
        kept.append(as_row(head, name, text, values.get("times_seen", -1)))
    if not kept and names:
        print(f"{template.shown}: renders to nothing for all {len(names)} examples; left out")
    return pl.DataFrame(kept, PROMPT_SCHEMA, orient="row")


def as_row(head: tuple, example_id: str, text: Rendered, times_seen: int) -> tuple:
    """Return a row of PROMPT_SCHEMA."""
    return *head, example_id, text.input, text.target, text.choices, text.label, times_seen


if __name__ == "__main__":
    run(app)
