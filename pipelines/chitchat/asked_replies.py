"""The test turns that every arm replies to, and its replies."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import order_of
from genlab.models.decoding import Decoding, generate
from genlab.models.end_of_text import end_tokens
from genlab.models.token_texts import decode_texts
from pipelines.chitchat.arm_training import load_layout
from pipelines.chitchat.chat_inputs import build_prompt, special_of
from pipelines.chitchat.schemas import GENERATE_SCHEMA

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def choose_replies(rows: pl.DataFrame, n_replies: int) -> pl.DataFrame:
    """Return rows of whole dialogues, at least `n_replies` of them or all (0), in their order."""
    if not n_replies or n_replies >= rows.height:
        return rows
    chosen: set[str] = set()
    n = 0
    sizes = dict(rows["dialogue_id"].value_counts().iter_rows())
    for name in sorted(sizes, key=order_of):
        if n >= n_replies:
            break
        chosen.add(name)
        n += sizes[name]
    return rows.filter(pl.col("dialogue_id").is_in(list(chosen)))


def texts_of(dialogues: pl.DataFrame, reply_ids: pl.Series) -> pl.DataFrame:
    """Return reply_id, dialogue_id, history, input and reference of every reply, as texts."""
    turns_of = dict(dialogues.select("dialogue_id", "turns").iter_rows())
    found = []
    for reply_id in reply_ids:
        dialogue_id, _, number = reply_id.rpartition("/")
        turns, at = turns_of.get(dialogue_id), int(number)
        if turns is None:
            raise InputError(f"{reply_id}: no such dialogue; run `dvc repro`")
        found.append((reply_id, dialogue_id, turns[: at - 1], turns[at - 1], turns[at]))
    names = ("reply_id", "dialogue_id", "history", "input", "reference")
    schema = {name: GENERATE_SCHEMA[name] for name in names}
    return pl.DataFrame(found, schema=schema, orient="row")


def write_replies(
    folder: Path,
    tokenizer: "PreTrainedTokenizerBase",
    model: "PreTrainedModel",
    rows: pl.DataFrame,
    decoding: Decoding,
    batch_size: int,
    on_progress: Callable[[int], object],
) -> pl.DataFrame:
    """Return tokens, finished and text of an arm's reply to every row."""
    layout, special = load_layout(folder), special_of(tokenizer)
    columns = rows.select("history", "input").iter_rows()
    prompts, types = zip(
        *(build_prompt(layout, special, history, said) for history, said in columns), strict=True
    )
    tokens, finished = generate(
        model,
        list(prompts),
        rows["reply_id"].to_list(),
        decoding,
        end_tokens(model, tokenizer) | set(special.speakers),
        batch_size,
        on_progress,
        types=list(types) if layout.token_types else None,
    )
    return pl.DataFrame(
        {
            "tokens": pl.Series(tokens, dtype=pl.List(pl.Int32)),
            "finished": finished,
            "text": [text.strip() for text in decode_texts(tokenizer, tokens)],
        }
    )
