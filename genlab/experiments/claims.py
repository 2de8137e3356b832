"""Settle the claims in claims.yaml; each compares two arms.

Without a command, claims are settled from the arms that were run on the current commit. `run` first
runs every arm that is an experiment; stages that an arm does not change are not run again. arms.py
lists the kinds of arms. The verdicts go to metrics/claims.json, and those of the published numbers
on their own claims to metrics/published.json; README's tables are made from both.

A claim is supported, or contradicted, if the 95 % interval of B - A excludes zero and the
Holm-adjusted p, over all claims and groups of the file, is below 0.05. Otherwise it may be shown
that there is no difference beyond the metric's margin, or it is not settled. A claim that could not
have come out otherwise is no test: its two arms are identical, or it cannot be tested here, for a
reason that claims.yaml states. A claim is not run if an arm is missing, or if its two arms were
made from other units; the reason is printed.
"""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl
import typer

from genlab.core.files import write_json
from genlab.core.params import did_you_mean, flatten
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table
from genlab.experiments.arms import (
    check_arm,
    find_runs,
    is_experiment,
    read_arms,
    read_units,
    run_arms,
    summarize_arm,
)
from genlab.experiments.comparison import (
    NOT_SETTLED,
    Difference,
    compare_group,
    pair_rows,
    with_verdicts,
)
from genlab.experiments.comparison_views import as_p, with_needed
from genlab.experiments.layout import Layout, read_layout, read_yaml
from genlab.experiments.published import check_published, reread_published
from genlab.experiments.revisions import read_params
from genlab.statistics.significance import is_significant

app = stage_app()

CLAIMS = Path("claims.yaml")
OUTPUT = Path("metrics/claims.json")
PUBLISHED = Path("metrics/published.json")

TABLE_HEADERS = ("group", "B - A", "95 % interval", "pairs", "Holm p", "verdict")
CLAIM_KEYS = ("claim", "metric", "a", "b", "expect")
CANNOT = "cannot_differ"  # group -> why it gives both arms one value, whatever they are
UNTESTABLE = "cannot be tested here"
RECORDED = ("base", "other", "difference", "low", "high", "p", "p_adjusted", "n", "n_different")


def read_claims(path: Path, layout: Layout, params: dict) -> dict:
    """Return claims.yaml; raise InputError, naming it, for an entry that cannot be settled."""
    content = read_yaml(path)
    check_head(path, content)
    arms = content["arms"]
    for name, arm in arms.items():
        check_arm(f"{path}: arm {name}", arm, arms, list(flatten(params)))
    for name, claim in content["claims"].items():
        where = f"{path}: claim {name}"
        if not isinstance(claim, dict) or {*claim, CANNOT} != {*CLAIM_KEYS, CANNOT}:
            has = ", ".join(map(str, claim)) if isinstance(claim, dict) else str(claim)
            raise InputError(f"{where}: must have {', '.join(CLAIM_KEYS)}, but has {has}")
        check_reasons(f"{where}: {CANNOT}", claim.get(CANNOT, {}))
        for key in CLAIM_KEYS:
            if not isinstance(value := claim[key], str):
                raise InputError(f"{where}: {key} must be one text, not {value}")
        for key, known in (
            ("a", arms),
            ("b", arms),
            ("metric", layout.metrics),
            ("expect", ("lower", "higher")),
        ):
            if claim[key] not in known:
                raise InputError(
                    f"{where}: {key} is {claim[key]}, not one of {', '.join(known)}"
                    f"{did_you_mean(str(claim[key]), known)}"
                )
        if all("value" in arms[claim[key]] for key in ("a", "b")):
            raise InputError(f"{where}: both arms are plain values; one must be measured")
    if "published" in content:
        check_published(path, content["published"], layout, params)
    return content


def check_reasons(where: str, reasons: object) -> None:
    """Raise InputError unless every group has its reason in words."""
    if not isinstance(reasons, dict):
        raise InputError(f"{where}: must be like {{GROUP: the reason}}, not {reasons}")
    for group, reason in reasons.items():
        if not isinstance(group, str) or not isinstance(reason, str):
            raise InputError(f"{where}: {group}: the reason must be text, not {reason}")


