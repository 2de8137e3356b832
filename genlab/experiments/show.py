"""Show the experiments on the current commit, one line each.

`dvc exp show` prints every metric and every param of every pipeline. Here stand one metric of this
folder's (`--metric`, by default the first that claims.yaml shows) and, below, the params that an
experiment changed. Both are read from git: a failed experiment has none, and is left out.
"""

import subprocess
import textwrap
from pathlib import Path

import typer

from genlab.core.params import did_you_mean, flatten
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import COLUMNS, tables_that_fit
from genlab.experiments.layout import read_layout
from genlab.experiments.lineage import content_at
from genlab.experiments.revisions import (
    doubt_of_rows,
    experiments_of_head,
    parse_metrics,
    parse_params,
    read_bytes,
)

SCORES, PARAMS = Path("metrics/score.json"), Path("params.yaml")

NEXT = "Is it more than chance? python -m genlab compare HEAD EXPERIMENT"

app = stage_app()


def scores_of(content: dict, metric: str) -> dict[str, object]:
    """Return group -> the metric's value ("" for a value outside of groups); {} if not found.

    A value may stand alone or, with an interval, under `value`. If no metric has this name, it is
    read as a (dotted) path to a group, whose metrics are then returned, or to a single metric.
    """
    values = {key.removesuffix(".value"): value for key, value in flatten(content).items()}
    named = {
        key.rpartition(".")[0]: value
        for key, value in values.items()
        if key.rpartition(".")[2] == metric
    }
    inside = {
        key.removeprefix(metric).removeprefix("."): value
        for key, value in values.items()
        if f"{key}.".startswith(f"{metric}.")
    }
    return named or inside


def names_of_metrics(content: dict) -> list[str]:
    """Return the metrics that can be asked for."""
    keys = [key.removesuffix(".value").rpartition(".")[2] for key in flatten(content)]
    return list(dict.fromkeys(keys))


def shortened(value: object) -> str:
    """Return a number with three decimals, a count or a word as it is, "-" for none."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def is_of_another_folder(commit: str) -> bool:
    """Return whether an experiment changed params, but none of this folder's pipeline."""
    compared = ["git", "diff", "--quiet", "HEAD", commit]
    own = [*compared, "--", "params.yaml", "dvc.lock", "metrics"]
    return bool(subprocess.run(compared).returncode and not subprocess.run(own).returncode)


def read_runs() -> dict[str, tuple[dict, dict]]:
    """Return run -> its scores and its flat params: the workspace, HEAD and its experiments."""
    texts: dict[str, tuple[bytes | str, bytes | str]] = {
        "workspace": (read_bytes(SCORES, None), read_bytes(PARAMS, None))
    }
    for name, commit in {"HEAD": "HEAD", **experiments_of_head()}.items():
        then = content_at(str(SCORES), commit), content_at(str(PARAMS), commit)
        if then[0] is not None and then[1] is not None and not is_of_another_folder(commit):
            texts[name] = then[0], then[1]
    runs = {}
    for name, (scores, params) in texts.items():
        run = None if name == "workspace" else name
        runs[name] = parse_metrics(SCORES, scores, run), flatten(parse_params(params, run))
    return runs


def changed(params: dict[str, object], base: dict[str, object]) -> list[str]:
    """Return KEY=VALUE for each param that differs."""
    return [f"{key}={value}" for key, value in params.items() if base.get(key, "-") != value]


def as_text(runs: dict[str, tuple[dict, dict]], metric: str) -> str:
    """Return the lines to print; InputError if no run has the metric."""
    values = {name: scores_of(scores, metric) for name, (scores, _) in runs.items()}
    groups = list(dict.fromkeys(group for found in values.values() for group in found))
    if not groups:
        known = names_of_metrics(next(iter(runs.values()))[0])
        raise InputError(
            f"--metric {metric}: {SCORES} has none of this name{did_you_mean(metric, known)}; "
            f"there are {', '.join(known)}"
        )
    rows = [[name, *(shortened(found.get(g)) for g in groups)] for name, found in values.items()]
    lines = [metric, *tables_that_fit(rows, ["run", *(group or metric for group in groups)])]
    base = runs.get("HEAD", runs["workspace"])[1]
    for name, (_, params) in runs.items():
        if differing := changed(params, base):
            told = f"{name}: {', '.join(differing)}"
            lines += textwrap.wrap(told, COLUMNS, subsequent_indent="  ", break_long_words=False)
    return "\n".join([*lines, *[NEXT] * (len(runs) > 2)])


def workspace_doubt() -> str:
    """Return the lines of a warning if the workspace's scores are of other params; "" if not."""
    try:
        doubt = doubt_of_rows(SCORES, None)
    except InputError as error:  # params that fill no dvc.yaml; the experiments can be shown
        doubt = str(error)
    return textwrap.fill(f"warning: {doubt}", COLUMNS, break_long_words=False) if doubt else ""


@app.command()
def main(
    metric: str | None = typer.Option(
        None,
        help="a name in metrics/score.json, shown for each of its groups; or a group (GROUP, or "
        "GROUP.NAME for one metric of it); if not given, the first of rows.shown in claims.yaml",
    ),
) -> None:
    """Print the experiments with one metric and the params they changed."""
    check_pipeline_here()
    print(as_text(read_runs(), metric or read_layout(Path("claims.yaml")).shown[0]))
    if doubt := workspace_doubt():
        print(doubt)


if __name__ == "__main__":
    run(app)
