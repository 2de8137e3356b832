"""A published table, read again: its best arms, its arms below chance, and its claims.

`published` and `claims` of a claims.yaml are checked before any arm is run. The record holds
numbers and verdicts. A claim in prose is checked on every ranker and metric that was published for
its two arms, not only on those that the prose mentions. A difference of shares gets an interval
from the shares and their n, as if the arms were unpaired. A difference of means gets a direction
only, because no spread was published.
"""

from collections.abc import Iterable
from pathlib import Path

from genlab.core.params import flatten, is_number
from genlab.core.program import InputError
from genlab.experiments.layout import Layout, Metric
from genlab.statistics.significance import unpaired_shares_interval

FLAG = "same_data_and_model"
KEYS = {"n": int, "columns": list, "chance": dict, "tables": dict, "arms": dict}
SHAPES = {int: "a whole number", list: "a list of metrics", dict: "entries by name"}


def check_published(path: Path, published: dict, layout: Layout, params: dict) -> None:
    """Raise InputError for an invalid metric, arm, table, number or flag."""
    head = f"{path}: published"
    if not isinstance(published, dict):
        raise InputError(f"{head}: must have {', '.join(KEYS)}")
    for key, kind in KEYS.items():
        if key not in published:
            raise InputError(f"{head}: {key} is missing")
        if type(published[key]) is not kind:
            raise InputError(f"{head}.{key}: must be {SHAPES[kind]}, not {published[key]}")
    if published["n"] < 1:
        raise InputError(f"{head}.n: must be at least 1, not {published['n']}")
    columns, chance, arms = (published[key] for key in ("columns", "chance", "arms"))
    for name in [*columns, *chance]:
        if name not in list(layout.metrics):
            raise InputError(f"{head}: {name} is no metric of rows")
    for metric, number in chance.items():
        check_number(f"{head}.chance: {metric}", number, layout.metrics[metric])
    for name, arm in arms.items():
        check_arm_numbers(f"{path}: published arm {name}", arm, columns, layout)
        if arm[FLAG] and (key := find_own_source(params, groups_of(arm))):
            raise InputError(
                f"{path}: published arm {name}: {FLAG} is true, but params.yaml has {key}"
            )
    for table, names in published["tables"].items():
        check_table(f"{head}.tables.{table}", names, arms)


def check_arm_numbers(where: str, arm: dict, columns: list[str], layout: Layout) -> None:
    """Raise InputError unless a published arm has the flag and a number per column and ranker."""
    if not isinstance(arm, dict) or not isinstance(arm.get(FLAG), bool):
        raise InputError(f"{where}: {FLAG} must be true or false")
    if not groups_of(arm):
        raise InputError(f"{where}: has no numbers")
    for group, numbers in groups_of(arm).items():
        if not isinstance(numbers, list) or len(numbers) != len(columns):
            has = f"{len(numbers)} numbers" if isinstance(numbers, list) else numbers
            raise InputError(f"{where}: {group} has {has} for {', '.join(columns)}")
        for metric, number in zip(columns, numbers, strict=True):
            check_number(f"{where}: {group}: {metric}", number, layout.metrics[metric])


def check_number(where: str, number: object, metric: Metric) -> None:
    """Raise InputError for a value that is not a number, or a share outside of [0, 1]."""
    if not is_number(number):
        raise InputError(f"{where} must be a number, not {number}")
    if metric.kind == "share" and not 0 <= number <= 1:
        raise InputError(f"{where} must be a share from 0 to 1, not {number}")


def check_table(where: str, names: list[str], arms: dict[str, dict]) -> None:
    """Raise InputError unless a table names published arms that have the same rankers."""
    if not isinstance(names, list) or not names:
        raise InputError(f"{where}: must be a list of arms")
    for name in names:
        if name not in list(arms):
            raise InputError(f"{where}: no published arm {name}")
        if set(groups_of(arms[name])) != set(groups_of(arms[names[0]])):
            raise InputError(f"{where}: {name} has not the same rankers as {names[0]}")


