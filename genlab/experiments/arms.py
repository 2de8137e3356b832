"""The arms that claims compare: run as experiments, and read.

An arm of a claims.yaml is one of three things:
  {gen.max_len: 50}            params.yaml with these values: an experiment named claim-ARM
  {table: PATH, where: {...}}  rows of a table that the arm {} made: params.yaml as it is. Never the
                               workspace's, which may be of other params
  {value: 0.5}                 this number for every unit of the other arm
With `trainings` in claims.yaml each is run once per seed: claim-ARM, claim-ARM-18, ...
An experiment of any commit counts if its params are what claims.yaml says and the current commit's
code would make the same rows (lineage.py). Experiments of older code, or of an arm that has changed
since, do not count. So a change of prose, or of code that no arm runs, needs no new run.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import polars as pl

from genlab.core.params import did_you_mean, flatten, is_number, number_said
from genlab.core.program import InputError
from genlab.core.running import queueing
from genlab.experiments.layout import Layout
from genlab.experiments.lineage import made_as_by_head, params_in_git
from genlab.experiments.queue import GOES_ON, run_dvc
from genlab.experiments.revisions import (
    experiments_by_name,
    experiments_of_head,
    hash_in_lock,
    pipeline_name,
    read_params,
    read_rows,
)
from genlab.experiments.rows import with_groups
from genlab.experiments.training_seeds import ALONE, Trainings

Runs = dict[str, dict[int | None, str]]  # arm -> seed -> the commit of its experiment
Tables = dict[int | None, pl.DataFrame]  # seed -> rows


def check_arm(where: str, arm: dict, arms: dict[str, dict], params: list[str]) -> None:
    """Raise InputError for an arm that is not of one of the three kinds."""
    if not isinstance(arm, dict):
        raise InputError(f"{where}: must be params, like {{gen.max_len: 50}}, or {{}} for none")
    if "table" in arm:
        kinds = {key: type(value) for key, value in arm.items()}
        if kinds != {"table": str, "where": dict}:
            raise InputError(f"{where}: must be like {{table: PATH, where: {{COLUMN: VALUE}}}}")
        if {} not in arms.values():
            raise InputError(
                f"{where}: its table is read from an arm {{}} (params.yaml as it is), which is "
                "missing; add one"
            )
    elif "value" in arm:
        if set(arm) != {"value"} or not is_number(arm["value"]):
            raise InputError(f"{where}: must be like {{value: 0.5}}")
    else:
        for key, value in arm.items():
            if key not in params:
                raise InputError(f"{where}: params.yaml has no {key}{did_you_mean(key, params)}")
            if value is None or isinstance(value, dict):
                raise InputError(f"{where}: {key} must be a value or a list of values, not {value}")


def is_experiment(arm: dict) -> bool:
    """Return whether an arm is a set of params, which must be run."""
    return "table" not in arm and "value" not in arm


def changes_of(arm: dict) -> dict[str, object]:
    """Return the params that an arm changes; {} if it is not an experiment.

    A path that leads out of this folder becomes absolute: an experiment runs in a copy of git's
    files, which lacks the outputs of other pipelines.
    """
    if not is_experiment(arm):
        return {}
    return {
        key: os.path.abspath(value) if str(value).startswith("../") else value
        for key, value in arm.items()
    }


def experiment_name(arm: str, seed: int | None = None) -> str:
    """Return claim-ARM, or claim-FOLDER-ARM in a pipeline's folder: names are the whole clone's.

    seed: of a training other than that of params.yaml.
    """
    folder = pipeline_name()
    parts = ["claim", *([folder] if folder else []), arm, *([] if seed is None else [str(seed)])]
    return "-".join(parts)


def experiments_of(
    arms: dict[str, dict], trainings: Trainings
) -> dict[str, tuple[str, int | None, dict[str, object]]]:
    """Return name -> arm, seed and params of every experiment that the arms need.

    The first ones are params.yaml as it is, with each training's seed. DVC then has the outputs
    that the other arms share with these, so that parallel experiments train nothing twice.
    """
    wanted = [
        (arm, seed)
        for seed in trainings.values
        for arm, params in arms.items()
        if is_experiment(params) and seed in trainings.of_arm(arm)
    ]
    wanted.sort(key=lambda each: arms[each[0]] != {})
    return {
        experiment_name(arm, None if seed == trainings.values[0] else seed): (
            arm,
            seed,
            changes_of(arms[arm]) | trainings.changes(seed),
        )
        for arm, seed in wanted
    }


def run_arms(
    layout: Layout, arms: dict[str, dict], trainings: Trainings = ALONE, jobs: int = 1
) -> tuple[list[str], list[str]]:
    """Run the missing experiments, `jobs` at a time; return their names, and those that failed.

    They replace experiments of the same names. Raises Busy, before anything is replaced, if a stage
    or a dvc runs in this clone.
    """
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "params.yaml"])
    if changed.returncode:
        raise InputError(
            "params.yaml is changed, so no arm would be what claims.yaml says; commit it, or "
            "`git checkout params.yaml`"
        )
    experiments = experiments_of(arms, trainings)
    names = lacking_experiments(layout, arms, trainings)
    if len(names) < len(experiments):
        print(f"{len(experiments) - len(names)} of {len(experiments)} runs are there already")
    if not names:
        return [], []
    with queueing():
        for name in names:
            remove_experiment(name)  # not `exp run --force`, which would run every stage again
            changes = [f"{key}={yaml_word(value)}" for key, value in experiments[name][2].items()]
            options = [word for change in changes for word in ("-S", change)]
            run_dvc("exp", "run", "--queue", "--name", name, *options)
    try:
        run_dvc("exp", "run", "--run-all", "--jobs", str(jobs))  # ends well even if some did not
    except KeyboardInterrupt:
        print(GOES_ON, file=sys.stderr)
        raise
    there = experiments_of_head()
    return names, [name for name in names if name not in there]


def lacking_experiments(layout: Layout, arms: dict[str, dict], trainings: Trainings) -> list[str]:
    """Return the names of the experiments for which no run has the needed tables."""
    runs, _ = find_runs(layout, arms, trainings)
    _, unread = read_arms(layout, arms, runs)
    lacking = {
        origin
        for name, arm in arms.items()
        if "value" not in arm
        for seed, origin in origins(name, arms, trainings).items()
        if name in unread or seed not in runs.get(name, {})
    }
    return [
        name
        for name, (arm, seed, _) in experiments_of(arms, trainings).items()
        if (arm, seed) in lacking
    ]


def remove_experiment(name: str) -> None:
    """Remove an experiment, if there is one of this name."""
    subprocess.run(["dvc", "exp", "remove", name], capture_output=True)


def yaml_word(value: object) -> str:
    """Return a params value as `dvc exp run -S` reads it."""
    return json.dumps(value) if isinstance(value, (bool, list)) else str(value)


def origins(
    name: str, arms: dict[str, dict], trainings: Trainings
) -> dict[int | None, tuple[str, int | None]]:
    """Return seed -> the arm and the seed of the experiment that an arm's rows come from."""
    default = next((each for each, arm in arms.items() if arm == {}), "")
    run = name if is_experiment(arms[name]) else default
    first, seeds = trainings.values[0], trainings.of_arm(run)
    return {seed: (run, seed if seed in seeds else first) for seed in trainings.values}


