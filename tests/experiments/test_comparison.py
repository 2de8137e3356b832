from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from genlab.core.program import InputError
from genlab.experiments.comparison import compare_group
from genlab.experiments.comparison_views import (
    MOST_CHARACTERS,
    Comparison,
    as_markdown,
    as_rows,
    as_text,
    legend,
    short,
)
from genlab.experiments.layout import Layout, Metric, read_layout
from genlab.experiments.pairing import count_asked, pair_rows
from genlab.experiments.verdict_rules import with_verdicts
from genlab.report.beside import say
from genlab.statistics.intervals import bootstrap_interval
from genlab.statistics.significance import detectable_difference, mcnemar_p

LAYOUT = Layout(
    path=Path("rows.parquet"),
    unit="unit",
    group="judge",
    metrics={
        "place": Metric("place", "lower"),
        "good": Metric("good", "higher", "share"),
    },
)
HEAD = """\
rows:
  path: data/rows.parquet
  unit: unit
  metrics:
    place: {column: place, better: lower}
"""


def rows(places: dict[str, float | None], judge: str = "j", good=None, **columns) -> pl.DataFrame:
    good = good or [0.0 if place is None else float(place < 3) for place in places.values()]
    return pl.DataFrame(
        {"judge": judge, "unit": list(places), "place": list(places.values()), "good": good}
        | columns,
        schema_overrides={"place": pl.Float64},
    )


def compare(base: pl.DataFrame, other: pl.DataFrame, layout: Layout = LAYOUT) -> list:
    pairings = pair_rows(layout, base, other, layout.metrics)
    found = [
        each
        for group, pairing in pairings.items()
        for each in compare_group(layout, group, pairing, layout.metrics)
    ]
    return with_verdicts(found)


