"""Texts that a policy writes: after nothing but the start of a document, or after a prompt each.

In: a model, prompts. Out: token ids. Text i answers prompt i, and begins again with the first
prompt after the last; its random numbers depend on (seed, i) alone, so texts of two models under
one number are of one stream, and may be paired.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.models.decoding import Decoding, end_tokens, generate
from genlab.models.prompts import encode_prompts
from genlab.models.token_texts import GENERATED, decode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BEFORE = "before"  # the arm of the base policy, which has no training seed

SCHEMA = pl.Schema(
    {
        "text_id": pl.String,
        **GENERATED,
        "prompt_tokens": pl.List(pl.Int32),
        "text": pl.String,
    }
)


def read_prompts(corpus: Path, split: str, n_prompts: int) -> list[str]:
    """Return the first `n_prompts` prompts of a split (0: all) without repeats; [""] for none."""
    prompts = read_table(corpus).filter(pl.col("split") == split)["prompt"]
    if prompts.is_empty():
        raise InputError(f"{corpus}: no {split} text, so there is no prompt to write after")
    prompts = prompts.unique(maintain_order=True).to_list()
    return prompts[:n_prompts] if n_prompts else prompts


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", prompts: list[str]) -> list[list[int]]:
    """Return each prompt's token ids; of an empty one the start of a document, BOS.

    Without it the first token of a text would have nothing that predicts it, and no loss.
    """
    start = tokenizer.bos_token_id
    start = tokenizer.eos_token_id if start is None else start
    encoded = encode_prompts(tokenizer, prompts)
    return [ids if prompt else [start] for prompt, ids in zip(prompts, encoded, strict=True)]


def decode(tokenizer: "PreTrainedTokenizerBase", tokens: list[list[int]]) -> list[str]:
    """Return token ids as texts."""
    return [text.strip() for text in decode_texts(tokenizer, tokens)]


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
    return pl.DataFrame(
        {
            "text_id": text_ids,
            "prompt": asked,
            "prompt_tokens": before,
            "tokens": tokens,
            "finished": finished,
            "text": decode(tokenizer, tokens),
        },
        schema=SCHEMA,
    )
