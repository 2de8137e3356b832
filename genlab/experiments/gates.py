"""Limits on a comparison, for a check that may fail: `labse.average_loc<=0.05`.

A gate is parsed from such a text and checked against the difference that it names.
"""

import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass

from genlab.core.params import did_you_mean, number_said
from genlab.core.program import InputError
from genlab.experiments.comparison import Difference

OPERATORS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
FIELDS = ("low", "high", "p", "p_adjusted", "base", "other")


@dataclass(frozen=True)
class Gate:
    """A condition on a group's metric: `field` of its difference, `operator`, `limit`."""

    text: str
    group: str  # "" where the rows have none
    metric: str
    field: str
    operator: str
    limit: float


def read_gate(text: str, groups: Iterable[str], metrics: Iterable[str]) -> Gate:
    """Return a gate; raise InputError for a group, metric or form that is unknown."""
    groups, metrics = list(groups), list(metrics)
    form = "METRIC<=0.05" if groups == [""] else "GROUP.METRIC<=0.05"
    parts = re.fullmatch(r"\s*([^<>=\s]+)\s*(<=|>=|<|>)\s*(\S+)\s*", text)
    if not parts:
        raise InputError(f"--gate {text}: must be like {form}")
    name, sign, number = parts[1].removesuffix("."), parts[2], parts[3]
    limit = number_said(number)
    if limit is None:
        raise InputError(f"--gate {text}: {number} is not a number")
    for group in groups:
        rest = name if group == "" else name.removeprefix(f"{group}.")
        if group == "" or rest != name:
            metric, _, field = rest.partition(".")
            if metric not in metrics:
                raise InputError(
                    f"--gate {text}: no metric {metric}{did_you_mean(metric, metrics)}; there are "
                    f"{', '.join(metrics)}"
                )
            if field not in ("", *FIELDS):
                raise InputError(
                    f"--gate {text}: no field {field}{did_you_mean(field, FIELDS)}; there are "
                    f"{', '.join(FIELDS)}, and none for the difference"
                )
            return Gate(text, group, metric, field or "difference", sign, limit)
    if name in groups:
        raise InputError(
            f"--gate {text}: names no metric; it must be like {form}, with a metric of "
            f"{', '.join(metrics)}"
        )
    group = name.partition(".")[0]
    raise InputError(
        f"--gate {text}: no group {group} on both sides{did_you_mean(group, groups)}; it must be "
        f"like {form}, with a group of {', '.join(groups)}"
    )


def explain_miss(gate: Gate, differences: Iterable[Difference]) -> str | None:
    """Return how a gate was missed, in words; None if it holds."""
    found = next(d for d in differences if (d.group, d.metric) == (gate.group, gate.metric))
    value = getattr(found, gate.field)
    if value != value and found.n and gate.field.startswith("p"):
        value = 1.0  # no pair differs, so nothing was tested
    if value != value:
        return f"{gate.text}: no pair counts for {gate.metric}"
    if OPERATORS[gate.operator](value, gate.limit):
        return None
    excess = abs(value - gate.limit)
    way = "above" if gate.operator in ("<", "<=") else "below"
    by = f"{excess:.4g} {way} the limit" if excess else "not beyond the limit"
    return f"{gate.text}: {gate.field} is {value:.4g}, {by}"
