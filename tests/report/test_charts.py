"""Charts: the plots of a dvc.yaml, drawn with DVC's templates, whatever their columns."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from genlab.core.palette import PALETTE
from genlab.core.program import InputError
from genlab.report.charts import COLORS, Chart, draw_charts, fill, read_plots
from tests.project_copy import ROOT

SVG = "{http://www.w3.org/2000/svg}"
PIPELINES = sorted([ROOT / "dvc.yaml", *ROOT.glob("pipelines/*/dvc.yaml")])
ROWS = [
    {"ranker": ranker, "max_len": n, "average_loc": place, "low": place - 1, "high": place + 1}
    for ranker, places in {"labse": (3.0, 2.0), "use": (4.0, 4.5)}.items()
    for n, place in zip((10, 20), places, strict=True)
]


@pytest.fixture
def draw(tmp_path):
    """Return a function that draws rows with a template, as a pipeline's only plot."""
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")

    def draw_rows(rows: list[dict], template: str = "by_ranker", **settings) -> Chart:
        plot = {"x": "max_len", "y": {"metrics/rows.json": "average_loc"}, "template": template}
        plots = {"plots": [{"places": plot | settings}]}
        (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(plots), encoding="utf-8")
        (tmp_path / "metrics").mkdir(exist_ok=True)
        (tmp_path / "metrics/rows.json").write_text(json.dumps(rows), encoding="utf-8")
        (chart,) = draw_charts(tmp_path / "dvc.yaml")
        return chart

    return draw_rows


def marks(svg: str, role: str) -> list:
    """Return the drawn paths or lines of the mark groups that have a class."""
    return [
        mark
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if role in group.get("class", "").split()
        for mark in group
        if mark.tag in (f"{SVG}path", f"{SVG}line")
    ]


def words(svg: str) -> list[str]:
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def anchors_in(part: object) -> set[str]:
    return set(re.findall(r"<DVC_METRIC_\w+>", json.dumps(part)))


def test_a_line_and_its_band_are_drawn_for_every_ranker_that_the_rows_name(draw):
    chart = draw(ROWS, x_label="tokens", y_label="place")
    assert len(marks(chart.svg, "mark-line")) == len(marks(chart.svg, "mark-area")) == 2
    assert {"tokens", "place", "labse", "use"} <= set(words(chart.svg))
    assert chart.caption == "Bands and bars' lines: 95 % intervals."
    more = draw([*ROWS, *(row | {"ranker": "new"} for row in ROWS[:2])])
    assert len(marks(more.svg, "mark-line")) == 3 and "new" in words(more.svg)


def test_a_line_without_an_interval_has_no_band(draw):
    rows = [{name: row[name] for name in ("ranker", "max_len", "average_loc")} for row in ROWS]
    chart = draw(rows)
    assert len(marks(chart.svg, "mark-line")) == 2 and marks(chart.svg, "mark-area") == []
    assert chart.caption == ""


def test_a_greater_value_is_drawn_higher(draw):
    svg = draw(ROWS[:2]).svg
    moves = [
        re.match(r"translate\(([\d.]+),([\d.]+)\)", mark.get("transform"))
        for mark in marks(svg, "mark-symbol")
        if mark.get("transform")
    ]
    (x1, y1), (x2, y2) = sorted((float(m[1]), float(m[2])) for m in moves)[-2:]
    assert x1 < x2 and y1 < y2  # from 3 down to 2; in an SVG y grows downwards


def test_chance_is_one_dashed_line_and_no_series(draw):
    chart = draw([row | {"chance": 6.0} for row in ROWS])
    dashed = [mark for mark in marks(chart.svg, "mark-rule") if mark.get("stroke-dasharray")]
    assert len(dashed) == 1
    assert "undefined" not in words(chart.svg)
    assert chart.caption.endswith("Dashed: chance.")


def test_bars_are_one_for_each_name_and_ranker_in_the_order_of_the_rows(draw):
    rows = [{"ranker": r, "probe": p, "average_loc": 1.0} for r in "ab" for p in ("z", "c")]
    svg = draw(rows, "probe_bars", x="probe").svg
    assert len(marks(svg, "mark-rect")) == 4
    assert [word for word in words(svg) if word in ("z", "c")] == ["z", "c"]


def test_only_the_series_have_a_colour_so_that_a_picture_suits_light_and_dark(draw):
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', draw(ROWS).svg))
    assert used <= {"none", "transparent", "currentColor", *COLORS[:2]}


def test_one_run_has_no_legend_of_revisions(draw):
    assert "workspace" not in words(draw(ROWS).svg)


def test_the_same_rows_give_the_same_bytes(draw):
    assert draw(ROWS) == draw(ROWS)


def test_a_hostile_name_stays_text(draw):
    svg = draw([row | {"ranker": "<script>alert(1)</script>"} for row in ROWS], x_label="<b>x").svg
    assert "<script" not in svg
    assert {"<script>alert(1)</script>", "<b>x"} <= set(words(svg))


def test_a_plot_without_its_file_is_left_out_and_a_broken_one_is_named(draw, tmp_path):
    draw(ROWS)
    for content in (b"[", b'["\xe9"]', b"[" * 100_000):
        (tmp_path / "metrics/rows.json").write_bytes(content)
        with pytest.raises(InputError, match=r"metrics/rows.json: no JSON"):
            draw_charts(tmp_path / "dvc.yaml")
    (tmp_path / "metrics/rows.json").unlink()
    assert draw_charts(tmp_path / "dvc.yaml") == []


@pytest.mark.parametrize("row", [{"max_len": 1, "averge_loc": 2}, {"max_length": 1}])
def test_rows_without_a_column_that_the_plot_names_are_an_error(draw, row):
    with pytest.raises(InputError, match=r"rows.json: plot places: no row has (average_loc|max_l)"):
        draw([row])


