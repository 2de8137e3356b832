"""Clusters of units: who belongs to which, and what is drawn where whole clusters are."""

import numpy as np
import polars as pl
import pytest

from genlab.core.tables import CLUSTERS
from genlab.experiments.layout import read_layout
from genlab.statistics.bootstrap import resampled_means
from genlab.statistics.clusters import (
    Clusters,
    clustered_difference,
    clustered_means,
    find_clusters,
    number_clusters,
    tell_clusters,
)
from genlab.statistics.correlation import correlate_ranks
from genlab.statistics.intervals import SHARE, bootstrap_interval, unpaired_difference
from tests.project_copy import ROOT


def queries(**columns):
    return pl.DataFrame(columns, schema_overrides=CLUSTERS)


def test_a_unit_whose_cluster_is_not_known_is_one_of_its_own():
    numbers = number_clusters(pl.Series(["b", None, "a", None, "b"]))
    assert len(set(numbers)) == 4 and numbers[0] == numbers[4]
    assert sorted(set(numbers)) == [0, 1, 2, 3]
    assert len(set(number_clusters(pl.Series([1.5, float("nan"), 1.5, float("nan")])))) == 3
    assert number_clusters(pl.Series([None, None], dtype=pl.String)) is None


def test_queries_are_clustered_by_topic_or_where_none_is_told_by_entity():
    topics, entities = ["t", "t", "u"], ["e", "f", "e"]
    by_topic = find_clusters(queries(entity=entities, topic=topics))
    assert by_topic.numbers.tolist() == [0, 0, 1] and by_topic.counted == {"n_topics": 2}
    for other in ([None] * 3, ["t"] * 3):
        by_entity = find_clusters(queries(entity=entities, topic=other))
        assert by_entity.numbers.tolist() == [0, 1, 0] and by_entity.counted == {"n_entities": 2}
    for nothing in (queries(entity=[None, None], topic=["t", "t"]), pl.DataFrame({"a": [1]})):
        assert find_clusters(nothing) == Clusters()


def test_what_intervals_draw_is_told_where_it_is_no_single_query():
    told = tell_clusters(find_clusters(queries(entity=["e", "f"], topic=[None, None])).counted)
    assert told == "Intervals draw the 2 entities anew, with all queries of each."
    assert tell_clusters({}) == ""


def test_claims_are_settled_over_the_same_clusters():
    assert read_layout(ROOT / "claims.yaml").cluster == CLUSTERS.names()[-1]


def test_means_of_drawn_clusters_are_those_of_their_units():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(9, 2))
    values[3, 1] = np.nan
    alone = clustered_means(values, 50, 7, np.arange(9))
    assert alone == pytest.approx(resampled_means(values, 50, 7), abs=1e-12)
    # Of two clusters one is drawn twice in half of the resamples: the means of each, and of all.
    found = clustered_means(np.array([[1.0], [1.0], [4.0]]), 200, 7, np.array([0, 0, 1]))
    assert sorted(set(found[:, 0].tolist())) == [1.0, 2.0, 4.0]


def test_without_clusters_a_difference_is_the_unpaired_one():
    rng = np.random.default_rng(2)
    a, b = rng.random((20, 1)), rng.random((30, 1))
    found = clustered_difference(a, b, None, seed=3, bounds=[SHARE])
    assert found == unpaired_difference(a, b, seed=3, bounds=[SHARE])


def test_what_clusters_do_to_both_halves_cancels_out():
    effect = np.repeat([-3.0, -2, -1, 1, 2, 3] * 3, 2)[:, None]
    clusters = np.repeat(np.arange(18), 2)
    found = clustered_difference(effect, effect + 1, (clusters, clusters), seed=3, bounds=[None])
    assert [float(each[0]) for each in found] == pytest.approx([1, 1, 1], abs=0.1)
    others = clustered_difference(
        effect, effect + 1, (clusters, clusters + 18), seed=3, bounds=[None]
    )
    low, high = bootstrap_interval(effect, seed=[3, 0], clusters=clusters)
    # Of clusters of their own: the halves' widths joined as squares.
    assert others[2] - others[1] == pytest.approx(np.sqrt(2) * (high - low), rel=0.03)


def test_halves_that_all_agree_keep_the_width_of_their_clusters():
    a, b = np.zeros((40, 1)), np.zeros((12, 1))
    clusters = np.arange(40) % 8, np.arange(12) % 4
    found = clustered_difference(a, b, clusters, seed=3, bounds=[SHARE])
    # Clopper and Pearson's upper ends of none of 8 and none of 4, side by side.
    assert [float(each[0]) for each in found] == pytest.approx(
        [0, 0.025 ** (1 / 8) - 1, 1 - 0.025 ** (1 / 4)]
    )


def test_copies_of_a_unit_in_its_cluster_tell_a_rank_correlation_no_more_than_one():
    rng = np.random.default_rng(5)
    a, b = rng.random((2, 30))
    one = correlate_ranks(a, b, 1, 500)
    three = correlate_ranks(
        np.tile(a, 3), np.tile(b, 3), 1, 500, clusters=np.tile(np.arange(30), 3)
    )
    assert three == pytest.approx(one, abs=1e-9)
