"""How often each task is drawn (Raffel et al. 2020, section 3.5.2), and the drawing."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from typer import Option

from genlab.core.params import did_you_mean
from genlab.core.program import InputError


class Mixing(StrEnum):
    """By what tasks are drawn."""

    proportional = "proportional"  # min(examples, cap)
    temperature = "temperature"  # its 1/T-th power
    equal = "equal"


@dataclass(frozen=True)
class Mixture:
    """How tasks are mixed; a part of the params group `train`."""

    mixing: Annotated[Mixing, Option(help="by what tasks are drawn")]
    cap: Annotated[int, Option(min=1, help="examples of a task that count at most: K")]
    temperature: Annotated[float, Option(min=0.01, help="1: proportional; large: nearly equal")]
    divide_by_templates: Annotated[
        bool, Option(help="a task above the cap counts cap / templates for each template (T0)")
    ]


def mixing_rates(
    sizes: dict[str, int], n_templates: dict[str, int], mixture: Mixture
) -> dict[str, float]:
    """Return each task's share of the drawn examples.

    sizes: how many examples a task has; each is asked through `n_templates` of it. Without the
    division a task counts min(size, cap). With it (bigscience-workshop/t-zero) each template is a
    data set of its own: of the whole task, or of cap / templates examples if that is above the cap.
    """
    weights = {}
    for task, size in sizes.items():
        if mixture.mixing is Mixing.equal:
            weights[task] = 1.0
            continue
        weight = float(min(size, mixture.cap))
        if mixture.divide_by_templates:
            n = n_templates[task]
            each = mixture.cap / n if size > mixture.cap else size
            weight = each * n
        weights[task] = weight
    if mixture.mixing is Mixing.temperature:
        most = max(weights.values())  # of 1 at most, no power is too large
        weights = {task: (w / most) ** (1 / mixture.temperature) for task, w in weights.items()}
    total = sum(weights.values())
    return {task: weight / total for task, weight in weights.items()}


def draw_rows(
    rows_of: Mapping[str, Sequence[int]],
    n_tokens_of: Sequence[int],
    rates: dict[str, float],
    n_tokens: int,
    seed: int,
) -> list[int]:
    """Return row numbers, task by rate and row by chance, until `n_tokens` are reached.

    rows_of: the rows of each task, each drawn once before any is drawn again. The last row is the
    one that passes the budget, so that arms differ by less than a row.
    """
    rng = random.Random(seed)
    tasks, shares = list(rates), list(rates.values())
    waiting: dict[str, list[int]] = {task: [] for task in tasks}
    drawn, total = [], 0
    while total < n_tokens:
        [task] = rng.choices(tasks, shares)
        if not waiting[task]:
            waiting[task] = rng.sample(list(rows_of[task]), len(rows_of[task]))
        row = waiting[task].pop()
        drawn.append(row)
        total += n_tokens_of[row]
    return drawn


def check_tasks(where: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    """Raise InputError for a task that is not there, or twice."""
    for task in wanted:
        if task not in known:
            hint = did_you_mean(task, known) or f"; there are {', '.join(known)}"
            raise InputError(f"{where}: there is no task {task}{hint}")
        if list(wanted).count(task) > 1:
            raise InputError(f"{where}: {task} is named twice")


def check_held_out(trained: Sequence[str], held_out: Sequence[str], where: str) -> None:
    """Raise InputError for a task that is trained on and held out."""
    if both := sorted(set(trained) & set(held_out)):
        raise InputError(
            f"{where}: {both[0]} is held out (prompt.held_out), so it cannot be trained on; take "
            "it out of one of the two"
        )
