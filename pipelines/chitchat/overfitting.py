"""The epoch at which overfitting begins, against how much there is to learn from.

After sweeps/sizes.sh: `PYTHONPATH=../.. python -m pipelines.chitchat.overfitting` reads the sweep's
experiments and writes metrics/overfitting.json, a point per training, with the slope per doubling
of the data and its interval. A training that did not overfit counts with one epoch beyond its last:
then the slope is at most too small, and how many there are of these is said.
"""

import json
import math
import subprocess
from pathlib import Path

import numpy as np

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table

app = stage_app()

OUTPUT = Path("metrics/overfitting.json")
NAME = "chitchat-sizes"
N_RESAMPLES = 10_000


def fit_slope(points: list[dict], seed: int = 17) -> dict[str, float]:
    """Return epochs per doubling of the replies, by least squares, with a 95 % interval.

    The interval is a bootstrap's over trainings, drawn size by size (Davison and Hinkley 1997,
    section 6.2.4): the sizes were chosen, what each training does was not.
    """
    sizes = np.array([math.log2(point["replies"]) for point in points])
    epochs = np.array([point["overfitting_epoch"] for point in points], dtype=float)
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
    if len(places) < 2:
        raise InputError("a slope needs two sizes at least; run sweeps/sizes.sh")
    drawn = np.concatenate([rng.choice(own, (N_RESAMPLES, len(own))) for own in places], axis=1)
    centred = sizes - sizes.mean()
    slope = float(centred @ epochs / (centred**2).sum())
    x, y = sizes[drawn], epochs[drawn]
    x = x - x.mean(1, keepdims=True)
    low, high = np.quantile((x * y).sum(1) / (x**2).sum(1), [0.025, 0.975])
    return {"value": slope, "low": float(low), "high": float(high)}


def read_points() -> list[dict]:
    """Return a point of every experiment of the sweep: its numbers of training."""
    command = ["dvc", "exp", "list", "--name-only"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    points = []
    for name in sorted(each for each in names if each.startswith(NAME)):
        path = "./metrics/train/dialogue.json"
        shown = subprocess.run(["git", "show", f"{name}:{path}"], capture_output=True, text=True)
        if shown.returncode == 0:
            points.append({"experiment": name, **json.loads(shown.stdout)["training"]})
    return points


@app.command()
def main(output: Path = OUTPUT) -> None:
    """Write the sweep's points and their slope."""
    points = read_points()
    if not points:
        raise InputError(f"there is no experiment {NAME}-...; run sweeps/sizes.sh")
    slope = fit_slope(points)
    unfinished = sum(not point["overfits"] for point in points)
    write_json(output, {"slope": slope, "not_overfitted": unfinished, "points": points})
    rows = [
        [p["replies"], p["overfitting_epoch"], p["best_epoch"], p["experiment"]] for p in points
    ]
    print(table(rows, ["replies", "overfitting epoch", "best epoch", "experiment"]))
    low, high = slope["low"], slope["high"]
    print(f"epochs per doubling: {slope['value']:.2f} [{low:.2f}, {high:.2f}]")
    print(f"did not overfit: {unfinished} of {len(points)}")


if __name__ == "__main__":
    run(app)
