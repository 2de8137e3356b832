"""Compare two runs item by item: intervals, p values and verdicts.

A run is a revision (commit, branch, tag, experiment, or the workspace), or a file of rows: Parquet,
CSV, TSV, JSON or JSON Lines. Each side may be several trainings: `length-*` for experiments, or
names separated by commas. The head of this folder's claims.yaml says how rows are read; for another
project's table ten lines of YAML do (--layout). Pairing the same query (or text) on both sides
shows differences that two separate means would hide.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import typer

from genlab.core.params import flatten
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.arm_summaries import chance_of_samples, split_of
from genlab.experiments.comparison import Difference, compare_group
from genlab.experiments.comparison_views import Comparison, as_json, as_markdown, as_text
from genlab.experiments.gates import explain_miss, read_gate
from genlab.experiments.layout import Layout, read_layout, read_yaml
from genlab.experiments.pairing import Pairing, Side, count_asked, group_of, pair_rows
from genlab.experiments.revisions import (
    WORKSPACE,
    commit_of,
    doubt_of_rows,
    has_file,
    hash_in_lock,
    named,
    parse_metrics,
    read_bytes,
    read_params,
)
from genlab.experiments.row_files import may_hold_rows
from genlab.experiments.rows import is_rows_file, read_compared
from genlab.experiments.training_seeds import check_trainings, expand, matched_order
from genlab.experiments.verdict_rules import with_verdicts

app = stage_app()

GATE_MISSED = 3
RECEIPT = Path("metrics/receipt.json")
HARDWARE = ("machine", "maker", "vector_instructions", "accelerator")  # what moves last bits most
SHOWN_MEANS = 3


Runs = list[str | None]  # revisions, one per training; None is the workspace


def compare_revisions(
    layout: Layout, base: Runs, other: Runs, gates: list[str], *, matched: bool = True
) -> tuple[Comparison, list[str]]:
    """Return the comparison and what is wrong with its gates.

    matched: the k-th runs of both sides are of the same training.
    """
    rows_a, rows_b = ([read_compared(layout, each) for each in side] for side in (base, other))
    names = (named_runs(base), named_runs(other))
    pairings = pair_rows(layout, rows_a, rows_b, layout.metrics, names, matched=matched)
    limits = [read_gate(text, pairings, layout.metrics) for text in gates]
    n_asked = count_asked(layout, pairings.values(), layout.metrics)
    found = {
        group: compare_group(layout, group, pairing, layout.metrics, n_asked)
        for group, pairing in pairings.items()
    }
    differences = with_verdicts([each for group in found.values() for each in group])
    units: dict[str, list[str]] = {}  # rankers mostly share them
    for group, pairing in pairings.items():
        units.setdefault(describe_units(layout, pairing, found[group]), []).append(group)
    comparison = Comparison(
        base=", ".join(map(described, base)),
        other=", ".join(map(described, other)),
        changed=changed_params(params_of(base[0]), params_of(other[0])),
        units=[
            *(
                f"{', '.join(groups)}: {words}".removeprefix(": ")
                for words, groups in units.items()
            ),
            *unpaired_groups(layout, rows_a[0], rows_b[0], pairings),
            *describe_trainings(base, other, matched),
            *describe_errors(layout, pairings, (rows_a, rows_b)),
        ],
        warnings=find_doubts(layout, [*base, *other], pairings),
        differences=differences,
    )
    return comparison, [miss for gate in limits if (miss := explain_miss(gate, differences))]


def named_runs(runs: Runs) -> str:
    """Return a side's name for messages."""
    return ", ".join(map(named, runs))


def describe_trainings(base: Runs, other: Runs, matched: bool) -> list[str]:
    """Say how many trainings each side has, and how they were compared."""
    if len(base) == len(other) == 1:
        return []
    how = "paired by seed" if matched else "each side's are its own"
    if 1 in (len(base), len(other)):
        how = "the side of one training is taken to vary as the other's do"
    return [f"trainings: {len(base)} in BASE, {len(other)} in OTHER; {how}"]


