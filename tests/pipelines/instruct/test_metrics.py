"""Answers summed up: each number and its interval are of the same thing."""

import polars as pl
import pytest

from pipelines.instruct.metrics import closed_book
from pipelines.instruct.schemas import ITEM_SCHEMA


def facts(correct: dict[str, list[float]]) -> pl.DataFrame:
    """Return one arm's answers to facts that are stated four times, by their prompts."""
    rows = [
        {"arm": "multitask", "task": "facts", "template": name, "ask": "prompt",
         "example_id": f"fact-{i}", "times_seen": 4, "correct": value}
        for name, values in correct.items()
        for i, value in enumerate(values)
    ]  # fmt: skip
    return pl.DataFrame(rows, {name: ITEM_SCHEMA[name] for name in rows[0]})


def test_closed_book_exact_match_is_the_median_that_its_interval_is_of():
    """Means over ten facts are 0, 0 and 0.9: their mean of 0.3 is no median."""
    found = closed_book(facts({"a": [0.0] * 10, "b": [0.0] * 10, "c": [0.0] + [1.0] * 9}), 17)
    [point] = found
    assert (point["arm"], point["times_seen"]) == ("multitask", 4)
    assert point["exact_match"] == 0.0
    assert point["low"] == 0.0 < point["high"]


def test_closed_book_exact_match_lies_within_its_interval():
    """One prompt of five that all but fails pulls a mean below what the others say."""
    found = closed_book(facts({f"{i}": [1.0] * 10 for i in range(4)} | {"bad": [0.0] * 10}), 17)
    [point] = found
    assert point["exact_match"] == pytest.approx(1.0)
    assert point["low"] <= point["exact_match"] <= point["high"]
