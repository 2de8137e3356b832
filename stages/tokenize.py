"""tokenize: training documents (query + selected passages) as token ids.

In: queries with passages, the base model's tokenizer. Out: a folder with train.arrow and
validation.arrow. An end-of-text token closes every document, or generation would never stop.
"""

import gc
import os
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import typer

from genlab.documents import ROW_SCHEMA, arrow_writer, block_schema, pack, selected_texts
from genlab.files import write_json, written_whole
from genlab.program import InputError, run, stage_app
from genlab.prompts import encode_bodies, encode_prompts
from genlab.tables import read_batches

SPLITS = ("train", "validation")
# Few enough for their memory, 7 MB of text and as much of ids, to be used again.
BATCH_ROWS = 2_000

app = stage_app()

# documents = rows + rows_without_body where rows are not packed; tokens in = out + tail.
COUNTED = ["queries_in", "queries_without_selected", "documents"]
COUNTED += ["rows", "rows_cut", "rows_without_body", "tokens_in", "tokens_out", "tokens_tail"]


def encode_documents(queries: pl.DataFrame, tokenizer, counts: dict) -> tuple:
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


def check_any_rows(queries: Path, split: str, counts: dict, block_size: int) -> None:
    """Raise InputError if a split has given nothing to train on."""
    if counts["rows"] == 0:
        raise InputError(
            f"{queries}: {split} gives no training row ({counts['documents']} documents, "
            f"{counts['tokens_in']} tokens): no selected passage, or tokenize.block_size="
            f"{block_size} is longer than the whole text or shorter than every query"
        )


@app.command()
def main(
    queries: Path,
    base: Path,
    output: Path,
    metrics: Path = typer.Option(...),
    block_size: int = typer.Option(..., min=8, help="tokens per block, or most tokens per row"),
    packed: bool = typer.Option(..., help="join documents into full blocks, or one row each"),
    body_loss: bool = typer.Option(..., help="rows only: no loss on the query's tokens"),
) -> None:
    """Encode the train and validation documents."""
    from genlab.models import load_tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "true"  # safe: nothing here forks
    tokenizer = load_tokenizer(base)
    gc.freeze()  # else the lists of ids let it look at all of transformers again and again
    if packed and body_loss:
        raise InputError("tokenize.body_loss needs tokenize.packed=false: blocks cut documents")

    counts = {split: dict.fromkeys(COUNTED, 0) for split in SPLITS}
    rests = dict.fromkeys(SPLITS, np.zeros(0, dtype=np.int32))
    schema = block_schema(block_size) if packed else ROW_SCHEMA
    with written_whole(output) as folder, ExitStack() as files:
        folder.mkdir()
        writers = {
            split: files.enter_context(arrow_writer(folder / f"{split}.arrow", schema))
            for split in SPLITS
        }
        for batch in read_batches(queries, BATCH_ROWS):
            for split, count in counts.items():
                documents = encode_documents(
                    batch.filter(pl.col("split") == split), tokenizer, count
                )
                if packed:
                    whole, rests[split] = pack(rests[split], documents[0], block_size)
                    made = make_blocks(whole, count)
                else:
                    made = make_rows(*documents, block_size, body_loss, count)
                count["rows"] += made.num_rows
                if made.num_rows:
                    writers[split].write_batch(made)
        for split, count in counts.items():
            count["tokens_tail"] += len(rests[split])
            check_any_rows(queries, split, count, block_size)

    write_json(metrics, {"splits": counts})


if __name__ == "__main__":
    run(app)
