"""Every model's answers to the held-out prompts, measured: RL's at its peak, end and between."""

import polars as pl

from pipelines.rlhf import metrics as measures
from pipelines.rlhf.arms import BASE, DPO, SFT, START

# By their definition, whatever the prompts: SFT against itself, and the start from itself.
GIVEN = {SFT: ("win", "proxy_win"), START: ("kl",)}


def measure_arms(
    rows: pl.DataFrame, arms: list[str], every_step_of: str, seed: int
) -> tuple[dict[str, pl.DataFrame], dict[str, dict]]:
    """Return each arm's rows on the held-out prompts and its summary, RL's at end and peak.

    Of one arm those at every step that was kept stand beside, called ARM_step_STEP, with what they
    gained over the start.
    """
    held_out = rows.filter(pl.col("purpose") == "held_out")
    views = {name: (name, measures.END, 0) for name in (BASE, SFT, START, DPO)}
    for name in arms:
        of_arm = rows.filter(pl.col("arm") == name)
        peak = measures.peak_step(of_arm.filter(pl.col("purpose") == "validation"))
        views[f"{name}_peak"] = (name, measures.PEAK, peak)
        views[f"{name}_end"] = (name, measures.END, int(of_arm["step"].max()))  # type: ignore[arg-type]
        if name == every_step_of:
            steps = sorted(set(of_arm["step"]))
            views |= {f"{name}_step_{step}": (name, measures.STEP, step) for step in steps}
    tables, summaries = {}, {}
    for view, (name, at, step) in views.items():
        mine = held_out.filter((pl.col("arm") == name) & (pl.col("step") == step))
        parts = []
        for training in mine["seed"].unique(maintain_order=True):
            sft = held_out.filter((pl.col("arm") == SFT) & (pl.col("seed") == training))
            of_seed = mine.filter(pl.col("seed") == training)
            parts.append(measures.measure_rows(of_seed.with_columns(at=pl.lit(at)), sft))
        tokens = [
            mine.filter(pl.col("seed") == part["seed"][0])["tokens"].to_list() for part in parts
        ]
        tables[view] = pl.concat(parts).with_columns(arm=pl.lit(view))
        summaries[view] = measures.summarize(parts, tokens, seed)
        for name in set(GIVEN.get(view, ())) & set(summaries[view]):
            value = measures.best_value(summaries[view][name])
            summaries[view][name] = {"prompts": {"value": value}}
        if at == measures.STEP:
            starts = [tables[START].filter(pl.col("seed") == part["seed"][0]) for part in parts]
            summaries[view] |= measures.summarize_gains(parts, starts, seed)
    return tables, summaries
