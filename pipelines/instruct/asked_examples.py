"""A task's examples as prompts: which templates are used, and the rows that each gives."""

import json
from collections import Counter

import polars as pl

from genlab.core.program import InputError
from pipelines.instruct.prompt_templates import PREFIX, PromptTemplate
from pipelines.instruct.rendering import Rendered, Renderer, render
from pipelines.instruct.schemas import PROMPT_SCHEMA


def choose_templates(
    templates: list[PromptTemplate], n_templates: int, with_reversed: bool, is_held_out: bool
) -> list[tuple[str, int, PromptTemplate]]:
    """Return (ask, number, template) of a task: its prefix, its prompts, and its reversed prompts.

    For a held-out task these are all prompts for the original task, as T0 is evaluated. Raises
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