def describe_errors(
    layout: Layout, pairings: dict[str, Pairing], rows: tuple[Side, Side]
) -> list[str]:
    """Return a line per side with several trainings: its first metric's sources of error."""
    metric = layout.shown[0]
    column = layout.metrics[metric].column
    lines = []
    for group, pairing in pairings.items():
        for name, values, tables in zip(
            ("BASE", "OTHER"), pairing.values([column]), rows, strict=True
        ):
            within = chance_of_samples(layout, tables, group, column)
            clusters = pairing.clusters(layout)
            split = split_of(values[:, :, 0], within, clusters).get("error_from", {})
            parts = ", ".join(f"{100 * share:.0f} % {source}" for source, share in split.items())
            if parts:
                lines.append(f"{group} {name}: squared error of {metric} from {parts}".strip())
    return lines


def described(revision: str | None) -> str:
    """Return a revision's name with its commit."""
    if revision is None or is_rows_file(revision):
        return named(revision)
    return f"{revision} ({commit_of(revision)})"


def params_of(run: str | None) -> dict:
    """Return a run's params.yaml; {} for a file of rows, or a project that has none."""
    if is_rows_file(run) or not has_file(Path("params.yaml"), run):
        return {}
    return read_params(run)


def changed_params(base: dict, other: dict) -> dict[str, tuple[object, object]]:
    """Return dotted key -> (value in BASE, value in OTHER), "-" where a side has no such key."""
    a, b = flatten(base), flatten(other)
    sides = {key: (a.get(key, "-"), b.get(key, "-")) for key in [*a, *b]}
    return {key: values for key, values in sides.items() if values[0] != values[1]}


def describe_units(layout: Layout, pairing: Pairing, found: list[Difference]) -> str:
    """Say how many units of a group were paired, how many were not, and why."""
    n = pairing.height
    words = [f"{n} pairs by {layout.unit}"]
    unpaired = {"BASE": pairing.only_base, "OTHER": pairing.only_other}
    words += [f"{count} only in {side}" for side, count in unpaired.items() if count]
    if len(words) == 1:
        words.append("none unpaired")
    partial: dict[str, list[str]] = {}  # metrics mostly share it
    for each in found:
        if each.n < n:
            sides = {"BASE alone": each.only_base, "OTHER alone": each.only_other}
            sides["neither"] = n - each.n - each.only_base - each.only_other
            why = ", ".join(f"in {side}: {count}" for side, count in sides.items() if count)
            partial.setdefault(f"over {each.n} (a value {why})", []).append(each.metric)
    return "; ".join(words + [f"{', '.join(names)} {why}" for why, names in partial.items()])


def unpaired_groups(
    layout: Layout, base: pl.DataFrame, other: pl.DataFrame, pairings: dict[str, Pairing]
) -> list[str]:
    """Return a line for each group that is not compared."""
    if layout.group is None:
        return []
    sides = [set(rows.select(group_of(layout)).to_series()) for rows in (base, other)]
    lines = []
    for group in sorted((sides[0] | sides[1]) - set(pairings)):
        where = [name for name, side in zip(("BASE", "OTHER"), sides, strict=True) if group in side]
        why = f"only in {where[0]}" if len(where) == 1 else f"no {layout.unit} on both sides"
        lines.append(f"{group}: not compared, {why}")
    return lines


def find_doubts(layout: Layout, revisions: Runs, pairings: dict[str, Pairing]) -> list[str]:
    """Return warnings: reasons why the two sides may not be comparable."""
    lines: list[str] = []
    if any(map(is_rows_file, revisions)):
        return lines
    for revision in revisions:
        if doubt := doubt_of_rows(layout.path, revision):
            lines.append(doubt)
    if layout.units_from and len({hash_in_lock(layout.units_from, each) for each in revisions}) > 1:
        lines.append(
            f"{layout.units_from} differs: a {layout.unit} need not be the same thing on both sides"
        )
    if doubt := doubt_of_machines(dict.fromkeys(revisions)):
        lines.append(doubt)
    for group, pairing in pairings.items():
        if n := pairing.other_lists():
            lines.append(
                f"{group}: {n} of {pairing.height} pairs have another number of candidates"
            )
    return lines


