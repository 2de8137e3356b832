"""Training documents: a query with the text of its selected passages, as token ids.

Two shapes: packed (documents joined and cut into equal blocks, as in the source study) and rows
(one document each, so that no query is cut off from its passage). Both are Arrow IPC streams, which
`datasets` memory-maps without a copy. The tokenizer's lists of ids are converted to arrays once,
and all work after that is on arrays.
"""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from genlab.core.program import InputError
from genlab.models.prompts import count_dropped, encode_bodies, encode_prompts, frame

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# n_prompt: how many leading tokens of a row carry no loss; 0 in packed blocks.
ROW_SCHEMA = pa.schema([("input_ids", pa.list_(pa.int32())), ("n_prompt", pa.int32())])


def block_schema(block_size: int) -> pa.Schema:
    """Return the schema of packed blocks: a fixed list of `block_size` token ids."""
    return pa.schema([("input_ids", pa.list_(pa.int32(), block_size)), ("n_prompt", pa.int32())])


def selected_texts(queries: pl.DataFrame) -> pl.DataFrame:
    """Return (query, body) of the answerable queries; a body is its selected passages, joined."""
    selected = pl.col("passages").list.filter(pl.element().struct.field("is_selected"))
    return queries.select(
        "query",
        body=selected.list.eval(pl.element().struct.field("text")).list.join(" "),
    ).filter(pl.col("body") != "")


def pack(rest: np.ndarray, ids: np.ndarray, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Join `rest` and `ids`; return the full blocks, int32[blocks, block_size], and the new rest.

    `ids` are the tokens of any number of documents; the new rest goes into the next call.
    """
    joined = np.concatenate([rest, ids])
    n_whole = len(joined) // block_size * block_size
    return joined[:n_whole].reshape(-1, block_size), joined[n_whole:]


def encode_documents(
    queries: pl.DataFrame, tokenizer: "PreTrainedTokenizerBase", counts: dict
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the answerable queries' documents as arrays, counting.

    Returns ids, int32[tokens], of all documents joined; each document's number of tokens; and the
    number of tokens of its prompt.
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
    # GPT-2 calls its end-of-text unknown, too: those that we have put there are none.
    ours = [*frame(tokenizer)[0], tokenizer.eos_token_id].count(tokenizer.unk_token_id)
    unknown = int(np.count_nonzero(ids == tokenizer.unk_token_id)) - ours * documents.height
    counts["tokens_unknown"] += unknown if tokenizer.unk_token_id is not None else 0
    for column in ("query", "body"):
        counts["tokens_unknown"] += count_dropped(tokenizer, documents[column].to_list())
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


def check_any_rows(queries: Path, split: str, counts: dict, block_size: int) -> None:
    """Raise InputError if a split has given nothing to train on."""
    if counts["rows"] == 0:
        raise InputError(
            f"{queries}: {split} gives no training row ({counts['documents']} documents, "
            f"{counts['tokens_in']} tokens): no selected passage, or tokenize.block_size="
            f"{block_size} is longer than the whole text or shorter than every query"
        )
