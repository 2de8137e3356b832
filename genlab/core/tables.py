"""The tables between stages: Parquet (zstd), read and written in batches of bounded size."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from genlab.core.files import written_whole
from genlab.core.program import InputError

# What queries have in common: those of one entity, or of one topic, are not independent. Null where
# the corpus does not say.
CLUSTERS = pl.Schema({"entity": pl.String(), "topic": pl.String()})

# One row per query: what fetch, clean and dedup write.
QUERY_SCHEMA = pl.Schema(
    {
        "query_id": pl.String(),
        "query": pl.String(),
        "passages": pl.List(pl.Struct({"text": pl.String, "is_selected": pl.Boolean})),
        "split": pl.String(),  # "train" or "validation"
        **CLUSTERS,
    }
)

# About 12 MB of MS MARCO text per batch (20,000 queries x 10 passages x 60 words is 70 MB in
# memory), small enough for a laptop, large enough to keep Polars busy.
BATCH_ROWS = 20_000


def with_clusters(queries: pl.DataFrame) -> pl.DataFrame:
    """Return the queries with the columns of CLUSTERS: null where they are not there."""
    missing = [
        pl.lit(None, kind).alias(name)
        for name, kind in CLUSTERS.items()
        if name not in queries.columns
    ]
    return queries.with_columns(missing)


def write_table(path: Path, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> int:
    """Write frames one after another as one Parquet file and return the number of rows.

    Each frame must have `schema`, but for CLUSTERS. Nothing is left at `path` if a frame raises.
    """
    arrow_schema = schema.to_frame().to_arrow().schema
    n_rows = 0
    with (
        written_whole(path) as partial,
        pq.ParquetWriter(partial, arrow_schema, compression="zstd") as writer,
    ):
        for frame in frames:
            whole = with_clusters(frame) if CLUSTERS.keys() <= schema.keys() else frame
            writer.write_table(whole.match_to_schema(schema).to_arrow().cast(arrow_schema))
            n_rows += frame.height
    return n_rows


def read_batches(
    path: Path, batch_rows: int = BATCH_ROWS, needed: Collection[str] = ()
) -> Iterator[pl.DataFrame]:
    """Yield a Parquet file's rows in order, `batch_rows` at a time.

    Raises InputError if the file is not there, is not whole Parquet or lacks columns in `needed`.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the Parquet file of the table itself")
    try:
        # With pre_buffer, the default, what was read of the file stays in memory until the end.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            there = file.schema_arrow.names
            if missing := [name for name in needed if name not in there]:
                raise InputError(
                    f"{path}: no column {' and '.join(missing)} (there: "
                    f"{', '.join(there[:10]) or 'none'}); give a table that has them"
                )
            for batch in file.iter_batches(batch_rows):
                yield pl.DataFrame(pa.Table.from_batches([batch]))  # pa.table imports pandas
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro` to make it") from None
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):  # of the disk, not of what is in the file
            raise
        why = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a whole Parquet file ({why}); run `dvc repro`, and if that brings back "
            "the same, `python -m genlab cache` in the repository's root"
        ) from None


def read_table(path: Path) -> pl.DataFrame:
    """Return a whole Parquet file, for tables known to fit in memory (evaluation queries)."""
    batches = list(read_batches(path))
    return pl.concat(batches) if batches else pl.DataFrame(pq.read_schema(path).empty_table())


RECORD_BATCH_ROWS = 1000


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
