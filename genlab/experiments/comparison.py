"""Two runs compared unit by unit: every metric's paired difference, interval, p and verdict.

The rows of a run have one row per unit and group: a query and a ranker, or a text. The head of
claims.yaml names their columns. The result is a `Difference` per group and metric. Both runs share
their units, so the hardness of a query cancels out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.core.yaml_text import load_yaml
from genlab.statistics.intervals import percentile_ends, resampled_means
from genlab.statistics.significance import (
    adjust_by_holm,
    bootstrap_p,
    detectable_difference,
    is_significant,
    mcnemar_p,
)

N_RESAMPLES = 10_000  # at least
RESAMPLES_PER_ROW = 100  # with fewer than 40, the least bootstrap p could not survive Holm
SEED = 17

METRICS_FORM = "{top_1: {column: top_1, better: higher}}"


@dataclass(frozen=True)
class Metric:
    """A headline metric: the mean of a column."""

    column: str
    better: str  # lower | higher
    kind: str = "mean"  # share: 0 or 1 for every unit, but for ties


@dataclass(frozen=True)
class Layout:
    """What `rows:` in claims.yaml says of a pipeline's rows."""

    path: Path
    unit: str
    metrics: dict[str, Metric]
    group: str | None = None
    units_from: Path | None = None  # the table the units are taken from, if a run could change it
    shown: tuple[str, ...] = ()  # the metrics in README's tables


@dataclass(frozen=True)
class Pairing:
    """The rows of one group that both sides have, in one order, and how many only one side has."""

    base: pl.DataFrame
    other: pl.DataFrame
    only_base: int
    only_other: int

    def values(self, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return both sides' columns, float64[pairs, columns]; NaN where a unit does not count."""
        chosen = [pl.col(column).cast(pl.Float64) for column in columns]
        return self.base.select(chosen).to_numpy(), self.other.select(chosen).to_numpy()

    def other_lists(self) -> int:
        """Return how many pairs stand among another number of candidates on the two sides."""
        if "n_candidates" not in self.base.columns or "n_candidates" not in self.other.columns:
            return 0
        return int((self.base["n_candidates"] != self.other["n_candidates"]).sum())


@dataclass(frozen=True)
class Difference:
    """OTHER - BASE of one metric in one group. NaN where no pair counts."""

    group: str  # "" where the rows have none
    metric: str
    better: str
    n: int  # pairs for which the metric counts on both sides
    only_base: int  # pairs for which it counts in BASE alone
    only_other: int
    n_different: int  # pairs whose two values differ
    base: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    test: str  # mcnemar | bootstrap | bootstrap*, of a share in which ties made fractions
    detectable: float  # NaN, too, where nothing is told of it
    p_adjusted: float = float("nan")
    verdict: str = ""


def read_layout(path: Path) -> Layout:
    """Return the head of a claims.yaml; raise InputError naming the key that is wrong."""
    rows = read_yaml(path).get("rows")
    if not isinstance(rows, dict):
        raise InputError(f"{path}: no rows: at its head, which says what is compared")
    check_keys(f"{path}: rows", rows, Layout, needed=("path", "unit", "metrics"))
    for key in ("path", "unit", "group", "units_from"):
        check_text(f"{path}: rows.{key}", rows.get(key, ""))
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
        metrics[name] = Metric(**entry)
        for key, known in (("better", ("lower", "higher")), ("kind", ("mean", "share"))):
            if (value := getattr(metrics[name], key)) not in known:
                raise InputError(f"{where}: {key} is {value}, not {' or '.join(known)}")
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
        group=rows.get("group"),
        units_from=Path(origin) if origin else None,
        shown=tuple(shown),
    )


