"""The tables between stages: what is read of them, and what that costs in memory."""

import polars as pl
import pyarrow as pa
import pytest

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_batches, read_table, write_table


def test_a_table_without_rows_has_its_columns(tmp_path):
    write_table(tmp_path / "table", [], QUERY_SCHEMA)
    found = read_table(tmp_path / "table")
    assert (found.height, found.schema) == (0, QUERY_SCHEMA)


@pytest.mark.parametrize("damaged", ["page", "footer"])
def test_a_damaged_table_is_named(tmp_path, damaged):
    path = tmp_path / "table"
    numbers = pl.DataFrame({"number": range(1000)})
    write_table(path, [numbers], numbers.schema)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    start = 4 if damaged == "page" else footer  # the first page follows PAR1
    path.write_bytes(content[:start] + b"\xff" * 20 + content[start + 20 :])
    with pytest.raises(InputError, match=r"table: not a whole Parquet file .*; run `dvc repro`"):
        read_table(path)


def test_a_folder_and_a_table_without_the_needed_columns_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a folder; give the Parquet file of the table itself"):
        read_table(tmp_path)
    scores = pl.DataFrame({"query_id": ["1"], "score": [0.5]})
    write_table(tmp_path / "table", [scores], scores.schema)
    with pytest.raises(InputError, match=r"table: no column passages \(there: query_id, score\)"):
        list(read_batches(tmp_path / "table", needed=["query_id", "passages"]))


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
