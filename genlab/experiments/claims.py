"""Settle the claims in claims.yaml; each compares two arms.

Without a command, claims are settled from the arms that were run by the current commit's code.
`run` first runs every arm that is an experiment and was not; stages that an arm does not change are
not run again. arms.py lists the kinds of arms. The verdicts go to metrics/claims.json, and those of
the published numbers on their own claims to metrics/published.json; README's tables are made from
both.

With `trainings` every arm is run with several seeds (training_seeds.py), and a claim has one
verdict over all of them. It is unstable over trainings if one of them shows it significantly and
another its opposite.

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
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import typer

from genlab.core.files import write_json
from genlab.core.params import flatten
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table
from genlab.experiments.arm_summaries import summarize_arm
from genlab.experiments.arms import (
    Runs,
    describe_rows,
    experiments_of,
    find_runs,
    is_experiment,
    read_arms,
    read_units,
    run_arms,
)
from genlab.experiments.claims_file import read_claims
from genlab.experiments.claims_tables import margin_of, of_one_training
from genlab.experiments.comparison_views import as_p, with_needed
from genlab.experiments.layout import Layout, read_layout
from genlab.experiments.lineage import idle_stages
from genlab.experiments.published import reread_published
from genlab.experiments.revisions import read_params
from genlab.experiments.training_seeds import Trainings, check_trainings
from genlab.experiments.verdict_words import IDENTICAL, UNTESTABLE, count_tests, tell_size
from genlab.experiments.verdicts import explain_not_run, settle_claims

app = stage_app()

CLAIMS = Path("claims.yaml")
OUTPUT = Path("metrics/claims.json")
SHOW_THEM = "`dvc repro -f -s report` puts it on the page, `python -m genlab readme` into README."
PUBLISHED = Path("metrics/published.json")

TABLE_HEADERS = ("group", "B - A", "95 % interval", "pairs", "Holm p", "verdict")


def print_settled(
    settled: dict[str, dict[str, dict]],
    not_run: dict[str, str],
    margins: Mapping[str, float | None] = MappingProxyType({}),
) -> None:
    """Print each claim with a row per group below it; then why other claims have none.

    margins: claim -> the margin of its metric, below which a difference counts as none.
    """
    rows = [
        claim_row(group, found, margins.get(name))
        for name, groups in settled.items()
        for group, found in groups.items()
    ]
    if rows:  # one table, so that all claims' columns stand below each other
        header, *lines = table(rows, TABLE_HEADERS, left=["verdict"]).splitlines()
        print(header)
        for name, groups in settled.items():
            if groups:
                print(f"{name}:", *(lines.pop(0) for _ in groups), sep="\n")
        n_tests = max(found["n_tests"] for found in each_found(settled))
        asked = count_tests(n_tests)
        print(f"Holm: p adjusted for {asked}, one for each row in which any pair differs.")
        if (most := max(found["n_trainings"] for found in each_found(settled))) > 1:
            alone = of_one_training(each_found(settled))
            print(f"Intervals and p are for other pairs and trainings: {most} were made{alone}.")
    for name in [name for name, groups in settled.items() if not groups]:
        why = f"not run: {not_run[name]}" if name in not_run else "no pair counts"
        print(f"{name}: {why}")


def claim_row(group: str, found: dict, margin: float | None) -> list:
    """Return a claim's result in one group as the cells under TABLE_HEADERS."""
    verdict = found["verdict"]
    is_test = verdict not in (IDENTICAL, UNTESTABLE)
    adjusted = found["p_adjusted"]
    needed = with_needed(verdict, found.get("n_needed"), found.get("trainings_needed"))
    return [
        group,
        f"{found['difference']:+z.3f}",
        f"[{found['low']:+z.3f}, {found['high']:+z.3f}]" if is_test else "-",
        found["n"],
        "-" if adjusted is None else as_p(adjusted, found["p"] <= found["least_p"]),
        needed + tell_size(verdict, found["low"], found["high"], margin),
    ]


def each_found(settled: dict[str, dict[str, dict]]) -> list[dict]:
    """Return all claims' results, one per claim and group."""
    return [found for groups in settled.values() for found in groups.values()]


def print_errors(arms: dict[str, dict[str, dict]], layout: Layout) -> None:
    """Print for each arm how the error of its first metric divides among the sources."""
    metric = layout.shown[0]
    rows = [
        [arm, group, *(f"{100 * part:.0f} %" for part in found[metric]["error_from"].values())]
        for arm, groups in arms.items()
        for group, found in groups.items()
        if "error_from" in found.get(metric, {})
    ]
    if rows:
        print(f"Where the squared error of one training's {metric} comes from:")
        print(table(rows, ("arm", "group", "units", "sampling", "training"), left=["group"]))


