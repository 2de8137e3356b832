"""Training documents: a query with the text of its selected passages, as token ids.

Two shapes: packed (documents joined and cut into equal blocks, as in the source study) and rows
(one document each, so that no query is cut off from its passage). Both are Arrow IPC streams,
which `datasets` memory-maps without a copy.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from genlab.core.files import written_whole

RECORD_BATCH_ROWS = 1000

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
    """Return the whole blocks of `rest` and `ids` on end, int32[blocks, block_size], and the rest.

    `ids` are those of any number of documents; the rest is for the next ones.
    """
    joined = np.concatenate([rest, ids])
    n_whole = len(joined) // block_size * block_size
    return joined[:n_whole].reshape(-1, block_size), joined[n_whole:]


def write_arrow(path: Path, rows: Iterable[tuple], schema: pa.Schema) -> int:
    """Write rows, a value for every field of `schema`, as one Arrow IPC stream; return how many."""
    n_rows = 0
    rows = iter(rows)
    with arrow_writer(path, schema) as writer:
        while batch := list(islice(rows, RECORD_BATCH_ROWS)):
            columns = dict(zip(schema.names, zip(*batch, strict=True), strict=True))
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=schema))
            n_rows += len(batch)
    return n_rows


@contextmanager
def arrow_writer(path: Path, schema: pa.Schema) -> Iterator[pa.ipc.RecordBatchStreamWriter]:
    """Yield a writer of record batches to one Arrow IPC stream; if the block raises, no file."""
    with (
        written_whole(path) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        yield writer
