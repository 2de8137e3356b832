"""Charts of a report: rows of numbers in, SVG out.

Drawn by Vega-Lite at build time, so that the page needs no library, no network and no second to
draw itself. Text and axes take the page's colour (currentColor) and nothing is filled behind
them: one picture for light and dark. Colours and shapes both tell the series apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from genlab.core.files import written_whole

# Each at least three to one in contrast on white and on the page's dark ground.
COLORS = ["#2f7fc1", "#d1702a", "#2a9d6f", "#a45fc4", "#8f8540", "#d0506f"]

WIDTH, HEIGHT = 440, 230  # the axis and its labels included in the width

CONFIG = {
    "background": "transparent",
    "aria": False,  # a label for every point would be read out; the page labels the picture
    "font": "Liberation Sans, Arial, sans-serif",  # the first is vl-convert's own: same bytes
    "view": {"stroke": None},
    "range": {"category": COLORS},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 240,
    },
    "legend": {
        "orient": "top",
        "title": None,
        "labelColor": "currentColor",
        "labelFontSize": 12,
        "symbolStrokeWidth": 2,
    },
}

# Vega-Lite's own number for its grammar; the library draws with its latest of that line.
GRAMMAR = "5.21"


@dataclass(frozen=True)
class Chart:
    title: str
    caption: str
    svg: str


def lines_with_bands(
    points: list[dict],
    x_title: str,
    y_title: str,
    reference: float | None = None,
    x_is_ordinal: bool = False,
) -> str:
    """Return the SVG of a line per series over x, its interval as a band.

    `points`: x, value, series, kind (told apart by the dash) and, where there is an interval, low
    and high. `reference` is a dashed level right across.
    """
    kinds = unique(point["kind"] for point in points)
    x = {"field": "x", "title": x_title, "axis": {"grid": False, "labelAngle": 0}}
    if x_is_ordinal:
        x |= {"type": "ordinal"}
    else:
        x |= {"type": "quantitative", "scale": {"zero": False, "nice": False, "padding": 6}}
    y = {"type": "quantitative", "title": y_title, "scale": {"zero": False, "padding": 6}}
    dash = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": kinds, "range": [[1, 0], [5, 4], [2, 2]][: len(kinds)]},
        "legend": {"symbolStrokeColor": "currentColor"} if len(kinds) > 1 else None,
    }
    color = by_series(points)
    band = {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "area", "opacity": 0.16},
        "encoding": {
            "x": x,
            "y": {"field": "low", **y},
            "y2": {"field": "high"},
            "color": color,
            "detail": {"field": "kind"},
        },
    }
    line = {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {"x": x, "y": {"field": "value", **y}, "color": color, "strokeDash": dash},
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 30, "opacity": 1},
        "encoding": {"x": x, "y": {"field": "value", **y}, "color": color, "shape": color},
    }
    return draw(points, {"layer": [*reference_layer("y", reference), band, line, dots]})


def bars_by_series(points: list[dict], x_title: str, y_title: str) -> str:
    """Return the SVG of bars, for each x one per series. `points`: x, value, series."""
    series = by_series(points)
    return draw(
        points,
        {
            "mark": {"type": "bar"},
            "encoding": {
                "x": {
                    "field": "x",
                    "type": "ordinal",
                    "title": x_title,
                    "axis": {"labelAngle": 0},
                    "scale": {"paddingInner": 0.25},
                },
                "xOffset": {"field": "series", "sort": series["sort"]},
                "y": {"field": "value", "type": "quantitative", "title": y_title},
                "color": series,
            },
        },
    )


def dots_with_intervals(
    points: list[dict], value_title: str, reference: float | None = None
) -> str:
    """Return the SVG of a row per x with a dot and its interval per series, lowest row last.

    `points`: x (a name), value, series and, where there is an interval, low and high.
    """
    points = [point | {"x": str(point["x"]).replace("_", " ")} for point in points]
    names = unique(point["x"] for point in points)
    series = by_series(points)
    value = {"type": "quantitative", "title": value_title, "scale": {"zero": False, "padding": 6}}
    rows = {
        "y": {
            "field": "x",
            "type": "nominal",
            "sort": names,
            "title": None,
            "axis": {"grid": True},
        },
        "yOffset": {
            "field": "series",
            "sort": series["sort"],
            "scale": {"paddingOuter": 0.6},
        },
    }
    layers = [
        *reference_layer("x", reference),
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": rows
            | {"x": {"field": "low", **value}, "x2": {"field": "high"}, "color": series},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 44, "opacity": 1},
            "encoding": rows | {"x": {"field": "value", **value}, "color": series, "shape": series},
        },
    ]
    height = {"step": max(9, 30 // max(len(series["sort"]), 1))}
    return draw(points, {"height": height, "layer": layers})


def by_series(points: list[dict]) -> dict:
    """Return the encoding of the series, in the order they come in."""
    names = unique(point["series"] for point in points)
    # With its domain a scale does not take in the reference line, which has no series.
    return {
        "field": "series",
        "type": "nominal",
        "sort": names,
        "scale": {"domain": names},
        "legend": {"symbolOpacity": 1},  # not as pale as a band
    }


def reference_layer(axis: str, level: float | None) -> list[dict]:
    """Return a dashed line at `level` of the axis "x" or "y", or no layer."""
    if level is None:
        return []
    mark = {"type": "rule", "strokeDash": [3, 3], "color": "currentColor", "opacity": 0.6}
    return [{"data": {"values": [{}]}, "mark": mark, "encoding": {axis: {"datum": level}}}]


def unique(values: Iterable) -> list:
    """Return the values without repeats, in the order they come in."""
    return list(dict.fromkeys(values))


def draw(points: list[dict], spec: dict) -> str:
    """Return the SVG of a Vega-Lite spec over the points."""
    import vl_convert

    whole = {"width": WIDTH, "height": HEIGHT, "data": {"values": points}, "config": CONFIG}
    whole |= {"autosize": {"type": "fit-x", "contains": "padding"}} | spec
    return vl_convert.vegalite_to_svg(whole, vl_version=GRAMMAR)


# ---- the charts of a run

PLACE = "mean place (lower is better)"


@dataclass(frozen=True)
class PlaceChart:
    """What a chart of mean places shows, before it is drawn."""

    title: str
    about: str
    x_title: str | None  # none: names, each in a row of its own
    points: list[dict]
    chance: float | None
    x_is_ordinal: bool = False  # one x as wide as the next


def points_of(
    rows: list[dict], x: str, rankers: list[str], suffix: str = "", kind: str = ""
) -> list[dict]:
    """Return a point per row and ranker that has a number in the column RANKER + suffix.

    Its interval is in RANKER + suffix + _low and _high, if there.
    """
    points = []
    for ranker in rankers:
        for row in rows:
            name = ranker + suffix
            if row.get(name) is None:
                continue
            point = {"x": row[x], "value": row[name], "series": ranker, "kind": kind}
            if row.get(f"{name}_low") is not None:
                point |= {"low": row[f"{name}_low"], "high": row[f"{name}_high"]}
            points.append(point)
    return points


def draw_charts(
    metrics: dict[str, list[dict]], rankers: list[str], chance: float | None = None
) -> list[Chart]:
    """Return the charts that the plot files of a run allow; one with nothing to show is left out.

    metrics: name of a plot file without .json -> its rows, the files that are there. chance: the
    mean place of a random order, if known.
    """

    def points(name: str, x: str, suffix: str = "", kind: str = "") -> list[dict]:
        return points_of(metrics.get(name, []), x, rankers, suffix, kind)

    charts = []
    if shown := points("place_histogram", "place"):
        svg = bars_by_series(shown, "place", "generated texts")
        about = "Texts at each place (rounded down) among the real passages."
        charts.append(Chart("Where the generated texts land", about, svg))
    if curve := metrics.get("train_curve"):
        shown = [
            {"x": row["epoch"], "value": row["loss"], "series": row["split"], "kind": ""}
            for row in curve
        ]
        svg = lines_with_bands(shown, "epoch", "loss (nats per token)")
        charts.append(Chart("Training curve", "", svg))
    over_place = [
        PlaceChart(
            "Place against length",
            "Every text cut at each length, if it had not ended before.",
            "new tokens",
            points("lengths", "max_len"),
            chance,
        ),
        PlaceChart(
            "Place against length, driven past the end",
            "Texts made to go on where they had ended.",
            "new tokens",
            points("lengths", "max_len", "_forced"),
            chance,
        ),
        PlaceChart(
            "Cut, or finished by itself",
            "At each length, the texts that it cuts and those that had ended.",
            "new tokens",
            points("audit_curve", "max_len", "_cut", "cut")
            + points("audit_curve", "max_len", "_finished", "finished"),
            chance,
        ),
        PlaceChart(
            "Probe: the query, repeated",
            "Before a passage that has nothing to do with it.",
            "times the query is there",
            points("probe_repeats", "repeats"),
            chance,
            x_is_ordinal=True,  # in doublings
        ),
        PlaceChart(
            "Probe: a selected passage, cut",
            "Do the rankers like short texts?",
            "tokens",
            points("probe_cuts", "tokens"),
            None,  # in that passage's own slot: one text fewer, and another chance
        ),
        PlaceChart(
            "Probe: where the query stands",
            "In a passage that has nothing to do with it.",
            None,
            points("probe_positions", "position"),
            chance,
        ),
        PlaceChart(
            "Probe: which words are there",
            "A selected passage and its lead sentence stand beside one passage fewer, which alone "
            "is half a place.",
            None,
            points("probe_words", "probe"),
            chance,
        ),
    ]
    return charts + [draw_places(chart) for chart in over_place if chart.points]


def draw_places(chart: PlaceChart) -> Chart:
    """Return a chart of mean places, drawn, with the notes that its marks need."""
    if chart.x_title is None:
        svg = dots_with_intervals(chart.points, PLACE, chart.chance)
    else:
        svg = lines_with_bands(
            chart.points, chart.x_title, PLACE, chart.chance, x_is_ordinal=chart.x_is_ordinal
        )
    notes = [chart.about]
    if any("low" in point for point in chart.points):
        notes.append(f"{'Lines' if chart.x_title is None else 'Bands'}: 95 % intervals.")
    if chart.chance is not None:
        notes.append("Dashed: chance.")
    return Chart(chart.title, " ".join(notes), svg)


def write_plots_library(path: Path) -> None:
    """Write the JavaScript that draws `dvc plots show`, which else comes from the network."""
    import vl_convert

    with written_whole(path) as partial:
        partial.write_text(vl_convert.javascript_bundle(vl_version=GRAMMAR), encoding="utf-8")
