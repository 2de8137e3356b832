"""Describe charts in words, for readers who cannot see them, from the rows they are drawn from.

For counts by place: the share in first place, beside chance. For shares: where most are. For a
line: whether it rises or falls, and its highest or lowest point if that lies between its ends. For
lines of several trainings: the range of values at which they end. For bars: the highest and the
lowest.
"""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

from genlab.core.params import is_number
from genlab.core.params_file import read_params, text_of
from genlab.core.stand_ins import rankers_of, shown_name
from genlab.report.charts import Plot, find_template, read_plots, read_rows

SHOWN = 8  # lines; more nobody listens to
PLACE, SHARE = "place", "share"  # columns: of a histogram's bars, and of how high one is
TRAINING = "seed"  # the column of lines that differ by nothing but their training
COLUMNS_OF_MARKS = {"low", "high", "chance", "rev", "bar", "filename", "field"}


def find_findings(pipeline: Path) -> dict[str, str]:
    """Return title -> description of each plot of a dvc.yaml; plots without files are left out."""
    folder, found = pipeline.parent, {}
    rankers = read_rankers(folder / "params.yaml")
    for plot in read_plots(pipeline):
        there = {name: column for name, column in plot.y.items() if (folder / name).is_file()}
        rows = [named(row, rankers) for row in read_rows(replace(plot, y=there), folder)]
        if rows:
            found[plot.title] = tell(plot, rows, find_template(folder, plot.template))
    return found


def read_rankers(params: Path) -> dict[str, dict]:
    """Return the rankers of a params.yaml; none if there is no such file or group."""
    if not params.is_file():
        return {}
    return rankers_of(read_params(text_of(params)).content)


def named(row: dict, rankers: dict[str, dict]) -> dict:
    """Return a row whose ranker, if it has one, is called as it is shown."""
    name = row.get("ranker")
    return row if name is None else row | {"ranker": shown_name(name, rankers.get(name, {}))}


def tell(plot: Plot, rows: list[dict], template: dict) -> str:
    """Return what a chart of these rows says, its axes first."""
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
    """Return a finding of each line: "labse: rises from 1 at 2 to 5 at 8"; "" if there is none."""
    drawn = [row for row in rows if is_number(row.get(y)) and row.get(x) is not None]
    telling = [
        name
        for name in series
        if name not in (x, TRAINING) and len({str(row.get(name)) for row in drawn}) > 1
    ]

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
    chances = {short(row["chance"]) for row in drawn if is_number(row.get("chance"))}
    if len(chances) == 1:
        told.append(f"chance: {chances.pop()}")
    return "; ".join(told) + "." * bool(told)


def course(rows: list[dict], x: str, y: str) -> str:
    """Return the course of one line, or of one arm's trainings, or the extreme bars."""
    if len(rows) == 1:
        return at(rows[0], x, y)
    if len({row.get(TRAINING) for row in rows}) > 1:
        return course_of_trainings(rows, x, y)
    if x == PLACE:
        first, n = min(rows, key=lambda row: row[x]), sum(row[y] for row in rows)
        return f"{percent(first[y] / n)} of {n:,} stand first, chance {percent(1 / len(rows))}"
    top, bottom = (pick(rows, key=lambda row: row[y]) for pick in (max, min))
    if short(top[y]) == short(bottom[y]):
        return f"{short(top[y])} at all"
    if not all(is_number(row[x]) for row in rows):
        return f"highest {at(top, x, y)}, lowest {at(bottom, x, y)}"
    ordered = sorted(rows, key=lambda row: row[x])
    first, last = ordered[0], ordered[-1]
    if y == SHARE:
        return f"most at {short(top[x])} ({percent(top[y])})"
    ends = (first[y], last[y])
    words = f"{direction(*ends)} from {at(first, x, y)} to {at(last, x, y)}"
    if short(top[y]) not in map(short, ends):
        words += f", highest {at(top, x, y)}"
    if short(bottom[y]) not in map(short, ends):
        words += f", lowest {at(bottom, x, y)}"
    return words


def course_of_trainings(rows: list[dict], x: str, y: str) -> str:
    """Return the ranges of values at which the lines of several trainings begin and end."""
    lines: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row[x]):
        lines.setdefault(row[TRAINING], []).append(row)
    firsts, lasts = ([line[i][y] for line in lines.values()] for i in (0, -1))
    return f"{len(lines)} trainings from {between(firsts)} to {between(lasts)}"


def between(values: list[float]) -> str:
    """Return "0.8 ... 1.1", or the one value that all have."""
    ends = dict.fromkeys([short(min(values)), short(max(values))])
    return " ... ".join(ends)


def direction(first: float, last: float) -> str:
    """Return whether a line rises, falls or ends as high as it began, in three digits."""
    if short(first) == short(last):
        return "ends as it began,"
    return "rises" if first < last else "falls"


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return f"{100 * share:.0f} %"


def at(row: dict, x: str, y: str) -> str:
    """Return "5.6 at 8"."""
    return f"{short(row[y])} at {short(row[x])}"


def short(value: object) -> str:
    """Return a number with three digits that count, or a text without underscores."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("_", " ")
    return f"{value:,}" if isinstance(value, int) else f"{float(f'{value:.3g}'):g}"
