"""Rules that make an answer wrong, or say it in other words."""

import re

import numpy as np
import pytest

from pipelines.rankers.english import (
    change_numbers,
    names_in,
    negate,
    paraphrase,
    stress,
    swap_names,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The lake is deep and was deeper.", "The lake is not deep and was deeper."),
        ("It will flood. It is deep.", "It will not flood. It is deep."),
        ("The capital is Lima.", "The capital is not Lima."),
        ("It was not deep. It is wide.", "It was not deep. It is not wide."),
        ("They won't swim, but he can swim.", None),
        ("There is no cure.", None),
        ("It is never deep.", None),
        ("Is it deep? It is.", "Is it deep? It is not."),
        ("Do you know how deep it is?", None),
        ("Opened in May 2010.", None),
        ("opened in may 2010", None),
        ("Actor Will Smith swam, and will Smith swim", None),
        ("A can of his will.", None),
        ("Professors have tenure.", "Professors do not have tenure."),
        ("He has to swim.", "He does not have to swim."),
        ("She had seven boats.", "She did not have seven boats."),
        ("It has recently been drained.", "It has not recently been drained."),
        ("It had moved.", "It had not moved."),
        ("He wants to have tenure.", None),
        ("Deep water everywhere.", None),
        ("Wasps and doers.", None),  # no auxiliary is a part of a word
    ],
)
def test_the_first_auxiliary_of_a_statement_is_negated(text, expected):
    assert negate(text) == expected


def test_stress_puts_a_neutral_word_where_the_negation_stands():
    assert stress("There is no cure. It has depth and is wide.") == (
        "There is no cure. It does indeed have depth and is wide."
    )
    for text in ("It is deep.", "They have tenure.", "No cure."):
        negated = negate(text)
        assert stress(text) == (negated and negated.replace("not", "indeed"))


UNIFORMS = np.random.default_rng(1).random((200, 8))


def changed_to(text: str, pattern: str) -> list[tuple[str, ...]]:
    """Return what the groups of a pattern are in 200 changed texts."""
    found = [re.fullmatch(pattern, change_numbers(text, uniforms) or "") for uniforms in UNIFORMS]
    assert all(found)
    return [each.groups() for each in found if each]


def test_a_number_becomes_another_of_as_many_digits():
    text = "some 187 or 9 of 10 boats (B52) cost 007 dollars"
    for groups in changed_to(text, r"some (\d+) or (\d+) of (\d+) boats \(B(\d+)\) cost (\d+) .*"):
        before = ("187", "9", "10", "52", "007")
        assert list(map(len, groups)) == list(map(len, before))
        assert all(a != b for a, b in zip(before, groups, strict=True))
    assert change_numbers("No number.", np.zeros(3)) is None
    long = change_numbers("1" * 5000, np.zeros(3))  # int() takes 4,300 digits
    assert long is not None and len(long) == 5000 and long != "1" * 5000


def test_all_years_of_a_text_move_by_as_many_and_none_into_the_future():
    pattern = r"Born (\d+), died (\d+), \d,\d{3} boats"
    for groups in changed_to("Born 1912, died 1998, 5,000 boats", pattern):
        born, died = map(int, groups)
        assert died - born == 86 and 3 <= abs(born - 1912) <= 80 and died <= 2020


def test_days_decades_ordinals_times_and_percentages_stay_possible():
    pattern = r"On October (\d+), (\d+) May, the (\d+)(st|nd|rd|th), at (\d+):(\d\d)"
    for a, b, nth, ending, hour, minute in changed_to(
        "On October 23, 3 May, the 21st, at 10:30", pattern
    ):
        assert {int(a), int(b), int(nth)} <= {*range(1, 29)}
        assert a != "23" and b != "3" and nth != "21"
        right = {"1": "st", "2": "nd", "3": "rd"}.get(nth[-1], "th")
        assert ending == ("th" if len(nth) == 2 and nth[0] == "1" else right)
        assert 1 <= int(hour) <= 12 and hour != "10" and int(minute) < 60 and minute != "30"
    for decade, share in changed_to("the 1950s: 98 %", r"the (\d+)s: (\d+) %"):
        assert decade in {f"19{n}0" for n in (2, 3, 4, 6, 7, 8, 9)} and 1 <= int(share) < 100


def test_the_marks_of_a_list_are_no_numbers():
    text = "1. Wash it. 2 Cook it.  3 Eat it, (4) at once."
    assert change_numbers(text, UNIFORMS[0]) is None
    assert change_numbers(f"{text} 5 eggs do.", UNIFORMS[0]) is not None


def test_a_name_stands_inside_a_sentence():
    text = (
        "The lake of New York is in Ohio. Boats go. Near Lima, 1 The boat of $400 Million, born "
        "March 27 at Bulk Inc. on an American Pro-Am, see The boat; • Anna"
    )
    assert list(names_in(text, {"the", "bulk", "new"})) == ["New York", "Ohio"]
    assert list(names_in("it is New York", {"new", "york"})) == []


def test_one_new_name_stands_for_the_first_name_that_the_query_lacks_or_for_the_last():
    text = "It is in Ohio, near Lima or New Castle. In winter Lima and Ohio freeze, not Rome."
    others = ["Ohio", "Old Town", "Peru"]
    assert swap_names(text, "where is the lake", others, set(), 0.99) == (
        text.replace("Ohio", "Peru"),
        text.replace("Rome", "Peru"),
    )
    assert swap_names(text, "where is ohio", others, set(), 0.0) == (
        text.replace("Lima", "Peru"),
        text.replace("Rome", "Peru"),
    )
    assert swap_names("It is in Ohio.", "where", others, set(), 0.0) is None  # no other name
    assert swap_names(text, "where", ["Old Town", "Rome"], set(), 0.0) is None
    assert swap_names("no name here", "where", others, set(), 0.0) is None


def test_a_paraphrase_keeps_the_rest_of_the_text_and_the_capitals():
    assert paraphrase("Although deep, it also helps people such as Bigelow.") == (
        "Though deep, it likewise helps persons such as Bigelow."
    )
    assert paraphrase("Often people swim until noon.") == "Frequently persons swim till noon."
    assert paraphrase("Nothing fits here.") is None


@pytest.mark.parametrize(
    "text",
    [
        "the most populous city is in need of the Main School",
        "the Big Bang and the People of Lima",
        "other people's children.",
        "called the doctor",
        "an often cited Often Cited",
    ],
)
def test_what_may_be_part_of_a_name_or_mean_something_else_is_not_paraphrased(text):
    assert paraphrase(text) is None