def check_head(path: Path, content: dict) -> None:
    """Raise InputError unless there are arms and claims, each under a name that is text."""
    for key in ("arms", "claims"):
        if not isinstance(content.get(key), dict):
            raise InputError(f"{path}: no {key}: by name; without any claims, write claims: {{}}")
        for name in content[key]:
            if not isinstance(name, str):
                raise InputError(f"{path}: {key}: {name} is no name; put it in quotes")
    if not content["arms"]:
        raise InputError(f"{path}: arms: is empty, so nothing can be compared")


def compare_arms(
    layout: Layout, claim: dict, arms: dict[str, dict], rows: dict[str, pl.DataFrame]
) -> list[Difference]:
    """Return B - A of a claim's metric per group, those in which any pair counts."""
    names, metrics = (claim["a"], claim["b"]), [claim["metric"]]
    column = layout.metrics[claim["metric"]].column
    measured = next(name for name in names if "value" not in arms[name])  # one is: `read_claims`
    a, b = (
        with_value(rows[measured], column, arms[name]["value"])
        if "value" in arms[name]
        else rows[name]
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
    pairings = {
        group: replace(pairs, constant=constant)
        for group, pairs in pair_rows(
            layout, a, b, metrics, (f"arm {names[0]}", f"arm {names[1]}")
        ).items()
    }
    found = [compare_group(layout, group, pairs, metrics)[0] for group, pairs in pairings.items()]
    return [each for each in found if each.n]


def with_value(rows: pl.DataFrame, column: str, value: float) -> pl.DataFrame:
    """Return rows with this value in the column wherever it has one."""
    constant = pl.when(pl.col(column).is_not_null()).then(float(value))
    return rows.with_columns(constant.alias(column))


def verdict(found: Difference, expect: str, cannot_differ: Iterable[str] = ()) -> str:
    """Say what B - A means for a claim that expects B lower or higher.

    cannot_differ: the groups said to give both arms one value; it counts where no pair differs.
    """
    if not found.n_different and found.group in cannot_differ:
        return UNTESTABLE
    if not is_significant(found.low, found.high, found.p_adjusted):
        return found.verdict  # identical, no difference beyond the margin, or not settled
    went = "lower" if found.difference < 0 else "higher"
    return "supported" if went == expect else "contradicted"


def settle_claims(
    layout: Layout,
    claims: dict[str, dict],
    arms: dict[str, dict],
    rows: dict[str, pl.DataFrame],
    not_run: dict[str, str],
) -> dict[str, dict[str, dict]]:
    """Return claim -> group -> B - A, how sure it is, and the verdict; {} for one not run.

    p_adjusted is null where no pair differs: that is no test, and Holm's correction is made
    without it, for n_tests. A p that is no greater than least_p is only known to be below it.
    """
    found = [
        (name, each)
        for name, claim in claims.items()
        if name not in not_run
        for each in compare_arms(layout, claim, arms, rows)
    ]
    settled: dict[str, dict[str, dict]] = {name: {} for name in claims}
    adjusted = with_verdicts([each for _, each in found])
    for (name, _), each in zip(found, adjusted, strict=True):
        settled[name][each.group] = recorded(each, claims[name])
    return settled


def recorded(found: Difference, claim: dict) -> dict:
    """Return what metrics/claims.json says of a claim in one group."""
    everything = asdict(found)
    numbers = {key: everything[key] for key in RECORDED}
    if numbers["p_adjusted"] != numbers["p_adjusted"]:
        numbers["p_adjusted"] = None
    numbers |= {"n_tests": found.n_tests, "least_p": found.least_p}
    reasons = claim.get(CANNOT, {})
    numbers["verdict"] = verdict(found, claim["expect"], reasons)
    if numbers["verdict"] == UNTESTABLE:
        numbers["why"] = reasons[found.group]
    if numbers["verdict"] == NOT_SETTLED and found.needed:
        numbers["n_needed"] = found.needed
    return numbers


def explain_not_run(
    layout: Layout, claims: dict[str, dict], missing: dict[str, str], units: dict[str, str | None]
) -> dict[str, str]:
    """Return claim -> why it cannot be settled, for those that cannot."""
    reasons = {}
    for name, claim in claims.items():
        sides = list(dict.fromkeys((claim["a"], claim["b"])))
        if lacking := [arm for arm in sides if arm in missing]:
            reasons[name] = f"arm {' and '.join(lacking)}"
        elif len({units[arm] for arm in sides if arm in units}) > 1:
            reasons[name] = (
                f"{layout.units_from} differs between {' and '.join(sides)}, so a {layout.unit} "
                "need not be the same thing in both"
            )
    return reasons


def print_settled(settled: dict[str, dict[str, dict]], not_run: dict[str, str]) -> None:
    """Print each claim with a row per group below it; then why other claims have none."""
    rows = [
        [
            group,
            f"{found['difference']:+z.3f}",
            f"[{found['low']:+z.3f}, {found['high']:+z.3f}]",
            found["n"],
            "-"
            if found["p_adjusted"] is None
            else as_p(found["p_adjusted"], found["p"] <= found["least_p"]),
            with_needed(found["verdict"], found.get("n_needed")),
        ]
        for groups in settled.values()
        for group, found in groups.items()
    ]
    if rows:  # one table, so that all claims' columns stand below each other
        header, *lines = table(rows, TABLE_HEADERS, left=["verdict"]).splitlines()
        print(header)
        for name, groups in settled.items():
            if groups:
                print(f"{name}:", *(lines.pop(0) for _ in groups), sep="\n")
        n_tests = max(found["n_tests"] for groups in settled.values() for found in groups.values())
        print(f"Holm: p adjusted for {n_tests} tests, one for each row in which any pair differs.")
    for name in [name for name, groups in settled.items() if not groups]:
        why = f"not run: {not_run[name]}" if name in not_run else "no pair counts"
        print(f"{name}: {why}")


def settle(content: dict, layout: Layout, minutes: int | None = None) -> None:
    """Compare the arms that have been run, write the verdicts and print them.

    minutes: what running the arms took; kept in the file for whoever runs them next.
    """
    runs, missing = find_runs(content["arms"])
    rows, unread = read_arms(layout, content["arms"], runs)
    missing |= unread
    arms = {
        name: summarize_arm(layout, rows[name])
        for name, arm in content["arms"].items()
        if is_experiment(arm) and name in rows
    }
    reasons = "".join(f"\narm {name}: {why}" for name, why in missing.items())
    if not arms and unread:
        raise InputError(f"no arm can be read: {next(iter(unread.values()))}")
    if not arms:
        n_arms, took = sum(map(is_experiment, content["arms"].values())), last_minutes()
        time_needed = f"; the last time it took {took} minutes" if took else ""
        raise InputError(
            "no arm has been run on this commit with the params of claims.yaml; `python -m genlab "
            f"claims run` runs all {n_arms} of them{time_needed}"
        )
    not_run = explain_not_run(layout, content["claims"], missing, read_units(layout, runs))
    settled = settle_claims(layout, content["claims"], content["arms"], rows, not_run)
    took = last_minutes() if minutes is None else minutes
    write_json(OUTPUT, {"arms": arms, "claims": settled, **({"minutes": took} if took else {})})
    if "published" in content:
        write_json(PUBLISHED, reread_published(content["published"], content["claims"], layout))
    print_settled(settled, not_run)
    if missing:
        print(f"Not run:{reasons}")


def last_minutes() -> int | None:
    """Return how long the arms of the recorded claims took to run; None if it is not known."""
    try:
        return int(json.loads(OUTPUT.read_text(encoding="utf-8"))["minutes"])
    except (OSError, KeyError, ValueError, TypeError):
        return None


def read_inputs() -> tuple[dict, Layout]:
    """Return the claims.yaml of this folder, checked, and its head."""
    layout = read_layout(CLAIMS)
    committed = read_params("HEAD")  # what the arms are made from, not the workspace's
    return read_claims(CLAIMS, layout, committed), layout


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Settle the claims of claims.yaml from the arms that have been run on this commit."""
    if context.invoked_subcommand is None:
        settle(*read_inputs())


@app.command("run")
def run_and_settle() -> None:
    """Run every arm of claims.yaml as an experiment, then settle the claims."""
    content, layout = read_inputs()
    started = time.monotonic()
    failed = run_arms(content["arms"])
    if len(failed) < sum(map(is_experiment, content["arms"].values())):
        settle(content, layout, math.ceil((time.monotonic() - started) / 60))
    if failed:
        raise InputError(f"{', '.join(failed)} failed; see why with: dvc queue logs {failed[0]}")


if __name__ == "__main__":
    run(app)
