"""Charts of a run: what dvc.yaml lists under `plots`, drawn with DVC's own templates.

One list and one set of templates serve `dvc plots show` and the report's page, so a new chart is
one entry in dvc.yaml. The page's charts are drawn when the page is written: they need no library
and no network. Text and axes take the page's colour (currentColor) and nothing is filled behind
them, so one picture suits a light and a dark page.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from genlab.core.files import written_whole
from genlab.core.params import did_you_mean
from genlab.core.pipeline import read_pipeline
from genlab.core.program import InputError
from genlab.core.shapes import read_json

# Each at least three to one in contrast on white and on the page's dark ground.
COLORS = [
    *("#2f7fc1", "#d1702a", "#2a9d6f", "#a45fc4", "#8f8540"),
    *("#d0506f", "#1c9aa8", "#7a7f87", "#6b74d6", "#5f8f2f"),
]

WIDTH, HEIGHT = 440, 230  # the axis and its labels included in the width

CONFIG = {
    "background": "transparent",
    "aria": False,  # a label for every point would be read out; the page labels the picture
    "font": "Liberation Sans, Arial, sans-serif",  # the first is vl-convert's own: same bytes
    "view": {"stroke": None},
    "range": {"category": COLORS},
    "rule": {"color": "currentColor"},
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
        "labelSeparation": 8,
    },
    "legend": {
        "orient": "top",
        "title": None,
        "labelColor": "currentColor",
        "labelFontSize": 12,
        "symbolStrokeWidth": 2,
        "symbolOpacity": 1,  # or it is as faint as the band of the same series
        "columns": 3,
        "columnPadding": 24,  # a browser without the font above writes wider
        "layout": {"top": {"direction": "vertical", "anchor": "start"}},
    },
}

# Vega-Lite's own number for its grammar; the library draws with its latest of that line.
GRAMMAR = "5.21"

TEMPLATES = Path(".dvc/plots")  # of the repository's root


@dataclass(frozen=True)
class Plot:
    """An entry of dvc.yaml's plots."""

    title: str
    template: str
    x: str
    y: dict[str, str]  # file -> the column that is drawn
    column: str  # the same of all files
    x_label: str
    y_label: str


@dataclass(frozen=True)
class Chart:
    """A plot as it stands on the page."""

    title: str
    caption: str
    svg: str


def read_plots(pipeline: Path) -> list[Plot]:
    """Return the plots of a dvc.yaml, in its order; InputError for one that cannot be drawn."""
    plots = []
    entries = read_pipeline(pipeline).get("plots") or []
    if not isinstance(entries, list):
        raise InputError(f"{pipeline}: plots must be a list of entries, each a title with keys")
    for entry in entries:
        try:
            ((title, given),) = entry.items()
            (column,) = set(given["y"].values())
            labels = given.get("x_label", given["x"]), given.get("y_label", column)
            words = (title, given["template"], given["x"], column, *given["y"], *labels)
            if not all(isinstance(word, str) for word in words):
                raise TypeError("what is no text")
            plots.append(Plot(title, given["template"], given["x"], given["y"], column, *labels))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(
                f"{pipeline}: plot {name_of(entry)}: needs a template, x, and under y each file "
                "with the same column"
            ) from None
    return plots


def name_of(entry: object) -> str:
    """Return what a person calls an entry of plots: its title, or a file alone."""
    return ", ".join(map(str, entry)) if isinstance(entry, dict) else str(entry)


def draw_charts(pipeline: Path) -> list[Chart]:
    """Return the charts of a pipeline's plots; a line on stderr for each file that is not there."""
    charts = []
    for plot in read_plots(pipeline):
        rows = read_rows(plot, pipeline.parent)
        if rows:
            charts.append(draw(plot, rows, find_template(pipeline.parent, plot.template)))
    return charts


def read_rows(plot: Plot, folder: Path) -> list[dict]:
    """Return the rows of a plot's files, with the columns that DVC adds."""
    rows = []
    for name in plot.y:
        path = folder / name
        if not path.is_file():
            missing = f"{path}: no such file, so plot {plot.title} lacks it; run `dvc repro`"
            print(missing, file=sys.stderr)
            continue
        content = read_json(path, "run `dvc repro`")
        check_rows(f"{path}: plot {plot.title}", content, [plot.x, plot.column])
        added = {"filename": Path(name).name, "field": plot.column, "rev": "workspace"}
        rows += [row | added for row in content]
    return rows


def check_rows(where: str, rows: object, columns: list[str]) -> None:
    """Raise InputError unless these are rows, if any, of which some have each column."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{where}: needs a list of rows")
    for column in columns:
        if rows and not any(column in row for row in rows):
            raise InputError(f"{where}: no row has {column}{did_you_mean(column, rows[0])}")


def find_template(folder: Path, name: str) -> dict:
    """Return a template of the repository that a folder lies in; InputError if there is none."""
    for above in [folder.absolute(), *folder.absolute().parents]:
        known = {path.stem: path for path in (above / TEMPLATES).glob("*.json")}
        if name in known:
            return read_json(known[name])
        if known:
            hint = did_you_mean(name, known)
            raise InputError(f"{folder / 'dvc.yaml'}: there is no plot template {name}{hint}")
    raise InputError(f"{folder.absolute()}: no folder {TEMPLATES} here or above it")


def draw(plot: Plot, rows: list[dict], template: dict) -> Chart:
    """Return a plot of these rows as an SVG, with the notes that its marks need."""
    import vl_convert

    anchors = {
        "DATA": rows,
        "TITLE": plot.title,
        "X": plot.x,
        "Y": plot.column,
        "X_LABEL": plot.x_label,
        "Y_LABEL": plot.y_label,
        "PLOT_WIDTH": WIDTH,
        "PLOT_HEIGHT": HEIGHT,
    }
    spec = {key: fill(value, anchors) for key, value in template.items() if key != "title"}
    spec |= {"config": CONFIG, "autosize": {"type": "fit-x", "contains": "padding"}}
    notes = []
    if any(row.get("low") is not None for row in rows):
        notes.append("Bands and bars' lines: 95 % intervals.")
    if any("chance" in row for row in rows):
        notes.append("Dashed: chance.")
    svg = vl_convert.vegalite_to_svg(spec, vl_version=GRAMMAR)
    return Chart(plot.title, " ".join(notes), svg)


def fill(part: object, anchors: dict[str, object]) -> object:
    """Return a template with its <DVC_METRIC_...> filled in, and without the revision's colour.

    The page shows one run, so a legend of revisions would have one entry.
    """
    if isinstance(part, dict):
        return {
            key: fill(value, anchors)
            for key, value in part.items()
            if not (isinstance(value, dict) and value.get("field") == "rev")
        }
    if isinstance(part, list):
        return [fill(value, anchors) for value in part]
    found = re.fullmatch(r"<DVC_METRIC_(\w+)>", part) if isinstance(part, str) else None
    if found and found[1] not in anchors:
        raise InputError(f"{TEMPLATES}: {part} is unknown{did_you_mean(found[1], anchors)}")
    return anchors[found[1]] if found else part


def write_plots_library(path: Path) -> None:
    """Write the JavaScript that draws `dvc plots show`; otherwise a browser would download it."""
    import vl_convert

    with written_whole(path) as partial:
        # Its stub wants a snippet; without one the library puts vegaEmbed where DVC's page looks.
        library = vl_convert.javascript_bundle(vl_version=GRAMMAR)  # type: ignore[call-arg]
        partial.write_text(library, encoding="utf-8")
