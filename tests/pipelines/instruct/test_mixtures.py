"""How often tasks are drawn, by hand; and what may not be mixed."""

from collections import Counter

import pytest

from genlab.core.program import InputError
from pipelines.instruct.mixtures import (
    Mixing,
    Mixture,
    check_held_out,
    check_tasks,
    draw_rows,
    mixing_rates,
)

SIZES = {"small": 100, "large": 1000}
TEMPLATES = {"small": 2, "large": 5}


@pytest.mark.parametrize(
    ("mixture", "small"),
    [
        (Mixture(Mixing.proportional, 10_000, 1.0, False), 100 / 1100),
        (Mixture(Mixing.proportional, 300, 1.0, False), 100 / 400),  # K
        (Mixture(Mixing.temperature, 10_000, 2.0, False), 10 / (10 + 1000**0.5)),
        (Mixture(Mixing.temperature, 10_000, 1.0, False), 100 / 1100),
        (Mixture(Mixing.temperature, 10_000, 0.01, False), 0.0),  # of large numbers no 100th power
        (Mixture(Mixing.equal, 10, 1.0, False), 0.5),
        # T0: small is whole under both of its templates, large is cut to 500 under its five.
        (Mixture(Mixing.proportional, 500, 1.0, True), 200 / 700),
        (Mixture(Mixing.proportional, 10_000, 1.0, True), 200 / 5200),
    ],
)
def test_rates_by_hand(mixture, small):
    rates = mixing_rates(SIZES, TEMPLATES, mixture)
    assert rates["small"] == pytest.approx(small)
    assert sum(rates.values()) == pytest.approx(1.0)


def test_rows_are_drawn_by_rate_up_to_the_budget_each_once_before_any_twice():
    rows_of = {"a": range(10), "b": range(10, 30)}
    drawn = draw_rows(rows_of, [5] * 30, {"a": 0.25, "b": 0.75}, 20_000, 1)
    assert len(drawn) == 4000  # 5 tokens each
    counts = Counter(drawn)
    assert sum(counts[row] for row in range(10)) == pytest.approx(1000, abs=90)
    for rows in rows_of.values():
        times = [counts[row] for row in rows]
        assert max(times) - min(times) <= 1
    assert draw_rows(rows_of, [5] * 30, {"a": 0.25, "b": 0.75}, 20_000, 1) == drawn
    assert draw_rows(rows_of, [5] * 30, {"a": 1.0}, 11, 1)[2:] != []  # 11 tokens: three rows


def test_a_held_out_task_in_the_mixture_is_refused():
    with pytest.raises(InputError, match=r"prompt.tasks: rte is held out"):
        check_held_out(["topic", "rte"], ["rte"], "prompt.tasks")


def test_an_unknown_or_repeated_task_is_named():
    with pytest.raises(InputError, match=r"there is no task topik; did you mean topic\?"):
        check_tasks("prompt.tasks", ["topik"], ["topic", "size"])
    with pytest.raises(InputError, match="topic is named twice"):
        check_tasks("prompt.tasks", ["topic", "topic"], ["topic", "size"])
