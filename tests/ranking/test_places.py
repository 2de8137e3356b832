from fractions import Fraction
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.core.program import InputError
from genlab.ranking.places import METRICS, TIE, metric_values, place, place_by_chance, summarize

MEASURES = list(METRICS.values())


def query_table(*queries, empty_scores=None):
    """A table for `place`; a query is (score, candidate scores, indices of the selected)."""
    table = pl.DataFrame(
        {
            "query_id": [f"q{row}" for row in range(len(queries))],
            "score": [score for score, _, _ in queries],
            "candidate_scores": [candidates for _, candidates, _ in queries],
            "candidate_selected": [
                [index in selected for index in range(len(candidates))]
                for _, candidates, selected in queries
            ],
        },
        schema={
            "query_id": pl.String,
            "score": pl.Float32,
            "candidate_scores": pl.List(pl.Float32),
            "candidate_selected": pl.List(pl.Boolean),
        },
    )
    if empty_scores is not None:
        table = table.with_columns(empty_score=pl.Series(empty_scores, dtype=pl.Float32))
    return table


def measures_of(score, candidates, selected, empty_score=None):
    """The one row of measures of one query; with an empty passage's score, the legacy ones."""
    empty_scores = None if empty_score is None else [empty_score]
    table = query_table((score, candidates, selected), empty_scores=empty_scores)
    return place(table, legacy=empty_score is not None).row(0, named=True)


def slow_measures(score, candidates, selected):
    """The definitions, literally: the mean over every order of the items tied with the text."""
    score = float(np.float32(score))
    leads = [float(np.float32(candidate)) - score for candidate in candidates]
    above = [i for i, lead in enumerate(leads) if lead > TIE]
    tied = [i for i, lead in enumerate(leads) if abs(lead) <= TIE]
    below = [i for i, lead in enumerate(leads) if lead < -TIE]
    outcomes = []
    for middle in permutations(["text", *tied]):
        ranking = [*above, *middle, *below]
        place_here = ranking.index("text") + 1
        worse = set(ranking[place_here:])
        outcomes.append(
            {
                "location": Fraction(place_here),
                "relative_location": Fraction(place_here, len(ranking)),
                **{f"top_{k}": Fraction(place_here <= k) for k in (1, 3, 5)},
                "fdaro": Fraction(selected <= worse),
                "fdaro_any": Fraction(bool(selected & worse)),
            }
        )
    means = {name: sum(outcome[name] for outcome in outcomes) / len(outcomes) for name in MEASURES}
    if not selected:
        means |= {"fdaro": None, "fdaro_any": None}
    return means


def slow_legacy_measures(score, candidates, selected, empty_score):
    """The source study's convention, literally: the text is put behind whatever ties with it."""
    padded = candidates + [empty_score] * (10 - len(candidates))
    text = float(np.float32(score))
    worse = {i for i, other in enumerate(padded) if text - float(np.float32(other)) > TIE}
    location = 1 + len(padded) - len(worse)
    return {
        "location": location,
        "relative_location": location / (len(padded) + 1),
        **{f"top_{k}": float(location <= k) for k in (1, 3, 5)},
        "fdaro": float(selected <= worse),
        "fdaro_any": float(bool(selected & worse)) if selected else None,
    }


def assert_measures(row, expected):
    for name, value in expected.items():
        if value is None:
            assert row[name] is None, name
        else:
            assert row[name] == pytest.approx(float(value), abs=1e-12), name


# A coarse grid, so that ties are common, and scores half a TIE away from it.
scores = st.builds(
    lambda step, near: step / 4 + near * TIE / 2,
    st.integers(-2, 2),
    st.sampled_from([0, 0, 0, 1]),
)
coarse_scores = st.integers(-4, 4).map(lambda step: step / 4)


@st.composite
def queries(draw, scores=scores, max_candidates=5):
    candidates = draw(st.lists(scores, min_size=1, max_size=max_candidates))
    selected = draw(st.sets(st.integers(0, len(candidates) - 1)))
    return draw(scores), candidates, selected


