"""Rules that make an answer wrong, or say it in other words."""

import re

import numpy as np
import pytest

from pipelines.rankers.english import change_numbers, names_in, negate, paraphrase, swap_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The lake is deep and was deeper.", "The lake is not deep and was deeper."),
        ("It was not deep.", "It was deep."),
        ("It isn't deep.", "It is deep."),
        ("They Can swim.", "They Can not swim."),
        ("You can't do it.", "You can do it."),
        ("It isn’t deep, it is wide.", "It is deep, it is wide."),
        ("They cannot swim.", "They can swim."),
        ("Deep water everywhere.", None),
        ("Wasps and doers.", None),  # no auxiliary is a part of a word
    ],
)
def test_the_first_auxiliary_is_negated_or_no_longer(text, expected):
    assert negate(text) == expected


def test_every_number_becomes_another_of_as_many_digits():
    text = "In 1987, 9 of 10 boats (0.5 %) cost 007 dollars; 1987 again."
    for uniforms in np.random.default_rng(1).random((50, 8)):
        changed = change_numbers(text, uniforms)
        assert changed is not None
        before, after = re.findall(r"\d+", text), re.findall(r"\d+", changed)
        assert list(map(len, before)) == list(map(len, after))
        assert all(a != b for a, b in zip(before, after, strict=True))
        assert re.sub(r"\d+", "", changed) == re.sub(r"\d+", "", text)
    assert change_numbers("No number.", np.zeros(3)) is None
    long = change_numbers("1" * 5000, np.zeros(3))  # int() takes 4,300 digits
    assert long is not None and len(long) == 5000 and long != "1" * 5000


def test_a_name_stands_inside_a_sentence():
    assert list(names_in("The lake of New York is in Ohio. Boats go. Near Lima")) == [
        "New York",
        "Ohio",
    ]


def test_the_first_name_that_the_query_lacks_is_replaced_wherever_it_stands():
    text = "It is in Ohio, near Lima. In winter Lima and Ohio freeze."
    others = ["Ohio", "Peru", "Lima Bay"]
    assert swap_name(text, "where is lima", others, 0.99) == (
        "It is in Peru, near Lima. In winter Lima and Peru freeze."
    )
    assert swap_name(text, "lima or ohio", others, 0.0) is None
    assert swap_name(text, "where", ["Ohio"], 0.0) is None
    assert swap_name("no name here", "where", others, 0.0) is None


def test_a_paraphrase_keeps_the_rest_of_the_text_and_the_capitals():
    assert paraphrase("Many doctors help people, such as Bigelow.") == (
        "A lot of physicians aid persons, like Bigelow."
    )
    assert paraphrase("Nothing fits here.") is None
