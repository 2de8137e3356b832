"""What alignment did: a row a text and model, and every arm's numbers with two kinds of spread.

In: generated texts with their rewards. Out: rows whose column means are the metrics, so that arms
are paired by text_id; and for each metric its interval over the texts of ONE model, beside its
interval over training seeds. The first says nothing about another training, and is narrower.
"""

from collections.abc import Sequence
from math import exp, sqrt

import numpy as np
import polars as pl

from genlab.statistics.intervals import bootstrap_interval
from genlab.text.measures import distinct_n, echoes
from pipelines.alignment.diversity import entropy_by_text, ratio_by_text, self_bleu

# A metric is the mean of its column over the texts of a model.
COLUMNS = {
    "reward": pl.Float64,
    "below_zero": pl.Float64,  # the tail: a high mean hides strongly negative texts
    "below_minus_one": pl.Float64,
    "held_out_reward": pl.Float64,
    "token_entropy": pl.Float64,  # nats
    "self_bleu": pl.Float64,
    "divergence": pl.Float64,  # KL to the base, nats a token
    "surprisal": pl.Float64,  # -log p under the base, nats a token
    "new_tokens": pl.Float64,
    "finished": pl.Float64,
    "query_copied": pl.Float64,  # null without a prompt
}
ROW_SCHEMA = pl.Schema(
    {"text_id": pl.String, "arm": pl.String, "seed": pl.String, "text": pl.String, **COLUMNS}
)

# Of Student's t, two-sided 95 %, for 1 to 30 degrees of freedom; beyond, the normal one's.
T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
T_QUANTILES += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
T_QUANTILES += (2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


def cut_rows(rows: pl.DataFrame, max_len: int) -> pl.DataFrame:
    """Return generated rows cut to `max_len` new tokens; a text that is cut did not finish."""
    # Less than max_len: generated with this cap, the last token would be the end-of-text.
    finished = pl.col("finished") & (pl.col("tokens").list.len() < max_len)
    lists = [pl.col(name).list.head(max_len) for name in ("tokens", "divergence", "surprisal")]
    return rows.with_columns(*lists, finished=finished)


def measure_model(
    rows: pl.DataFrame, reward: np.ndarray, held_out_reward: np.ndarray
) -> pl.DataFrame:
    """Return ROW_SCHEMA rows of one model's texts, in their order."""
    tokens = rows["tokens"].to_list()
    lengths = rows["tokens"].list.len().to_numpy()
    copied = [
        float(echoes(prompt, text)) if prompt else None
        for prompt, text in rows.select("prompt", "text").iter_rows()
    ]
    return rows.select("text_id", "arm", "seed", "text").with_columns(
        reward=pl.Series(reward, dtype=pl.Float64),
        below_zero=pl.Series(reward < 0).cast(pl.Float64),
        below_minus_one=pl.Series(reward < -1).cast(pl.Float64),
        held_out_reward=pl.Series(held_out_reward, dtype=pl.Float64),
        token_entropy=pl.Series(entropy_by_text(tokens)),
        self_bleu=pl.Series(self_bleu(tokens)).fill_nan(None),
        divergence=pl.Series(ratio_by_text(rows["divergence"].list.sum().to_numpy(), lengths)),
        surprisal=pl.Series(ratio_by_text(rows["surprisal"].list.sum().to_numpy(), lengths)),
        new_tokens=pl.Series(lengths).cast(pl.Float64),
        finished=rows["finished"].cast(pl.Float64),
        query_copied=pl.Series(copied, dtype=pl.Float64),
    )


def distinct_numbers(tokens: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return distinct-1 and distinct-2 of one model's texts; they are of the set, not of a text."""
    return {f"distinct_{n}": distinct_n(tokens, n) for n in (1, 2)}


def summarize_arm(
    models: list[pl.DataFrame], distinct: list[dict[str, float]], seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return metric -> its two kinds of interval, given a frame of rows a training seed.

    texts: the first seed's model, with the bootstrap over its texts (not of distinct-n, which is of
    the set and falls in every resample). seeds: the mean over training seeds, with Student's t and
    their standard deviation; only where there are two and more.
    """
    names = [name for name in COLUMNS if models[0][name].null_count() < models[0].height]
    values = np.array([[model[name].mean() for name in names] for model in models])
    low, high = bootstrap_interval(models[0].select(names).to_numpy(), seed=seed)
    summary = {
        name: {"texts": {"value": values[0, i], "low": float(low[i]), "high": float(high[i])}}
        | spread_of_seeds(values[:, i])
        for i, name in enumerate(names)
    }
    for name in distinct[0]:
        of_seeds = np.array([each[name] for each in distinct])
        summary[name] = {"texts": {"value": float(of_seeds[0])}} | spread_of_seeds(of_seeds)
    return summary


def spread_of_seeds(values: np.ndarray) -> dict[str, dict[str, float]]:
    """Return {seeds: mean, Student's t interval and standard deviation}; {} for one seed."""
    n = len(values)
    if n < 2:
        return {}
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    t = T_QUANTILES[n - 2] if n - 2 < len(T_QUANTILES) else 1.96
    half = t * deviation / sqrt(n)
    return {
        "seeds": {"value": mean, "low": mean - half, "high": mean + half, "deviation": deviation}
    }


def best_value(numbers: dict[str, dict[str, float]]) -> float:
    """Return a metric's mean over training seeds, or the one model's value where there is one."""
    return numbers.get("seeds", numbers["texts"])["value"]


def headline(summary: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return an arm's values alone, with a perplexity in the surprisal's place."""
    values = {name: best_value(numbers) for name, numbers in summary.items()}
    values["perplexity"] = exp(min(values.pop("surprisal"), 700.0))
    return values


def reward_histogram(rewards: dict[str, np.ndarray], n_bins: int = 40) -> list[dict]:
    """Return plot points: the share of each arm's texts in bins of the reward, all arms' alike."""
    everything = np.concatenate(list(rewards.values()))
    edges = np.histogram_bin_edges(everything, n_bins)
    middles = ((edges[:-1] + edges[1:]) / 2).tolist()
    return [
        {"arm": arm, "reward": middle, "share": share}
        for arm, values in rewards.items()
        for middle, share in zip(
            middles, (np.histogram(values, edges)[0] / len(values)).tolist(), strict=True
        )
    ]


def front(summaries: dict[str, dict]) -> list[dict]:
    """Return plot points: each arm's mean reward against its diversity."""
    return [
        {
            "arm": arm,
            "reward": best_value(summary["reward"]),
            "token_entropy": best_value(summary["token_entropy"]),
        }
        for arm, summary in summaries.items()
    ]


def table_of(summaries: dict[str, dict]) -> str:
    """Return the arms' main numbers as lines for the terminal."""
    shown = ("reward", "below_zero", "held_out_reward", "token_entropy", "divergence")
    width = max(map(len, summaries))
    lines = ["  ".join([" " * width, *(f"{name:>13}" for name in shown)])]
    for arm, summary in summaries.items():
        cells = [f"{best_value(summary[name]):13.3f}" for name in shown]
        lines.append("  ".join([arm.ljust(width), *cells]))
    return "\n".join(lines)
