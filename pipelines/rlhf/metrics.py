"""What `score` measures: a row per prompt, arm and training, and summaries of them."""

from math import exp, inf, sqrt

import numpy as np
import polars as pl

from genlab.core.terminal import IN_BRACKETS, tables_that_fit, with_ends
from genlab.statistics.column_means import column_mean, group_mean
from genlab.statistics.intervals import SHARE, Bounds, bootstrap_interval, interval
from genlab.statistics.trainings import (
    TrainingPart,
    interval_of_trainings,
    widen,
)
from genlab.text.measures import distinct_n_of_sample

END, PEAK, STEP = "end", "peak", "step"
KINDS = ("helpful", "wrong", "rude", "refusal", "empty")
SHARES = (*KINDS, "finished")
COLUMNS = ("truth", "proxy", "kl", "win", "proxy_win", *SHARES, "new_tokens", "language_loss")
ROW_SCHEMA = pl.Schema(
    {
        "prompt_id": pl.String,
        "arm": pl.String,
        "seed": pl.String,  # of the training, by its reward model
        "at": pl.String,  # end, peak or step, of RL; end of the others
        "step": pl.Int32,
        "text": pl.String,
        **dict.fromkeys(COLUMNS, pl.Float64),
    }
)
BOUNDS: dict[str, Bounds] = dict.fromkeys((*SHARES, "win", "proxy_win"), SHARE)
BOUNDS |= dict.fromkeys(("kl", "d_gained", "new_tokens", "language_loss"), (0.0, inf))
GAINED = ("d", "proxy", "truth")  # over the start of RL, as metrics named NAME_gained
N_GRAM_SAMPLE = 500  # bigrams that distinct_2 is reckoned for, so that lengths do not matter


