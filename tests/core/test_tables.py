"""The tables between stages: what reading them costs in memory."""

import polars as pl
import pyarrow as pa

from genlab.core.tables import read_batches, write_table


def test_what_has_been_read_of_a_table_does_not_stay_in_memory(tmp_path):
    schema = pl.Schema({"number": pl.Int64})
    # 8 MB that cannot be compressed.
    numbers = pl.int_range(1_000_000, eager=True).hash().reinterpret(signed=True).rename("number")
    frames = (numbers[start : start + 50_000].to_frame() for start in range(0, 1_000_000, 50_000))
    write_table(tmp_path / "table", frames, schema)
    size = (tmp_path / "table").stat().st_size
    assert size > 7_000_000
    before = pa.total_allocated_bytes()
    for _ in read_batches(tmp_path / "table", 50_000):
        assert pa.total_allocated_bytes() - before < size / 4
