"""Answers judged and summed up: a task's median over prompts with its interval, beside chance."""

import numpy as np
import polars as pl

from genlab.core.markdown import markdown_table
from genlab.core.program import InputError
from genlab.statistics.crossed import crossed_interval
from genlab.statistics.intervals import interval
from pipelines.instruct.answers import exact_match, word_f1
from pipelines.instruct.rank_classification import Normalisation, predict
from pipelines.instruct.schemas import ITEM_SCHEMA, SCORE_SCHEMA

TIMES = "times_seen"
# How a task was asked, as metrics name it: no group of params.yaml may be called the same.
GROUPS = {"prompt": "in_words", "prefix": "by_prefix", "sentinel": "by_sentinel"}


def judge(answers: pl.DataFrame, normalisation: Normalisation) -> pl.DataFrame:
    """Return ANSWER_SCHEMA's rows with what is right, as ITEM_SCHEMA.

    Raises InputError for a label that is none of the choices' numbers.
    """
    other = Normalisation.mean if normalisation is Normalisation.sum else Normalisation.sum
    found = [judge_row(row, normalisation, other) for row in answers.iter_rows(named=True)]
    judged = pl.DataFrame(found, pl.Schema(list(ITEM_SCHEMA.items())[-6:]), orient="row")
    return pl.concat([answers, judged], how="horizontal").select(ITEM_SCHEMA.names())


def judge_row(row: dict, normalisation: Normalisation, other: Normalisation) -> tuple:
    """Return an answer's chance, correctness (also by mean log p and by prior alone), and F1."""
    label = row["label"]
    if row["choices"] is None:
        aliases = [row["target"]]
        return (
            0.0,
            exact_match(row["text"], aliases),
            None,
            None,
            None,
            word_f1(row["text"], aliases),
        )
    n = len(row["choices"])
    if not 0 <= label < n:
        raise InputError(
            f"example {row['example_id']} of task {row['task']}: label {label} is out of range; "
            f"there are {n} choices"
        )
    scores = np.array([row["log_probs"], row["n_tokens"]]).T
    by = {each: predict(scores, each) for each in (normalisation, other)}
    prior = int(np.argmax(row["prior_log_probs"]))
    return (
        1 / n,
        float(by[normalisation] == label),
        float(by[Normalisation.mean] == label),
        float(by[normalisation] != by[other]),
        float(prior == label),
        None,
    )


def matrix_of(rows: pl.DataFrame) -> np.ndarray:
    """Return float64 [templates, examples], 1 for correct; NaN where a prompt was skipped.

    rows: of one task.
    """
    wide = rows.pivot("example_id", index="template", values="correct", maintain_order=True)
    return wide.drop("template").to_numpy().astype(float)


def mean_of(rows: pl.DataFrame, column: str) -> float:
    return float(np.nanmean(rows[column].cast(pl.Float64).to_numpy()))


def summarize_task(rows: pl.DataFrame, seed: int) -> dict:
    """Return what one arm reached in one task: the median over prompts, its spread, the baselines.

    rows: of one arm, task and way of asking.
    """
    values = matrix_of(rows)
    with np.errstate(invalid="ignore"):
        by_template = np.nanmean(values, axis=1)
    low, high = crossed_interval(values, seed)
    quartiles = np.quantile(by_template, [0.25, 0.75])
    found = {
        "accuracy": interval(float(np.median(by_template)), low, high),
        "iqr": float(quartiles[1] - quartiles[0]),
        "least": float(by_template.min()),
        "most": float(by_template.max()),
        "chance": mean_of(rows, "chance"),
        "prompts": len(by_template),
        "examples": values.shape[1],
    }
    if rows["f1"].null_count() < rows.height:
        return found | {"f1": mean_of(rows, "f1")}
    names = {"by_mean": "correct_by_mean", "changed_by_mean": "changed_by_mean"}
    names |= {"prior": "prior_correct"}
    return found | {name: mean_of(rows, column) for name, column in names.items()}


def summarize(items: pl.DataFrame, seed: int) -> dict:
    """Return how it was asked (GROUPS) -> task -> arm -> `summarize_task`."""
    found: dict = {}
    keys = ["ask", "task", "arm"]
    # "prompt" before the others
    ordered = items.sort(pl.col("ask") != "prompt", maintain_order=True)
    for (ask, task, arm), rows in ordered.group_by(keys, maintain_order=True):
        found.setdefault(GROUPS[ask], {}).setdefault(task, {})[arm] = summarize_task(rows, seed)
    return found


def closed_book(items: pl.DataFrame, seed: int) -> list[dict]:
    """Return plot points: exact match of facts by how often the crawl states them, for each arm.

    It is the median over prompts, as `summarize_task`'s: the interval is of that.
    """
    facts = items.filter((pl.col(TIMES) >= 0) & (pl.col("ask") != "prefix"))
    points = []
    for (arm, ask, times), rows in facts.group_by("arm", "ask", TIMES, maintain_order=True):
        values = matrix_of(rows)
        median = float(np.median(np.nanmean(values, axis=1)))
        low, high = crossed_interval(values, seed)
        name = f"{arm} ({ask})" if ask == "sentinel" else arm
        points.append({"arm": name, TIMES: times, "exact_match": median, "low": low, "high": high})
    return sorted(points, key=lambda point: (point["arm"], point[TIMES]))


def claim_rows(items: pl.DataFrame) -> pl.DataFrame:
    """Return SCORE_SCHEMA's rows: an example over its prompts, and a prompt's way to the median.

    Only held-out tasks have rows, and facts, about people whom no training asks about. The base
    asked with its sentinel, and each arm asked by prefix, are arms of their own.
    """
    new = items.filter(pl.col("held_out") | (pl.col(TIMES) >= 0))
    named = new.with_columns(
        arm=pl.when(pl.col("ask") == "prompt")
        .then(pl.col("arm"))
        .otherwise(pl.col("arm") + "_by_" + pl.col("ask"))
    )
    examples = named.group_by("example_id", "task", "arm", maintain_order=True).agg(
        accuracy=pl.col("correct").mean(), times_seen=pl.col(TIMES).first()
    )
    templates = named.group_by("template", "task", "arm", maintain_order=True).agg(
        mean=pl.col("correct").mean()
    )
    spread = (pl.col("mean") - pl.col("mean").median().over("task", "arm")).abs()
    frames = [
        examples.with_columns(unit_id=pl.col("example_id"), spread=pl.lit(None, pl.Float64)),
        templates.with_columns(
            unit_id=pl.lit("prompt ") + pl.col("template"),
            spread=spread,
            accuracy=pl.lit(None, pl.Float64),
            times_seen=pl.lit(-1, pl.Int64),
        ),
    ]
    return pl.concat([frame.select(SCORE_SCHEMA.names()) for frame in frames])


def table_of(summary: dict) -> str:
    """Return the table of held-out tasks: median and range over prompts for each arm."""
    rows = [["asked by", "task", "chance", "arm", "median over prompts", "range", "label prior"]]
    for ask, tasks in summary.items():
        for task, arms in tasks.items():
            for arm, found in arms.items():
                value = found["accuracy"]
                middle = f"{value['value']:.2f} ({value['low']:.2f}-{value['high']:.2f})"
                ends = f"{found['least']:.2f}-{found['most']:.2f}"
                prior = f"{found['prior']:.2f}" if "prior" in found else ""
                rows.append([ask, task, f"{found['chance']:.2f}", arm, middle, ends, prior])
    return markdown_table(rows)
