"""The arms: the base, the two supervised models, DPO's, and the policies of RL."""

import json
from dataclasses import dataclass
from pathlib import Path

from genlab.core.program import InputError

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
    curves = {arm: json.loads((rl / arm / "curve.json").read_text("utf-8")) for arm in arms}
    points = [{"arm": arm} | point for arm, curve in curves.items() for point in curve]
    return [
        {name: point[name] for name in point if all(name in each for each in points)}
        for point in points
    ]
