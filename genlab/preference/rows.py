"""Pairs as rows of token ids for training, and what each row is to be written towards (slic).

In: a table of pairs and the corpus. Out: rows of prompt_ids, chosen_ids, rejected_ids, target_ids.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import read_table

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


def preference_rows(pairs: pl.DataFrame, end: int) -> dict[str, list[list[int]]]:
    """Return columns of token ids; an end-of-text only behind texts that came to their end."""
    columns = {"prompt_ids": pairs["prompt_tokens"].to_list()}
    for side in ("chosen", "rejected"):
        columns[f"{side}_ids"] = [
            [*tokens, end] if finished else tokens
            for tokens, finished in pairs.select(f"{side}_tokens", f"{side}_finished").iter_rows()
        ]
    return columns


def draw_targets(
    pairs: pl.DataFrame,
    corpus: Path,
    tokenizer: "PreTrainedTokenizerBase",
    max_tokens: int,
    seed: int,
) -> list[list[int]]:
    """Return a text of the corpus for each pair, of its prompt: SLiC-HF's y_ref.

    From the train split, which the policy was taught with; cut at `max_tokens`, and then without
    an end-of-text.
    """
    texts = read_table(corpus).filter(pl.col("split") == "train")
    of_prompt = {
        prompt: group["text"].to_list()
        for (prompt,), group in texts.partition_by("prompt", as_dict=True).items()
    }
    rng = np.random.default_rng(seed)
    drawn = []
    for prompt in pairs["prompt"]:
        if prompt not in of_prompt:
            raise InputError(f"{corpus}: no train text answers {prompt!r}, which slic needs")
        drawn.append(of_prompt[prompt][rng.integers(len(of_prompt[prompt]))])
    end = tokenizer.eos_token_id
    encoded = tokenizer(drawn, add_special_tokens=False)["input_ids"]
    return [[*ids, end][:max_tokens] for ids in encoded]


def check_rows_fit(rows: dict[str, list[list[int]]], config: "PretrainedConfig") -> None:
    """Raise InputError if a prompt and its text are longer than the model has positions."""
    n_positions = getattr(config, "max_position_embeddings", None)
    texts = [column for name, column in rows.items() if name != "prompt_ids"]
    longest = max(
        len(prompt) + len(ids)
        for column in texts
        for prompt, ids in zip(rows["prompt_ids"], column, strict=True)
    )
    if n_positions and longest > n_positions:
        raise InputError(
            f"a prompt and text of {longest} tokens exceed the policy's {n_positions} positions; "
            "lower sample.cap"
        )
