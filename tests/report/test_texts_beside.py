"""Three texts of two runs: which units, and what is said of them."""

from pathlib import Path

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.experiments.layout import Layout, Metric
from genlab.report import texts_beside
from genlab.report.opening import TextsAsked
from genlab.report.texts_beside import TextPair, pair_texts

LAYOUT = Layout(
    path=Path("rows.parquet"),
    unit="id",
    metrics={"reward": Metric("score", "higher")},
    shown=("reward",),
)


@pytest.fixture
def runs(monkeypatch) -> dict[str | None, pl.DataFrame]:
    """Return revision -> rows: unit t00 ... t10, which gains i between the two of them."""
    rows = {
        revision: pl.DataFrame(
            [
                {"id": f"t{i:02}", "arm": "a", "score": float(1 + i * times), "text": f"{name} {i}"}
                for i in range(11)
            ]
        )
        for revision, name, times in (("HEAD", "old", 1), (None, "new", 2))
    }
    monkeypatch.setattr(texts_beside, "read_rows", lambda path, revision: rows[revision])
    monkeypatch.setattr(texts_beside, "read_params", lambda revision: {"arm": "a"})
    return rows


def test_the_units_stand_in_the_order_of_the_gain(runs):
    first, second, third = pair_texts(TextsAsked(), LAYOUT, "HEAD", None)
    assert first == TextPair("t09", "reward 10 and 19 (higher is better)", {}, ("old 9", "new 9"))
    assert (second.unit, third.unit) == ("t05", "t01")


def test_where_less_is_better_a_unit_that_falls_has_gained(runs):
    layout = Layout(LAYOUT.path, "id", {"loss": Metric("score", "lower")}, shown=("loss",))
    pairs = pair_texts(TextsAsked(where={"arm": "{params.arm}"}), layout, "HEAD", None)
    assert [each.unit for each in pairs] == ["t01", "t05", "t09"]


@pytest.mark.parametrize("kind", [pl.Boolean, pl.UInt8])
def test_a_metric_that_is_true_or_false_or_has_no_sign_is_subtracted_as_a_number(runs, kind):
    # Lost by t00 ... t02, kept by t03 ... t07, gained by t08 ... t10.
    for revision, hits in (
        ("HEAD", [1] * 5 + [0] * 6),
        (None, [0] * 3 + [1] * 2 + [0] * 3 + [1] * 3),
    ):
        runs[revision] = runs[revision].with_columns(score=pl.Series(hits).cast(kind))
    pairs = pair_texts(TextsAsked(), LAYOUT, "HEAD", None)
    assert [each.unit for each in pairs] == ["t09", "t05", "t01"]


def test_a_unit_of_one_run_alone_is_passed_over_and_none_in_common_shows_nothing(runs):
    runs[None] = runs[None].filter(pl.col("id") > "t08")
    assert {each.unit for each in pair_texts(TextsAsked(), LAYOUT, "HEAD", None)} == {"t09", "t10"}
    runs[None] = runs[None].clear()
    assert pair_texts(TextsAsked(), LAYOUT, "HEAD", None) == []


def test_a_run_that_lacks_what_is_asked_for_is_an_error(runs):
    runs[None] = runs[None].drop("text")
    with pytest.raises(InputError, match="no column text"):
        pair_texts(TextsAsked(), LAYOUT, "HEAD", None)
