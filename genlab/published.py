"""A published table, read again: its best arms, those below chance, and what its claims rest on.

In: `published` and `claims` of a claims.yaml. Out: a record of numbers and verdicts. A claim in
prose is checked on every ranker and metric that was published for its two arms, not only on those
the prose had in mind. Shares get an interval from their size alone, as if the arms were unpaired;
means get a direction only, because nobody published how they spread.
"""

from pathlib import Path

from genlab.comparison import Layout, Metric
from genlab.preflight import leaves
from genlab.program import InputError
from genlab.significance import unpaired_shares_interval

FLAG = "same_data_and_model"


def check_published(path: Path, published: dict, layout: Layout, params: dict) -> None:
    """Raise InputError for a metric, arm or list of numbers that does not fit, or a false flag."""
    for key in ("n", "columns", "chance", "tables", "arms"):
        if key not in published:
            raise InputError(f"{path}: published: {key} is missing")
    columns = published["columns"]
    for name in [*columns, *published["chance"]]:
        if name not in layout.metrics:
            raise InputError(f"{path}: published: {name} is no metric of rows")
    for arm, content in published["arms"].items():
        where = f"{path}: published arm {arm}"
        if not isinstance(content.get(FLAG), bool):
            raise InputError(f"{where}: {FLAG} must be true or false")
        for group, numbers in groups_of(content).items():
            if len(numbers) != len(columns):
                raise InputError(
                    f"{where}: {group} has {len(numbers)} numbers for {', '.join(columns)}"
                )
        made = [key for key, value in leaves(params) if key.endswith(".source") and value == "mini"]
        if content[FLAG] and made:
            raise InputError(f"{where}: {FLAG} is true, but params.yaml has {made[0]}=mini")
    for table, arms in published["tables"].items():
        for arm in arms:
            if arm not in published["arms"]:
                raise InputError(f"{path}: published.tables.{table}: no published arm {arm}")


def groups_of(arm: dict) -> dict[str, list[float]]:
    """Return ranker -> numbers of a published arm."""
    return {group: numbers for group, numbers in arm.items() if group != FLAG}


def numbers_of(published: dict, arm: str, group: str) -> dict[str, float]:
    """Return metric -> number of an arm under one ranker; {} if it was not published."""
    numbers = published["arms"].get(arm, {}).get(group, [])
    return dict(zip(published["columns"], numbers, strict=False))


def reread_published(published: dict, claims: dict, layout: Layout) -> dict:
    """Return the record of a published table: best arms, arms below chance, claims."""
    groups = list(dict.fromkeys(g for arm in published["arms"].values() for g in groups_of(arm)))
    return {
        "best": {
            table: {group: best_arms(published, arms, group, layout) for group in groups}
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


def best_arms(published: dict, arms: list[str], group: str, layout: Layout) -> dict[str, str]:
    """Return metric -> the arm a table would print in bold."""
    best = {}
    for metric in published["columns"]:
        values = {arm: numbers_of(published, arm, group)[metric] for arm in arms}
        pick = min if layout.metrics[metric].better == "lower" else max
        best[metric] = pick(values, key=values.get)
    return best


def below_chance(published: dict, group: str, layout: Layout) -> dict[str, list[str]]:
    """Return arm -> the metrics in which a random place would have done better."""
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
    """Return metric -> the published difference B - A and what it says of a claim.

    A claim that expects B's metric to be better is taken to expect that of every metric.
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
    """Say whether a metric that grew by `difference` got better."""
    return difference < 0 if metric.better == "lower" else difference > 0
