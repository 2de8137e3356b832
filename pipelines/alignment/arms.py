"""The arms: the base policy before alignment, and what `train` made of it."""

import json
from pathlib import Path

from genlab.core.program import InputError

BEFORE = "before"  # the base policy, which has no training seed


def find_models(trained: Path, arms: list[str]) -> list[tuple[str, str, Path]]:
    """Return (arm, seed, folder) of every model of the arms; InputError if an arm has none."""
    found = []
    for arm in arms:
        folders = sorted((trained / arm).glob("*/"), key=lambda folder: int(folder.name))
        if not folders:
            raise InputError(
                f"compared.arms: {arm} was not trained; name it under arms in params.yaml"
            )
        found += [(arm, folder.name, folder) for folder in folders]
    return found


def join_curves(trained: Path, arms: list[str]) -> list[dict]:
    """Return the points of all arms' training curves, each with its arm."""
    paths = {arm: trained / arm / "curve.json" for arm in arms}
    curves = {arm: json.loads(path.read_text(encoding="utf-8")) for arm, path in paths.items()}
    return [{"arm": arm} | point for arm, curve in curves.items() for point in curve]
