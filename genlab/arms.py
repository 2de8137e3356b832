"""The arms that claims compare: run as experiments, and read.

An arm of a claims.yaml is one of three things:
  {gen.max_len: 50}            params.yaml with these values: an experiment named claim-ARM
  {table: PATH, where: {...}}  rows of a table that the arm {} made: params.yaml as it is. Never the
                               workspace's, which may be of other params
  {value: 0.5}                 this number for every unit of the other arm
Only experiments made on the current commit count: those of older code do not.
"""

import json
import subprocess
from functools import cache
from pathlib import Path

import polars as pl

from genlab.comparison import SEED, Layout
from genlab.intervals import bootstrap_interval
from genlab.preflight import did_you_mean
from genlab.program import InputError
from genlab.revisions import experiments_of_head, path_in_repository, read_rows


def check_arm(where: str, arm: dict, arms: dict[str, dict], params: list[str]) -> None:
    """Raise InputError for an arm that is none of the three kinds."""
    if not isinstance(arm, dict):
        raise InputError(f"{where}: must be params, like {{gen.max_len: 50}}, or {{}} for none")
    if "table" in arm:
        if set(arm) != {"table", "where"} or not isinstance(arm["where"], dict):
            raise InputError(f"{where}: must be like {{table: PATH, where: {{COLUMN: VALUE}}}}")
        if {} not in arms.values():
            raise InputError(f"{where}: its table is read from an arm {{}}, and there is none")
    elif "value" in arm:
        if set(arm) != {"value"} or not isinstance(arm["value"], int | float):
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
    """Run the arms that are experiments, replacing those of the same names; return the failed."""
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "params.yaml"])
    if changed.returncode:
        raise InputError(
            "params.yaml is changed, so no arm would be what claims.yaml says; commit it, or "
            "`git checkout params.yaml`"
        )
    names = {experiment_name(arm): params for arm, params in arms.items() if is_experiment(params)}
    for name, params in names.items():
        remove_experiment(name)  # not `dvc exp run --force`, which would run every stage again
        changes = [f"{key}={yaml_word(value)}" for key, value in params.items()]
        options = [word for change in changes for word in ("-S", change)]
        run_dvc("exp", "run", "--queue", "--name", name, *options)
    run_dvc("exp", "run", "--run-all")  # ends well even if some did not
    there = experiments_of_head()
    return [name for name in names if name not in there]


def remove_experiment(name: str) -> None:
    """Remove an experiment, if there is one of this name."""
    subprocess.run(["dvc", "exp", "remove", name], capture_output=True)


def run_dvc(*arguments: str) -> None:
    """Run DVC, its output to the terminal; raise InputError if it fails."""
    if subprocess.run(["dvc", *arguments]).returncode:
        raise InputError(f"`dvc {' '.join(arguments)}` failed; its message is above")


def yaml_word(value: object) -> str:
    """Return a params value as `dvc exp run -S` reads it."""
    return json.dumps(value) if isinstance(value, (bool, list)) else str(value)


def read_arms(layout: Layout, arms: dict[str, dict]) -> dict[str, pl.DataFrame | None]:
    """Return arm -> its rows, None if it was not run on this commit; values have none to read."""
    there = experiments_of_head()
    read = cache(read_rows)
    default = next((name for name, arm in arms.items() if arm == {}), None)
    rows: dict[str, pl.DataFrame | None] = {}
    for name, arm in arms.items():
        if "value" in arm:
            continue
        experiment = experiment_name(name if is_experiment(arm) else default)
        if experiment not in there:
            rows[name] = None
            continue
        try:
            table = read(Path(arm.get("table", layout.path)), there[experiment])
            rows[name] = select_rows(table, arm.get("where", {}))
        except InputError as error:
            raise InputError(f"arm {name}, of experiment {experiment}: {error}") from None
    return rows


def select_rows(rows: pl.DataFrame, where: dict[str, object]) -> pl.DataFrame:
    """Return the rows whose columns have these values; InputError naming those that there are."""
    for column, value in where.items():
        if column not in rows.columns:
            raise InputError(
                f"its table has no column {column}{did_you_mean(column, rows.columns)}"
            )
        there = rows[column].unique().sort().to_list()
        if value not in there:
            some = ", ".join(map(str, there[:40]))
            raise InputError(f"no row with {column} {value}; there are {some}")
        rows = rows.filter(pl.col(column) == value)
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
            metric: {"value": means[i], "low": float(low[i]), "high": float(high[i])}
            for i, metric in enumerate(layout.metrics)
            if means[i] is not None
        }
    return summary
