"""An arm's training rows, drawn by task rates up to a budget of tokens, and its validation rows."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.program import InputError
from genlab.models.batches import row_lengths
from pipelines.instruct.mixtures import Mixture, check_tasks, draw_rows, mixing_rates

if TYPE_CHECKING:
    from datasets import Dataset

ASKS = ("prefix", "prompts")
ALL = "all"  # instead of tasks: every one of prompt.tasks
N_VALIDATION = 256  # rows that say whether a training diverged


def read_mixture(
    tokens: Path, tasks: list[str], ask: str, mixture: Mixture, n_tokens: int, seed: int
) -> tuple[dict[str, "Dataset"], dict[str, float]]:
    """Return an arm's train and validation rows, and each task's rate.

    Raises InputError for a task that has no rows asked so.
    """
    from datasets import Dataset

    split = {
        name: Dataset.from_file(str(tokens / f"{name}.arrow"), in_memory=False)
        for name in ("train", "test")
    }
    names = np.array(split["train"].data.column("task").to_pylist())
    asks = np.array(split["train"].data.column("ask").to_pylist())
    is_asked = asks == "prefix" if ask == "prefix" else asks != "prefix"
    known = list(dict.fromkeys(names.tolist()))
    if tasks == [ALL]:
        tasks = known
    check_tasks("arms: tasks", tasks, known)
    rows_of = {task: np.flatnonzero((names == task) & is_asked).tolist() for task in tasks}
    for task, rows in rows_of.items():
        if not rows:
            raise InputError(f"arms: tasks: {task} has no template that is a {ask}; see {tokens}")
    forms = split["train"].data.column("template").to_pylist()
    n_templates = {task: len({forms[row] for row in rows}) for task, rows in rows_of.items()}
    sizes = {task: len(rows) // n_templates[task] for task, rows in rows_of.items()}
    rates = mixing_rates(sizes, n_templates, mixture)
    drawn = draw_rows(rows_of, row_lengths(split["train"]), rates, n_tokens, seed)
    kept = split["test"].data.column("held_out").to_numpy(zero_copy_only=False)
    trained = np.isin(np.array(split["test"].data.column("task").to_pylist()), tasks)
    chosen = np.flatnonzero(~kept & trained)
    step = max(1, len(chosen) // N_VALIDATION)
    columns = ["input_ids", "labels"]
    # A copy of what is drawn, so that row numbers are places in the table.
    return {
        "train": Dataset(split["train"].data.table.select(columns).take(drawn)),
        "validation": Dataset(split["test"].data.table.select(columns).take(chosen[::step])),
    }, rates