def find_own_source(params: dict, groups: Iterable[str]) -> str:
    """Return a KEY=VALUE of params.yaml that is not the study's data or model, or "".

    Rankers without published numbers are ignored: bm25 is always made from our own table.
    """
    for key, value in flatten(params).items():
        is_ours = key.startswith("rankers.") and key.split(".")[1] not in groups
        if key.endswith(".source") and value in ("bundled", "mini", "file") and not is_ours:
            return f"{key}={value}"
    return ""


def groups_of(arm: dict) -> dict[str, list[float]]:
    """Return ranker -> numbers of a published arm."""
    return {group: numbers for group, numbers in arm.items() if group != FLAG}


def numbers_of(published: dict, arm: str, group: str) -> dict[str, float]:
    """Return metric -> number of an arm under one ranker; {} if it was not published."""
    numbers = published["arms"].get(arm, {}).get(group, [])
    return dict(zip(published["columns"], numbers, strict=False))


def reread_published(published: dict, claims: dict, layout: Layout) -> dict:
    """Return the record of a published table: best arms, arms below chance, claims.

    n_tests counts the claims' differences that have an interval. They are not corrected for it.
    """
    groups = list(dict.fromkeys(g for arm in published["arms"].values() for g in groups_of(arm)))
    record: dict = {
        "best": {
            table: {
                group: best_arms(published, arms, group, layout)
                for group in groups_of(published["arms"][arms[0]])
            }
            for table, arms in published["tables"].items()
        },
        "below_chance": {group: below_chance(published, group, layout) for group in groups},
        "claims": {
            name: checked
            for name, claim in claims.items()
            if (
                checked := {
                    group: cells
                    for group in groups
                    if (cells := check_claim(published, claim, group, layout))
                }
            )
        },
    }
    record["n_tests"] = sum(
        "low" in cell
        for groups in record["claims"].values()
        for cells in groups.values()
        for cell in cells.values()
    )
    return record


def best_arms(published: dict, arms: list[str], group: str, layout: Layout) -> dict[str, str]:
    """Return metric -> the arm a table would print in bold."""
    best = {}
    for metric in published["columns"]:
        values = {arm: numbers_of(published, arm, group)[metric] for arm in arms}
        pick = min if layout.metrics[metric].better == "lower" else max
        best[metric] = pick(values, key=lambda arm: values[arm])
    return best


def below_chance(published: dict, group: str, layout: Layout) -> dict[str, list[str]]:
    """Return arm -> the metrics in which it is worse than a random place."""
    found = {}
    for arm in published["arms"]:
        numbers = numbers_of(published, arm, group)
        worse = [
            metric
            for metric, chance in published["chance"].items()
            if metric in numbers and is_better(chance - numbers[metric], layout.metrics[metric])
        ]
        if worse:
            found[arm] = worse
    return found


def check_claim(published: dict, claim: dict, group: str, layout: Layout) -> dict[str, dict]:
    """Return metric -> the published difference B - A and its verdict on a claim.

    A claim that expects B to be better in its metric is taken to expect that in every metric.
    """
    a, b = (numbers_of(published, claim[arm], group) for arm in ("a", "b"))
    stated = layout.metrics[claim["metric"]]
    expects_better = claim["expect"] == stated.better
    cells = {}
    for metric in a if b else ():
        difference = b[metric] - a[metric]
        agrees = difference != 0 and is_better(difference, layout.metrics[metric]) == expects_better
        cell = {"difference": round(difference, 10)}  # of numbers with four decimals
        verdict = "agrees" if agrees else "disagrees"
        if layout.metrics[metric].kind == "share":
            low, high = unpaired_shares_interval(a[metric], b[metric], published["n"])
            cell |= {"low": low, "high": high}
            verdict += ", not significant" if low <= 0 <= high else ", significant"
        cells[metric] = cell | {"verdict": verdict}
    return cells


def is_better(difference: float, metric: Metric) -> bool:
    """Return whether a metric improves when it changes by `difference`."""
    return difference < 0 if metric.better == "lower" else difference > 0
