"""Every way in which one value of a nested file is of another kind than it should be."""

import copy
from collections.abc import Iterator

KINDS: tuple[object, ...] = (
    *(None, "zzz", 3, True, float("inf"), [], ["zzz"], [[]], [None], {}, {"zzz": 1}, {3: {}}),
)


def places(content: object, above: tuple = ()) -> Iterator[tuple]:
    """Yield the keys that lead to each value of nested dicts and lists, () to all of it."""
    yield above
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in pairs:
            yield from places(value, (*above, key))


def misshapen(content: object) -> Iterator[tuple[str, object]]:
    """Yield copies in which one value is missing or of each of KINDS, with words for which."""
    for at in places(content):
        for kind in KINDS:
            yield f"{at} is {kind!r}", replaced(content, at, kind)
        if at:
            yield f"{at} is missing", without(content, at)


def replaced(content: object, at: tuple, value: object) -> object:
    """Return a copy with another value at a place."""
    if not at:
        return value
    changed = copy.deepcopy(content)
    inside_of(changed, at[:-1])[at[-1]] = value
    return changed


def without(content: object, at: tuple) -> object:
    """Return a copy without what is at a place."""
    changed = copy.deepcopy(content)
    del inside_of(changed, at[:-1])[at[-1]]
    return changed


def inside_of(content: object, at: tuple):
    """Return what is at a place."""
    for key in at:
        content = content[key]  # type: ignore[index]
    return content