def measure_rows(rows: pl.DataFrame, sft: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ROW_SCHEMA, given a model's answers with proxy, and sft's to the same prompts.

    win: 1 if the truth is above that of sft's answer, 0 below, one half for a tie; proxy_win as
    judged by the reward model.
    """
    beside = sft.select("prompt_id", sft_truth="truth", sft_proxy="proxy")
    joined = rows.join(beside, on="prompt_id", maintain_order="left")
    return joined.with_columns(
        proxy=pl.col("proxy").cast(pl.Float64),
        win=win(pl.col("truth"), pl.col("sft_truth")),
        proxy_win=win(pl.col("proxy"), pl.col("sft_proxy")),
        finished=pl.col("finished").cast(pl.Float64),
        new_tokens=pl.col("tokens").list.len().cast(pl.Float64),
        **{kind: (pl.col("kind") == kind).cast(pl.Float64) for kind in KINDS if kind != "empty"},
        empty=(pl.col("text").str.strip_chars() == "").cast(pl.Float64),
    ).select(ROW_SCHEMA.names())


def win(ours: pl.Expr, theirs: pl.Expr) -> pl.Expr:
    """Return 1, 0 or, for a tie, one half."""
    return (ours > theirs).cast(pl.Float64) + (ours == theirs).cast(pl.Float64) / 2


def peak_step(validation: pl.DataFrame) -> int:
    """Return an arm's step with the highest mean truth over trainings, by the validation prompts.

    By other prompts than it is then judged by, or the highest of noise would look like a gain.
    Without a truth it is the last step.
    """
    means = validation.group_by("step").agg(group_mean(pl.col("truth"))).sort("step")
    if means["truth"].null_count():
        return int(means["step"][-1])
    best = means["truth"].arg_max()
    return int(means["step"][0 if best is None else best])


def summarize(models: list[pl.DataFrame], tokens: list[list[list[int]]], seed: int) -> dict:
    """Return metric -> `numbers_of` of an arm, given rows of ROW_SCHEMA of every training.

    distinct_2 is of the whole set: the ends of every training's own, averaged, stand for prompts.
    """
    names = [name for name in COLUMNS if models[0][name].null_count() < models[0].height]
    summary = numbers_of([model.select(names) for model in models], seed)
    distinct = [distinct_n_of_sample(each, 2, N_GRAM_SAMPLE) for each in tokens]
    known = [each for each in distinct if each is not None]
    if known and len(known) == len(distinct):
        summary["distinct_2"] = {"prompts": interval(*known[0])} | spread_of_sets(np.array(known))
    return summary


def summarize_gains(models: list[pl.DataFrame], starts: list[pl.DataFrame], seed: int) -> dict:
    """Return NAME_gained -> `numbers_of` over the start, prompt by prompt, of every training.

    models, starts: rows of ROW_SCHEMA, of the same prompts in one order. The distance d is the root
    of a mean: its interval is that of the root linearised at each training's mean.
    """
    names = [name for name in GAINED[1:] if models[0][name].null_count() < models[0].height]
    gains = [
        pl.DataFrame(
            {"d_gained": linear_root(model["kl"].to_numpy())}
            | {f"{name}_gained": model[name] - start[name] for name in names}
        )
        for model, start in zip(models, starts, strict=True)
    ]
    return numbers_of(gains, seed)


def linear_root(values: np.ndarray) -> np.ndarray:
    """Return values whose mean is the root of the mean, and whose error is the root's."""
    mean = float(values.mean())
    root = sqrt(max(mean, 0.0))
    return root + (values - mean) / (2 * root) if root else np.zeros(len(values))


def numbers_of(models: list[pl.DataFrame], seed: int) -> dict[str, dict]:
    """Return metric -> {prompts, seeds}, given a column a metric and a row a prompt of trainings.

    prompts: the first training with the bootstrap interval over its prompts. seeds: the mean over
    trainings, for other prompts and other trainings; none of one model that stands in every
    training's place.
    """
    names = models[0].columns
    bounds = [BOUNDS.get(name) for name in names]
    values = np.stack([model.to_numpy() for model in models])
    low, high = bootstrap_interval(values[0], seed=seed, bounds=bounds)
    _, *of_all = interval_of_trainings(values, bounds, seed=seed)
    found = {}
    for i, name in enumerate(names):
        means = np.array([column_mean(model[name]) for model in models], dtype=float)
        found[name] = {"prompts": interval(means[0], low[i], high[i])}
        if is_spread(means):
            found[name]["seeds"] = interval(means.mean(), *(end[i] for end in of_all))
    return found


def is_spread(values: np.ndarray) -> bool:
    """Return whether there are several trainings, not one model in every training's place."""
    return len(values) > 1 and np.ptp(values) > 0


def spread_of_sets(found: np.ndarray) -> dict[str, dict[str, float]]:
    """Return {seeds: the mean of trainings' values in [0, 1]}, given float64[k, 3] with ends."""
    if not is_spread(found[:, 0]):
        return {}
    k = len(found)
    mean, low, high = found.mean(axis=0)[:, None]
    part = TrainingPart(found[:, :1].var(axis=0, ddof=1) / k, np.array([k - 1.0]))
    low, high = widen(mean, (low, high), part, [SHARE])
    return {"seeds": interval(mean[0], low[0], high[0])}


def best_interval(numbers: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return a metric's mean over trainings, or the one training's value, with its interval."""
    return numbers.get("seeds", numbers["prompts"])


def best_value(numbers: dict[str, dict[str, float]]) -> float:
    """Return a metric's mean over trainings, or the one training's value."""
    return best_interval(numbers)["value"]


def headline(summary: dict[str, dict]) -> dict[str, float]:
    """Return an arm's values alone, with the perplexity in place of the language-model loss."""
    values = {name: best_value(numbers) for name, numbers in summary.items()}
    if "language_loss" in values:
        values["perplexity"] = exp(min(values.pop("language_loss"), 700.0))
    return values


def headlines(summaries: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Return the arms' values, without those of single steps."""
    return {name: headline(each) for name, each in summaries.items() if "_step_" not in name}


def shown_number(numbers: dict[str, float]) -> str:
    """Return a number with its ends; alone if it has none, as what a model wins against itself."""
    return with_ends(numbers) if "low" in numbers else f"{numbers['value']:.3f}"


def table_of(summaries: dict[str, dict]) -> str:
    """Return the arms' main numbers with their 95 % intervals as lines for the terminal."""
    shown = [
        name
        for name in ("truth", "proxy", "kl", "helpful", "wrong", "win", "new_tokens")
        if all(name in summary for summary in summaries.values())
    ]
    rows = [
        [arm, *(shown_number(best_interval(summary[name])) for name in shown)]
        for arm, summary in summaries.items()
    ]
    return "\n".join([IN_BRACKETS, *tables_that_fit(rows, ("arm", *shown))])
