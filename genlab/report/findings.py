"""What a chart shows, in words: for those who do not see it, computed from the rows it is drawn of.

Each line of a chart is told by its ends, and by its highest or lowest point where that lies between
them; bars are told by their highest and lowest.
"""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

from genlab.core.params import is_number
from genlab.report.charts import Plot, find_template, read_plots, read_rows

SHOWN = 8  # lines; more nobody listens to
COLUMNS_OF_MARKS = {"low", "high", "chance", "rev", "bar", "filename", "field"}


def find_findings(pipeline: Path) -> dict[str, str]:
    """Return what each plot of a dvc.yaml shows, by its title; of missing files nothing is told."""
    folder, found = pipeline.parent, {}
    for plot in read_plots(pipeline):
        there = {name: column for name, column in plot.y.items() if (folder / name).is_file()}
        rows = read_rows(replace(plot, y=there), folder)
        if rows:
            found[plot.title] = tell(plot, rows, find_template(folder, plot.template))
    return found


def tell(plot: Plot, rows: list[dict], template: dict) -> str:
    """Return what a chart of these rows shows, its axes first."""
    lines = describe(rows, plot.x, plot.column, find_series(template))
    return f"{plot.y_label} against {plot.x_label}. {lines}"


def find_series(template: object) -> list[str]:
    """Return the columns by which a template of .dvc/plots tells its lines apart."""
    found: dict[str, None] = {}
    if isinstance(template, dict):
        name = template.get("field")
        if isinstance(name, str) and not name.startswith("<") and name not in COLUMNS_OF_MARKS:
            found[name] = None
        template = list(template.values())
    if isinstance(template, list):
        for part in template:
            found |= dict.fromkeys(find_series(part))
    return list(found)


def describe(rows: list[dict], x: str, y: str, series: list[str]) -> str:
    """Return a sentence for each line: "labse: from 1.2 at 1 to 5.6 at 8"; "" if there is none."""
    drawn = [row for row in rows if is_number(row.get(y)) and row.get(x) is not None]
    telling = [name for name in series if name != x and len({str(r.get(name)) for r in drawn}) > 1]

    def name_of(row: dict) -> str:
        return ", ".join(str(row.get(name)).replace("_", " ") for name in telling)

    order = {name: i for i, name in enumerate(dict.fromkeys(map(name_of, drawn)))}
    lines = [
        (name, list(own))
        for name, own in groupby(sorted(drawn, key=lambda row: order[name_of(row)]), name_of)
    ]
    told = [
        f"{name}: {course(own, x, y)}" if name else course(own, x, y) for name, own in lines[:SHOWN]
    ]
    if len(lines) > SHOWN:
        told.append(f"and {len(lines) - SHOWN} more lines")
    return "; ".join(told) + "." * bool(told)


def course(rows: list[dict], x: str, y: str) -> str:
    """Return how one line runs, or which of its bars are the highest and the lowest."""
    if len(rows) == 1:
        return f"{short(rows[0][y])} at {short(rows[0][x])}"
    top, bottom = (pick(rows, key=lambda row: row[y]) for pick in (max, min))
    if not all(is_number(row[x]) for row in rows):
        return f"highest {at(top, x, y)}, lowest {at(bottom, x, y)}"
    ordered = sorted(rows, key=lambda row: row[x])
    first, last = ordered[0], ordered[-1]
    words = f"from {at(first, x, y)} to {at(last, x, y)}"
    ends = (first[y], last[y])
    if short(top[y]) not in map(short, ends):
        words += f", highest {at(top, x, y)}"
    if short(bottom[y]) not in map(short, ends):
        words += f", lowest {at(bottom, x, y)}"
    return words


def at(row: dict, x: str, y: str) -> str:
    """Return "5.6 at 8"."""
    return f"{short(row[y])} at {short(row[x])}"


def short(value: object) -> str:
    """Return a number with three digits that count, or a text without underscores."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("_", " ")
    return f"{value:,}" if isinstance(value, int) else f"{float(f'{value:.3g}'):g}"
