"""What readers of a corpus share: names of files, and frames of rows, all or drawn."""

from pathlib import Path

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.sources.bad_rows import BadRows
from genlab.sources.corpus_frames import frames_of, names_of


def test_a_file_is_called_by_its_stem_unless_another_has_it():
    files = [Path("d/a.csv.gz"), Path("d/b.json"), Path("d/a.json")]
    assert names_of(files, [".csv", ".json"]) == ["a.csv.gz", "b", "a.json"]


def test_rows_come_all_or_so_many_drawn_in_their_order_and_none_is_an_error():
    rows = [{"n": n} for n in range(50)]
    schema, bad = pl.Schema({"n": pl.Int64}), BadRows(are_dropped=True)

    def numbers(n: int, seed: int = 1) -> list[int]:
        frames = frames_of(iter(rows), schema, n, seed, "x: there are no rows", bad)
        return pl.concat(frames)["n"].to_list()

    assert numbers(0) == list(range(50))
    drawn = numbers(7)
    assert drawn == sorted(set(drawn)) and len(drawn) == 7
    assert numbers(7) == drawn != numbers(7, seed=2)
    bad.counts["row"] = 3
    with pytest.raises(
        InputError, match=r"^x: there are no rows in it \(3 rows are bad\); correct"
    ):
        list(frames_of(iter([]), schema, 0, 1, "x: there are no rows", bad))