@pytest.mark.parametrize("content", [{"max_len": 1}, [1, 2], "text"])
def test_a_file_without_rows_is_an_error(draw, content):
    with pytest.raises(InputError, match=r"rows.json: plot places: needs a list of rows"):
        draw(content)


@pytest.mark.parametrize(
    "plot",
    [
        "metrics/rows.json",
        {"places": None},
        {"places": {"x": "max_len", "y": {"metrics/rows.json": "loss"}}},
        {"places": {"y": {"metrics/rows.json": "loss"}, "template": "by_arm"}},
        {"places": {"x": "a", "y": {"metrics/rows.json": ["b", "c"]}, "template": "by_arm"}},
        {"places": {"x": "a", "y": {"m/a.json": "b", "m/c.json": "d"}, "template": "by_arm"}},
    ],
)
def test_a_plot_that_is_not_one_column_over_another_is_one_clear_line(tmp_path, plot):
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": [plot]}), encoding="utf-8")
    with pytest.raises(InputError, match=r"dvc.yaml: plot (places|metrics/rows.json): needs a t"):
        read_plots(tmp_path / "dvc.yaml")


def test_ten_series_have_ten_colours_that_stand_out_on_both_grounds(draw):
    rows = [row | {"ranker": f"r{i}"} for i in range(10) for row in ROWS[:2]]
    lines = marks(draw(rows).svg, "mark-line")
    assert len({line.get("stroke") for line in lines}) == 10
    light, dark = re.findall(r"--ground: (#\w+);", PALETTE)
    for ground in (light, dark):
        assert min(contrast(color, ground) for color in COLORS) >= 3, ground


def contrast(one: str, other: str) -> float:
    """Return WCAG 2's contrast ratio of two colours #rrggbb or #rgb."""
    lights = []
    for color in (one, other):
        digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize(
    ("template", "column"),
    [
        ("by_ranker_and_stop", "stop"),
        ("by_ranker_and_texts", "texts"),
        ("by_arm_and_split", "split"),
    ],
)
def test_the_legend_shows_solid_and_dashed_lines(draw, template, column):
    rows = [row | {"arm": row["ranker"], column: kind} for row in ROWS for kind in ("one", "two")]
    symbols = marks(draw(rows, template).svg, "role-legend-symbol")
    dashes = {mark.get("stroke-dasharray") for mark in symbols if mark.get("stroke") == "gray"}
    assert len(dashes) == 2


def test_legends_are_not_as_faint_as_a_band(draw):
    symbols = marks(draw(ROWS).svg, "role-legend-symbol")
    assert {mark.get("opacity", "1") for mark in symbols} == {"1"}


def test_an_anchor_that_is_not_known_is_an_error():
    with pytest.raises(InputError, match=r"<DVC_METRIC_COLOUR> is unknown"):
        fill({"a": ["<DVC_METRIC_COLOUR>"]}, {"DATA": []})


def test_a_template_that_is_not_there_is_named_with_a_hint(draw):
    with pytest.raises(InputError, match=r"no plot template by_rankr; did you mean by_ranker\?"):
        draw(ROWS, "by_rankr")


@pytest.mark.parametrize("path", sorted((ROOT / ".dvc/plots").glob("*.json")), ids=lambda p: p.stem)
def test_every_anchor_of_every_template_is_filled(path):
    template = json.loads(path.read_text(encoding="utf-8"))
    names = ("DATA", "TITLE", "X", "Y", "X_LABEL", "Y_LABEL", "PLOT_WIDTH", "PLOT_HEIGHT")
    assert anchors_in(template) <= {f"<DVC_METRIC_{name}>" for name in names}
    assert anchors_in(fill(template, dict.fromkeys(names, "there"))) == set()


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.parent.name)
def test_the_plots_of_every_pipeline_name_templates_that_are_there_and_one_column(pipeline):
    plots = read_plots(pipeline)
    assert plots
    for plot in plots:
        assert (ROOT / f".dvc/plots/{plot.template}.json").is_file(), plot.title
        assert len(set(plot.y.values())) == 1, plot.title


def test_no_plot_names_a_ranker_or_an_arm():
    """Or a new one would not be drawn: an entry and its name in a list are all it takes."""
    for pipeline in PIPELINES:
        params = yaml.safe_load((pipeline.parent / "params.yaml").read_text(encoding="utf-8"))
        names = {*params.get("rankers", {}), *params.get("arms", {})} - {"main"}  # a plot's own
        for plot in read_plots(pipeline):
            assert not [name for name in names if name in Path(*plot.y).stem], plot.title
            assert all(isinstance(column, str) for column in plot.y.values()), plot.title


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.parent.name)
def test_every_plot_of_the_record_can_be_drawn(pipeline):
    charts = draw_charts(pipeline)
    assert [chart.title for chart in charts] == [plot.title for plot in read_plots(pipeline)]


@pytest.mark.parametrize(
    ("plots", "message"),
    [
        ("3", "plots must be a list"),
        ("{a: {x: n}}", "plots must be a list"),
        ("[3]", "plot 3: needs a template"),
        ("[{a: {template: 3, x: n, y: {a.json: b}}}]", "plot a: needs a template"),
        ("[{a: {template: line, x: n, y: {3: b}}}]", "plot a: needs a template"),
        ("[{a: {template: line, x: n, y: {a.json: [b]}}}]", "plot a: needs a template"),
    ],
)
def test_plots_of_another_shape_are_one_line(tmp_path, plots, message):
    (tmp_path / "dvc.yaml").write_text(f"plots: {plots}\n")
    with pytest.raises(InputError, match=rf"dvc.yaml: {message}"):
        read_plots(tmp_path / "dvc.yaml")
