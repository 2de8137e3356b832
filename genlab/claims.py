"""Settle the claims of claims.yaml: run the arms as DVC experiments, compare them query by query.

`run` runs every arm as an experiment named claim-ARM (stages that an arm does not change are not
run again) and then settles; `settle` reads the experiments that are there. The verdicts go to
metrics/claims.json, from which the README's tables are made.
"""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from genlab.files import write_json
from genlab.intervals import bootstrap_interval, paired_difference
from genlab.program import InputError, run, stage_app
from genlab.ranking import METRICS, metric_values

app = stage_app()

OUTPUT = Path("metrics/claims.json")
SEED = 17


def read_claims(path: Path) -> dict:
    """Return claims.yaml; raise InputError if a claim's arm, metric or direction is unknown."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, claim in content["claims"].items():
        for key, known in (
            ("a", content["arms"]),
            ("b", content["arms"]),
            ("metric", METRICS),
            ("expect", ("lower", "higher")),
        ):
            if claim.get(key) not in known:
                raise InputError(
                    f"{path}: claim {name}: {key} is {claim.get(key)}, not one of "
                    f"{', '.join(known)}"
                )
    return content


def run_arms(arms: dict[str, dict]) -> None:
    """Run every arm as an experiment, replacing one of the same name."""
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "params.yaml"])
    if changed.returncode:
        raise InputError(
            "params.yaml is changed, so no arm would be what claims.yaml says; commit it, or "
            "`git checkout params.yaml`"
        )
    for arm, params in arms.items():
        name = f"claim-{arm}"
        # Not `dvc exp run --force`, which would run every stage again.
        subprocess.run(["dvc", "exp", "remove", name], capture_output=True)
        changes = [f"{key}={yaml_word(value)}" for key, value in params.items()]
        options = [word for change in changes for word in ("-S", change)]
        run_dvc("exp", "run", "--queue", "--name", name, *options)
    run_dvc("exp", "run", "--run-all")


def run_dvc(*arguments: str) -> None:
    """Run DVC, its output to the terminal; raise InputError if it fails."""
    if subprocess.run(["dvc", *arguments]).returncode:
        raise InputError(f"`dvc {' '.join(arguments)}` failed; its message is above")


def yaml_word(value: object) -> str:
    """Return a params value as `dvc exp run -S` reads it."""
    return json.dumps(value) if isinstance(value, (bool, list)) else str(value)


def names_of_experiments() -> set[str]:
    """Return the experiments made on the current commit: those of older code do not count."""
    command = ["dvc", "exp", "list", "--name-only"]
    return set(subprocess.run(command, capture_output=True, text=True).stdout.split())


def read_rows(arm: str) -> pl.DataFrame:
    """Return the per-query rows of an arm's experiment."""
    import dvc.api

    content = dvc.api.read("data/score.parquet", rev=f"claim-{arm}", mode="rb")
    return pl.read_parquet(io.BytesIO(content))


def summarize_arm(rows: pl.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Return ranker -> metric -> value, low, high."""
    summary = {}
    for (ranker,), frame in rows.group_by("ranker", maintain_order=True):
        values = metric_values(frame)
        low, high = bootstrap_interval(values, seed=SEED)
        summary[ranker] = {
            metric: {"value": float(value), "low": float(low[i]), "high": float(high[i])}
            for i, (metric, value) in enumerate(zip(METRICS, np.nanmean(values, 0), strict=True))
        }
    return summary


def settle_claim(claim: dict, rows: dict[str, pl.DataFrame | None]) -> dict[str, dict]:
    """Return ranker -> difference B - A with its interval, number of queries, and the verdict."""
    a, b = rows[claim["a"]], rows[claim["b"]]
    if a is None or b is None:
        return {}
    column = METRICS[claim["metric"]]
    pairs = a.select("ranker", "query_id", a=column).join(
        b.select("ranker", "query_id", b=column), on=["ranker", "query_id"], maintain_order="left"
    )
    settled = {}
    for (ranker,), pair in pairs.group_by("ranker", maintain_order=True):
        difference, low, high = paired_difference(
            pair["a"].to_numpy(), pair["b"].to_numpy(), seed=SEED
        )
        settled[ranker] = {
            "difference": difference,
            "low": low,
            "high": high,
            "n_queries": pair.height,
            "verdict": verdict(low, high, claim["expect"]),
        }
    return settled


def verdict(low: float, high: float, expect: str) -> str:
    """Say what an interval of B - A means for a claim that expects B lower or higher."""
    if low <= 0 <= high:
        return "not significant"
    found = "lower" if high < 0 else "higher"
    return "supported" if found == expect else "contradicted"


@app.command("run")
def run_and_settle(claims: Path = Path("claims.yaml")) -> None:
    """Run every arm of claims.yaml as an experiment, then settle the claims."""
    run_arms(read_claims(claims)["arms"])
    settle(claims)


@app.command()
def settle(claims: Path = Path("claims.yaml")) -> None:
    """Compare the arms that have been run and write the verdicts."""
    content = read_claims(claims)
    there = names_of_experiments()
    rows = {arm: read_rows(arm) if f"claim-{arm}" in there else None for arm in content["arms"]}
    settled = {name: settle_claim(claim, rows) for name, claim in content["claims"].items()}
    arms = {arm: summarize_arm(frame) for arm, frame in rows.items() if frame is not None}
    if not arms:
        raise InputError(
            "no arm has been run on this commit; `python -m genlab.claims run` runs them all"
        )
    write_json(OUTPUT, {"arms": arms, "claims": settled})

    for name, rankers in settled.items():
        if not rankers:
            print(f"{name:22} not run")
        for ranker, found in rankers.items():
            print(
                f"{name:22}{ranker:8}{found['difference']:+8.3f} "
                f"[{found['low']:+.3f}, {found['high']:+.3f}]  {found['verdict']}"
            )


if __name__ == "__main__":
    run(app)
