"""Several texts of a query: their mean, worked out by hand, is the query's."""

import polars as pl
from polars.testing import assert_frame_equal

from genlab.ranking.samples import count_samples, over_samples


def rows_of(**columns: list) -> pl.DataFrame:
    return pl.DataFrame({"query_id": ["b", "b", "a", "a"], "sample": [0, 1, 0, 1], **columns})


def test_a_query_has_the_mean_of_its_samples_places_and_the_first_ones_other_values():
    rows = rows_of(location=[1.0, 4.0, 3.0, 3.0], score=[0.5, 0.7, 0.1, 0.2])
    expected = {"query_id": ["b", "a"], "sample": [0, 0], "location": [2.5, 3.0]}
    assert count_samples(rows) == 2
    assert_frame_equal(over_samples(rows), pl.DataFrame(expected | {"score": [0.5, 0.1]}))


def test_samples_of_each_length_are_averaged_apart():
    rows = rows_of(location=[1.0, 4.0, 3.0, 3.0])
    both = pl.concat([rows.with_columns(max_len=10), rows.with_columns(location=8.0, max_len=20)])
    of_each = over_samples(both, ("query_id", "max_len"))
    assert of_each["location"].to_list() == [2.5, 3.0, 8.0, 8.0]
    assert of_each["max_len"].to_list() == [10, 10, 20, 20]


def test_rows_of_one_text_a_query_are_left_as_they_are():
    rows = pl.DataFrame({"query_id": ["b", "a"], "location": [2.0, 1.0]})
    assert over_samples(rows) is rows
    with_samples = rows.with_columns(sample=pl.lit(0, pl.Int64))
    assert over_samples(with_samples) is with_samples
