"""tokenize: training documents (query + selected passages) as token ids.

In: queries with passages, the base model's tokenizer. Out: a folder with train.arrow and
validation.arrow. An end-of-text token closes every document, or generation would never stop.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import typer

from genlab.documents import ROW_SCHEMA, block_schema, pack, selected_texts, write_arrow
from genlab.files import write_json, written_whole
from genlab.program import InputError, run, stage_app
from genlab.prompts import encode_bodies, encode_prompts
from genlab.tables import read_batches

app = stage_app()

# documents = rows + rows_without_body where rows are not packed; tokens in = out + tail.
COUNTED = ["queries_in", "queries_without_selected", "documents"]
COUNTED += ["rows", "rows_cut", "rows_without_body", "tokens_in", "tokens_out", "tokens_tail"]


def encode_documents(path: Path, split: str, tokenizer, counts: dict) -> Iterator[tuple]:
    """Yield (prompt ids, body ids) of every answerable query of a split, counting as it goes."""
    for queries in read_batches(path):
        queries = queries.filter(pl.col("split") == split)
        documents = selected_texts(queries)
        counts["queries_in"] += queries.height
        counts["queries_without_selected"] += queries.height - documents.height
        if documents.is_empty():
            continue  # a batch of the other split: tokenizers fail on an empty list
        prompts = encode_prompts(tokenizer, documents["query"].to_list())
        bodies = encode_bodies(tokenizer, documents["body"].to_list())
        counts["documents"] += documents.height
        counts["tokens_in"] += sum(map(len, prompts)) + sum(map(len, bodies))
        yield from zip(prompts, bodies, strict=True)


def blocks(documents: Iterator[tuple], block_size: int, counts: dict) -> Iterator[tuple]:
    """Yield packed blocks (input_ids, 0); what does not fill a last block is counted."""
    for block in pack((prompt + body for prompt, body in documents), block_size):
        if len(block) < block_size:
            counts["tokens_tail"] += len(block)
            continue
        counts["tokens_out"] += block_size
        yield block, 0


def rows(
    documents: Iterator[tuple], block_size: int, body_loss: bool, counts: dict
) -> Iterator[tuple]:
    """Yield a row (input_ids, n_prompt) a document; what is longer than a block is cut.

    With `body_loss` a document whose query fills the block is dropped: a row without any loss
    would turn its batch's mean into 0 / 0.
    """
    for prompt, body in documents:
        document = prompt + body
        if body_loss and len(prompt) >= block_size:
            counts["rows_without_body"] += 1
            counts["tokens_tail"] += len(document)
            continue
        ids = document[:block_size]
        counts["rows_cut"] += len(document) > block_size
        counts["tokens_out"] += len(ids)
        counts["tokens_tail"] += len(document) - len(ids)
        yield ids, len(prompt) if body_loss else 0


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

    tokenizer = load_tokenizer(base)
    if packed and body_loss:
        raise InputError("tokenize.body_loss needs tokenize.packed=false: blocks cut documents")

    counts = {}
    with written_whole(output) as folder:
        folder.mkdir()
        for split in ("train", "validation"):
            count = counts[split] = dict.fromkeys(COUNTED, 0)
            documents = encode_documents(queries, split, tokenizer, count)
            if packed:
                made, schema = blocks(documents, block_size, count), block_schema(block_size)
            else:
                made, schema = rows(documents, block_size, body_loss, count), ROW_SCHEMA
            count["rows"] = write_arrow(folder / f"{split}.arrow", made, schema)
            if count["rows"] == 0:
                raise InputError(
                    f"{queries}: {split} gives no training row ({count['documents']} documents, "
                    f"{count['tokens_in']} tokens): no selected passage, or tokenize.block_size="
                    f"{block_size} is longer than the whole text or shorter than every query"
                )

    write_json(metrics, {"splits": counts})


if __name__ == "__main__":
    run(app)
