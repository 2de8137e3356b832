"""tokenize: encode training documents (query + selected passages) as token ids.

Reads queries with passages, and the base tokenizer. Writes train.arrow and validation.arrow.
An end-of-text token closes every document, or generation would never stop.
"""

import gc
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import arrow_writer, read_batches
from genlab.models.prompts import MaxUnknownShare, check_unknown
from genlab.passages.documents import (
    ROW_SCHEMA,
    block_schema,
    check_any_rows,
    encode_documents,
    make_blocks,
    make_rows,
    pack,
)

SPLITS = ("train", "validation")
# Few enough for their memory, 7 MB of text and as much of ids, to be used again.
BATCH_ROWS = 2_000

app = stage_app()

# documents = rows + rows_without_body where rows are not packed; tokens in = out + tail.
COUNTED = ["queries_in", "queries_without_selected", "documents"]
COUNTED += ["rows", "rows_cut", "rows_without_body", "tokens_in", "tokens_out", "tokens_tail"]
COUNTED += ["tokens_unknown"]


def check(packed: bool, body_loss: bool) -> None:
    """Raise InputError for a loss on bodies that blocks, which cut anywhere, cannot tell."""
    if packed and body_loss:
        raise InputError(
            "tokenize.body_loss=true needs tokenize.packed=false: blocks cut documents anywhere"
        )


@app.command()
def main(
    queries: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    block_size: Annotated[
        int, Option(min=8, max=10**6, help="tokens per block, or most tokens per row")
    ],
    packed: Annotated[bool, Option(help="join documents into full blocks, or one row each")],
    body_loss: Annotated[bool, Option(help="rows only: no loss on the query's tokens")],
    max_unknown_share: MaxUnknownShare,
) -> None:
    """Encode the train and validation documents."""
    from genlab.models.loading import load_tokenizer

    check(packed, body_loss)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"  # safe: nothing here forks
    tokenizer = load_tokenizer(base)
    gc.freeze()  # else the lists of ids let it look at all of transformers again and again

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
            tokens = (count["tokens_unknown"], count["tokens_in"])
            check_unknown(*tokens, max_unknown_share, f"{queries}: {split}", base)

    write_json(metrics, {"splits": counts})


if __name__ == "__main__":
    run(app)