def settle(content: dict, layout: Layout, minutes: int | None = None) -> None:
    """Compare the arms that have been run, write the verdicts and print them.

    minutes: what running all arms took; kept in the file for whoever runs them next.
    """
    trainings = check_trainings(CLAIMS, content, flatten(read_params("HEAD")))
    runs, lacking = find_runs(layout, content["arms"], trainings)
    rows, unread = read_arms(layout, content["arms"], runs)
    missing = {name: why for name, why in lacking.items() if name not in runs} | unread
    fewer = {
        name: f"{len(rows[name])} of {len(trainings.values)} trainings: {why}"
        for name, why in lacking.items()
        if name in rows
    }
    units = read_units(layout, runs)
    arms = {
        name: summarize_arm(layout, rows[name], units.get(name, {}))
        for name, arm in content["arms"].items()
        if is_experiment(arm) and name in rows
    }
    if not arms:
        raise no_arms(content["arms"], trainings, unread)
    not_run = explain_not_run(layout, content["claims"], missing, units)
    settled = settle_claims(layout, content["claims"], content["arms"], rows, not_run, units)
    took = last_minutes() if minutes is None else minutes
    written = {
        "arms": arms,
        "claims": settled,
        "rows": {
            name: describe_rows(layout, content["arms"][name], commits)
            for name, commits in runs.items()
        },
        **({"minutes": took} if took else {}),
    }
    before = OUTPUT.read_bytes() if OUTPUT.is_file() else b""
    write_json(OUTPUT, written)
    if "published" in content:
        write_json(PUBLISHED, reread_published(content["published"], content["claims"], layout))
    margins = {name: margin_of(claim, layout) for name, claim in content["claims"].items()}
    print_settled(settled, not_run, margins)
    print_errors(arms, layout)
    for head, reasons in (("Not run:", missing), ("Fewer trainings:", fewer)):
        if reasons:
            print(head, *(f"arm {name}: {why}" for name, why in reasons.items()), sep="\n")
    if idle := idle_in_all(runs):
        print(f"With every seed the same was made, so theirs changed nothing, by {', '.join(idle)}")
    if OUTPUT.read_bytes() != before:
        print(f"{OUTPUT} is another than before. {SHOW_THEM}")


def no_arms(arms: dict, trainings: Trainings, unread: dict[str, str]) -> InputError:
    """Return the error if no arm has rows; unread: arm -> why its rows cannot be read."""
    if unread:
        return InputError(f"no arm can be read: {next(iter(unread.values()))}")
    n_runs, took = len(experiments_of(arms, trainings)), last_minutes()
    time_needed = f"; the last time it took {took} minutes" if took else ""
    return InputError(
        "no arm has been run by this code with the params of claims.yaml; `python -m genlab "
        f"claims run` makes all {n_runs} runs{time_needed}"
    )


def idle_in_all(runs: Runs) -> list[str]:
    """Return the stages that gave the same outputs under all training seeds, in every arm."""
    found = [set(idle_stages(each.values())) for each in runs.values() if len(each) > 1]
    return sorted(set.intersection(*found)) if found else []


def last_minutes() -> int | None:
    """Return how many minutes the recorded claims' arms took to run; None if that is unknown."""
    try:
        return int(json.loads(OUTPUT.read_text(encoding="utf-8"))["minutes"])
    except (OSError, KeyError, ValueError, TypeError):
        return None


def read_inputs() -> tuple[dict, Layout]:
    """Return the claims.yaml of this folder, checked, and its head."""
    check_pipeline_here()
    layout = read_layout(CLAIMS)
    committed = read_params("HEAD")  # what the arms are made from, not the workspace's
    return read_claims(CLAIMS, layout, committed), layout


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Settle the claims of claims.yaml from the arms that have been run by this code."""
    if context.invoked_subcommand is None:
        settle(*read_inputs())


@app.command("run")
def run_and_settle(
    trainings: int | None = typer.Option(
        None, min=1, help="run only the first so many seeds of claims.yaml; all if not given"
    ),
    jobs: int = typer.Option(
        1, min=1, help="experiments beside each other; each needs its own memory"
    ),
) -> None:
    """Run the arms of claims.yaml that lack, once per training, then settle the claims."""
    content, layout = read_inputs()
    named = check_trainings(CLAIMS, content, flatten(read_params("HEAD")))
    started = time.monotonic()
    wanted = named.first(trainings)
    n_runs = len(experiments_of(content["arms"], wanted))
    names, failed = run_arms(layout, content["arms"], wanted, jobs)
    if len(failed) < n_runs:
        took = math.ceil((time.monotonic() - started) / 60)
        settle(content, layout, took if len(names) == n_runs else None)
    if failed:
        raise InputError(f"{', '.join(failed)} failed; see why with: dvc queue logs {failed[0]}")


if __name__ == "__main__":
    run(app)