def many(n: int, change: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return n units at places 1 ... 10, and the same with every other one changed."""
    base = {f"u{i}": float(1 + i % 10) for i in range(n)}
    other = {unit: place + change * (i % 2) for i, (unit, place) in enumerate(base.items())}
    return rows(base), rows(other)


# ---- the head of claims.yaml


def test_the_head_of_a_claims_file_is_read(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(HEAD)
    layout = read_layout(path)
    changed = HEAD.replace("better: lower", "better: lower, margin: 0.1, bounds: [1, 11]")
    path.write_text(changed)
    place = read_layout(path).metrics["place"]
    assert (place.margin, place.bounds, place.limits()) == (0.1, (1.0, 11.0), (1.0, 11.0))
    assert (layout.path, layout.unit, layout.group) == (Path("data/rows.parquet"), "unit", None)
    assert layout.metrics == {"place": Metric("place", "lower", "mean")}
    assert layout.shown == ("place",)


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        ("  unit: unit\n", "", "rows: unit is missing"),
        ("  unit: unit", "  units: unit", r"rows: no key units; did you mean unit\?"),
        ("better: lower", "better: down", "rows.metrics.place: better is down, not lower or"),
        ("better: lower", "better: lower, kind: odds", "kind is odds, not mean or share"),
        ("column: place, ", "", "rows.metrics.place: column is missing"),
        ("better: lower", "better: lower, margin: 0", "margin must be a number above 0, not 0"),
        ("better: lower", "better: lower, per: epoch", "per is epoch, not unit or training"),
        ("better: lower", "better: lower, per: training", "needs margin and bounds"),
        ("better: lower", "better: lower, bounds: 5", r"bounds must be like \[1, 11\], not 5"),
        ("better: lower", "better: lower, bounds: [2, 1]", "bounds: 2 is not below 1"),
        (
            "better: lower",
            "better: lower, kind: share, bounds: [0, 2]",
            "a share has the bounds 0 and 1; leave bounds out",
        ),
        ("{column: place, better: lower}", "place", "rows.metrics.place: must be like"),
        ("  metrics:", "  shown: [plac]\n  metrics:", r"shown: no metric plac; did you mean place"),
        ("rows:", "row:", "no rows: at its head"),
        ("path: data/rows.parquet", "path: [a, b]", r"rows.path: \['a', 'b'\] must be text, not l"),
        ("unit: unit", "unit: 5", "rows.unit: 5 must be text, not int"),
        ("column: place", "column: 5", "rows.metrics.place: column: 5 must be text"),
        ("    place: {", "    1: {", "rows.metrics.1: 1 must be text"),
        ("    place: {column: place, better: lower}", "    [place]", "rows.metrics: must be like"),
        ("  metrics:", "  shown: place\n  metrics:", "rows.shown: must be a list of metrics, like"),
        ("  metrics:", "  shown: []\n  metrics:", "rows.shown: must be a list of metrics, like"),
        ("  metrics:", "  shown: [[a]]\n  metrics:", "rows.shown: .* must be text"),
        ("  metrics:", "  5: x\n  metrics:", "rows: no key 5"),
        (HEAD, "- rows\n", "claims.yaml: must have keys"),
        (HEAD, "", "claims.yaml: must have keys"),
        (HEAD, "rows: {path: [\n", "claims.yaml: not YAML in UTF-8"),
    ],
)
def test_what_is_wrong_with_a_head_is_named(tmp_path, line, replacement, message):
    path = tmp_path / "claims.yaml"
    path.write_text(HEAD.replace(line, replacement))
    with pytest.raises(InputError, match=message):
        read_layout(path)


def test_a_folder_without_claims_is_no_pipelines_folder(tmp_path):
    path = tmp_path / "claims.yaml"
    with pytest.raises(InputError, match="run this in a pipeline's folder") as told:
        read_layout(path)
    path.write_text(str(told.value).partition("what compare needs: ")[2])
    layout = read_layout(path)  # what the message says is enough
    assert (str(layout.path), layout.unit, *layout.metrics) == ("scores.csv", "id", "accuracy")


# ---- pairing


def test_rows_are_paired_by_unit_whatever_their_order():
    base, other = rows({"a": 3, "b": 9, "c": 5}), rows({"c": 4, "a": 2, "b": 8})
    place, _ = compare(base, other)
    assert (place.n, place.base, place.other) == (3, 17 / 3, 14 / 3)
    assert (place.difference, place.low, place.high) == (-1.0, -1.0, -1.0)


def test_units_of_one_side_are_left_out_and_counted():
    pairing = pair_rows(LAYOUT, rows({"a": 3, "b": 9}), rows({"a": 1, "y": 1, "z": 1}), ["place"])
    assert (pairing["j"].only_base, pairing["j"].only_other) == (1, 2)
    assert pairing["j"].base[0]["unit"].to_list() == ["a"]


def test_groups_are_paired_on_their_own_and_those_of_one_side_left_out():
    base = pl.concat([rows({"a": 1}, "j"), rows({"a": 5}, "k")])
    other = pl.concat([rows({"a": 6}, "k"), rows({"a": 1}, "l")])
    pairings = pair_rows(LAYOUT, base, other, ["place"])
    assert list(pairings) == ["k"]
    assert pairings["k"].base[0]["place"].to_list() == [5.0]


def test_rows_need_no_group():
    layout = replace(LAYOUT, group=None)
    found = compare(rows({"a": 1, "b": 2}), rows({"a": 2, "b": 2}), layout)
    assert [(each.group, each.metric) for each in found] == [("", "place"), ("", "good")]


def test_nothing_in_common_is_an_error():
    with pytest.raises(InputError, match="no unit is in both BASE and OTHER"):
        pair_rows(LAYOUT, rows({"a": 1}), rows({"b": 1}), ["place"])


def test_a_unit_twice_is_an_error_that_names_it():
    twice = pl.concat([rows({"a": 1}), rows({"a": 2})])
    with pytest.raises(
        InputError,
        match="OTHER: more than one row for unit a and judge j; name what tells them",
    ):
        pair_rows(LAYOUT, rows({"a": 1}), twice, ["place"])


def test_a_missing_column_is_an_error_that_names_it_and_the_side():
    other = rows({"a": 1}).rename({"place": "places"})
    with pytest.raises(InputError, match=r"OTHER: .* no column place; did you mean places\?"):
        pair_rows(LAYOUT, rows({"a": 1}), other, ["place"])


def test_units_of_two_types_are_an_error_and_integers_of_two_sizes_are_not():
    base, text = rows({"1": 1}).cast({"unit": pl.Int64}), rows({"1": 1})
    with pytest.raises(InputError, match="unit is Int64 in BASE but String in OTHER"):
        pair_rows(LAYOUT, base, text, ["place"])
    small = base.cast({"unit": pl.Int32})
    assert pair_rows(LAYOUT, base, small, ["place"])["j"].height == 1


def test_a_metric_of_text_is_an_error_and_one_of_truth_values_or_nothing_is_not():
    base = rows({"a": 1})
    text = base.with_columns(place=pl.lit("first"))
    with pytest.raises(InputError, match="OTHER: column place holds String, not numbers"):
        pair_rows(LAYOUT, base, text, ["place"])
    other = base.with_columns(place=pl.lit(None), good=pl.lit(True))
    place, good = compare(base, other)
    assert (place.n, good.other) == (0, 1.0)


def test_an_infinite_metric_is_an_error_that_names_its_column_and_unit():
    other = rows({"a": 1, "b": float("-inf")})
    with pytest.raises(InputError, match="OTHER: column place is infinite at unit b"):
        pair_rows(LAYOUT, rows({"a": 1, "b": 2}), other, ["place"])
    assert pair_rows(LAYOUT, rows({"a": 1}), rows({"a": float("nan")}), ["place"])["j"].height == 1


def test_a_share_in_per_cent_is_an_error_and_one_of_ties_or_nothing_is_not():
    base = rows({"a": 1, "b": 2, "c": 3}, good=[0.0, 0.5, None])
    assert pair_rows(LAYOUT, base, base, ["good"])["j"].height == 3
    other = rows({"a": 1, "b": 2, "c": 3}, good=[0.0, 100.0, None])
    with pytest.raises(
        InputError, match=r"OTHER: column good is 100\.0 at unit b, and a share is 0"
    ):
        pair_rows(LAYOUT, base, other, ["good"])


def test_a_row_of_totals_is_no_unit():
    base = rows({str(number): number for number in range(5)})
    with_total = rows({**{str(number): number for number in range(5)}, "Total": 10})
    with pytest.raises(InputError, match="OTHER: unit is a number in all rows but 'Total'; remove"):
        pair_rows(LAYOUT, base, with_total, ["place"])
    words = rows({**{str(number): number for number in range(5)}, "x": 1, "y": 2})
    assert pair_rows(LAYOUT, words, words, ["place"])["j"].height == 7


def test_pairs_that_stand_in_lists_of_other_lengths_are_counted():
    base = rows({"a": 1, "b": 1}, n_candidates=[10, 10])
    pairing = pair_rows(LAYOUT, base, rows({"a": 1, "b": 1}, n_candidates=[10, 9]), ["place"])
    assert pairing["j"].other_lists() == 1
    assert pair_rows(LAYOUT, base, rows({"a": 1}), ["place"])["j"].other_lists() == 0


# ---- differences


def test_a_metric_counts_where_both_sides_have_a_value():
    base = rows({"a": 1, "b": None, "c": 3, "d": None})
    other = rows({"a": 2, "b": 2, "c": None, "d": None})
    place, good = compare(base, other)
    assert (place.n, place.only_base, place.only_other) == (1, 1, 1)
    assert (place.base, place.other) == (1.0, 2.0)
    assert good.n == 4


def test_a_metric_that_no_pair_counts_for_says_so_and_is_not_asked():
    base, other = rows({"a": None, "b": None}, good=[0, 0]), rows({"a": 1, "b": 1}, good=[0, 0])
    place, good = compare(base, other)
    assert (place.n, place.verdict) == (0, "no pair counts")
    assert place.p != place.p and place.p_adjusted != place.p_adjusted
    assert good.verdict == "not settled"


def test_the_interval_is_that_of_paired_differences():
    base, other = many(60, 1.0)
    place, _ = compare(base, other)
    differences = (other["place"] - base["place"]).to_numpy()
    expected = differences.mean(), *bootstrap_interval(differences, seed=17)
    assert (place.difference, place.low, place.high) == pytest.approx(expected, abs=1e-12)
    assert place.test == "bootstrap"


def test_shares_of_zero_and_one_are_tested_by_mcnemar():
    base, other = many(60, 3.0)
    good = compare(base, other)[1]
    assert good.test == "mcnemar"
    assert good.p == mcnemar_p(base["good"].to_numpy(), other["good"].to_numpy())


def test_a_share_in_which_ties_made_a_fraction_is_tested_by_the_bootstrap_and_marked():
    base, other = many(60, 3.0)
    half = other.with_columns(good=pl.when(pl.col("unit") == "u0").then(0.5).otherwise("good"))
    good = compare(base, half)[1]
    assert good.test == "bootstrap*"


def test_a_verdict_takes_the_metrics_better_side_into_account():
    up = compare(*many(60, 1.0))
    down = compare(*many(60, -1.0))
    assert [up[0].verdict, down[0].verdict] == ["worse", "better"]  # lower is better
    base, _ = many(60, 0.0)
    best = base.with_columns(good=pl.lit(1.0))
    assert compare(base, best)[1].verdict == "better"  # higher is better


def test_what_is_detectable_is_of_all_rows_asked_and_only_told_where_it_can_be():
    base, other = many(60, 3.0)
    pairing = pair_rows(LAYOUT, base, other, LAYOUT.metrics)["j"]
    assert count_asked(LAYOUT, [pairing, pairing], ["place", "good"]) == 4
    changes = (other["place"] - base["place"]).to_numpy()
    for n in (1, 4):
        place = compare_group(LAYOUT, "j", pairing, ["place"], n)[0]
        assert place.detectable == pytest.approx(detectable_difference(changes, n), rel=1e-12)
    same = compare_group(LAYOUT, "j", replace(pairing, other=[base]), ["place"])[0]
    assert same.detectable != same.detectable


def test_a_row_without_a_pair_that_counts_is_not_asked():
    pairing = pair_rows(LAYOUT, rows({"a": None}), rows({"a": 1}), LAYOUT.metrics)["j"]
    assert count_asked(LAYOUT, [pairing], ["place", "good"]) == 1


def test_no_share_is_said_to_detect_more_than_all():
    base = rows({f"u{i}": 1.0 for i in range(6)}, good=[0.0, 1.0] * 3)
    other = base.with_columns(good=1 - pl.col("good"))
    good = compare(base, other)[1]
    assert detectable_difference((other["good"] - base["good"]).to_numpy()) > 1
    assert good.detectable != good.detectable


def test_a_sure_difference_survives_holm_among_any_number_of_rows():
    """With 10,000 resamples no p is below 2 / 10,001, and 300 times that is 0.06."""
    base, other = many(60, 1.0)
    pairing = pair_rows(LAYOUT, base, other, ["place"])["j"]
    place = compare_group(LAYOUT, "j", pairing, ["place"], 300)[0]
    none = replace(place, p=1.0)
    assert with_verdicts([place] + [none] * 299)[0].verdict == "worse"
    usual = compare_group(LAYOUT, "j", pairing, ["place"], 100)[0]
    alone = compare_group(LAYOUT, "j", pairing, ["place"])[0]
    assert (usual.low, usual.high, usual.p) == (alone.low, alone.high, alone.p)


def test_rows_that_do_not_differ_are_called_identical_and_are_no_test():
    base, other = many(60, 0.0)
    found = compare(base, other)
    assert {each.verdict for each in found} == {"identical"}
    assert {each.n_tests for each in found} == {0}
    assert all(np.isnan(each.p_adjusted) for each in found)


def test_identical_rows_have_no_interval_neither_of_a_mean_nor_of_a_share():
    found = compare(*many(60, 0.0), with_margin(0.1, (1.0, 11.0)))
    shown = Comparison("a", "b", {}, [], [], found)
    lines = [line.split() for line in as_text(shown).splitlines()]
    assert [line[3:] for line in lines if line[:1] in (["place"], ["good"])] == [
        ["+0.000", "-", "-", "identical"]
    ] * 2
    assert [row[5] for row in as_rows(shown)] == ["95 % interval", "-", "-"]
    assert say(found[0], ("a", "b")) == "j: place: identical."


def test_markdown_that_no_comment_would_hold_loses_rows_and_says_how_many():
    (place, *_) = compare(*many(60, 0.0))
    few = as_markdown(Comparison("a", "b", {}, [], [], [place] * 9))
    assert few.count("| j | place |") == 9 and "more rows" not in few
    cut = as_markdown(Comparison("a", "b", {}, [], [], [place] * 5000))
    assert MOST_CHARACTERS - 200 < len(cut) <= MOST_CHARACTERS
    n_shown = cut.count("| j | place |")
    assert f"\n\n{5000 - n_shown} more rows have no room here" in cut
    assert cut.endswith(few[few.index("diff is OTHER") :])  # what the columns mean is kept
    long = as_markdown(Comparison("a", "b", {}, ["x" * 70_000], [], [place]))
    assert len(long) <= MOST_CHARACTERS


@pytest.mark.parametrize("column", ["text", "score"])
def test_other_texts_at_the_same_places_are_not_identical(column):
    base, _ = many(60, 0.0)
    values = {"text": ["a", "b"], "score": [0.1, 0.2]}[column]
    sides = [base.with_columns(pl.lit(value).alias(column)) for value in values]
    assert {each.verdict for each in compare(*sides)} == {"not settled"}
    same = [base.with_columns(pl.lit(values[0]).alias(column)) for _ in values]
    assert {each.verdict for each in compare(*same)} == {"identical"}


def test_the_same_texts_under_another_judge_are_not_identical():
    base, other = (side.with_columns(text=pl.lit("a")) for side in many(60, 1.0))
    assert compare(base, other)[0].verdict == "worse"


def with_margin(margin: float, bounds: tuple[float, float] | None = None) -> Layout:
    place = replace(LAYOUT.metrics["place"], margin=margin, bounds=bounds)
    return replace(LAYOUT, metrics=LAYOUT.metrics | {"place": place})


def test_a_difference_shown_to_be_smaller_than_the_margin_is_a_verdict():
    """Half of 400 a tenth better, half a tenth worse: the interval is about +-0.01."""
    base, other = many(400, 0.1)
    shift = pl.when(pl.int_range(pl.len()) % 2 == 0).then(-0.1).otherwise(0.0)
    other = other.with_columns(pl.col("place") + shift)
    found = compare(base, other, with_margin(0.02))[0]
    assert found.verdict == "no difference beyond 0.02"
    wide = compare(base, other, with_margin(0.005))[0]
    assert wide.verdict == "not settled"
    # 2.80159 x 0.1001 / 0.005 = 56.1, squared.
    assert wide.needed == pytest.approx(3146, rel=0.01)


def test_a_difference_that_is_sure_and_within_the_margin_is_said_to_be():
    """Every other one of 400 is a tenth worse: 0.05, whose interval is about +-0.005."""
    base, other = many(400, 0.1)
    for margin, cell in ((0.1, "worse, within 0.1"), (0.051, "worse")):
        place = compare(base, other, with_margin(margin))[0]
        shown = Comparison("a", "b", {}, [], [], [place])
        assert place.verdict == "worse"
        assert [line for line in as_text(shown).splitlines() if line.endswith(cell)]
        assert ("within M:" in as_text(shown)) == ("within" in cell)
        assert max(map(len, as_text(shown).splitlines())) <= 80
        assert as_rows(shown)[1][-1] == cell
        assert say(place, ("a", "b")).endswith(f"], {cell}.")


def test_a_few_units_or_clusters_are_within_no_margin():
    """One pair has an interval without width, and so have units that all lie in one cluster."""
    for n, verdict in ((1, "not settled"), (5, "not settled"), (6, "no difference beyond 0.05")):
        base, other = many(n, 0.0)
        shift = 0.01 * pl.lit(-1).pow(pl.int_range(pl.len()))
        other = other.with_columns(pl.col("place") + shift)
        assert compare(base, other, with_margin(0.05))[0].verdict == verdict


def test_other_texts_of_which_none_moves_are_within_a_margin_only_by_the_metrics_bounds():
    """None of 500 moves: at most 0.735 % of units, by ten places at most."""
    base, _ = many(500, 0.0)
    sides = [base.with_columns(text=pl.lit(text)) for text in "ab"]
    found = compare(*sides, with_margin(0.1, (1.0, 11.0)))[0]
    assert (found.low, found.high) == (pytest.approx(-0.0735, abs=1e-4), -found.low)
    assert found.verdict == "no difference beyond 0.1"
    assert compare(*sides, with_margin(0.05, (1.0, 11.0)))[0].verdict == "not settled"


def test_a_difference_that_nearly_all_units_share_is_sure():
    """A third of all resamples draw none of the two that differ, and have no t."""
    base, _ = many(333, 0.0)
    shift = pl.when(pl.int_range(pl.len()) < 2).then(-1.0).otherwise(2.0)
    other = base.with_columns(place=pl.col("place") + shift)
    place = compare(base, other, with_margin(0.1, (1.0, 11.0)))[0]
    assert (place.test, place.verdict) == ("exact", "worse")
    # At most 2.15 % of units have another difference, of -10 at the least.
    assert place.low == pytest.approx(2 - 0.02151 * 12, abs=1e-3)


def test_a_share_of_which_all_units_agree_leaves_room_for_others():
    base = rows({f"u{i}": 1.0 for i in range(60)}, good=[0.0] * 60)
    good = compare(base, base.with_columns(good=pl.lit(1.0)))[1]
    assert 0.85 < good.low < 1 and good.high == 1
    assert good.verdict == "better"


def test_a_difference_that_is_not_significant_is_not_called_none():
    base = rows({f"u{i}": 5.0 for i in range(40)})
    other = rows({f"u{i}": 5.0 + (1 if i % 2 else -1) for i in range(40)})
    place = compare(base, other)[0]
    assert (place.difference, place.verdict) == (0.0, "not settled")


def test_asking_more_questions_asks_more_of_each():
    """Alone p = 0.03 is a difference; together with ten that are none it may be chance."""
    one = replace(compare(*many(60, 1.0))[0], p=0.03)
    none = replace(one, p=1.0)
    assert with_verdicts([one])[0].verdict == "worse"
    together = with_verdicts([one] + [none] * 10)[0]
    assert together.p_adjusted == pytest.approx(0.33)
    assert together.verdict == "not settled"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0523, "0.052"),
        (9.9996, "10.00"),
        (99.123, "99.12"),
        (-123.456, "-123.5"),
        (-4e-5, "0.000"),
        (12345.6, "12346"),
    ],
)
def test_a_number_in_a_narrow_table_keeps_four_digits(value, shown):
    assert short(value) == shown


# ---- several trainings, clusters and samples


def trained(*changes: float) -> list[pl.DataFrame]:
    """Return a table per training: 60 units whose place is changed by about so much."""
    return [
        rows({f"u{i}": 5 + change + 0.1 * ((i + 7 * k) % 5 - 2) for i in range(60)})
        for k, change in enumerate(changes)
    ]


def test_a_difference_that_every_training_shows_is_settled_over_all():
    [found] = [
        each
        for each in compare(trained(0, 0, 0), trained(-1, -1.1, -0.9))
        if each.metric == "place"
    ]
    assert found.difference == pytest.approx(-1)
    assert found.by_training == pytest.approx((-1, -1.1, -0.9))
    assert (found.verdict, found.n_trainings, found.n) == ("better", 3, 60)
    # Student's t over the three alone: sd 0.1, t of two degrees of freedom 4.303.
    assert found.over_trainings == pytest.approx((-1.2484, -0.7516), abs=1e-4)
    # The rest is the units' noise, which is small here.
    assert found.low == pytest.approx(-1.2484, abs=0.02)


def test_trainings_that_disagree_significantly_are_unstable():
    [found] = [each for each in compare(trained(0, 0), trained(-1, 1)) if each.metric == "place"]
    assert found.verdict == "unstable over trainings"
    # Shown significantly by one alone, it is not: the other may be of the same sign.
    [found] = [each for each in compare(trained(0, 0), trained(-1, 0)) if each.metric == "place"]
    assert found.verdict == "not settled"
    assert found.needed is None and found.needed_trainings > 2


def test_where_neither_pairs_nor_trainings_alone_would_settle_it_both_together_are_told():
    """Each half of the squared error, 0.002, is above the (0.1 / 2.80159)^2 = 0.00127 of a test."""
    [found] = [each for each in compare(trained(0, 0), trained(-1, 0)) if each.metric == "place"]
    open_one = replace(found, difference=0.1, margin=None, low=-0.02, high=0.22, p=0.1, n=100)
    open_one = replace(open_one, n_trainings=5, error=0.004**0.5, training_variance=0.002)
    [both] = with_verdicts([open_one])
    # 0.004 / 0.001274 = 3.1396 times as much of both: 100 pairs and 5 trainings.
    assert (both.verdict, both.needed, both.needed_trainings) == ("not settled", 314, 16)
    text = as_text(Comparison("a", "b", {}, [], [], [both]))
    assert "not settled (320, 16 tr.)" in text
    assert "neither alone would, but N pairs in M trainings" in text
    assert "more pairs would not" not in text
    # Without an effect of trainings, pairs are enough; without a difference or margin nothing is.
    [pairs] = with_verdicts([replace(open_one, training_variance=0.0)])
    assert (pairs.needed, pairs.needed_trainings) == (314, None)
    [none] = with_verdicts([replace(open_one, difference=0.0)])
    assert (none.needed, none.needed_trainings) == (None, None)


def test_trainings_that_are_not_the_same_on_both_sides_add_their_variances():
    base, other = trained(0, 0.2, -0.2), trained(-1, -1.2)
    pairing = pair_rows(LAYOUT, base, other, ["place"], matched=False)["j"]
    [found] = compare_group(LAYOUT, "j", pairing, ["place"])
    assert found.by_training == ()
    assert found.difference == pytest.approx(-1.1)
    # sd 0.2 of three and 0.141 of two: 0.04 / 3 + 0.02 / 2, less a little of the units' noise.
    assert found.training_variance == pytest.approx(0.02333, abs=0.001)
    assert found.verdict == "" and found.n_trainings == 2


@pytest.mark.parametrize(
    ("base", "other", "is_unstable"),
    [
        ((0, 0, 0), (-1, 1), True),  # of OTHER one is above BASE's mean, and one below
        ((-1, 1, 0.1), (0, 0), True),  # of BASE
        ((0,), (-1, 1), True),  # beside the one training of BASE
        ((0, 0.01, -0.01), (1, 2), False),  # both above
        ((-1, 1), (1.2, 1.4), False),  # each of OTHER above BASE's mean, each of BASE below OTHER's
    ],
)
def test_trainings_of_one_side_that_lie_on_both_sides_of_the_others_mean_are_unstable(
    base, other, is_unstable
):
    pairing = pair_rows(LAYOUT, trained(*base), trained(*other), ["place"], matched=False)["j"]
    [found] = with_verdicts(compare_group(LAYOUT, "j", pairing, ["place"]))
    assert (found.verdict == "unstable over trainings") is is_unstable
    comparison = Comparison("a", "b", {}, [], [], [found])
    assert ("mean of the other side's" in "\n".join(legend(comparison))) is is_unstable


def test_the_legend_names_the_tests_that_were_made():
    base, other = many(40, 1.0)
    topics = pl.Series([f"t{i // 4}" for i in range(40)])
    for layout, named in (
        (LAYOUT, "p: exact McNemar for shares, else bootstrap."),
        (replace(LAYOUT, cluster="topic"), "p: bootstrap."),
    ):
        sides = [each.with_columns(topic=topics) for each in (base, other)]
        found = with_verdicts(compare(*sides, layout))
        assert named in " ".join(legend(Comparison("a", "b", {}, [], [], found)))


def test_a_unit_that_one_training_lacks_is_left_out_of_all():
    base = trained(0, 0)
    pairing = pair_rows(LAYOUT, [base[0], base[1].head(50)], trained(1, 1), ["place"])["j"]
    assert (pairing.height, pairing.only_base, pairing.only_other) == (50, 10, 10)


def test_units_of_a_cluster_are_drawn_together_and_unknown_ones_alone():
    layout = replace(LAYOUT, cluster="topic")
    base, other = many(40, 0)[0], many(40, 0)[0]
    topics = [f"t{i // 10}" for i in range(40)]
    moved = other.with_columns(place=pl.col("place") + pl.int_range(pl.len()) // 10 * 1.0)
    base, moved = (each.with_columns(topic=pl.Series(topics)) for each in (base, moved))
    clustered = compare(base, moved, layout)[0]
    alone = compare(base, moved)[0]
    assert (clustered.n_clusters, alone.n_clusters) == (4, None)
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)
    unknown = [each.with_columns(topic=pl.lit(None, pl.String)) for each in (base, moved)]
    assert compare(*unknown, layout)[0].n_clusters is None
    some = [
        each.with_columns(topic=pl.when(pl.int_range(pl.len()) > 9).then("topic"))
        for each in (base, moved)
    ]
    assert compare(*some, layout)[0].n_clusters == 13  # three topics, and ten of one unit
    with pytest.raises(InputError, match="BASE: its rows have no column topic"):
        compare(many(4, 0)[0], many(4, 0)[0], layout)


def test_several_samples_of_a_unit_count_as_their_mean():
    layout = replace(LAYOUT, sample="sample")
    base, other = many(20, 1.0)
    twice = pl.concat(
        [
            other.with_columns(sample=0, place=pl.col("place") - 2),
            other.with_columns(sample=1, place=pl.col("place") + 2),
        ]
    )
    found = compare(base.with_columns(sample=0), twice, layout)[0]
    expected = compare(base, other)[0]
    assert (found.n, found.difference) == (20, expected.difference)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    with pytest.raises(InputError, match="more than one row for unit u0 and judge j and sample 0"):
        compare(base.with_columns(sample=0), twice.with_columns(sample=0), layout)


EPOCHS = replace(
    LAYOUT,
    metrics={"epoch": Metric("place", "higher", margin=0.5, bounds=(1.0, 9.0), per="training")},
)


def epochs(*of_trainings: float) -> list[pl.DataFrame]:
    """Return rows of trainings whose forty units all have the training's own value."""
    return [rows({f"u{i}": value for i in range(40)}) for value in of_trainings]


def test_a_value_of_a_training_is_no_better_known_for_its_many_units():
    """Forty equal pairs of one training would give any difference an interval without width."""
    [found] = compare(*epochs(8, 9), EPOCHS)
    assert (found.difference, found.low, found.high, found.p) == (1.0, -8.0, 8.0, 1.0)
    assert (found.verdict, found.needed, found.needed_trainings) == ("not settled", None, None)


def test_a_value_of_a_training_is_tested_over_trainings():
    base, other = epochs(3, 3, 4), epochs(7, 8, 9)
    [found] = compare(base, other, EPOCHS)
    expected = stats.ttest_1samp([4.0, 5.0, 5.0], 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.verdict == "better"
    # All alike: told apart no finer than the margin, a half.
    [alike] = compare(epochs(3, 3, 3), epochs(4, 4, 4), EPOCHS)
    assert alike.p == pytest.approx(2 * stats.t.sf(3**0.5 * 2, 2))
    assert alike.verdict == "not settled"
    # One training up, one down is no contradiction of two tests: each is one number.
    [opposite] = compare(epochs(3, 5, 4), epochs(5, 3, 4), EPOCHS)
    assert opposite.verdict == "not settled"


def test_a_changed_value_is_code_in_markdown_whatever_it_holds():
    """A backtick ends no span of two; what is long or of several lines is one short line."""
    changed = {"a": ("<b>*x*", "@user"), "b": ("`ls`", "``"), "c": ("1\n2", "y" * 300)}
    shown = Comparison("a", "b", changed, [], [], [])
    lines = [line for line in as_markdown(shown).splitlines() if line.startswith("- changed")]
    assert lines == [
        "- changed: `a <b>*x* -> @user`",
        "- changed: ``` b `ls` -> `` ```",
        f"- changed: `c 1 2 -> {'y' * 200} ...`",
    ]
    assert "changed: a <b>*x* -> @user\n" in as_text(shown)
