"""All tasks' examples, made or found: what is asked of them, their table, and how many they are."""

import json
from collections import Counter
from collections.abc import Collection

import polars as pl

from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.sources.source import Source
from pipelines.instruct import mini_tasks, task_files
from pipelines.instruct.mini_world import read_world
from pipelines.instruct.origins import TaskOrigin
from pipelines.instruct.prompt_templates import SEPARATOR, PromptTemplate
from pipelines.instruct.schemas import TASK_SCHEMA

Tasks = dict[str, dict[str, list[dict]]]  # by task and split


def fetch_tasks(
    origin: TaskOrigin, files: Counter, templates: dict[str, list[PromptTemplate]]
) -> tuple[Tasks, dict[str, list[str]]]:
    """Return the tasks' examples, and of tasks made here what their labels stand for, by task.

    files: counts those of a folder of data sets.
    """
    limits = (origin.n_train, origin.n_test, origin.seed)
    if origin.source is Source.mini:
        world = read_world(origin.path)
        return mini_tasks.make_tasks(world, *limits), mini_tasks.names_of_labels(world)
    if origin.source is Source.file:
        asked = {
            name: "\n".join(f"{each.jinja}\n{each.answer_choices}" for each in own)
            for name, own in templates.items()
        }
        read = task_files.read_task_folder(origin.path, files, asked)
    else:
        read = task_files.read_hub_sets(origin.hub_sets)
    return task_files.split_tasks(read, *limits), {}


def check_tasks(
    tasks: Tasks, names: dict[str, list[str]], templates: dict[str, list[PromptTemplate]]
) -> None:
    """Raise InputError for a task that lacks templates or examples, or has the wrong answers.

    names: what the labels stand for, by task.
    """
    check_templates(tasks, templates)
    check_answers(names, templates)
    check_sizes(tasks)


def check_templates(tasks: Collection[str], templates: Collection[str]) -> None:
    """Raise InputError for a task without templates."""
    for task in tasks:
        if task not in templates:
            raise InputError(
                f"no templates for {task}{did_you_mean(task, templates)}; tasks.templates has "
                f"{', '.join(templates)}"
            )


def check_answers(names: dict[str, list[str]], templates: dict[str, list[PromptTemplate]]) -> None:
    """Raise InputError for answer choices that do not name, in order, what the labels stand for.

    names: of labels, by task. A choice may say more than the name; Jinja is not looked into.
    """
    for task, expected in names.items():
        for template in templates[task]:
            choices = [each.strip() for each in template.answer_choices.split(SEPARATOR)]
            if choices == [""] or "{" in template.answer_choices:
                continue
            if len(choices) != len(expected) or any(
                name not in choice for name, choice in zip(expected, choices, strict=True)
            ):
                raise InputError(
                    f"{template.shown}: its answer choices are {', '.join(choices)}, the labels "
                    f"{', '.join(expected)}; give tasks.templates and tasks.path the same, in order"
                )


def check_sizes(tasks: Tasks) -> None:
    """Raise InputError for a task with less than two examples in a split."""
    for name, splits in tasks.items():
        for split, rows in splits.items():
            if len(rows) < 2:
                raise InputError(
                    f"task {name}: {len(rows)} example(s) in split {split}; a task needs two at "
                    "least in each, or nothing can be said of it"
                )


def task_rows(tasks: Tasks) -> pl.DataFrame:
    """Return the table of all tasks' examples."""
    rows = [
        (
            name,
            split,
            f"{name}/{split}/{number}",
            json.dumps(fields, ensure_ascii=False, default=str),
        )
        for name, splits in tasks.items()
        for split, examples in splits.items()
        for number, fields in enumerate(examples)
    ]
    return pl.DataFrame(rows, TASK_SCHEMA, orient="row")


def count_examples(tasks: Tasks) -> dict[str, dict[str, int]]:
    """Return how many examples each task has in each split; a metric's key has no dot in it."""
    return {
        name.replace(".", "_"): {split: len(rows) for split, rows in splits.items()}
        for name, splits in tasks.items()
    }