def test_a_list_without_ties_is_placed_by_counting_what_is_above():
    row = measures_of(0.5, [0.9, 0.1, 0.7, 0.3], {1})
    assert_measures(
        row,
        {
            "n_candidates": 4,
            "n_selected": 1,
            "n_above": 2,
            "n_tied": 0,
            "location": 3,
            "relative_location": 3 / 5,
            "top_1": 0,
            "top_3": 1,
            "top_5": 1,
            "fdaro": 1,
            "fdaro_any": 1,
        },
    )
    assert row["answerable"] is True


def test_first_and_last_place_have_relative_location_one_over_the_length_and_one():
    assert measures_of(0.9, [0.1, 0.2, 0.3], set())["relative_location"] == 1 / 4
    assert measures_of(0.0, [0.1, 0.2, 0.3], set())["relative_location"] == 1


def test_three_ties_below_one_better_share_the_places_two_to_five():
    # Places 2, 3, 4, 5 are equally likely: mean 3.5; none is 1, two of four are at most 3.
    row = measures_of(0.5, [0.9, 0.5, 0.5, 0.5, 0.1], {0})
    assert_measures(
        row,
        {
            "n_above": 1,
            "n_tied": 3,
            "location": 3.5,
            "relative_location": 3.5 / 6,
            "top_1": 0,
            "top_3": 0.5,
            "top_5": 1,
        },
    )


@pytest.mark.parametrize(
    ("selected_scores", "fdaro", "fdaro_any"),
    [
        ([0.1, 0.2], 1, 1),
        ([0.9, 0.2], 0, 1),
        ([0.9, 0.8], 0, 0),
        ([0.5], 1 / 2, 1 / 2),
        ([0.5, 0.5], 1 / 3, 2 / 3),
        ([0.5, 0.1], 1 / 2, 1),
        ([0.9, 0.5], 0, 1 / 2),
        ([0.9, 0.5, 0.5], 0, 2 / 3),
    ],
)
def test_fdaro_asks_for_all_selected_passages_and_fdaro_any_for_one(
    selected_scores, fdaro, fdaro_any
):
    # The unselected passages, one above, one tied and one below, must not matter.
    row = measures_of(0.5, [*selected_scores, 0.95, 0.5, 0.0], set(range(len(selected_scores))))
    assert_measures(row, {"fdaro": fdaro, "fdaro_any": fdaro_any})


def test_a_query_without_a_selected_passage_has_a_place_but_no_fdaro():
    row = measures_of(0.5, [0.9, 0.1], set())
    assert_measures(row, {"location": 2, "fdaro": None, "fdaro_any": None, "n_selected": 0})
    assert row["answerable"] is False


def test_scores_tie_within_a_millionth_and_not_beyond():
    assert measures_of(0.0, [0.9e-6, -0.9e-6], set())["n_tied"] == 2
    row = measures_of(0.0, [1.1e-6, -1.1e-6], set())
    assert (row["n_above"], row["n_tied"]) == (1, 0)


def test_queries_with_lists_of_different_lengths_do_not_mix():
    table = query_table((0.5, [0.9], {0}), (0.5, [0.1, 0.2, 0.5], {1, 2}), (0.5, [0.6, 0.7], set()))
    rows = place(table)
    assert rows["query_id"].to_list() == ["q0", "q1", "q2"]
    assert rows["location"].to_list() == [2, 1.5, 3]
    assert rows["relative_location"].to_list() == [1, 1.5 / 4, 1]
    assert rows["fdaro"].to_list() == [0, 0.5, None]


def test_other_columns_are_kept_and_the_lists_dropped():
    rows = place(query_table((0.5, [0.9], {0})).with_columns(ranker=pl.lit("bm25")))
    assert rows["ranker"].to_list() == ["bm25"]
    assert rows["score"].to_list() == [0.5]
    assert not {"candidate_scores", "candidate_selected"} & set(rows.columns)


def test_a_table_without_rows_gives_rows_of_the_same_types():
    assert place(query_table()).schema == place(query_table((0.5, [0.9], {0}))).schema


@given(st.lists(queries(), min_size=1, max_size=4))
def test_closed_forms_equal_the_mean_over_all_orders_of_the_tied_items(queries):
    for row, query in zip(place(query_table(*queries)).rows(named=True), queries, strict=True):
        assert_measures(row, slow_measures(*query))


