"""How a small ranker made here is called where it stands in for a published one of that name."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def shown_name(name: str, described: Mapping[str, object]) -> str:
    """Return `NAME (mini)` if its manifest, or its entry in params.yaml, says it was made here.

    BM25 is no model, so its name promises no other one.
    """
    is_small = described.get("source") == "mini" and described.get("kind") != "bm25"
    return f"{name} (mini)" if is_small else name


def rankers_of(params: Mapping) -> dict[str, dict]:
    """Return the rankers that a params.yaml describes; those entries of it that are groups."""
    rankers = params.get("rankers")
    groups = rankers.items() if isinstance(rankers, dict) else ()
    return {str(name): each for name, each in groups if isinstance(each, dict)}


def with_shown_names(
    groups: Mapping[str, Value], rankers: Mapping[str, Mapping]
) -> dict[str, Value]:
    """Return groups of which some are rankers under the names that these are shown by.

    rankers: the group of params.yaml that describes them.
    """
    return {shown_name(name, rankers.get(name, {})): each for name, each in groups.items()}
