"""Texts that a policy writes: after the start of a document alone, or each after a prompt.

Text i answers prompt i, and begins again with the first prompt after the last. Its random numbers
depend on (seed, i) alone: texts of two models with the same number are drawn from one stream, and
may be paired.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import order_of
from genlab.core.tables import read_table
from genlab.models.decoding import Decoding, generate
from genlab.models.end_of_text import end_tokens
from genlab.models.prompts import encode_prompts
from genlab.models.token_texts import GENERATED, cut_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SCHEMA = pl.Schema(
    {
        "text_id": pl.String(),
        "prompt_tokens": pl.List(pl.Int32),
        **GENERATED,
        "text": pl.String(),
    }
)


def read_prompts(corpus: Path, split: str, n_prompts: int) -> list[str]:
    """Return `n_prompts` prompts of a split (0: all) without repeats; [""] for none.

    Their order has no meaning and is always the same: text i answers prompt i in every run, however
    many are asked for, and a corpus may be sorted.
    """
    prompts = read_table(corpus).filter(pl.col("split") == split)["prompt"]
    if prompts.is_empty():
        raise InputError(f"{corpus}: no {split} text, so there is no prompt to write after")
    distinct = sorted(prompts.unique(), key=order_of)
    return distinct[:n_prompts] if n_prompts else distinct


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", prompts: list[str]) -> list[list[int]]:
    """Return each prompt's token ids; for an empty one the start of a document, BOS.

    Without it nothing would predict a text's first token, which then would have no loss.
    """
    start = tokenizer.bos_token_id
    start = tokenizer.eos_token_id if start is None else start
    encoded = encode_prompts(tokenizer, prompts)
    return [ids if prompt else [start] for prompt, ids in zip(prompts, encoded, strict=True)]


def write_texts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[str],
    n_texts: int,
    decoding: Decoding,
    batch_size: int,
) -> pl.DataFrame:
    """Return `n_texts` rows of SCHEMA."""
    asked = [prompts[number % len(prompts)] for number in range(n_texts)]
    text_ids = [f"text-{number:06}" for number in range(n_texts)]
    before = prompt_ids(tokenizer, asked)
    tokens, finished = generate(
        model, before, text_ids, decoding, end_tokens(model, tokenizer), batch_size
    )
    columns = {"text_id": text_ids, "prompt": asked, "prompt_tokens": before}
    columns |= {"tokens": tokens, "finished": finished, "text": None}
    rows = pl.DataFrame(columns, SCHEMA)
    texts = cut_texts(rows, tokenizer, decoding.cap, strip_query=True)
    return rows.with_columns(text=pl.Series(texts, dtype=pl.String))
