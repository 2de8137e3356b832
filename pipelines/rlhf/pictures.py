"""The over-optimisation picture: lines of proxy and truth against the distance."""

from pathlib import Path

import numpy as np

from genlab.core.files import written_whole
from genlab.report.charts import Plot, draw, find_template
from genlab.report.examples import stand_alone
from pipelines.rlhf.arms import START
from pipelines.rlhf.overoptimisation import gain_at
from pipelines.rlhf.policies_compared import Point

N_DRAWN = 25  # points of a fitted line


def optimisation_points(points: list[Point], arms: list[str], compared: dict) -> list[dict]:
    """Return gains over the start against d = sqrt(KL): each training's, and the fit of the truth.

    arm is the line's name, such as "main: truth"; its seed is the training, "fit" for the fit.
    """
    starts = {point.seed: point for point in points if point.arm == START}
    found = []
    for arm in arms:
        mine = [point for point in points if point.arm == arm]
        for name in ("proxy", "truth"):
            for seed in dict.fromkeys(point.seed for point in mine):
                line = [(0.0, 0.0)] + [
                    (p.d, getattr(p, name) - getattr(starts[seed], name))
                    for p in mine
                    if p.seed == seed
                ]
                found += [
                    {"arm": f"{arm}: {name}", "seed": seed, "d": d, "gain": gain}
                    for d, gain in line
                    if np.isfinite(gain)
                ]
        fit = compared.get(arm, {}).get("fit", {})
        if fit:
            d = np.linspace(0.05, max(p.d for p in mine), N_DRAWN)
            gains = gain_at(d, fit["a"], fit["b"], "rl")
            found += [
                {"arm": f"{arm}: fitted truth", "seed": "fit", "d": float(x), "gain": float(y)}
                for x, y in zip(d, gains, strict=True)
            ]
    return found


def best_of_n_points(points: list[Point]) -> list[dict]:
    """Return best-of-n's gains over one answer against n, each reward model's."""
    mine = [point for point in points if point.arm == "best_of"]
    firsts = {point.seed: point for point in mine if point.step == 1}
    return [
        {
            "arm": name,
            "seed": point.seed,
            "n": point.step,
            "d_bound": point.d,
            "gain": getattr(point, name) - getattr(firsts[point.seed], name),
        }
        for name in ("proxy", "truth")
        for point in mine
        if np.isfinite(getattr(point, name))
    ]


def draw_optimisation(rows: list[dict], arm: str, path: Path) -> None:
    """Write an arm's lines, of `optimisation_points`, as an SVG that README can show."""
    plot = Plot(
        title="over-optimisation",
        template="by_arm_and_seed",
        x="d",
        y={},
        column="gain",
        x_label="distance from the start, square root of KL (nats)",
        y_label="gain over the start",
    )
    mine = [row for row in rows if row["arm"].startswith(f"{arm}: ")]
    template = find_template(Path(__file__).parent, plot.template)
    with written_whole(path) as partial:
        charts = [draw(plot, mine, template)] if mine else []
        partial.write_text(stand_alone(charts), encoding="utf-8")
