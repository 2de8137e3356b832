"""Settle claims: from the difference of a claim's two arms to its verdict, in every group."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType

import polars as pl

from genlab.experiments.arms import Tables
from genlab.experiments.claims_file import CANNOT
from genlab.experiments.comparison import Difference, compare_group
from genlab.experiments.layout import Layout
from genlab.experiments.own_units import Units, have_own_units, join_trainings
from genlab.experiments.pairing import pair_rows
from genlab.experiments.verdict_rules import has_enough_pairs, with_verdicts
from genlab.experiments.verdict_words import IDENTICAL, NOT_SETTLED, UNTESTABLE
from genlab.statistics.significance import is_significant

RECORDED = ("base", "other", "difference", "low", "high", "p", "p_adjusted", "n", "n_different")


def compare_arms(
    layout: Layout,
    claim: dict,
    arms: dict[str, dict],
    rows: dict[str, Tables],
    units: Mapping[str, Units],
) -> list[Difference]:
    """Return group -> B - A of a claim's metric, for the groups with any pair that counts.

    Only trainings that both arms have are used. units: as `read_units` returns them.
    """
    names, metrics = (claim["a"], claim["b"]), [claim["metric"]]
    column = layout.metrics[claim["metric"]].column
    measured = [name for name in names if "value" not in arms[name]]  # one is: `read_claims`
    seeds = [seed for seed in rows[measured[0]] if seed in rows[measured[-1]]]
    a, b = (
        [with_value(rows[measured[0]][seed], column, arms[name]["value"]) for seed in seeds]
        if "value" in arms[name]
        else [rows[name][seed] for seed in seeds]
        for name in names
    )
    constant = next(
        (
            side
            for side, name in zip(("base", "other"), names, strict=True)
            if "value" in arms[name]
        ),
        "",
    )

    def compare(a: list[pl.DataFrame], b: list[pl.DataFrame]) -> dict[str, Difference]:
        pairings = pair_rows(layout, a, b, metrics, (f"arm {names[0]}", f"arm {names[1]}"))
        return {
            group: compare_group(layout, group, replace(pairs, constant=constant), metrics)[0]
            for group, pairs in pairings.items()
        }

    if have_own_units({seed: units.get(measured[0], {}).get(seed) for seed in seeds}):
        alone = [compare([x], [y]) for x, y in zip(a, b, strict=True)]
        metric = layout.metrics[claim["metric"]]
        of_all = {
            group: join_trainings([each[group] for each in alone], metric)
            for group in alone[0]
            if all(group in each for each in alone)
        }
    else:
        of_all = compare(a, b)
    return [each for each in of_all.values() if each.n]


def with_value(rows: pl.DataFrame, column: str, value: float) -> pl.DataFrame:
    """Return rows with this value in the column wherever it has one."""
    constant = pl.when(pl.col(column).is_not_null()).then(float(value))
    return rows.with_columns(constant.alias(column))


def why_untestable(found: Difference, cannot_differ: Mapping[str, str]) -> str:
    """Return why B - A could not have been anything else; "" if it could.

    cannot_differ: group -> why both arms must have the same values there, as claims.yaml says; it
    is used only if no pair differs.
    """
    if not found.n_different and found.group in cannot_differ:
        return cannot_differ[found.group]
    if found.verdict == IDENTICAL and found.same_rows == "values":
        return "no value of the two arms differs"
    if not has_enough_pairs(found):
        return "too few pairs to show anything, even if all agreed"
    return ""


def verdict(found: Difference, expect: str) -> str:
    """Return the verdict of B - A on a claim that expects B to be lower or higher."""
    if found.is_unstable or not is_significant(found.low, found.high, found.p_adjusted):
        return found.verdict  # identical, unstable, no difference beyond the margin, not settled
    went = "lower" if found.difference < 0 else "higher"
    return "supported" if went == expect else "contradicted"


def settle_claims(
    layout: Layout,
    claims: dict[str, dict],
    arms: dict[str, dict],
    rows: dict[str, Tables],
    not_run: dict[str, str],
    units: Mapping[str, Units] = MappingProxyType({}),
) -> dict[str, dict[str, dict]]:
    """Return claim -> group -> B - A, its interval and p, and the verdict; {} if not run.

    p_adjusted is null if no pair differs: this is not a test, and Holm's correction for n_tests
    leaves it out. A p equal to least_p is an upper bound.
    """
    found = [
        (name, each)
        for name, claim in claims.items()
        if name not in not_run
        for each in compare_arms(layout, claim, arms, rows, units)
    ]
    settled: dict[str, dict[str, dict]] = {name: {} for name in claims}
    adjusted = with_verdicts([each for _, each in found])
    for (name, _), each in zip(found, adjusted, strict=True):
        settled[name][each.group] = recorded(each, claims[name])
    return settled


def recorded(found: Difference, claim: dict) -> dict:
    """Return the entry of metrics/claims.json for a claim in one group."""
    everything = asdict(found)
    numbers = {key: everything[key] for key in (*RECORDED, "n_trainings")}
    if numbers["p_adjusted"] != numbers["p_adjusted"]:
        numbers["p_adjusted"] = None
    numbers |= {"n_tests": found.n_tests, "least_p": found.least_p}
    numbers["verdict"] = verdict(found, claim["expect"])
    if why := why_untestable(found, claim.get(CANNOT, {})):
        numbers |= {"verdict": UNTESTABLE, "why": why}
    if numbers["verdict"] == NOT_SETTLED:
        needed = {"n_needed": found.needed, "trainings_needed": found.needed_trainings}
        numbers |= {key: value for key, value in needed.items() if value}
    if found.n_trainings > 1:
        numbers |= {
            "by_training": list(found.by_training),
            "over_trainings": dict(zip(("low", "high"), found.over_trainings or (), strict=False)),
            "training_share": share_of_trainings(found),
        }
    if found.n_clusters is not None:
        numbers["n_clusters"] = found.n_clusters
    return numbers


def share_of_trainings(found: Difference) -> float:
    """Return the trainings' share of the squared error; 0 if nothing varies."""
    return found.training_variance / found.error**2 if found.error > 0 else 0.0


def explain_not_run(
    layout: Layout,
    claims: dict[str, dict],
    missing: dict[str, str],
    units: Mapping[str, Units],
) -> dict[str, str]:
    """Return claim -> why it cannot be settled, for those that cannot.

    In each training both arms must have the same units.
    """
    reasons = {}
    for name, claim in claims.items():
        sides = list(dict.fromkeys((claim["a"], claim["b"])))
        if lacking := [arm for arm in sides if arm in missing]:
            reasons[name] = f"arm {' and '.join(lacking)}"
        elif differ_in_a_training([units[arm] for arm in sides if arm in units]):
            reasons[name] = (
                f"{layout.units_from} differs between {' and '.join(sides)}, so a {layout.unit} "
                "need not be the same thing in both"
            )
    return reasons


def differ_in_a_training(sides: list[Units]) -> bool:
    """Return whether two arms have different units in a training that both have."""
    seeds = set.intersection(*(set(side) for side in sides)) if sides else set()
    return any(len({side[seed] for side in sides}) > 1 for seed in seeds)
