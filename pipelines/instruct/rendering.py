"""Renders examples through templates, in a process that is stopped if it does not answer.

Why a process: a loop in Jinja is a loop in Python, and only the operating system stops that for
certain. The two ends talk in JSON, so that nothing a template could do reaches this one.
"""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from pipelines.instruct import template_sandbox
from pipelines.instruct.prompt_templates import PromptTemplate

ROOT = Path(__file__).resolve().parents[2]
ROWS_AT_A_TIME = 500
START_SECONDS = 20  # for the process to import Jinja on a slow machine


@dataclass(frozen=True)
class Limits:
    """What rendering one example may take."""

    max_chars: Annotated[int, Option(min=100, help="characters of input and target together")]
    max_field_chars: Annotated[int, Option(min=0, help="longer fields are cut; 0: none is")]
    seconds: Annotated[float, Option(min=0.01, help="of the processor, for each example")]


@dataclass(frozen=True)
class Rendered:
    """An example as text; why it has none, if it has none."""

    input: str
    target: str
    choices: list[str] | None  # None: the answer is open
    label: int  # the target's place among the choices; -1 for open answers
    skipped: str = ""  # nothing was rendered


class Renderer:
    """The process that renders, started again after one that had to be stopped."""

    def __init__(self, limits: Limits, seed: int):
        self.limits, self.seed = limits, seed
        self.process: subprocess.Popen | None = None

    def ask(self, request: dict) -> dict:
        """Return the process's answer; an error if it does not come in time or not at all."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", template_sandbox.__name__],
                cwd=ROOT,
                env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},  # no secrets
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        patience = START_SECONDS + 5 * self.limits.seconds * (1 + len(request["rows"]))
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self.process.stdout, selectors.EVENT_READ)
                line = self.process.stdout.readline() if selector.select(patience) else ""
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            return {"error": "it was stopped: it wants too much time or memory"}
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@contextmanager
def renderer(limits: Limits, seed: int) -> Iterator[Renderer]:
    """Yield a Renderer, whose process ends with the block."""
    made = Renderer(limits, seed)
    try:
        yield made
    finally:
        made.close()


def render(
    made: Renderer, template: PromptTemplate, examples: list[tuple[str, dict]]
) -> list[Rendered]:
    """Return (id, fields) of examples as texts, in order.

    `choice` in a template draws from a stream of the seed, the template and the example's id.
    Raises InputError, naming template and example, for one that fails, reads a field that the
    examples do not have, exceeds a limit, or has an answer that is none of its choices.
    """
    rendered: list[Rendered] = []
    for start in range(0, len(examples), ROWS_AT_A_TIME):
        part = examples[start : start + ROWS_AT_A_TIME]
        request = {
            "jinja": template.jinja,
            "answer_choices": template.answer_choices,
            "rows": [fields for _, fields in part],
            "streams": [f"{made.seed}/{template.id}/{name}" for name, _ in part],
            "max_chars": made.limits.max_chars,
            "max_field_chars": made.limits.max_field_chars,
            "seconds": made.limits.seconds,
        }
        for name, fields in part:
            if "answer_choices" in fields:
                raise InputError(f"example {name} has a field answer_choices; rename it")
        found = made.ask(request)
        if "error" in found:
            raise InputError(f"{template.shown}: {found['error']}; mend it or leave it out")
        check_fields(template, set(found["fields"]) - {"answer_choices"}, part[0])
        for (name, _), result in zip(part, found["results"], strict=True):
            where = f"{template.shown}, example {name}"
            if "error" in result:
                raise InputError(f"{where}: {result['error']}; mend the template or leave it out")
            rendered.append(checked(where, result["value"], template.is_ranked))
    return rendered


def check_fields(template: PromptTemplate, reads: set[str], example: tuple[str, dict]) -> None:
    """Raise InputError if the template reads a field that the example does not have."""
    name, fields = example
    if missing := sorted(reads - set(fields)):
        raise InputError(
            f"{template.shown} reads the field {missing[0]}, which example {name} lacks"
            f"{did_you_mean(missing[0], fields)}; it has {', '.join(fields)}: a template of "
            "another data set?"
        )


def checked(where: str, value: dict, is_ranked: bool) -> Rendered:
    """Return a rendering whose answer is one of its choices; skipped if it has no input or target.

    value: the parts between |||, and the choices. If the answer is not ranked it is open.

    Raises InputError for choices that are empty or twice the same, and for another answer.
    """
    parts, choices = value["parts"], value["choices"]
    if len(parts) < 2 or not parts[0] or not parts[1]:
        return Rendered("", "", None, -1, "no_input" if not parts[0] else "no_target")
    if len(parts) > 2:
        raise InputError(f"{where}: {len(parts)} parts between |||; there must be input and target")
    source, target = parts
    if choices is None or not is_ranked:
        return Rendered(source, target, None, -1)
    if not all(choices):
        raise InputError(
            f"{where}: answer choice {choices.index('') + 1} of {len(choices)} is empty"
        )
    if len(set(choices)) < len(choices):
        raise InputError(f"{where}: two answer choices are the same: {' ||| '.join(choices)}")
    if target not in choices:
        raise InputError(
            f"{where}: the target {target!r} is not among the choices {' ||| '.join(choices)}"
        )
    return Rendered(source, target, choices, choices.index(target))
