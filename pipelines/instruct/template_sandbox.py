"""The process that renders templates, which may be anybody's: a sandbox with limits.

`python -m pipelines.instruct.template_sandbox` reads one JSON request a line and answers each with
one line (rendering.py is the other end). Jinja's sandbox keeps a template from Python's insides.
The processor's time of every rendering is limited by a signal, which stops a loop of Python's; a
later one ends the process where no Python runs in between, as in comparing lists of lists. Memory
is limited by the operating system; the length of a text, and what `*`, `**` and `%` may make, here.
"""

import json
import random
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

PROTECTED = "3ed2dface8203c4c9dfb1a5dc58e41e0"  # stands for ||| in a field, as in promptsource
SEPARATOR = "|||"
MEMORY_BYTES = 2**30  # of the process: Python and Jinja take a twentieth
MAX_NUMBER = 2**256
MAX_WIDTH = 1000  # of a formatted value


class LimitError(Exception):
    """A template wants more than it may have."""


class FieldError(Exception):
    """A field's value that an example cannot be asked with."""


class Choices(list):
    """Answer choices of which a label takes one. -1, "no gold label" on the Hub, takes none."""

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, str):
            raise FieldError(
                f"label {place[:40]!r} is text; give the place of a choice, 0 or more, in every "
                "row, or print the label itself if it is one of the choices"
            )
        if not isinstance(place, int | slice) or isinstance(place, bool):
            shown = "null" if place is None else str(place).lower()[:40]
            raise FieldError(f"label {shown} is no whole number; give the place of a choice")
        if isinstance(place, int) and not 0 <= place < len(self):
            raise FieldError(
                f"label {place} is out of range; there are {len(self)} answer choices, from 0"
            )
        return super().__getitem__(place)


def printable(value: object) -> object:
    """Return what a template prints; FieldError for null, which would be the word None."""
    if value is None:
        raise FieldError("it prints a field that is null; give the field text, or remove its row")
    return value


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with bounded operators and without what is random or unbounded."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, max_chars: int):
        super().__init__(undefined=StrictUndefined, finalize=printable)
        self.max_chars = max_chars
        self.stream = random.Random(0)
        self.globals = {"zip": zip, "range": self.globals["range"], "dict": dict,
                        "namespace": self.globals["namespace"]}  # fmt: skip
        own: dict[str, Callable] = {
            "choice": lambda items: self.stream.choice(list(items)),
            "random": lambda items: self.stream.choice(list(items)),
            "most_frequent": most_frequent,
            "highlight": highlight,
            "format": self.formatted,
        }
        self.filters |= own

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Compute left OPERATOR right, unless it could become too large."""
        sizes = [len(x) for x in (left, right) if isinstance(x, str | list | tuple)]
        numbers = [abs(x) for x in (left, right) if isinstance(x, int | float)]
        if operator == "*" and sizes and numbers and sizes[0] * numbers[0] > self.max_chars:
            raise LimitError(f"more than {self.max_chars} characters")
        if operator == "**" and numbers and (len(numbers) < 2 or numbers[1] > 64):
            raise LimitError("a power above 64")
        if operator == "%" and isinstance(left, str):
            check_widths(left)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and abs(result) > MAX_NUMBER:
            raise LimitError("a number of more than 256 bits")
        return result

    def formatted(self, text: str, *values: object, **named: object) -> str:
        """Do Jinja's filter `format` without endless widths."""
        check_widths(str(text))
        return str(text) % (named or values)


def check_widths(form: str) -> None:
    """Raise LimitError for a format that pads to more than MAX_WIDTH characters."""
    digits = "".join(char if char.isdecimal() else " " for char in form).split()
    if "*" in form or any(len(number) > 9 or int(number) > MAX_WIDTH for number in digits):
        raise LimitError(f"a width above {MAX_WIDTH}")


