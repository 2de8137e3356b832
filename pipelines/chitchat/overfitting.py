"""The epoch at which overfitting begins, against how much there is to learn from.

After sweeps/sizes.sh: `PYTHONPATH=../.. python -m pipelines.chitchat.overfitting` reads the sweep's
experiments and writes metrics/overfitting.json, a point per training, with the slope per doubling
of the data and its interval; the same as a table for README, and drawn (metrics/overfitting.svg). A
training that did not overfit counts with one epoch beyond its last, so the slope may be too small;
the number of such trainings is reported.
"""

import json
import math
from pathlib import Path

import numpy as np

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.terminal import table
from genlab.experiments.revisions import experiments_of_head, read_bytes
from genlab.report.charts import CONFIG, GRAMMAR

app = stage_app()

OUTPUT = Path("metrics/overfitting.json")
TABLE = Path("metrics/readme/overfitting.json")
TRAINING = Path("metrics/train/dialogue.json")
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
    slope = float((centred * epochs).sum() / (centred**2).sum())
    x, y = sizes[drawn], epochs[drawn]
    x = x - x.mean(1, keepdims=True)
    low, high = np.quantile((x * y).sum(1) / (x**2).sum(1), [0.025, 0.975])
    return {"value": slope, "low": float(low), "high": float(high)}


def read_points() -> list[dict]:
    """Return a point of every experiment of the sweep: its numbers of training."""
    points = []
    for name, commit in sorted(experiments_of_head().items()):
        if name.startswith(f"{NAME}-"):
            numbers = json.loads(read_bytes(TRAINING, commit))["training"]
            points.append({"experiment": name, **numbers})
    return points


def table_of(points: list[dict], slope: dict[str, float]) -> list[list[str]]:
    """Return README's table: the epochs of every size, and the slope."""
    rows = [["replies learnt from", "overfitting begins at epoch, in each training"]]
    for size in sorted({point["replies"] for point in points}):
        own = sorted(
            (point["overfitting_epoch"], point["overfits"])
            for point in points
            if point["replies"] == size
        )
        epochs = ", ".join(
            f"{epoch}" if overfits else f"not before {epoch}" for epoch, overfits in own
        )
        rows.append([f"{size:,}", epochs])
    ends = f"{slope['value']:+.2f} ({slope['low']:+.2f} to {slope['high']:+.2f})"
    return [*rows, ["epochs per doubling", ends]]


def draw_points(points: list[dict], slope: dict[str, float]) -> str:
    """Return an SVG of the epochs against the replies, with the line of the slope."""
    import vl_convert

    sizes = [point["replies"] for point in points]
    middle = sum(map(math.log2, sizes)) / len(points)
    mean = sum(point["overfitting_epoch"] for point in points) / len(points)
    line = [
        {"replies": size, "epoch": mean + slope["value"] * (math.log2(size) - middle)}
        for size in (min(sizes), max(sizes))
    ]
    x: dict[str, object] = {
        "field": "replies",
        "type": "quantitative",
        "title": "replies learnt from",
    }
    x |= {"scale": {"type": "log", "base": 2, "nice": False, "padding": 12}}
    y: dict[str, object] = {"type": "quantitative", "title": "epoch at which overfitting begins"}
    spec = {
        "layer": [
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.5},
                "encoding": {"x": x, "y": y | {"field": "overfitting_epoch"}},
            },
            {
                "data": {"values": line},
                "mark": {"type": "line", "strokeWidth": 1.5},
                "encoding": {"x": x, "y": y | {"field": "epoch"}},
            },
        ],
        "config": CONFIG | {"background": "white"},
        "width": 440,
        "height": 230,
    }
    return vl_convert.vegalite_to_svg(spec, vl_version=GRAMMAR)


@app.command()
def main(output: Path = OUTPUT, shown: Path = TABLE) -> None:
    """Write the sweep's points and their slope."""
    points = read_points()
    if not points:
        raise InputError(f"there is no experiment {NAME}-...; run sweeps/sizes.sh")
    slope = fit_slope(points)
    unfinished = sum(not point["overfits"] for point in points)
    write_json(output, {"slope": slope, "not_overfitted": unfinished, "points": points})
    write_json(shown, {"overfitting": table_of(points, slope)})
    output.with_suffix(".svg").write_text(draw_points(points, slope), encoding="utf-8")
    rows = [
        [p["replies"], p["overfitting_epoch"], p["best_epoch"], p["experiment"]] for p in points
    ]
    print(table(rows, ["replies", "overfitting epoch", "best epoch", "experiment"]))
    low, high = slope["low"], slope["high"]
    print(f"epochs per doubling: {slope['value']:.2f} [{low:.2f}, {high:.2f}]")
    print(f"did not overfit: {unfinished} of {len(points)}")


if __name__ == "__main__":
    run(app)
