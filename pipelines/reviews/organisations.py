"""Organisations: reviews of one share its rubrics and details, so intervals draw them whole.

A review whose organisation is not known is one of its own.
"""

import polars as pl

from genlab.statistics.clusters import Clusters, number_clusters


def organisations_of(rows: pl.DataFrame) -> Clusters:
    """Return the organisations of rows as clusters, counted as n_organisations.

    None if organisations do not group rows: all rows are of one organisation, or no two are.
    """
    names = rows["organisation"].replace("", None)
    numbers = number_clusters(names)
    if numbers is None or names.drop_nulls().n_unique() < 2 or int(numbers.max()) + 1 == len(names):
        return Clusters()
    return Clusters(numbers, {"n_organisations": int(numbers.max()) + 1})


def tell_drawn(counted: dict[str, int]) -> str:
    """Return what the intervals draw, as a line for a terminal."""
    if not counted:
        return "Intervals draw single texts: no two are known to be of one organisation."
    n = counted["n_organisations"]
    return f"Intervals draw the {n} organisations anew, with all texts of each."
