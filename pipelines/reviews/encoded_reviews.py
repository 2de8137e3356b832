"""Requested reviews as token ids: what a row of the tokenize stage holds, and how it is made."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from genlab.core.tables import read_batches
from genlab.models.prompts import count_dropped, encode, frame
from pipelines.reviews.review_prompts import write_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("rating", pa.int8()),
        ("prompt", pa.string()),
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
    ]
)
# What is counted of a split.
COUNTED = ["rows", "prompts_cut", "texts_cut", "prompt_tokens", "text_tokens", "unknown_tokens"]


def encode_reviews(
    path: Path,
    split: str,
    tokenizer: "PreTrainedTokenizerBase",
    template: str,
    longest: tuple[int, int],
    counts: dict,
) -> Iterator[tuple]:
    """Yield the rows of a split, both sides cut to `longest` ids, counting as it goes.

    Whatever the tokenizer does, both sides end in one end-of-text: the decoder's, so that reviews
    end, and the encoder's, as T5's inputs always have. A special token may stand in a template, and
    is text in a review.
    """
    start, _ = frame(tokenizer)
    end, unknown = tokenizer.eos_token_id, tokenizer.unk_token_id
    for reviews in read_batches(path):
        rows = reviews.filter(pl.col("split") == split)
        if rows.is_empty():
            continue
        fields = rows.select("rubrics", "rating", "keywords").iter_rows()
        prompts = [write_prompt(template, *values) for values in fields]
        sides = [
            encode(tokenizer, prompts),
            encode(tokenizer, rows["text"].to_list(), read_special_tokens=False),
        ]
        for texts in (prompts, rows["text"].to_list()):
            counts["unknown_tokens"] += count_dropped(tokenizer, texts)
        for key, prompt, *ids in zip(
            rows.select("review_id", "rating").iter_rows(), prompts, *sides, strict=True
        ):
            whole = [[*start, *side] for side in ids]
            # A text that lost its end when it was cut would teach that reviews go on.
            kept = [[*side[: most - 1], end] for side, most in zip(whole, longest, strict=True)]
            counts["rows"] += 1
            counts["prompts_cut"] += len(whole[0]) >= longest[0]
            counts["texts_cut"] += len(whole[1]) >= longest[1]
            counts["unknown_tokens"] += sum(side[len(start) : -1].count(unknown) for side in kept)
            counts["prompt_tokens"] += len(kept[0])
            counts["text_tokens"] += len(kept[1])
            yield *key, prompt, *kept