def read_yaml(path: Path) -> dict:
    """Return a claims.yaml; raise InputError if it cannot be read or has no keys."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run this in a pipeline's folder")
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML in UTF-8: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must have keys like rows: at its top level")
    return content


def check_text(where: str, value: object) -> None:
    """Raise InputError for a value that YAML read as something else than text."""
    if not isinstance(value, str):
        raise InputError(f"{where}: {value} must be text, not {type(value).__name__}")


def check_keys(where: str, given: dict, made: type, needed: tuple[str, ...]) -> None:
    """Raise InputError for a key that a dataclass has not, or a needed one that is not given."""
    known = [field.name for field in fields(made)]
    for key in given:
        if key not in known:
            raise InputError(f"{where}: no key {key}{did_you_mean(str(key), known)}")
    for key in needed:
        if not given.get(key):
            raise InputError(f"{where}: {key} is missing")


def pair_rows(
    layout: Layout,
    base: pl.DataFrame,
    other: pl.DataFrame,
    metrics: Iterable[str],
    names: tuple[str, str] = ("BASE", "OTHER"),
) -> dict[str, Pairing]:
    """Return group -> its pairs, for the groups that both sides have.

    Raises InputError if a side lacks a column or has a unit twice, if a metric's column holds no
    numbers, if the units are of two types, or if no unit is on both.
    """
    sides = []
    for frame, name in zip((base, other), names, strict=True):
        check_rows(layout, frame, metrics, name)
        group = pl.col(layout.group).cast(pl.String) if layout.group else pl.lit("")
        by_group = frame.with_columns(_group=group).partition_by(
            "_group", as_dict=True, maintain_order=True
        )
        sides.append({key: rows for (key,), rows in by_group.items()})
    types = [frame.schema[layout.unit] for frame in (base, other)]
    if types[0] != types[1] and not all(each.is_integer() for each in types):
        raise InputError(
            f"{layout.unit} is {types[0]} in {names[0]} but {types[1]} in {names[1]}, so nothing "
            "can be paired; write it as one type in both"
        )
    pairings = {}
    for group, rows in sides[0].items():
        if group in sides[1]:
            partners = sides[1][group]
            ours = rows.join(partners, on=layout.unit, how="semi", maintain_order="left")
            theirs = ours.select(layout.unit).join(
                partners, on=layout.unit, how="left", maintain_order="left"
            )
            only = rows.height - ours.height, partners.height - ours.height
            if ours.height:
                pairings[group] = Pairing(ours, theirs, *only)
    if not pairings:
        raise InputError(
            f"no {layout.unit} is in both {names[0]} and {names[1]}, so nothing can be compared; "
            "both must be runs on the same data"
        )
    return pairings


def check_rows(layout: Layout, frame: pl.DataFrame, metrics: Iterable[str], name: str) -> None:
    """Raise InputError if a column is missing or no number, or a unit twice in one group."""
    key = [layout.unit, *([layout.group] if layout.group else [])]
    for column in [*key, *(layout.metrics[metric].column for metric in metrics)]:
        if column not in frame.columns:
            raise InputError(
                f"{name}: its rows have no column {column}{did_you_mean(column, frame.columns)}; "
                "see rows: in claims.yaml"
            )
    for column in (layout.metrics[metric].column for metric in metrics):
        kind = frame.schema[column]
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise InputError(
                f"{name}: column {column} holds {kind}, not numbers, so it cannot be a metric; "
                "see rows: in claims.yaml"
            )
    twice = frame.filter(frame.select(key).is_duplicated())
    if twice.height:
        which = " and ".join(f"{column} {twice[column][0]}" for column in key)
        raise InputError(f"{name}: more than one row for {which}")


def count_asked(layout: Layout, pairings: Iterable[Pairing], metrics: Iterable[str]) -> int:
    """Return how many rows of a comparison have a pair that counts: the tests Holm corrects for."""
    columns = [layout.metrics[metric].column for metric in metrics]
    sides = [pairing.values(columns) for pairing in pairings]
    return sum(int((~np.isnan(b - a)).any(axis=0).sum()) for a, b in sides)


def compare_group(
    layout: Layout, group: str, pairing: Pairing, metrics: Iterable[str], n_asked: int = 1
) -> list[Difference]:
    """Return a Difference per metric, from one set of resamples, without a verdict yet.

    n_asked: how many rows are tested together, in this group and all others.
    """
    metrics = list(metrics)
    a, b = pairing.values([layout.metrics[metric].column for metric in metrics])
    means = resampled_means(b - a, max(N_RESAMPLES, RESAMPLES_PER_ROW * n_asked), SEED)
    low, high = percentile_ends(means)
    found = []
    for i, metric in enumerate(metrics):
        counts_a, counts_b = ~np.isnan(a[:, i]), ~np.isnan(b[:, i])
        both = counts_a & counts_b
        x, y = a[both, i], b[both, i]
        is_share = layout.metrics[metric].kind == "share"
        if len(x) == 0:
            p, test = float("nan"), "none"
        elif is_share and np.isin(x, (0, 1)).all() and np.isin(y, (0, 1)).all():
            p, test = mcnemar_p(x, y), "mcnemar"
        else:
            p, test = bootstrap_p(y - x, means[:, i]), "bootstrap*" if is_share else "bootstrap"
        detectable = detectable_difference(y - x, n_asked)
        if is_share and detectable > 1:
            detectable = float("nan")  # no two shares differ by as much
        found.append(
            Difference(
                group=group,
                metric=metric,
                better=layout.metrics[metric].better,
                n=len(x),
                only_base=int((counts_a & ~counts_b).sum()),
                only_other=int((counts_b & ~counts_a).sum()),
                n_different=int((x != y).sum()),
                base=mean_of(x),
                other=mean_of(y),
                difference=mean_of(y - x),
                low=float(low[i]),
                high=float(high[i]),
                p=p,
                test=test,
                detectable=detectable,
            )
        )
    return found


def mean_of(values: np.ndarray) -> float:
    """Return the mean; NaN, without a warning, if there is nothing."""
    return float(values.mean()) if len(values) else float("nan")


def with_verdicts(differences: list[Difference]) -> list[Difference]:
    """Return the differences with p adjusted for testing them together, and their verdicts."""
    adjusted = adjust_by_holm([each.p for each in differences])
    settled = []
    for each, p_adjusted in zip(differences, adjusted, strict=True):
        if each.n == 0:
            verdict = "no pair counts"
        elif each.n_different == 0:
            verdict = "the same rows"
        elif not is_significant(each.low, each.high, p_adjusted):
            verdict = "no difference shown"
        else:
            found = "lower" if each.difference < 0 else "higher"
            verdict = "better" if found == each.better else "worse"
        settled.append(replace(each, p_adjusted=p_adjusted, verdict=verdict))
    return settled
