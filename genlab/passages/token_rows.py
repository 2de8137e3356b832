"""Documents as rows or blocks of token ids, some thousand at a time.

In: queries with passages, a tokenizer. Out: Arrow record batches as documents.py writes them.
Between the tokenizer's lists and Arrow's columns all is arrays: a list of ids is made once, by the
tokenizer, and read once.
"""

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from genlab.models.prompts import encode_bodies, encode_prompts
from genlab.passages.documents import ROW_SCHEMA, block_schema, selected_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_documents(
    queries: pl.DataFrame, tokenizer: "PreTrainedTokenizerBase", counts: dict
) -> tuple:
    """Return the answerable queries' documents as arrays, counting.

    ids, int32[tokens], are all documents' on end; then tokens of each; and of each one's prompt.
    """
    documents = selected_texts(queries)
    counts["queries_in"] += queries.height
    counts["queries_without_selected"] += queries.height - documents.height
    if documents.is_empty():  # tokenizers fail on an empty list
        none = np.zeros(0, dtype=np.int64)
        return none.astype(np.int32), none, none
    prompts = encode_prompts(tokenizer, documents["query"].to_list())
    bodies = encode_bodies(tokenizer, documents["body"].to_list())
    n_prompt = np.fromiter(map(len, prompts), dtype=np.int64)
    n_ids = n_prompt + np.fromiter(map(len, bodies), dtype=np.int64)
    parts = chain.from_iterable(zip(prompts, bodies, strict=True))
    ids = np.fromiter(chain.from_iterable(parts), dtype=np.int32, count=n_ids.sum())
    counts["documents"] += documents.height
    counts["tokens_in"] += len(ids)
    return ids, n_ids, n_prompt


def make_blocks(blocks: np.ndarray, counts: dict) -> pa.RecordBatch:
    """Return packed blocks, int32[blocks, block_size], as a record batch."""
    counts["tokens_out"] += blocks.size
    column = pa.FixedSizeListArray.from_arrays(pa.array(blocks.reshape(-1)), blocks.shape[1])
    no_prompt = pa.array(np.zeros(len(blocks), dtype=np.int32))
    return pa.RecordBatch.from_arrays([column, no_prompt], schema=block_schema(blocks.shape[1]))


def make_rows(
    ids: np.ndarray,
    n_ids: np.ndarray,
    n_prompt: np.ndarray,
    block_size: int,
    body_loss: bool,
    counts: dict,
) -> pa.RecordBatch:
    """Return documents as `encode_documents` gives them, a row each; longer than a block is cut.

    With `body_loss` a document whose query fills the block is dropped: a row without any loss
    would turn its batch's mean into 0 / 0.
    """
    is_kept = n_prompt < block_size if body_loss else np.ones(len(n_ids), dtype=bool)
    n_kept = np.where(is_kept, np.minimum(n_ids, block_size), 0)
    place = np.arange(len(ids)) - np.repeat(np.cumsum(n_ids) - n_ids, n_ids)
    kept = ids[place < np.repeat(n_kept, n_ids)]
    counts["rows_without_body"] += int(np.count_nonzero(~is_kept))
    counts["rows_cut"] += int(np.count_nonzero(is_kept & (n_ids > block_size)))
    counts["tokens_out"] += len(kept)
    counts["tokens_tail"] += len(ids) - len(kept)
    ends = np.append(0, np.cumsum(n_kept[is_kept])).astype(np.int32)
    column = pa.ListArray.from_arrays(ends, pa.array(kept))
    without_loss = n_prompt[is_kept] if body_loss else np.zeros(len(column))
    return pa.RecordBatch.from_arrays(
        [column, pa.array(without_loss.astype(np.int32))], schema=ROW_SCHEMA
    )
