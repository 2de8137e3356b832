"""The arms: the base policy before alignment, and what `train` made of it."""

from pathlib import Path

from genlab.core.program import InputError
from genlab.core.shapes import read_json

BEFORE = "before"  # the base policy
CURVE = "curve.json"  # beside a trained model


def find_models(trained: Path, arms: list[str]) -> dict[str, Path]:
    """Return arm -> the folder of its model; InputError if an arm has none."""
    for arm in arms:
        if not (trained / arm).is_dir():
            raise InputError(
                f"compared.arms: {arm} was not trained; name it under arms in params.yaml"
            )
    return {arm: trained / arm for arm in arms}


def join_curves(trained: Path, arms: list[str]) -> list[dict]:
    """Return the points of all arms' training curves, each with its arm."""
    return [{"arm": arm} | point for arm in arms for point in read_json(trained / arm / CURVE)]
