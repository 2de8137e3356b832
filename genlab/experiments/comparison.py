"""Two runs compared unit by unit: every metric's paired difference, interval, p and verdict.

The rows of a run have one row per unit and group: a query and a ranker, or a text. The head of
claims.yaml names their columns. The result is a `Difference` per group and metric. Both runs share
their units, so the hardness of a query cancels out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.experiments.layout import Layout
from genlab.statistics.bootstrap import resample
from genlab.statistics.differences import (
    SHARE_TESTS,
    difference_limits,
    is_binary,
    shares_ends,
    shares_p,
    t_of,
)
from genlab.statistics.intervals import finished_ends
from genlab.statistics.significance import (
    adjust_by_holm,
    bootstrap_p,
    detectable_difference,
    exact_p,
    is_significant,
    least_p,
    units_to_settle,
)

N_RESAMPLES = 10_000  # at least
RESAMPLES_PER_ROW = 100  # with fewer than 40, the least bootstrap p could not survive Holm
SEED = 17

IDENTICAL = "identical"
NO_DIFFERENCE = "no difference beyond"
NOT_SETTLED = "not settled"


@dataclass(frozen=True)
class Pairing:
    """The rows of one group that both sides have, in one order, and how many only one side has."""

    base: pl.DataFrame
    other: pl.DataFrame
    only_base: int
    only_other: int
    constant: str = ""  # "base" or "other": the side that is one number, not a measurement

    def values(self, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return both sides' columns, float64[pairs, columns]; NaN where a unit does not count."""
        chosen = [pl.col(column).cast(pl.Float64) for column in columns]
        return self.base.select(chosen).to_numpy(), self.other.select(chosen).to_numpy()

    def other_lists(self) -> int:
        """Return how many pairs stand among another number of candidates on the two sides."""
        if "n_candidates" not in self.base.columns or "n_candidates" not in self.other.columns:
            return 0
        return int((self.base["n_candidates"] != self.other["n_candidates"]).sum())

    def same_rows(self, layout: Layout) -> bool:
        """Say whether both sides are the same: the texts, or without texts all metrics and scores.

        A metric that does not differ is not enough: other texts may have the same place.
        """
        shared = [name for name in self.base.columns if name in self.other.columns]
        told = [name for name in shared if name in ("text", "tokens")]
        columns = {metric.column for metric in layout.metrics.values()} | {"score", "n_tokens"}
        if not self.constant and (names := told or [name for name in shared if name in columns]):
            return self.base.select(names).equals(self.other.select(names))
        return False


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
    # mcnemar | binomial, of a share against a given one | bootstrap | bootstrap*, of a share in
    # which ties made fractions | exact, where nearly all pairs differ by the same
    test: str
    detectable: float  # NaN, too, where nothing is told of it
    p_adjusted: float = float("nan")  # NaN, too, where no pair differs: nothing is tested
    verdict: str = ""
    least_p: float = 0.0  # a p that is no greater is only known to be below this
    spread: float = 0.0  # the standard deviation of the pairs' differences
    margin: float | None = None
    same_rows: bool = False  # all that both sides say of these units is the same
    n_tests: int = 0  # how many differences Holm's correction was made for
    needed: int | None = None  # pairs that would settle it


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
    """Return how many rows of a comparison have a pair that differs: those Holm corrects for."""
    columns = [layout.metrics[metric].column for metric in metrics]
    sides = [pairing.values(columns) for pairing in pairings]
    # NaN: the metric does not count the unit on one of the sides.
    return sum(int(((b - a != 0) & ~np.isnan(b - a)).any(axis=0).sum()) for a, b in sides)


def compare_group(
    layout: Layout, group: str, pairing: Pairing, metrics: Iterable[str], n_asked: int = 1
) -> list[Difference]:
    """Return a Difference per metric, from one set of resamples, without a verdict yet.

    n_asked: how many rows are tested together, in this group and all others.
    """
    metrics = list(metrics)
    a, b = pairing.values([layout.metrics[metric].column for metric in metrics])
    n_resamples = max(N_RESAMPLES, RESAMPLES_PER_ROW * n_asked)
    resampled = resample(b - a, n_resamples, SEED)
    limits = [
        difference_limits(layout.metrics[metric].limits(), pairing.constant, a[:, i], b[:, i])
        for i, metric in enumerate(metrics)
    ]
    set_by_resamples = resampled.ends()
    low, high = finished_ends(b - a, resampled, limits)
    is_same = pairing.same_rows(layout)
    found = []
    for i, metric in enumerate(metrics):
        counts_a, counts_b = ~np.isnan(a[:, i]), ~np.isnan(b[:, i])
        both = counts_a & counts_b
        x, y = a[both, i], b[both, i]
        ends = float(low[i]), float(high[i])
        is_share = layout.metrics[metric].kind == "share"
        p, test = float("nan"), "none"
        if len(x) and is_share and is_binary(x, y, pairing.constant):
            p, test = shares_p(x, y, pairing.constant), SHARE_TESTS[bool(pairing.constant)]
            ends = shares_ends(x, y, pairing.constant)
        elif len(x):
            t = t_of(resampled.mean[i], resampled.error[i])
            p = bootstrap_p(y - x, t, resampled.pivots[:, i])
            test = "bootstrap*" if is_share else "bootstrap"
            if np.isinf(set_by_resamples[int(t < 0)][i]):
                p, test = exact_p(y - x, limits[i]), "exact"
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
                low=ends[0],
                high=ends[1],
                p=p,
                test=test,
                detectable=detectable,
                least_p=least_p(n_resamples) if test.startswith("bootstrap") else 0.0,
                spread=float(np.std(y - x, ddof=1)) if len(x) > 1 else 0.0,
                margin=layout.metrics[metric].margin,
                same_rows=is_same,
            )
        )
    return found


def mean_of(values: np.ndarray) -> float:
    """Return the mean; NaN, without a warning, if there is nothing."""
    return float(values.mean()) if len(values) else float("nan")


def with_verdicts(differences: list[Difference]) -> list[Difference]:
    """Return the differences with p adjusted for testing them together, and their verdicts.

    One in which no pair differs could not come out otherwise: it is no test, and not counted.
    """
    tests = [each.p if each.n_different else float("nan") for each in differences]
    n_tests = sum(p == p for p in tests)
    settled = []
    for each, p_adjusted in zip(differences, adjust_by_holm(tests), strict=True):
        needed = None
        if each.n == 0:
            verdict = "no pair counts"
        elif each.same_rows and not each.n_different:
            verdict = IDENTICAL
        elif is_significant(each.low, each.high, p_adjusted):
            found = "lower" if each.difference < 0 else "higher"
            verdict = "better" if found == each.better else "worse"
        elif is_within_margin(each):
            verdict = f"{NO_DIFFERENCE} {each.margin:g}"
        else:
            verdict = NOT_SETTLED
            needed = units_to_settle(each.difference, each.spread, each.margin, n_tests or 1)
            needed = max(needed, each.n + 1) if needed else None
        settled.append(
            replace(each, p_adjusted=p_adjusted, verdict=verdict, n_tests=n_tests, needed=needed)
        )
    return settled


def is_within_margin(found: Difference) -> bool:
    """Say whether a difference is shown to be smaller than the margin, either way.

    Two one-sided tests, each at 2.5 %: the 95 % interval lies between -margin and margin.
    """
    return found.margin is not None and -found.margin < found.low <= found.high < found.margin
