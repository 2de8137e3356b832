"""The arms that claims compare: run as experiments, and read.

An arm of a claims.yaml is one of three things:
  {gen.max_len: 50}            params.yaml with these values: an experiment named claim-ARM
  {table: PATH, where: {...}}  rows of a table that the arm {} made: params.yaml as it is. Never the
                               workspace's, which may be of other params
  {value: 0.5}                 this number for every unit of the other arm
Only experiments made on the current commit count, and only if their params are what claims.yaml
says: those of older code, or of an arm that was since changed, do not.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import polars as pl

from genlab.core.params import did_you_mean, flatten, is_number
from genlab.core.program import InputError
from genlab.core.running import queueing
from genlab.experiments.comparison import SEED
from genlab.experiments.layout import Layout
from genlab.experiments.queue import GOES_ON, run_dvc
from genlab.experiments.revisions import (
    experiments_of_head,
    hash_in_lock,
    path_in_repository,
    read_params,
    read_rows,
)
from genlab.statistics.intervals import bootstrap_interval, interval


def check_arm(where: str, arm: dict, arms: dict[str, dict], params: list[str]) -> None:
    """Raise InputError for an arm that is none of the three kinds."""
    if not isinstance(arm, dict):
        raise InputError(f"{where}: must be params, like {{gen.max_len: 50}}, or {{}} for none")
    if "table" in arm:
        kinds = {key: type(value) for key, value in arm.items()}
        if kinds != {"table": str, "where": dict}:
            raise InputError(f"{where}: must be like {{table: PATH, where: {{COLUMN: VALUE}}}}")
        if {} not in arms.values():
            raise InputError(f"{where}: its table is read from an arm {{}}, and there is none")
    elif "value" in arm:
        if set(arm) != {"value"} or not is_number(arm["value"]):
            raise InputError(f"{where}: must be like {{value: 0.5}}")
    else:
        for key in arm:
            if key not in params:
                raise InputError(f"{where}: params.yaml has no {key}{did_you_mean(key, params)}")


def is_experiment(arm: dict) -> bool:
    """Say whether an arm is params, to be run."""
    return "table" not in arm and "value" not in arm


def experiment_name(arm: str) -> str:
    """Return claim-ARM, or claim-FOLDER-ARM in a pipeline's folder: names are the repository's."""
    folder = Path(path_in_repository(Path())).name
    return "-".join(["claim", *([folder] if folder else []), arm])


def run_arms(arms: dict[str, dict]) -> list[str]:
    """Run the arms that are experiments, replacing those of the same names; return the failed.

    Raises Busy, before anything is replaced, if a stage or a dvc runs in this clone.
    """
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "params.yaml"])
    if changed.returncode:
        raise InputError(
            "params.yaml is changed, so no arm would be what claims.yaml says; commit it, or "
            "`git checkout params.yaml`"
        )
    names = {experiment_name(arm): params for arm, params in arms.items() if is_experiment(params)}
    with queueing():
        for name, params in names.items():
            remove_experiment(name)  # not `exp run --force`, which would run every stage again
            changes = [f"{key}={yaml_word(value)}" for key, value in params.items()]
            options = [word for change in changes for word in ("-S", change)]
            run_dvc("exp", "run", "--queue", "--name", name, *options)
    try:
        run_dvc("exp", "run", "--run-all")  # ends well even if some did not
    except KeyboardInterrupt:
        print(GOES_ON, file=sys.stderr)
        raise
    there = experiments_of_head()
    return [name for name in names if name not in there]


def remove_experiment(name: str) -> None:
    """Remove an experiment, if there is one of this name."""
    subprocess.run(["dvc", "exp", "remove", name], capture_output=True)


def yaml_word(value: object) -> str:
    """Return a params value as `dvc exp run -S` reads it."""
    return json.dumps(value) if isinstance(value, (bool, list)) else str(value)


def find_runs(arms: dict[str, dict]) -> tuple[dict[str, str], dict[str, str]]:
    """Return arm -> the commit of the experiment that made its rows, and arm -> why there is none.

    A value has neither. An experiment that bears an arm's name may be of other params: claims.yaml
    was edited since, or the name was taken by hand.
    """
    there = experiments_of_head()
    committed = flatten(read_params("HEAD"))
    params_of = cache(lambda commit: comparable(flatten(read_params(commit))))
    default = next((name for name, arm in arms.items() if arm == {}), "")
    runs, missing = {}, {}
    for name, arm in arms.items():
        if "value" in arm:
            continue
        experiment = experiment_name(name if is_experiment(arm) else default)
        changes = arm if is_experiment(arm) else {}
        if experiment not in there:
            missing[name] = f"no {experiment} on this commit; run `python -m genlab claims run`"
        elif params_of(there[experiment]) != comparable(committed | changes):
            missing[name] = (
                f"{experiment} was made with other params; run `python -m genlab claims run`"
            )
        else:
            runs[name] = there[experiment]
    return runs, missing


def comparable(params: dict[str, object]) -> dict[str, object]:
    """Return params with numbers as numbers: YAML's readers disagree whether 1e-05 is one."""
    numbers: dict[str, object] = {}
    for key, value in params.items():
        try:
            numbers[key] = float(str(value))
        except ValueError:
            numbers[key] = value
    return numbers


def read_arms(
    layout: Layout, arms: dict[str, dict], runs: dict[str, str]
) -> tuple[dict[str, pl.DataFrame], dict[str, str]]:
    """Return arm -> its rows, and arm -> why its experiment has no such rows."""
    read = cache(read_rows)
    rows, missing = {}, {}
    for name, commit in runs.items():
        arm = arms[name]
        try:
            table = read(Path(arm.get("table", layout.path)), commit)
            rows[name] = select_rows(table, arm.get("where", {}))
        except InputError as error:
            missing[name] = str(error)
    return rows, missing


def read_units(layout: Layout, runs: dict[str, str]) -> dict[str, str | None]:
    """Return arm -> the hash of the table its units were taken from; {} if a run cannot change it.

    Where two arms' hashes differ, one query_id may stand for two queries.
    """
    if layout.units_from is None:
        return {}
    hashed = cache(hash_in_lock)
    return {name: hashed(layout.units_from, commit) for name, commit in runs.items()}


def select_rows(rows: pl.DataFrame, where: dict[str, object]) -> pl.DataFrame:
    """Return the rows whose columns have these values; InputError naming those that there are.

    A list stands for any of its values.
    """
    for column, value in where.items():
        if column not in rows.columns:
            raise InputError(
                f"its table has no column {column}{did_you_mean(column, rows.columns)}"
            )
        there = rows[column].unique().sort().to_list()
        wanted = value if isinstance(value, list) else [value]
        for each in wanted:
            if each not in there:
                some = ", ".join(map(str, there[:40]))
                raise InputError(f"no row with {column} {each}; there are {some}")
        rows = rows.filter(pl.col(column).is_in(wanted))
    return rows


def summarize_arm(layout: Layout, rows: pl.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Return group -> metric -> value, low, high; a metric that no unit counts for is left out."""
    groups = rows.partition_by(layout.group, as_dict=True) if layout.group else {("",): rows}
    columns = [metric.column for metric in layout.metrics.values()]
    summary = {}
    for (group,), frame in groups.items():
        values = frame.select(columns).cast(pl.Float64)
        low, high = bootstrap_interval(values, seed=SEED)
        means = values.mean().row(0)
        summary[str(group)] = {
            metric: interval(means[i], low[i], high[i])
            for i, metric in enumerate(layout.metrics)
            if means[i] is not None
        }
    return summary
