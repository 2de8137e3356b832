"""Prompts as token ids: what a row of the tokenize stage holds, and how it is made."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from genlab.core.program import InputError
from genlab.core.tables import read_batches
from genlab.models.prompts import count_dropped, encode, frame

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEYS = [("task", pa.string()), ("template", pa.string()), ("ask", pa.string())]
KEYS += [("template_number", pa.int64()), ("held_out", pa.bool_()), ("example_id", pa.string())]
KEYS += [("target", pa.string()), ("label", pa.int64()), ("times_seen", pa.int64())]
IDS = pa.list_(pa.int32())
SCHEMA = pa.schema(
    [
        *KEYS,
        ("input_ids", IDS),
        ("labels", IDS),
        ("choices", pa.list_(pa.string())),
        ("choice_ids", pa.list_(IDS)),
    ]
)


def encode_prompts(
    path: Path,
    split: str,
    tokenizer: "PreTrainedTokenizerBase",
    longest: tuple[int, int],
    counts: Counter,
) -> Iterator[tuple]:
    """Yield the rows of a split, both sides cut to `longest` ids, counting as it goes."""
    start, _ = frame(tokenizer)
    end, unknown = tokenizer.eos_token_id, tokenizer.unk_token_id

    def ids_of(texts: list[str], limit: int, counted: str) -> list[list[int]]:
        found = encode(tokenizer, texts, read_special_tokens=False)
        counts["unknown_tokens"] += count_dropped(tokenizer, texts)
        for ids in found:
            counts[f"{counted}_cut"] += len(start) + len(ids) + 1 > limit
            ids[:] = [*[*start, *ids][: limit - 1], end]
            counts["tokens"] += len(ids)
            counts["unknown_tokens"] += ids.count(unknown)
        return found

    for batch in read_batches(path):
        rows = batch.filter(pl.col("split") == split)
        if rows.is_empty():
            continue
        inputs = ids_of(rows["input"].to_list(), longest[0], "inputs")
        targets = ids_of(rows["target"].to_list(), longest[1], "targets")
        offered = rows["choices"].to_list() if split == "test" else [None] * rows.height
        different = sorted({choice for each in offered for choice in each or []})
        encoded = dict(zip(different, ids_of(different, longest[1], "choices"), strict=True))
        keys = rows.select(name for name, _ in KEYS).iter_rows()
        for key, ids, target, choices in zip(keys, inputs, targets, offered, strict=True):
            counts["rows"] += 1
            choice_ids = [encoded[choice] for choice in choices] if choices else None
            if choice_ids and len(set(map(tuple, choice_ids))) < len(choice_ids):
                raise InputError(
                    f"{path}: example {key[5]}: two answer choices have the same tokens "
                    f"({' ||| '.join(choices)}); raise tokenize.max_target_tokens, or take a base "
                    "whose tokenizer tells them apart"
                )
            yield *key, ids, target, choices, choice_ids
