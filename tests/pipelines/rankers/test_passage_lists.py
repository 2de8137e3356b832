"""Lists in which a passage stands once, and collections in which something can be altered."""

from collections import Counter

import pytest

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA
from pipelines.rankers.passage_lists import each_passage_once, with_some_to_alter
from tests.query_tables import table


def test_a_passage_that_stands_twice_in_a_list_counts_once_and_is_selected_if_a_copy_is():
    rows = table(
        ("validation", "a", ["x", ("y",), "x", "y"]),  # a text in a tuple is selected
        ("validation", "b", ["x", ("y",)]),
    )
    counts: Counter[str] = Counter()
    [found] = each_passage_once([rows], counts)
    assert found.schema == QUERY_SCHEMA
    lists = [[(p["text"], p["is_selected"]) for p in each] for each in found["passages"]]
    assert lists == [[("x", False), ("y", True)]] * 2  # the same text in two lists stays
    assert counts == {"repeated_passages": 2}


def test_lists_without_repeats_stay_as_they_are():
    rows, counts = table(("train", "a", ["x", ("y",)]), ("train", "b", ["y"])), Counter()
    [found] = each_passage_once([rows], counts)
    assert found.equals(rows) and not +counts


def test_a_collection_of_which_nothing_can_be_altered_is_refused_when_it_is_fetched():
    train, all_answer = ("train", "a", ["x", ("y",)]), ("validation", "b", [("x",), ("y",)])
    none_answers = ("validation", "c", ["x", "y"])
    frames = [table(train, all_answer), table(none_answers)]
    with pytest.raises(InputError, match=r"collections.sea: none of its 2 evaluated queries has a"):
        list(with_some_to_alter(frames, "sea"))
    with pytest.raises(InputError, match=r"collections.sea: 1 queries to evaluate; .* must be two"):
        list(with_some_to_alter([table(train, ("validation", "b", ["x", ("y",)]))], "sea"))
    frames.append(table(("validation", "d", ["x", ("y",)])))
    assert len(list(with_some_to_alter(frames, "sea"))) == 3
