"""Means that do not hang on how many threads cut a column into chunks."""

from itertools import pairwise
from math import isnan

import numpy as np
import polars as pl
import pytest

from genlab.ranking import places
from genlab.statistics.column_means import column_mean


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


def test_nulls_do_not_count_and_nothing_has_no_mean():
    assert column_mean(pl.Series([1, None, 2])) == 1.5
    assert isnan(column_mean(pl.Series([None, None], dtype=pl.Float64)))
    assert isnan(column_mean(pl.Series([], dtype=pl.Float64)))


def test_headline_metrics_are_the_same_however_the_rows_are_cut():
    rng = np.random.default_rng(17)
    rows = pl.DataFrame({name: rng.random(3000) for name in places.METRICS.values()})
    rows = rows.with_columns(answerable=pl.lit(True))
    assert places.summarize(cut(rows, 8)) == places.summarize(rows)