def doubt_of_machines(revisions: Iterable[str | None]) -> str | None:
    """Return a warning that names the processors or packages that differ; None if none do.

    Runs without a receipt, such as another project's, are skipped.
    """
    there = [each for each in revisions if has_file(RECEIPT, each)]
    receipts = [parse_metrics(RECEIPT, read_bytes(RECEIPT, each), each) for each in there]
    stood_on = [
        {
            **{name: each.get("hardware", {}).get(name, "?") for name in HARDWARE},
            **each.get("packages", {}),
        }
        for each in receipts
    ]
    names = dict.fromkeys(name for each in stood_on for name in each)
    values = {name: dict.fromkeys(each.get(name, "none") for each in stood_on) for name in names}
    told = [f"{name} {', '.join(found)}" for name, found in values.items() if len(found) > 1]
    if not told:
        return None
    more = f"; {len(told) - SHOWN_MEANS} more" if len(told) > SHOWN_MEANS else ""
    return (
        f"the runs were computed by other means ({'; '.join(told[:SHOWN_MEANS])}{more}), which "
        "alone can turn sampled texts; run both on one machine"
    )


def read_sides(path: Path, base: str, other: str | None) -> tuple[Runs, Runs, bool]:
    """Return both sides' runs, sorted by training seed, and whether their seeds are the same."""
    runs_a, runs_b = expand(base), expand(WORKSPACE if other is None else other)
    if len(runs_a) == len(runs_b) == 1:
        return runs_a, runs_b, True
    if any(map(is_rows_file, [*runs_a, *runs_b])):  # a file of rows tells no seed
        return runs_a, runs_b, False
    trainings = check_trainings(path, read_yaml(path), flatten(read_params("HEAD")))
    return matched_order(trainings, runs_a, runs_b)


@app.command()
def main(
    base: str = typer.Argument(
        help="commit, branch, tag, experiment, workspace or a file of rows; several trainings as "
        "a,b,c or 'main-*'"
    ),
    other: str | None = typer.Argument(None, help="the same; the workspace if not given"),
    gate: list[str] = typer.Option(
        [],
        help="a limit on OTHER - BASE, in quotes: 'labse.average_loc<=0.05' (or >=, <, >); with "
        ".low, .high, .p, .p_adjusted, .base or .other after the metric a limit on that. May be "
        "repeated. Exit code 3 if one is not met",
    ),
    layout: Path = typer.Option(
        Path("claims.yaml"), help="YAML whose `rows` names the unit, the metrics and their columns"
    ),
    md: bool = typer.Option(False, "--md", help="print Markdown"),
    json: bool = typer.Option(False, "--json", help="print JSON"),
) -> None:
    """Print each metric's paired difference OTHER - BASE with its interval, p and a verdict.

    Exit code: 0; 1 if something cannot be read; 2 for a wrong option; 3 if a gate is not met.
    """
    if md and json:
        raise InputError("--md and --json are two outputs; choose one")
    named_ones = f"{base},{other or WORKSPACE}".split(",")
    if not all([may_hold_rows(each) for each in named_ones]):
        check_pipeline_here()
    runs_a, runs_b, matched = read_sides(layout, base, other)
    head = read_layout(layout)
    comparison, missed = compare_revisions(head, runs_a, runs_b, gate, matched=matched)
    if json:
        print(as_json(comparison, missed))
    else:
        print(as_markdown(comparison) if md else as_text(comparison))
    for miss in missed:
        typer.echo(f"gate not met: {miss}", err=True)
    if missed:
        raise typer.Exit(GATE_MISSED)


if __name__ == "__main__":
    run(app)
