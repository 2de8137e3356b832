"""Means of a table's columns and groups with the same last bit on any number of cores."""

import polars as pl


def column_mean(column: pl.Series) -> float:
    """Return the mean of a column of numbers, without its nulls; NaN if there is nothing else.

    Polars adds up each chunk by itself, and joins and sorts cut a column into as many chunks as
    there are threads. Here it is one chunk.
    """
    mean = column.cast(pl.Float64).rechunk().mean()
    return mean if isinstance(mean, float) else float("nan")


def group_mean(values: pl.Expr) -> pl.Expr:
    """Return an expression for `agg`: each group's mean of numbers, without its nulls.

    Polars adds up large groups in parts, one per thread. It cannot do so for a slice, even one of
    all values.
    """
    return values.cast(pl.Float64).slice(0).mean()
