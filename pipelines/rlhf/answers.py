"""Answers that a policy writes to prompts, and what the hidden rule says of them.

The random numbers of an answer depend on (seed, prompt, number) alone: two models' answers with the
same number are drawn from one stream, and may be paired.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.models.decoding import Decoding, generate
from genlab.models.end_of_text import end_tokens
from genlab.models.prompts import encode_prompts
from genlab.models.token_texts import decode_texts
from pipelines.rlhf.hidden_rule import judge
from pipelines.rlhf.mini_world import Asked, World, read_world
from pipelines.rlhf.schemas import ANSWER

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def sampling(cap: int, seed: int) -> Decoding:
    """Return plain sampling at temperature 1, as RL samples: what it optimises is measured."""
    return Decoding(cap, 1.0, 0, 1.0, 1, 1.0, seed)


def write_answers(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: pl.DataFrame,
    n: int,
    decoding: Decoding,
    batch_size: int,
    world: World | None,
    cap_key: str,
) -> pl.DataFrame:
    """Return `n` answers to each prompt: columns draw and those of ANSWER, prompt by prompt.

    cap_key: what the user sets the decoding's cap by, for messages.
    """
    ids = encode_prompts(tokenizer, prompts["prompt"].to_list())
    rows = prompts.with_columns(prompt_tokens=pl.Series(ids, dtype=pl.List(pl.Int32)))
    rows = rows.join(pl.DataFrame({"draw": range(n)}, {"draw": pl.Int32}), how="cross")
    keys = [f"{name}-{draw}" for name, draw in rows.select("prompt_id", "draw").iter_rows()]
    tokens, finished = generate(
        model,
        rows["prompt_tokens"].to_list(),
        keys,
        decoding,
        end_tokens(model, tokenizer),
        batch_size,
        cap_key=cap_key,
    )
    texts = [text.strip() for text in decode_texts(tokenizer, tokens)]
    kinds, truths = judge_all(world, rows, texts)
    return rows.with_columns(
        tokens=pl.Series(tokens, dtype=pl.List(pl.Int32)),
        finished=pl.Series(finished),
        text=pl.Series(texts, dtype=pl.String),
        kind=pl.Series(kinds, dtype=pl.String),
        truth=pl.Series(truths, dtype=pl.Float64),
    ).select("draw", *ANSWER)


def judge_all(
    world: World | None, rows: pl.DataFrame, texts: list[str]
) -> tuple[list[str | None], list[float | None]]:
    """Return each answer's kind and truth, given rows with category and asked; None without."""
    kinds: list[str | None] = []
    truths: list[float | None] = []
    for (category, asked), text in zip(
        rows.select("category", "asked").iter_rows(), texts, strict=True
    ):
        found = judge(world, Asked(category, asked), text) if world and category else None
        kinds.append(None if found is None else found.kind)
        truths.append(None if found is None else found.truth)
    return kinds, truths


def world_of(path: Path, prompts: pl.DataFrame) -> World | None:
    """Return the mini world the prompts are of, None for prompts from outside."""
    return None if prompts["category"].null_count() else read_world(path)


def full_answers(rows: pl.DataFrame, end: int) -> list[list[int]]:
    """Return each answer's tokens with the end-of-text, if it was reached: what a reward reads."""
    return [
        [*tokens, end] if finished else tokens
        for tokens, finished in rows.select("tokens", "finished").iter_rows()
    ]
