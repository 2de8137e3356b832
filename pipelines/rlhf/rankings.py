"""Rankings as pairs, as the reward model's rows, and as preference pairs for DPO."""

from collections import Counter
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.models.prompts import encode, encode_prompts
from genlab.preference.pairs import PAIR_SCHEMA
from genlab.preference.pairs import pair_table as preference_table
from pipelines.rlhf.answers import full_answers
from pipelines.rlhf.labeller import best_accuracy

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


RANKED = ("reward", "held_out")  # the purposes of the prompts whose answers are ranked


class By(StrEnum):
    """Who ranks."""

    rule = "rule"
    given = "given"
    people = "people"


class Ties(StrEnum):
    """What becomes of two answers that were ranked equal."""

    drop = "drop"  # as in InstructGPT
    refuse = "refuse"


def check_by(by: By, is_mini: bool) -> None:
    """Raise InputError for a ranker that the prompts do not have: of the mini world, or not."""
    if by is By.given and is_mini:
        raise InputError(
            "rank.by=given: the prompts of the mini world come without answers; take rank.by=rule"
        )
    if by is By.rule and not is_mini:
        raise InputError(
            "rank.by=rule: only the mini world has a hidden rule; take rank.by=given or people"
        )


def has_a_pair() -> pl.Expr:
    """Say of every answer whether its prompt can be learnt from: all ranked, and not all tied."""
    rank = pl.col("rank")
    return (rank.is_not_null().all() & (rank.n_unique() > 1)).over("prompt_id")


def given_answers(asked: pl.DataFrame, tokenizer: "PreTrainedTokenizerBase") -> pl.DataFrame:
    """Return the answers that came with the prompts as rows of RANK_SCHEMA."""
    rows = asked.explode("answers").unnest("answers")
    tokens = encode(tokenizer, rows["text"].to_list(), read_special_tokens=False)
    prompts = encode_prompts(tokenizer, rows["prompt"].to_list())
    return rows.with_columns(
        answer_id=pl.format("{}-{}", "prompt_id", pl.int_range(pl.len()).over("prompt_id")),
        prompt_tokens=pl.Series(prompts, dtype=pl.List(pl.Int32)),
        tokens=pl.Series(tokens, dtype=pl.List(pl.Int32)),
        finished=pl.lit(True),
        kind=pl.lit(None, pl.String),
        truth=pl.lit(None, pl.Float64),
    )


def drop_repeated(drawn: pl.DataFrame, asked: pl.DataFrame, dropped: Counter) -> pl.DataFrame:
    """Return the answers with id and purpose, equal ones once; prompts of one answer go."""
    once = drawn.unique(["prompt_id", "text"], keep="first", maintain_order=True)
    dropped["repeated_answer"] += drawn.height - once.height
    kept = once.filter(pl.len().over("prompt_id") > 1)
    dropped["only_answer"] += once.height - kept.height
    return kept.with_columns(
        answer_id=pl.format("{}-{}", "prompt_id", "draw"), rank=pl.lit(None, pl.Int32)
    ).join(asked.select("prompt_id", "purpose"), on="prompt_id", maintain_order="left")


def pair_table(rows: pl.DataFrame, noise: float | None, step: float) -> pl.DataFrame:
    """Return a row for each two ranked answers of a prompt, the better one first.

    Columns: prompt_id, purpose, better and worse (row numbers of `rows`), is_tied, and ceiling: the
    most that can be expected of a guess which one wins; null where the labeller's noise is not
    known.
    """
    ranks, found = rows["rank"].to_list(), []
    numbered = rows.with_row_index("row").filter(pl.col("rank").is_not_null())
    for (name, purpose), group in numbered.group_by("prompt_id", "purpose", maintain_order=True):
        for i, j in combinations(group["row"].to_list(), 2):
            better, worse = (i, j) if ranks[i] <= ranks[j] else (j, i)
            found.append((name, purpose, better, worse, ranks[i] == ranks[j]))
    names = {"prompt_id": pl.String, "purpose": pl.String}
    table = pl.DataFrame(
        found,
        {**names, "better": pl.Int64, "worse": pl.Int64, "is_tied": pl.Boolean},
        orient="row",
    )
    if noise is None or not table.height:
        return table.with_columns(ceiling=pl.lit(None, pl.Float64))
    truths = rows["truth"].to_numpy()
    ceiling = best_accuracy(truths[table["better"]], truths[table["worse"]], noise, step)
    return table.with_columns(ceiling=pl.Series(ceiling).fill_nan(None))


def reward_rows(rows: pl.DataFrame, ties: Ties, end: int, dropped: Counter) -> list[dict]:
    """Return what the reward model is trained on: a prompt with its answers and ranks, each.

    Prompts without a pair to learn from are left out and counted. Raises InputError if none is
    left, or for a tie that is refused.
    """
    found = []
    for (name,), group in rows.group_by("prompt_id", maintain_order=True):
        ranks = group["rank"].to_list()
        if None in ranks:
            dropped["not_ranked"] += 1
        elif len(set(ranks)) == 1:
            dropped["all_tied"] += 1
        elif ties is Ties.refuse and len(set(ranks)) < len(ranks):
            raise InputError(
                f"{name}: two answers are tied, and reward.ties=refuse; rank them, or take "
                "reward.ties=drop, which leaves out their pair"
            )
        else:
            found.append(
                {
                    "prompt_ids": group["prompt_tokens"][0].to_list(),
                    "answer_ids": full_answers(group, end),
                    "ranks": ranks,
                }
            )
    if not found:
        why = ", ".join(f"{reason}: {n}" for reason, n in dropped.items()) or "no prompts"
        raise InputError(
            f"no ranking is left to learn from ({why}); with rank.by=people, rank some at the "
            "label desk first: python -m genlab label --rater NAME --questionnaire rank.yaml"
        )
    return found


def preference_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the untied pairs of all rankings as PAIR_SCHEMA's: what DPO learns from."""
    pairs = pair_table(rows, None, 0.0).filter(~pl.col("is_tied"))
    if not pairs.height:
        raise InputError("no two answers are ranked apart, so DPO has nothing to learn from")
    named = rows.rename({"answer_id": "text_id"}).with_columns(
        reward=-pl.col("rank").cast(pl.Float32)
    )
    table = preference_table(named, pairs.select("better", "worse").to_numpy().astype(np.int64))
    return table.match_to_schema(PAIR_SCHEMA)


def count_rankings(rows: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, float]:
    """Return how many prompts, answers, pairs and ties each purpose has, and its mean ceiling.

    rows: of RANK_SCHEMA; pairs: `pair_table` of them. The ceiling is that of untied pairs, and is
    left out where it is not known.
    """
    found: dict[str, float] = {}
    for purpose in RANKED:
        mine, of_pairs = (each.filter(pl.col("purpose") == purpose) for each in (rows, pairs))
        found |= {
            f"{purpose}_prompts": mine["prompt_id"].n_unique(),
            f"{purpose}_answers": mine.height,
            f"{purpose}_pairs": of_pairs.height,
            f"{purpose}_ties": int(of_pairs["is_tied"].sum()),
        }
        ceiling = of_pairs.filter(~pl.col("is_tied"))["ceiling"].drop_nulls()
        if len(ceiling):
            found[f"{purpose}_ceiling"] = float(np.mean(ceiling.to_numpy()))
    found["unranked_answers"] = rows["rank"].null_count()
    return found
