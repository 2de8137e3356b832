"""Read files that genlab writes; one of an unexpected shape is a one-line error that names it.

An edit, a merge or an older version can leave such a file in another shape. The code reads it as if
it were right, and any error on the way becomes one line. Files that people write are checked key by
key where they are read.
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
    """Turn the block's lookup, type and value errors into an InputError that names its files.

    files: those read so far, may grow in the block; mend: what the user can do.
    """
    try:
        yield
    except STUMBLES as error:
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        what = ", ".join(dict.fromkeys(map(str, files)))
        raise InputError(f"{what}: not of the shape that genlab writes ({said}); {mend}") from error


def distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise ValueError for a key met twice, as one would be lost."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        short = repr(twice[:40]) + "..." * (len(twice) > 40)
        raise ValueError(f"the key {short} occurs twice in one object")
    return values


def parse_json(content: str | bytes, *, distinct: bool = False) -> Any:
    """Return the parsed JSON; raise ValueError for anything else, however deeply nested.

    json.loads itself raises RecursionError for a thousand nested lists. distinct: a key met twice
    is an error, too.
    """
    try:
        return json.loads(content, object_pairs_hook=distinct_keys if distinct else None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path, mend: str = AGAIN) -> Any:
    """Return a JSON file's content; raise InputError, ending in `mend`, if it is unreadable."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {mend}") from None
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise InputError(f"{path}: no JSON ({error}); {mend}") from None
