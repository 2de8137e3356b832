"""Nested params and metrics by dotted name, and hints at a misspelt one."""

import difflib
from collections.abc import Iterable, Iterator


def leaves(params: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted name and the value of all values of a nested dict."""
    for key, value in params.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the closest known name, empty if none is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def flatten(content: object, prefix: str = "") -> dict[str, object]:
    """Return all values of nested dicts and lists by dotted key: {"a": [{"b": 1}]} -> "a.0.b": 1.

    An empty dict or list is a value.
    """
    if not isinstance(content, dict | list) or not content:
        return {prefix.removesuffix("."): content}
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    flat: dict[str, object] = {}
    for key, value in pairs:
        flat |= flatten(value, f"{prefix}{key}.")
    return flat