def most_frequent(items: list) -> list:
    """Return the items that occur most often."""
    counts = Counter(items).most_common()
    return [item for item, n in counts if n == counts[0][1]]


def highlight(text: str) -> str:
    """Return the text unchanged: this filter only colours text on promptsource's own page."""
    return text


def bounded(pieces: object, max_chars: int) -> str:
    """Return the pieces of a rendering as one text; LimitError above `max_chars`."""
    kept, n = [], 0
    for piece in pieces:  # type: ignore[attr-defined]
        n += len(piece)
        if n > max_chars:
            raise LimitError(f"more than {max_chars} characters")
        kept.append(piece)
    return "".join(kept)


def fields_of(environment: Environment, source: str) -> set[str]:
    """Return the names of the fields that a template reads."""
    return meta.find_undeclared_variables(environment.parse(source)) - set(environment.globals)


def protected(value: object, max_field_chars: int) -> object:
    """Return a field cut to `max_field_chars` (0: whole), with ||| in it kept from splitting."""
    if not isinstance(value, str):
        return value
    value = value[:max_field_chars] if max_field_chars else value
    return value.replace(SEPARATOR, PROTECTED)


def parts_of(text: str) -> list[str]:
    """Return what stands between ||| , stripped, with the ||| of fields restored."""
    return [part.strip().replace(PROTECTED, SEPARATOR) for part in text.split(SEPARATOR)]


def too_slow(number: int, frame: FrameType | None) -> None:
    raise LimitError("too much time")


def run_limited(function: object, seconds: float) -> dict:
    """Return {"value": function()}, or {"error": why} if it fails or takes too long."""
    signal.signal(signal.SIGVTALRM, too_slow)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process
    try:
        # Again and again: a handler of the template's making can not catch it for good.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.1)
        signal.setitimer(signal.ITIMER_PROF, 3 * seconds + 1)
        try:
            return {"value": function()}  # type: ignore[operator]
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except LimitError as error:
        return {"error": f"it wants {error}"}
    except FieldError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "it wants too much memory"}
    except RecursionError:
        return {"error": "it calls itself without end"}
    except SecurityError as error:
        return {"error": f"it is refused by the sandbox ({error})"}
    except TemplateError as error:
        number = getattr(error, "lineno", None)
        line = f" in line {number}" if number else ""
        return {"error": f"{type(error).__name__}{line}: {error.message}"}
    except Exception as error:  # a template can make Python raise anything
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def answer(request: dict) -> dict:
    """Return the fields that a template reads and a result for each row, or why it fails."""
    environment = Environment(request["max_chars"])
    seconds = request["seconds"]

    def compiled() -> tuple:
        sources = request["jinja"], request["answer_choices"]
        for source in sources:
            if list(
                environment.parse(source).find_all((nodes.Include, nodes.Import, nodes.FromImport))
            ):
                raise LimitError("other templates")
        reads = set().union(*(fields_of(environment, source) for source in sources))
        return [environment.from_string(source) for source in sources], sorted(reads)

    found = run_limited(compiled, seconds)
    if "error" in found:
        return found
    (body, choices), reads = found["value"]
    results = []
    for stream, fields in zip(request["streams"], request["rows"], strict=True):
        values = {k: protected(v, request["max_field_chars"]) for k, v in fields.items()}

        def rendered(stream: str = stream, values: dict = values) -> dict:
            environment.stream = random.Random(stream)
            options = None
            if request["answer_choices"]:
                options = bounded(choices.generate(values), request["max_chars"]).split(SEPARATOR)
                options = Choices(option.strip() for option in options)
            text = bounded(body.generate(values, answer_choices=options), request["max_chars"])
            options = options and [each.replace(PROTECTED, SEPARATOR) for each in options]
            return {"parts": parts_of(text), "choices": options}

        results.append(run_limited(rendered, seconds))
    return {"fields": reads, "results": results}


def main() -> None:
    """Answer requests until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end ends this one
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
