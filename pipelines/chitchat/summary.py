"""Every arm's numbers, with intervals over dialogues: turns of one are not independent."""

import math

import polars as pl

from genlab.statistics.intervals import (
    SHARE,
    Bounds,
    bootstrap_interval,
    interval,
    ratio_interval,
)
from pipelines.chitchat.metrics import REAL, cluster_numbers, corpus_bleu, distinct_numbers

OVERLAPS = ("bleu", "chrf", "rouge_1", "rouge_l")
# The least and the greatest value of one reply; sacrebleu's are percent.
BOUNDS: dict[str, Bounds] = {"bleu": (0.0, 100.0), "chrf": (0.0, 100.0)}
BOUNDS |= dict.fromkeys(("rouge_1", "rouge_l", "echo", "generic"), SHARE)
BOUNDS |= {"n_words": (0.0, math.inf)}
SHOWN = ("perplexity", "bleu", "chrf", "rouge_l", "distinct_2", "echo", "generic", "n_words")


def summarize(
    rows: pl.DataFrame, read: pl.DataFrame, generated: pl.DataFrame, n_sample: int, seed: int
) -> dict:
    """Return arm -> history -> metric -> value, low, high; perplexity, bits per byte, and means."""
    summary: dict[str, dict[str, dict]] = {}
    references = dict(generated.select("reply_id", "reference").iter_rows())
    for (arm, history), mine in rows.group_by("arm", "history", maintain_order=True):
        numbers = reading_numbers(read.filter(arm=arm, history=history), seed)
        said = mine.filter(pl.col("text").is_not_null())
        if said.height:
            numbers |= reply_numbers(said, seed)
            texts = said["text"].to_list()
            numbers |= distinct_numbers(texts, n_sample, said["dialogue_id"])
            numbers["corpus_bleu"] = {
                "value": corpus_bleu(texts, [references[name] for name in said["reply_id"]])
            }
        summary.setdefault(str(arm), {})[str(history)] = numbers
    return summary


def reply_numbers(said: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Return the mean of each measure of replies, whole dialogues drawn anew for its interval."""
    values = said.select(*BOUNDS).to_numpy().round(9)  # sacrebleu's 100 may end in ...004
    clusters = cluster_numbers(said["dialogue_id"])
    low, high = bootstrap_interval(
        values, seed=seed, bounds=list(BOUNDS.values()), clusters=clusters
    )
    means = [said[name].to_numpy().sum() / said.height for name in BOUNDS]
    return {name: interval(*ends) for name, *ends in zip(BOUNDS, means, low, high, strict=True)}


def reading_numbers(read: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Return perplexity and bits per byte of the replies an arm has read; {} without any."""
    if read.is_empty():
        return {}
    nats, clusters = read["nats"].to_numpy(), cluster_numbers(read["dialogue_id"])
    tokens, n_bytes = (read[name].to_numpy().astype(float) for name in ("n_tokens", "n_bytes"))
    positive = (0.0, math.inf)
    loss = ratio_interval(nats, tokens, clusters, seed=seed, bounds=positive)
    bits = ratio_interval(nats / math.log(2), n_bytes, clusters, seed=seed, bounds=positive)
    perplexity = [math.exp(min(each, 700.0)) for each in loss]
    return {"perplexity": interval(*perplexity), "bits_per_byte": interval(*bits)}


def headline_of(summary: dict) -> dict:
    """Return the numbers that `dvc metrics` shows: of every arm, without intervals."""
    return {
        arm: {name: found["true"][name]["value"] for name in SHOWN if name in found["true"]}
        | {
            f"perplexity_{history}": numbers["perplexity"]["value"]
            for history, numbers in found.items()
            if history != "true"
        }
        for arm, found in summary.items()
    }


def cell(numbers: dict, name: str, digits: int) -> str:
    """Return "4.56 (4.31-4.80)", or nothing for a number that is not there."""
    if name not in numbers:
        return ""
    value, low, high = (f"{numbers[name][end]:.{digits}f}" for end in ("value", "low", "high"))
    return f"{value} ({low}-{high})"


def tables_of(summary: dict) -> dict[str, list[list[str]]]:
    """Return README's tables: what the arms say, and how they read with which history."""
    digits = {"perplexity": 2, "bleu": 1, "chrf": 1, "rouge_l": 2, "n_words": 1}
    said = [["arm", *(name.replace("_", " ") for name in SHOWN)]]
    for arm, found in summary.items():
        # The true replies overlap with themselves: that says nothing.
        numbers = {k: v for k, v in found["true"].items() if arm != REAL or k not in OVERLAPS}
        said.append(
            [arm.replace("_", " "), *(cell(numbers, name, digits.get(name, 3)) for name in SHOWN)]
        )
    histories = ("true", "shuffled", "none")
    read = [
        [
            "arm",
            *(f"perplexity, {name} history" for name in ("its own", "another's", "no")),
            "bits per byte",
        ]
    ]
    for arm, found in summary.items():
        if arm != REAL:
            cells = [cell(found.get(name, {}), "perplexity", 2) for name in histories]
            bits = cell(found["true"], "bits_per_byte", 3)
            read.append([arm.replace("_", " "), *cells, bits])
    return {"replies": said, "histories": read}


def conversations_of(generated: pl.DataFrame, arms: list[str], n: int) -> list[list[str]]:
    """Return rows of a table: the last turns of some dialogues, and what each arm replies.

    The dialogues with the longest history come first, in the order of their names: none is chosen.
    """
    first = generated.filter(arm=arms[0])
    longest = first.sort(pl.col("history").list.len(), "reply_id", descending=[True, False])
    chosen = longest.unique("dialogue_id", keep="first", maintain_order=True).head(n)
    said = {
        (arm, reply_id): text
        for arm, reply_id, text in generated.select("arm", "reply_id", "text").iter_rows()
    }
    rows = [["before", "input", "true reply", *(arm.replace("_", " ") for arm in arms)]]
    for reply_id, history, asked, reference in chosen.select(
        "reply_id", "history", "input", "reference"
    ).iter_rows():
        before = " / ".join(history[-3:])
        rows.append([before, asked, reference, *(said[arm, reply_id] for arm in arms)])
    return rows
