import re
from xml.etree import ElementTree

import pytest

from genlab.report.charts import (
    COLORS,
    bars_by_series,
    dots_with_intervals,
    draw_charts,
    lines_with_bands,
    points_of,
)

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    {"max_len": 10, "labse": 3.0, "labse_low": 2.5, "labse_high": 3.5, "use": 4.0, "use_cut": None},
    {"max_len": 20, "labse": 2.0, "labse_low": 1.5, "labse_high": 2.5, "use": 4.5, "use_cut": 5.0},
]
POINTS = points_of(ROWS, "max_len", ["labse", "use"])


def marks(svg: str, role: str) -> list:
    """Return the drawn paths or lines of the mark groups that have a class."""
    return [
        mark
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if role in group.get("class", "").split()
        for mark in group
        if mark.tag in (f"{SVG}path", f"{SVG}line")
    ]


def dashed(svg: str) -> list:
    return [mark for mark in marks(svg, "mark-rule") if mark.get("stroke-dasharray")]


def words(svg: str) -> list[str]:
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_points_are_the_columns_of_the_rankers_with_their_intervals_where_there_are_some():
    assert POINTS == [
        {"x": 10, "value": 3.0, "series": "labse", "kind": "", "low": 2.5, "high": 3.5},
        {"x": 20, "value": 2.0, "series": "labse", "kind": "", "low": 1.5, "high": 2.5},
        {"x": 10, "value": 4.0, "series": "use", "kind": ""},
        {"x": 20, "value": 4.5, "series": "use", "kind": ""},
    ]


def test_a_number_that_is_null_or_a_column_that_is_not_there_gives_no_point():
    cut = points_of(ROWS, "max_len", ["labse", "use"], "_cut", "cut")
    assert cut == [{"x": 20, "value": 5.0, "series": "use", "kind": "cut"}]


def test_a_line_has_a_band_only_where_it_has_an_interval():
    svg = lines_with_bands(POINTS, "tokens", "place")
    assert len(marks(svg, "mark-line")) == 2
    assert len(marks(svg, "mark-area")) == 1
    assert {"tokens", "place", "labse", "use"} <= set(words(svg))


def test_a_greater_value_is_drawn_higher():
    svg = lines_with_bands([POINTS[0], POINTS[1]], "x", "y")
    moves = [
        re.match(r"translate\(([\d.]+),([\d.]+)\)", m.get("transform"))
        for m in marks(svg, "mark-symbol")
        if m.get("transform")
    ]
    (x1, y1), (x2, y2) = sorted((float(m[1]), float(m[2])) for m in moves)[-2:]
    assert x1 < x2
    assert y1 < y2  # from 3 down to 2; in an SVG y grows downwards


def test_a_reference_is_one_dashed_line_and_no_series():
    svg = lines_with_bands(POINTS, "x", "y", reference=6.0)
    (line,) = dashed(svg)
    assert line.get("stroke") == "currentColor"
    assert "undefined" not in words(svg)


def test_bars_are_one_per_x_and_series():
    assert len(marks(bars_by_series(POINTS, "x", "y"), "mark-rect")) == 4


def test_dots_have_a_row_per_name_in_the_order_given():
    points = points_of(
        [{"probe": "z_last", "use": 1.0}, {"probe": "a_first", "use": 2.0}], "probe", ["use"]
    )
    named = [word for word in words(dots_with_intervals(points, "place")) if " " in word]
    assert named == ["z last", "a first"]


@pytest.mark.parametrize("draw", [lines_with_bands, bars_by_series])
def test_only_the_series_have_a_colour_so_that_a_picture_suits_light_and_dark(draw):
    svg = draw(POINTS, "x", "y")
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    assert used <= {"none", "currentColor", *COLORS[:2]}


def test_the_same_points_give_the_same_bytes():
    assert lines_with_bands(POINTS, "x", "y") == lines_with_bands(POINTS, "x", "y")


def test_a_hostile_name_stays_text():
    rows = [{"place": 1, "<script>alert(1)</script>": 2.0}]
    points = points_of(rows, "place", ["<script>alert(1)</script>"])
    svg = bars_by_series(points, "<b>x", "y")
    assert "<script" not in svg
    assert {"<script>alert(1)</script>", "<b>x"} <= set(words(svg))


def test_a_chart_is_drawn_for_each_plot_file_that_is_there():
    metrics = {"lengths": ROWS, "train_curve": [{"epoch": 1.0, "split": "train", "loss": 2.0}]}
    charts = draw_charts(metrics, ["labse", "use"], chance=6.0)
    assert [chart.title for chart in charts] == ["Training curve", "Place against length"]
    assert charts[1].caption.endswith("Bands: 95 % intervals. Dashed: chance.")


def test_parts_of_a_selected_passage_have_another_chance_and_so_no_line_of_chance():
    names = [{"probe": "query_alone", "use": 1.0}]
    cuts = [{"tokens": 5, "use": 3.0}]
    repeats = [{"repeats": 1, "use": 3.0}]
    metrics = {"probe_words": names, "probe_cuts": cuts, "probe_repeats": repeats}
    repeated, cut, named = draw_charts(metrics, ["use"], chance=6.0)
    assert dashed(cut.svg) == []
    assert "chance" not in cut.caption
    assert "one passage fewer" in named.caption
    for chart in (repeated, named):
        assert len(dashed(chart.svg)) == 1
        assert chart.caption.endswith("Dashed: chance.")


def test_repeats_are_drawn_each_as_wide_as_the_next():
    rows = [{"repeats": k, "use": 3.0} for k in (0, 1, 8)]
    (chart,) = draw_charts({"probe_repeats": rows}, ["use"])
    assert [word for word in words(chart.svg) if word.isdigit()][:3] == ["0", "1", "8"]


def test_without_plot_files_there_is_no_chart():
    assert draw_charts({}, ["labse"], None) == []


def test_a_ranker_that_was_not_scored_is_not_drawn():
    (chart,) = draw_charts({"lengths": ROWS}, ["use"])
    assert "labse" not in words(chart.svg)
    assert chart.caption == "Every text cut at each length, if it had not ended before."