def find_runs(
    layout: Layout, arms: dict[str, dict], trainings: Trainings = ALONE
) -> tuple[Runs, dict[str, str]]:
    """Return arm -> seed -> commit of the experiment with its rows; and arm -> what is missing.

    Arms that are a value have neither. An experiment with an arm's name may have other params:
    claims.yaml was edited since, or someone gave it this name by hand.
    """
    there = experiments_by_name()
    committed = flatten(read_params("HEAD"))
    params_of = cache(lambda commit: comparable(flatten(params_in_git(commit))))
    names = {(arm, seed): name for name, (arm, seed, _) in experiments_of(arms, trainings).items()}
    runs: Runs = {}
    missing: dict[str, str] = {}
    for name, arm in arms.items():
        if "value" in arm:
            continue
        changes, table = changes_of(arm), rows_of(layout, arm)
        for seed, (run, made_with) in origins(name, arms, trainings).items():
            experiment = names[run, made_with]
            wanted = comparable(committed | changes | trainings.changes(made_with))
            named = there.get(experiment, [])
            alike = [commit for commit in named if params_of(commit) == wanted]
            ours = next((commit for commit in alike if made_as_by_head(table, commit)), None)
            if ours:
                runs.setdefault(name, {})[seed] = ours
                continue
            why = f"{experiment} was made with other params" if named else f"no {experiment} yet"
            why = f"{experiment} was made by other code" if alike else why
            missing.setdefault(name, f"{why}; run `python -m genlab claims run`")
    return runs, missing


