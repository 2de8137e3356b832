"""The head of a claims.yaml: what a pipeline's rows are, and which metrics they have."""

from dataclasses import dataclass, fields
from pathlib import Path

from genlab.core.params import did_you_mean, is_number
from genlab.core.program import InputError
from genlab.core.yaml_text import read_yaml_file
from genlab.statistics.intervals import SHARE, Bounds

METRICS_FORM = "{top_1: {column: top_1, better: higher}}"


@dataclass(frozen=True)
class Metric:
    """A headline metric: the mean of a column."""

    column: str
    better: str  # lower | higher
    kind: str = "mean"  # share: 0 or 1 for every unit, but for ties
    margin: float | None = None  # a smaller difference is none
    bounds: tuple[float, float] | None = None  # the least and greatest value; of a share 0 and 1
    per: str = "unit"  # training: one value for all units of a training, as its best epoch is

    def limits(self) -> Bounds:
        """Return the least and the greatest possible value, None if they are unknown."""
        return SHARE if self.kind == "share" else self.bounds


@dataclass(frozen=True)
class Layout:
    """What `rows:` in claims.yaml says of a pipeline's rows."""

    path: Path
    unit: str
    metrics: dict[str, Metric]
    group: str | None = None  # a column, or what several columns together are called
    group_columns: tuple[str, ...] = ()  # these, as of a log with tasks and filters
    cluster: str | None = None  # units of one cluster are not independent: queries of one topic
    sample: str | None = None  # several rows of one unit, texts drawn anew: their mean is its value
    units_from: Path | None = None  # the table the units are taken from, if a run could change it
    shown: tuple[str, ...] = ()  # the metrics in README's tables

    def columns_of_group(self) -> tuple[str, ...]:
        """Return the columns that make up a row's group; () if rows have no groups."""
        return self.group_columns or ((self.group,) if self.group else ())


ELSEWHERE = (
    "run this in a pipeline's folder; elsewhere write this file, of what compare needs: "
    "rows: {path: scores.csv, unit: id, metrics: {accuracy: {column: correct, better: higher}}}"
)


def read_layout(path: Path) -> Layout:
    """Return the head of a claims.yaml; raise InputError naming the key that is wrong."""
    rows = read_yaml(path).get("rows")
    if not isinstance(rows, dict):
        raise InputError(f"{path}: no rows: at its head, which says what is compared")
    check_keys(f"{path}: rows", rows, Layout, needed=("path", "unit", "metrics"))
    group = rows.get("group", [])
    group_columns = group if isinstance(group, list) else [group]
    for key in ("path", "unit", "cluster", "sample", "units_from"):
        check_text(f"{path}: rows.{key}", rows.get(key, ""))
    for column in group_columns:
        check_text(f"{path}: rows.group", column)
    if not isinstance(rows["metrics"], dict):
        raise InputError(f"{path}: rows.metrics: must be like {METRICS_FORM}")
    metrics = {}
    for name, entry in rows["metrics"].items():
        where = f"{path}: rows.metrics.{name}"
        check_text(where, name)
        if not isinstance(entry, dict):
            raise InputError(f"{where}: must be like {{column: {name}, better: higher}}")
        check_keys(where, entry, Metric, needed=("column", "better"))
        check_text(f"{where}: column", entry["column"])
        metrics[name] = read_metric(where, entry)
    shown = rows.get("shown", list(metrics))
    if not isinstance(shown, list) or not shown:
        raise InputError(f"{path}: rows.shown: must be a list of metrics, like {list(metrics)}")
    for name in shown:
        check_text(f"{path}: rows.shown", name)
        if name not in metrics:
            raise InputError(f"{path}: rows.shown: no metric {name}{did_you_mean(name, metrics)}")
    origin = rows.get("units_from")
    return Layout(
        path=Path(rows["path"]),
        unit=rows["unit"],
        metrics=metrics,
        group=" ".join(group_columns) or None,
        group_columns=tuple(group_columns) if len(group_columns) > 1 else (),
        cluster=rows.get("cluster"),
        sample=rows.get("sample"),
        units_from=Path(origin) if origin else None,
        shown=tuple(shown),
    )


def read_metric(where: str, entry: dict) -> Metric:
    """Return one metric of the head; raise InputError naming the key that is wrong."""
    for key, default, known in (
        ("better", "", ("lower", "higher")),
        ("kind", "mean", ("mean", "share")),
        ("per", "unit", ("unit", "training")),
    ):
        if (value := entry.get(key, default)) not in known:
            raise InputError(f"{where}: {key} is {value}, not {' or '.join(known)}")
    margin, bounds = entry.get("margin"), entry.get("bounds")
    if margin is not None and not (is_number(margin) and margin > 0):
        raise InputError(f"{where}: margin must be a number above 0, not {margin}")
    if entry.get("per") == "training" and None in (margin, bounds):
        raise InputError(
            f"{where}: per: training needs margin and bounds; bounds are the interval of a single "
            "training, and margin is the least spread that trainings are taken to have"
        )
    if bounds is None:
        return Metric(**entry)
    if entry.get("kind") == "share":
        raise InputError(f"{where}: a share has the bounds 0 and 1; leave bounds out")
    if not (isinstance(bounds, list) and len(bounds) == 2 and all(map(is_number, bounds))):
        raise InputError(f"{where}: bounds must be like [1, 11], not {bounds}")
    if bounds[0] >= bounds[1]:
        raise InputError(f"{where}: bounds: {bounds[0]} is not below {bounds[1]}")
    return Metric(**entry | {"bounds": (float(bounds[0]), float(bounds[1]))})


def read_yaml(path: Path) -> dict:
    """Return a claims.yaml; raise InputError if it cannot be read or has no keys."""
    content = read_yaml_file(path, ELSEWHERE)
    if not isinstance(content, dict):
        raise InputError(f"{path}: must have keys like rows: at its top level")
    return content


def check_text(where: str, value: object) -> None:
    """Raise InputError for a value that YAML did not read as text."""
    if not isinstance(value, str):
        raise InputError(f"{where}: {value} must be text, not {type(value).__name__}")


def check_keys(where: str, given: dict, made: type, needed: tuple[str, ...]) -> None:
    """Raise InputError for a key that the dataclass lacks, or a required one that is missing."""
    known = [field.name for field in fields(made)]
    for key in given:
        if key not in known:
            raise InputError(f"{where}: no key {key}{did_you_mean(str(key), known)}")
    for key in needed:
        if not given.get(key):
            raise InputError(f"{where}: {key} is missing")