@given(st.lists(queries(max_candidates=12), min_size=1, max_size=4), scores)
def test_legacy_equals_its_literal_definition(queries, empty_score):
    table = query_table(*queries, empty_scores=[empty_score] * len(queries))
    for row, query in zip(place(table, legacy=True).rows(named=True), queries, strict=True):
        assert_measures(row, slow_legacy_measures(*query, empty_score))


def test_legacy_loses_ties_fills_the_list_and_wins_without_a_selected_passage():
    # Four passages: one above, one tied; six empty ones below. 1 + 1 + 1 = 3, of 11 places.
    row = measures_of(0.5, [0.9, 0.5, 0.1, 0.2], {1}, empty_score=0.0)
    assert_measures(
        row,
        {
            "n_candidates": 10,
            "location": 3,
            "relative_location": 3 / 11,
            "top_1": 0,
            "top_3": 1,
            "fdaro": 0,
            "fdaro_any": 0,
        },
    )
    assert measures_of(0.5, [0.9] * 4, set(), empty_score=0.0)["fdaro"] == 1
    # The same with empty passages above, and with tied ones.
    assert measures_of(0.5, [0.9, 0.1, 0.1, 0.1], {1}, empty_score=0.7)["location"] == 8
    assert measures_of(0.5, [0.9, 0.1, 0.1, 0.1], {1}, empty_score=0.5)["location"] == 8


def test_legacy_leaves_lists_of_ten_and_more_as_they_are():
    row = measures_of(0.5, [0.9] * 12, {0}, empty_score=0.9)
    assert_measures(row, {"n_candidates": 12, "location": 13, "relative_location": 1})


@given(st.integers(1, 30))
def test_a_scorer_that_gives_every_text_the_same_score_is_at_chance(n_passages):
    rows = place(query_table((0.3, [0.3] * n_passages, {0})))
    assert rows["location"][0] == (n_passages + 2) / 2
    chance = place_by_chance(rows).select(MEASURES).row(0, named=True)
    assert_measures(rows.row(0, named=True), chance)


@given(
    st.lists(queries(coarse_scores), min_size=1, max_size=4),
    st.sampled_from([lambda x: 3 * x + 1, np.exp, np.tanh, lambda x: x**3]),
)
def test_a_monotonic_transform_of_all_scores_changes_nothing(queries, transform):
    transformed = [
        (float(transform(score)), [float(transform(other)) for other in candidates], selected)
        for score, candidates, selected in queries
    ]
    plain, changed = place(query_table(*queries)), place(query_table(*transformed))
    assert plain.drop("score").equals(changed.drop("score"))


@given(st.integers(1, 12))
def test_chance_is_the_mean_over_the_text_at_each_of_the_places(n_passages):
    candidates = [float(score) for score in range(n_passages)]
    everywhere = [(slot - 0.5, candidates, set()) for slot in range(n_passages + 1)]
    rows = place(query_table(*everywhere))
    assert sorted(rows["location"]) == list(range(1, n_passages + 2))
    names = [name for name in MEASURES if not name.startswith("fdaro")]
    means = {name: rows[name].mean() for name in names}
    assert_measures(place_by_chance(rows).row(0, named=True), means)


@pytest.mark.parametrize(("n_passages", "n_selected"), [(1, 1), (4, 1), (4, 2), (4, 4), (3, 0)])
def test_chance_is_the_mean_over_every_order_of_the_whole_list(n_passages, n_selected):
    orders = permutations([float(score) for score in range(n_passages + 1)])
    rows = place(
        query_table(*[(order[0], list(order[1:]), set(range(n_selected))) for order in orders])
    )
    means = {name: rows[name].mean() for name in MEASURES}
    assert_measures(place_by_chance(rows).row(0, named=True), means)


def test_chance_of_ten_passages_is_place_six_and_one_in_eleven():
    chance = summarize(place_by_chance(place(query_table((0.5, [0.9] * 10, {0, 1})))))
    assert chance == pytest.approx(
        {
            "average_loc": 6,
            "average_rel_loc": 6 / 11,
            "top_1": 1 / 11,
            "top_3": 3 / 11,
            "top_5": 5 / 11,
            "fdaro": 1 / 3,
            "fdaro_any": 2 / 3,
            "n_queries": 1,
            "n_answerable": 1,
        }
    )