def comparable(params: dict[str, object]) -> dict[str, object]:
    """Return params with numbers as numbers: YAML's readers disagree whether 1e-05 is one."""
    numbers = {key: number_said(str(value)) for key, value in params.items()}
    return {key: value if numbers[key] is None else numbers[key] for key, value in params.items()}


def read_arms(
    layout: Layout, arms: dict[str, dict], runs: Runs
) -> tuple[dict[str, Tables], dict[str, str]]:
    """Return arm -> seed -> rows; and for arms without rows, arm -> the reason."""
    read = cache(read_rows)
    rows: dict[str, Tables] = {}
    missing = {}
    for name, commits in runs.items():
        arm = arms[name]
        try:
            tables = {
                seed: with_groups(
                    layout, select_rows(read(rows_of(layout, arm), commit), arm.get("where", {}))
                )
                for seed, commit in commits.items()
            }
            rows[name] = tables
        except InputError as error:
            missing[name] = str(error)
    return rows, missing


def rows_of(layout: Layout, arm: dict) -> Path:
    """Return the table that an arm's rows are read from."""
    return Path(arm.get("table", layout.path))


def read_units(layout: Layout, runs: Runs) -> dict[str, dict[int | None, str | None]]:
    """Return arm -> seed -> hash of its units' table; {} if claims.yaml names no such table.

    If two hashes differ, the same query_id may mean two different queries.
    """
    if layout.units_from is None:
        return {}
    hashed = cache(hash_in_lock)
    return {
        name: {seed: hashed(layout.units_from, commit) for seed, commit in commits.items()}
        for name, commits in runs.items()
    }


def describe_rows(layout: Layout, arm: dict, commits: dict[int | None, str]) -> dict[str, object]:
    """Return where an arm's rows are: the table, which rows of it, and its md5 in each training."""
    path = rows_of(layout, arm)
    hashes = {str(seed): hash_in_lock(path, commit) for seed, commit in commits.items()}
    return {"path": path.as_posix(), "where": arm.get("where", {}), "md5": hashes}


def select_rows(rows: pl.DataFrame, where: dict[str, object]) -> pl.DataFrame:
    """Return the rows with these values in their columns; InputError lists the values there are.

    A list matches any of its values. 1 matches 1.0, but True does not match 1.
    """
    for column, value in where.items():
        if column not in rows.columns:
            raise InputError(
                f"its table has no column {column}{did_you_mean(column, rows.columns)}"
            )
        there = rows[column].unique().sort().to_list()
        chosen: list[object] = []
        for each in value if isinstance(value, list) else [value]:
            is_switch = isinstance(each, bool)
            same = [one for one in there if one == each and isinstance(one, bool) == is_switch]
            chosen += same
            if not same:
                some = ", ".join(map(str, there[:40]))
                raise InputError(f"no row with {column} {each}; there are {some}")
        rows = rows.filter(
            pl.col(column).is_in(pl.Series(chosen, dtype=rows.schema[column]), nulls_equal=True)
        )
    return rows
