"""Preference pairs as the columns that training reads: prompt_ids, chosen_ids, rejected_ids.

The loss slic also reads target_ids: for each pair a text that answers its prompt.
"""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.models.positions import usable_positions
from genlab.models.prompts import encode

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def preference_rows(pairs: pl.DataFrame, end: int) -> dict[str, list[list[int]]]:
    """Return columns of token ids, given rows of PAIR_SCHEMA; `end` follows finished texts only."""
    columns = {"prompt_ids": pairs["prompt_tokens"].to_list()}
    for side in ("chosen", "rejected"):
        columns[f"{side}_ids"] = [
            [*tokens, end] if finished else tokens
            for tokens, finished in pairs.select(f"{side}_tokens", f"{side}_finished").iter_rows()
        ]
    return columns


def draw_targets(
    pairs: pl.DataFrame,
    texts: pl.DataFrame,
    tokenizer: "PreTrainedTokenizerBase",
    max_tokens: int,
    seed: int,
) -> list[list[int]]:
    """Return for each pair the token ids of a text that answers its prompt: SLiC-HF's y_ref.

    Drawn from `texts` (prompt, text), which should be what the policy was taught with. An
    end-of-text follows, unless the text is cut at `max_tokens`. Raises InputError for a prompt
    without a text.
    """
    by_prompt = {
        prompt: group["text"].to_list()
        for (prompt,), group in texts.partition_by("prompt", as_dict=True).items()
    }
    rng = np.random.default_rng(seed)
    drawn = []
    for prompt in pairs["prompt"]:
        if prompt not in by_prompt:
            raise InputError(
                f"no train text answers {prompt!r}, which slic needs; add one to the corpus, or "
                "take another loss"
            )
        drawn.append(by_prompt[prompt][rng.integers(len(by_prompt[prompt]))])
    end = tokenizer.eos_token_id
    return [[*ids, end][:max_tokens] for ids in encode(tokenizer, drawn, read_special_tokens=False)]


def check_rows_fit(rows: dict[str, list[list[int]]], model: "PreTrainedModel") -> None:
    """Raise InputError if a prompt and its text are longer than the model has positions."""
    n_positions = usable_positions(model)
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
