"""What alignment changed: a row per text and arm, and every arm's numbers with their intervals.

A metric is the mean of its column over rows, so arms can be paired by text_id. The intervals are
over the texts of ONE model: they say nothing about another training. Rows carry their training's
seed, so that runs with other seeds can be put together.
"""

from math import exp, inf

import numpy as np
import polars as pl

from genlab.core.terminal import IN_BRACKETS, tables_that_fit, with_ends
from genlab.statistics.clusters import number_clusters
from genlab.statistics.column_means import column_mean
from genlab.statistics.intervals import bootstrap_interval, interval
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
# The least and greatest value that the mean over a text's tokens or of a set can have.
SHARE_COLUMNS = ("below_zero", "below_minus_one", "self_bleu", "finished", "query_copied")
AT_LEAST_ZERO = ("token_entropy", "surprisal", "new_tokens")
BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(SHARE_COLUMNS, (0.0, 1.0)),
    **dict.fromkeys(AT_LEAST_ZERO, (0.0, inf)),
}
ROW_SCHEMA = pl.Schema(
    {
        "text_id": pl.String,
        "arm": pl.String,
        "seed": pl.Int64,  # the training's
        "prompt": pl.String,  # texts of one prompt are not independent; null without a prompt
        "text": pl.String,
        **COLUMNS,
    }
)


def cut_rows(rows: pl.DataFrame, max_len: int) -> pl.DataFrame:
    """Return generated rows cut to `max_len` new tokens; a text that is cut did not finish."""
    # Fewer than max_len: under this cap the end-of-text would have been one token more.
    finished = pl.col("finished") & (pl.col("tokens").list.len() < max_len)
    lists = [pl.col(name).list.head(max_len) for name in ("tokens", "divergence", "surprisal")]
    return rows.with_columns(*lists, finished=finished)


def measure_arms(
    rows: pl.DataFrame, seed: int
) -> tuple[dict[str, pl.DataFrame], dict[str, dict[str, dict]]]:
    """Return each arm's ROW_SCHEMA rows and its summary, given rated rows of all arms."""
    measured, summaries = {}, {}
    for (arm,), mine in rows.partition_by("arm", maintain_order=True, as_dict=True).items():
        measured[arm] = measure_model(mine)
        tokens = mine["tokens"].to_list()
        distinct = {f"distinct_{n}": distinct_n(tokens, n) for n in (1, 2)}
        summaries[arm] = summarize_arm(measured[arm], distinct, seed)
    return measured, summaries


def measure_model(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ROW_SCHEMA rows of one model's rated texts, in their order."""
    tokens = rows["tokens"].to_list()
    lengths = rows["tokens"].list.len().to_numpy()
    copied = [
        float(echoes(prompt, text)) if prompt else None
        for prompt, text in rows.select("prompt", "text").iter_rows()
    ]
    prompt = pl.col("prompt").replace("", None)
    return rows.select("text_id", "arm", "seed", prompt, "text").with_columns(
        reward=rows["reward"].cast(pl.Float64),
        below_zero=(rows["reward"] < 0).cast(pl.Float64),
        below_minus_one=(rows["reward"] < -1).cast(pl.Float64),
        held_out_reward=rows["held_out_reward"].cast(pl.Float64),
        token_entropy=pl.Series(entropy_by_text(tokens)),
        self_bleu=pl.Series(self_bleu(tokens)).fill_nan(None),
        divergence=pl.Series(ratio_by_text(rows["divergence"].list.sum().to_numpy(), lengths)),
        surprisal=pl.Series(ratio_by_text(rows["surprisal"].list.sum().to_numpy(), lengths)),
        new_tokens=pl.Series(lengths).cast(pl.Float64),
        finished=rows["finished"].cast(pl.Float64),
        query_copied=pl.Series(copied, dtype=pl.Float64),
    )


def summarize_arm(
    rows: pl.DataFrame, distinct: dict[str, float], seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return metric -> {texts: the value with its bootstrap interval over texts}.

    Texts of one prompt are drawn together; without prompts each text is alone.
    distinct: distinct-n of the set, which has no interval: it falls in every resample.
    """
    names = [name for name in COLUMNS if rows[name].null_count() < rows.height]
    low, high = bootstrap_interval(
        rows.select(names).to_numpy(),
        seed=seed,
        bounds=[BOUNDS.get(name) for name in names],
        clusters=number_clusters(rows["prompt"]),
    )
    means = [column_mean(rows[name]) for name in names]
    summary = {name: {"texts": interval(means[i], low[i], high[i])} for i, name in enumerate(names)}
    return summary | {name: {"texts": {"value": value}} for name, value in distinct.items()}


def value_of(numbers: dict[str, dict[str, float]]) -> float:
    """Return a metric's value from a summary."""
    return numbers["texts"]["value"]


def headline(summary: dict[str, dict]) -> dict[str, float]:
    """Return an arm's values alone, with the perplexity in place of the surprisal."""
    values = {name: value_of(numbers) for name, numbers in summary.items()}
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
            "reward": value_of(summary["reward"]),
            "token_entropy": value_of(summary["token_entropy"]),
        }
        for arm, summary in summaries.items()
    ]


def table_of(summaries: dict[str, dict]) -> str:
    """Return the arms' main numbers with their 95 % intervals as lines for the terminal."""
    shown = ("reward", "below_zero", "held_out_reward", "token_entropy", "divergence")
    rows = [
        [arm, *(with_ends(summary[name]["texts"]) for name in shown)]
        for arm, summary in summaries.items()
    ]
    return "\n".join([IN_BRACKETS, *tables_that_fit(rows, ("arm", *shown))])
