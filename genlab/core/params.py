"""Nested params and metrics by dotted name, and hints at a misspelt one."""

import difflib
import math
import re
from collections.abc import Iterable
from typing import TypeGuard

from genlab.core.program import InputError

NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)


def flatten(content: object, lists: bool = False, prefix: str = "") -> dict[str, object]:
    """Return the values of nested dicts by dotted name: {"a": {"b": 1}} -> {"a.b": 1}.

    With `lists`, those of lists too: {"a": [{"b": 1}]} -> {"a.0.b": 1}; a list is one value
    otherwise. So is an empty dict or list inside another.
    """
    if isinstance(content, dict) and (content or not prefix):
        pairs: Iterable[tuple[object, object]] = content.items()
    elif lists and isinstance(content, list) and content:
        pairs = enumerate(content)
    else:
        return {prefix.removesuffix("."): content}
    flat: dict[str, object] = {}
    for key, value in pairs:
        flat |= flatten(value, lists, f"{prefix}{key}.")
    return flat


def number_said(text: str) -> float | None:
    """Return the number that a text says, without blanks around it; None if it says none.

    Python's own float reads 1_0 as ten, and has numbers called nan and infinity.
    """
    bare = text.strip()
    return float(bare) if NUMBER.fullmatch(bare) else None


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value from YAML or JSON is a finite number; true and false are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return a hint at the closest known name, empty if none is close; YAML's may be numbers."""
    close = difflib.get_close_matches(str(name), map(str, known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def check_commit(where: str, hub_id: str, revision: str) -> None:
    """Raise InputError unless a Hub revision is a commit: a branch or a tag may be moved."""
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise InputError(
            f"{where}: not a commit; give one of {hub_id} (40 hex digits, from the history on its "
            "page), as a branch or a tag may stand for other files tomorrow"
        )
