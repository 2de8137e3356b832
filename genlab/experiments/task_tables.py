"""README's table of tasks that are each asked through several prompts."""

from genlab.core.markdown import markdown_table
from genlab.experiments.claims_tables import in_words, keys_of, with_interval


def tasks_table(details: dict) -> str:
    """Return every task's median over its prompts with its interval, and their range, by arm.

    details: {how it was asked: {task: {arm: numbers}}}.
    """
    arms = list(dict.fromkeys(arm for tasks in details.values() for arm in keys_of(tasks)))
    rows = [["asked", "task", "chance", *map(in_words, arms)]]
    for asked, tasks in details.items():
        for task, found in tasks.items():
            chance = f"{next(iter(found.values()))['chance']:.2f}"
            cells = [median_cell(found[arm]) if arm in found else "" for arm in arms]
            rows.append([in_words(asked), in_words(task), chance, *cells])
    return markdown_table(rows)


def median_cell(numbers: dict) -> str:
    """Return a median with its interval and, of several prompts, the least and the most."""
    ends = f" [{numbers['least']:.2f}-{numbers['most']:.2f}]" if numbers["prompts"] > 1 else ""
    return f"{with_interval(numbers['accuracy'])}{ends}"