def test_chance_in_a_list_shorter_than_k_is_one():
    chance = place_by_chance(place(query_table((0.5, [0.9, 0.1], set())))).row(0, named=True)
    assert_measures(chance, {"top_1": 1 / 3, "top_3": 1, "top_5": 1})


def test_legacy_chance_counts_filled_lists_and_a_win_where_nothing_is_selected():
    table = query_table((0.5, [0.9] * 4, set()), (0.5, [0.9] * 4, {0}), empty_scores=[0.0, 0.0])
    chance = summarize(place_by_chance(place(table, legacy=True)))
    assert chance["average_loc"] == 6
    assert chance["fdaro"] == pytest.approx((1 + 1 / 2) / 2)
    assert chance["fdaro_any"] == pytest.approx(1 / 2)


def test_the_summary_is_means_with_fdaro_over_the_answerable_queries():
    table = query_table(
        (0.5, [0.9, 0.8, 0.7], {0}), (0.5, [0.5], {0}), (0.5, [0.1], {0}), (0.5, [0.6], set())
    )
    # Places 4, 1.5, 1, 2 of 4, 2, 2, 2; fdaro 0, 1/2, 1, not counted.
    assert summarize(place(table)) == pytest.approx(
        {
            "average_loc": 8.5 / 4,
            "average_rel_loc": (1 + 0.75 + 0.5 + 1) / 4,
            "top_1": (0 + 0.5 + 1 + 0) / 4,
            "top_3": 3 / 4,
            "top_5": 1,
            "fdaro": 1.5 / 3,
            "fdaro_any": 1.5 / 3,
            "n_queries": 4,
            "n_answerable": 3,
        }
    )


def test_the_summary_leaves_out_fdaro_when_no_query_is_answerable():
    summary = summarize(place(query_table((0.5, [0.9], set()))))
    assert not {"fdaro", "fdaro_any"} & set(summary)
    assert summary["n_answerable"] == 0


def test_a_summary_of_no_rows_is_refused():
    with pytest.raises(InputError, match="no query was scored"):
        summarize(place(query_table()))


def test_metric_values_have_the_summary_as_their_means_and_nan_where_a_query_does_not_count():
    rows = place(query_table((0.5, [0.9, 0.1], {1}), (0.5, [0.6], set())))
    values = metric_values(rows)
    assert values.shape == (2, len(METRICS))
    summary = summarize(rows)
    assert np.nanmean(values, axis=0).tolist() == [summary[name] for name in METRICS]
    assert np.isnan(values).tolist() == [[False] * 7, [False] * 5 + [True, True]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), None])
def test_a_score_that_is_not_a_finite_number_is_refused_with_its_query(bad):
    good = (0.5, [0.9, 0.1, 0.2], {0})
    with pytest.raises(InputError, match="query 'q1': score missing, NaN or infinite"):
        place(query_table(good, (bad, [0.9], {0})))
    with pytest.raises(InputError, match="query 'q1': candidate_scores missing, NaN"):
        place(query_table(good, (0.5, [0.9, bad], {0}), good))
    with pytest.raises(InputError, match="query 'q1': empty_score missing, NaN"):
        place(query_table(good, good, empty_scores=[0.0, bad]), legacy=True)


def test_an_empty_or_missing_candidate_list_is_refused_with_its_query():
    good = (0.5, [0.9], {0})
    for legacy in (False, True):
        with pytest.raises(InputError, match="query 'q1': no candidate passages"):
            place(query_table(good, (0.5, [], set()), empty_scores=[0.0, 0.0]), legacy)
    missing = query_table(good).with_columns(candidate_scores=pl.lit(None, pl.List(pl.Float32)))
    with pytest.raises(InputError, match="query 'q0': no candidate passages"):
        place(missing)


def test_lists_of_scores_and_of_marks_must_match():
    table = query_table((0.5, [0.9], {0}), (0.5, [0.9, 0.1], {0}))
    short = table.with_columns(candidate_selected=pl.Series([[True], [True]]))
    with pytest.raises(InputError, match="query 'q1': candidate_scores and candidate_selected"):
        place(short)
    unknown = table.with_columns(candidate_selected=pl.Series([[True], [True, None]]))
    with pytest.raises(InputError, match="query 'q1': a null in candidate_selected"):
        place(unknown)
