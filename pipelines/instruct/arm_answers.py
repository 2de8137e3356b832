"""What one arm answers to the test prompts: its scores of all choices, or its own words.

Takes prompts as tokenize leaves them, token ids and all. Gives them back with the columns that
ANSWER_SCHEMA adds, except for the arm's name.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from genlab.models.decoding import Decoding
from pipelines.instruct.arms import SENTINEL
from pipelines.instruct.rank_classification import choice_scores

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def with_gaps(prompts: pl.DataFrame, tokenizer: "PreTrainedTokenizerBase") -> pl.DataFrame:
    """Return the prompts, and below them those in words once more as gaps; none without sentinel.

    A base that only ever filled gaps is asked more fairly so.
    """
    sentinel = tokenizer.convert_tokens_to_ids(SENTINEL)
    if sentinel == tokenizer.unk_token_id or sentinel is None:
        return prompts
    return pl.concat([prompts, with_sentinel(prompts.filter(ask="prompt"), sentinel)])


def with_sentinel(prompts: pl.DataFrame, sentinel: int) -> pl.DataFrame:
    """Return prompts that ask for a gap at their end, and choices that fill it."""

    def in_gap(ids: list[int]) -> list[int]:
        return [sentinel, *ids]

    rows = prompts.to_dicts()
    for row in rows:
        *body, end = row["input_ids"]
        row |= {"input_ids": [*body, sentinel, end], "ask": "sentinel"}
        row["choice_ids"] = row["choice_ids"] and [in_gap(ids) for ids in row["choice_ids"]]
    return pl.DataFrame(rows, prompts.schema)


def answer_prompts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: pl.DataFrame,
    decoding: Decoding,
    batch_size: int,
    update: Callable[[int], object],
) -> pl.DataFrame:
    """Return the prompts with their answers: those with choices first, then the open ones."""
    is_open = pl.col("choices").is_null()
    ranked = rank_choices(model, prompts.filter(~is_open), batch_size, update)
    asked = prompts.filter(is_open)
    written = write_answers(model, tokenizer, asked, decoding, batch_size, update)
    return pl.concat([ranked, written.select(ranked.columns)])


def rank_choices(
    model: "PreTrainedModel", rows: pl.DataFrame, batch_size: int, update: Callable[[int], object]
) -> pl.DataFrame:
    """Return the rows with the log probabilities of their choices."""
    inputs, choices = rows["input_ids"].to_list(), rows["choice_ids"].to_list()
    scores = choice_scores(model, inputs, choices, batch_size, update)
    # After an empty input a choice depends on itself alone.
    different = sorted({tuple(ids) for each in choices for ids in each})
    empty = [[model.config.eos_token_id]] * len(different)
    alone = choice_scores(model, empty, [[list(ids)] for ids in different], batch_size)
    prior = {ids: float(found[0, 0]) for ids, found in zip(different, alone, strict=True)}
    return rows.with_columns(
        log_probs=pl.Series([each[:, 0].tolist() for each in scores], dtype=pl.List(pl.Float64)),
        n_tokens=pl.Series(
            [each[:, 1].astype(int).tolist() for each in scores], dtype=pl.List(pl.Int64)
        ),
        prior_log_probs=pl.Series(
            [[prior[tuple(ids)] for ids in each] for each in choices], dtype=pl.List(pl.Float64)
        ),
        text=pl.lit(None, pl.String),
    )


def write_answers(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: pl.DataFrame,
    decoding: Decoding,
    batch_size: int,
    update: Callable[[int], object],
) -> pl.DataFrame:
    """Return the rows with the text that the model answers."""
    from genlab.models.seq2seq_decoding import generate_texts

    inputs, names = rows["input_ids"].to_list(), rows["example_id"].to_list()
    written, _ = generate_texts(model, inputs, names, decoding, batch_size, update)
    texts = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in written]
    nothing = {
        name: pl.lit(None, pl.List(kind))
        for name, kind in (
            ("log_probs", pl.Float64),
            ("n_tokens", pl.Int64),
            ("prior_log_probs", pl.Float64),
        )
    }
    return rows.with_columns(text=pl.Series(texts, dtype=pl.String), **nothing)
