"""Files of ours, whose shape is taken for granted: what is wrong in one is told by its name.

A person's hand, a merge or an older version may have left another shape in a file that programs
write. It is read as it should be, and what that stumbles over becomes one line. Of files that
people write every key is checked where they are read.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genlab.core.program import InputError

STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, StopIteration)
AGAIN = "`git checkout` brings the committed one back, and `dvc repro` makes it anew"


@contextmanager
def reading(files: Iterable[object], mend: str = AGAIN) -> Iterator[None]:
    """Make what the block stumbles over an InputError that names the files it read so far.

    files: may grow in the block; mend: what to do.
    """
    try:
        yield
    except STUMBLES as error:
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        what = ", ".join(dict.fromkeys(map(str, files)))
        raise InputError(f"{what}: not of the shape that genlab writes ({said}); {mend}") from error


def distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise ValueError for a key met twice, of which one would get lost."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        short = repr(twice[:40]) + "..." * (len(twice) > 40)
        raise ValueError(f"the key {short} occurs twice in one object")
    return values


def parse_json(content: str | bytes, *, distinct: bool = False) -> Any:
    """Return what a text of JSON says; raise ValueError for all that is none, however deep it is.

    json.loads ends with a RecursionError where lists stand in lists a thousand times. distinct: a
    key met twice is an error, too.
    """
    try:
        return json.loads(content, object_pairs_hook=distinct_keys if distinct else None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path, mend: str = AGAIN) -> Any:
    """Return what a JSON file says; InputError, which ends in `mend`, if it cannot be read."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {mend}") from None
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise InputError(f"{path}: no JSON ({error}); {mend}") from None
