"""Means that do not hang on how many threads cut a column into chunks."""

import os
import subprocess
import sys
from itertools import pairwise
from math import isnan

import numpy as np
import polars as pl
import pytest

from genlab.ranking import places
from genlab.statistics.column_means import column_mean, group_mean
from tests.project_copy import ROOT


def cut(whole: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return the rows in n chunks, as a join on n threads leaves them."""
    edges = np.linspace(0, whole.height, n + 1).astype(int)
    parts = [whole[int(a) : int(b)] for a, b in pairwise(edges)]
    return pl.concat(parts, rechunk=False)


@pytest.mark.parametrize("n", [2, 3, 8, 64])
def test_no_number_of_chunks_changes_a_bit(n):
    whole = pl.DataFrame({"x": np.random.default_rng(n).normal(size=3000)})
    parts = cut(whole, n)["x"]
    assert parts.n_chunks() == n
    assert column_mean(parts) == column_mean(whole["x"])
    assert column_mean(parts) == pytest.approx(whole["x"].to_numpy().mean(), abs=1e-15)


MEANS_OF_GROUPS = """
import numpy as np, polars as pl
from genlab.statistics.column_means import group_mean
x = np.random.default_rng(5).normal(size=6000)
for n in (5, 60):
    rows = pl.DataFrame({"group": np.arange(6000) % n, "x": x})
    found = rows.group_by("group", maintain_order=True).agg(group_mean(pl.col("x")))
    print(found["x"].to_list())
"""


def test_no_number_of_threads_changes_a_bit_of_a_groups_mean():
    """Polars' own means of such groups differ in their last bits between one thread and eight."""
    one, eight = (
        subprocess.run(
            [sys.executable, "-c", MEANS_OF_GROUPS],
            cwd=ROOT,
            env=os.environ | {"POLARS_MAX_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "8")
    )
    assert one == eight
    assert one.count(",") == 4 + 59


def test_nulls_do_not_count_and_nothing_has_no_mean():
    assert column_mean(pl.Series([1, None, 2])) == 1.5
    assert isnan(column_mean(pl.Series([None, None], dtype=pl.Float64)))
    assert isnan(column_mean(pl.Series([], dtype=pl.Float64)))
    rows = pl.DataFrame({"group": ["a", "b", "a", "b", "c"], "x": [1, 4, None, 5, None]})
    found = rows.group_by("group", maintain_order=True).agg(group_mean(pl.col("x")))
    assert found.rows() == [("a", 1.0), ("b", 4.5), ("c", None)]


def test_headline_metrics_are_the_same_however_the_rows_are_cut():
    rng = np.random.default_rng(17)
    rows = pl.DataFrame({name: rng.random(3000) for name in places.METRICS.values()})
    rows = rows.with_columns(answerable=pl.lit(True))
    assert places.summarize(cut(rows, 8)) == places.summarize(rows)
