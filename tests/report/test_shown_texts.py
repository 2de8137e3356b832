"""A good, a middling and a bad text out of the table that claims.yaml compares."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.experiments.layout import Layout, Metric
from genlab.report.opening import TextsAsked
from genlab.report.shown_texts import read_examples

LAYOUT = Layout(
    path=Path("rows.parquet"),
    unit="id",
    metrics={"loss": Metric("nats", "lower"), "hit": Metric("hit", "higher", "share")},
    shown=("loss",),
)

LAYOUT_OF_KINDS = replace(LAYOUT, metrics={"loss": Metric("nats", "lower")})


@pytest.fixture(autouse=True)
def tables(tmp_path, monkeypatch):
    """Write eleven rows of arm a and one of arm b, and a table of what was asked, twice each."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": f"t{i:02}", "arm": "a", "nats": float(10 - i), "hit": float(i % 2), "text": f"{i}"}
        for i in range(11)
    ]
    rows += [{"id": "t99", "arm": "b", "nats": -1.0, "hit": 1.0, "text": "other"}]
    rows += [{"id": "t98", "arm": "a", "nats": None, "hit": 1.0, "text": "no loss"}]
    pl.DataFrame(rows).write_parquet("rows.parquet")
    asked = [
        {"key": f"t{i:02}", "said": [f"one {i}", f"two {i}"], "text": text}
        for i in range(11)
        for text in ("first", "second")
    ]
    pl.DataFrame(asked).write_parquet("asked.parquet")


def show(**settings) -> list:
    return read_examples(TextsAsked(**settings), LAYOUT, {"params": {"arm": "a"}})


def test_each_text_says_whose_it_is():
    assert {each.label for each in show()} == {"our text"}
    assert {each.label for each in show(label="by {params.arm}")} == {"by a"}


def test_three_texts_stand_at_a_tenth_the_half_and_nine_tenths_of_the_order():
    shown = show(where={"arm": "{params.arm}"})
    assert [(each.name, each.text, each.number) for each in shown] == [
        ("good", "9", "loss 1 (lower is better)"),
        ("middling", "5", "loss 5 (lower is better)"),
        ("bad", "1", "loss 9 (lower is better)"),
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seed", 1),  # text in the table
        ("seed", "1"),
        ("steps", 2),  # 2.0 in the table
        ("steps", "{params.steps}"),
        ("n", "{params.steps}"),
        ("held_out", True),
        ("held_out", "{params.switch}"),  # True in Python's words
        ("switch", True),  # text in the table
        ("empty", None),
    ],
)
def test_rows_are_chosen_whatever_kind_a_column_is_of(column, value):
    kinds = {"seed": "1", "steps": 2.0, "n": 2, "held_out": True, "switch": "True", "empty": None}
    others = {"seed": "11", "steps": 1.0, "n": 1, "held_out": False, "switch": "no", "empty": "1"}
    rows = [
        {"id": "t0", "nats": 1.0, "text": "wanted"} | kinds,
        {"id": "t1", "nats": 0.0, "text": "not wanted"} | others,
    ]
    pl.DataFrame(rows).write_parquet("rows.parquet")
    asked = TextsAsked(where={column: value})
    shown = read_examples(asked, LAYOUT_OF_KINDS, {"params": {"steps": 2, "switch": True}})
    assert {each.text for each in shown} == {"wanted"}


def test_equal_ones_are_ordered_by_the_other_metrics_that_are_shown():
    good, middling, bad = show(metric="hit", where={"arm": "a"})
    assert (good.text, middling.text, bad.text) == ("7", "10", "2")


def test_what_was_asked_comes_from_another_table_and_a_shared_name_is_said_which():
    (good, *_) = show(
        where={"arm": "a"},
        joined={"table": "asked.parquet", "on": {"key": "id"}},
        asked={"said": "said", "its": "joined.text", "gone": "joined.text"},
    )
    assert good.asked == {"said": "one 9\ntwo 9", "its": "first", "gone": "first"}
    assert good.text == "9"


def test_without_a_row_that_has_the_metric_no_text_is_shown_and_a_line_says_so(capsys):
    assert show(where={"arm": "c"}) == []
    line = "report.yaml: examples: no row of rows.parquet has a loss; no text is shown\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"metric": "los"}, "no metric los; did you mean loss"),
        ({"text": "txt"}, "no column txt; did you mean text"),
        ({"where": {"ar": "a"}}, "no column ar; did you mean arm"),
        ({"where": {"arm": "{params.no}"}}, "there is no no"),
        ({"joined": {"table": "none.parquet", "on": {"id": "id"}}}, "none.parquet: no such file"),
        ({"joined": {"table": "asked.parquet", "on": {"id": "id"}}}, "no column id"),
        ({"asked": {"said": "said"}}, "no column said"),
        (
            {"joined": {"table": "asked.parquet", "on": {"key": "id"}}, "where": {"said": "one"}},
            "where: said holds lists",
        ),
    ],
)
def test_what_is_not_there_is_an_error_that_names_it(settings, reason):
    with pytest.raises(InputError, match=f"^report.yaml: examples.*{reason}"):
        show(**settings)
