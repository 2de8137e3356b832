"""The arms: the base, the two supervised models, DPO's, and the policies of RL."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from genlab.core.program import InputError
from genlab.core.shapes import read_json

BASE, SFT, START, DPO, BEST = "base", "sft", "start", "dpo", "best_of"
RESERVED = (BASE, SFT, START, DPO, BEST)
NONE = "none"  # the seed of a model that was trained once


@dataclass(frozen=True)
class Model:
    """One model whose answers are measured."""

    arm: str
    seed: str
    step: int
    folder: Path


def find_models(base: Path, supervised: Path, dpo: Path, rl: Path, arms: list[str]) -> list[Model]:
    """Return all models, snapshots in their order; InputError if an arm was not trained."""
    models = [Model(BASE, NONE, 0, base)]
    models += [Model(name, NONE, 0, supervised / name) for name in (SFT, START)]
    models += [Model(DPO, each.name, 0, each) for each in numbered(dpo)]
    for arm in arms:
        found = [
            Model(arm, of_seed.name, int(of_step.name), of_step)
            for of_seed in numbered(rl / arm)
            for of_step in numbered(of_seed)
        ]
        if not found:
            raise InputError(
                f"compared.arms: {arm} was not trained; name it under arms in params.yaml"
            )
        models += found
    return models


def numbered(folder: Path) -> list[Path]:
    """Return the folders in a folder whose names are numbers, in their order."""
    found = [each for each in folder.glob("*/") if each.name.isdecimal()]
    return sorted(found, key=lambda each: int(each.name))


def join_curves(rl: Path, arms: list[str]) -> list[dict]:
    """Return the points of all arms' training curves, each with its arm.

    Only what every point has: DVC draws nothing of a table in which some rows lack a column, and
    an arm without a penalty has no KL.
    """
    points = [{"arm": arm} | point for arm in arms for point in read_json(rl / arm / "curve.json")]
    return [
        {name: point[name] for name in point if all(name in each for each in points)}
        for point in points
    ]


def read_curves(folders: Iterable[Path]) -> list[dict]:
    """Return the points of the curve.json in each of an arm's trainings, one after the other."""
    return [point for folder in folders for point in read_json(folder / "curve.json")]


def arms_of_rl(rows: pl.DataFrame, arm: str) -> list[str]:
    """Return the arms of RL that wrote answers; InputError if `arm` is no model that did."""
    known = rows["arm"].unique(maintain_order=True).to_list()
    check_arm(arm, known)
    return [name for name in known if name not in (BASE, SFT, START, DPO)]


def check_arm(arm: str, known: list[str]) -> None:
    """Raise InputError if `arm` is not among the models that write answers."""
    if arm not in known:
        raise InputError(f"score.arm={arm} wrote no answers; there are {', '.join(known)}")


def check_training(training: int, known: list[str]) -> None:
    """Raise InputError for a training that has no reward model; they are called by its seed."""
    if f"{training}" not in known:
        raise InputError(
            f"score.training={training}: the trainings are {', '.join(known)}; take one of them, "
            "or raise reward.n_seeds"
        )
