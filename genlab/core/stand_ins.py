"""The shown name of a mini ranker that stands in for the published model of the same name."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def shown_name(name: str, described: Mapping[str, object]) -> str:
    """Return `NAME (mini)` if its manifest, or its entry in params.yaml, says it was made here.

    BM25 keeps its name: it is a formula, not a published model that a mini one could stand in for.
    """
    is_small = described.get("source") == "mini" and described.get("kind") != "bm25"
    return f"{name} (mini)" if is_small else name


def rankers_of(params: Mapping) -> dict[str, dict]:
    """Return the entries under `rankers` of a params.yaml that are groups."""
    rankers = params.get("rankers")
    groups = rankers.items() if isinstance(rankers, dict) else ()
    return {str(name): each for name, each in groups if isinstance(each, dict)}


def with_shown_names(
    groups: Mapping[str, Value], rankers: Mapping[str, Mapping]
) -> dict[str, Value]:
    """Return the groups with rankers renamed to their shown names; other names stay.

    rankers: the group `rankers` of params.yaml.
    """
    return {shown_name(name, rankers.get(name, {})): each for name, each in groups.items()}
