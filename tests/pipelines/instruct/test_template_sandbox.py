"""What the process that renders templates is made of, by hand; test_rendering.py asks it whole."""

import pytest

from pipelines.instruct.template_sandbox import (
    PROTECTED,
    LimitError,
    bounded,
    check_widths,
    most_frequent,
    parts_of,
    protected,
)


def test_pieces_are_joined_up_to_the_limit_and_no_more_are_asked_for_above_it():
    assert bounded(iter(["ab", "", "cde"]), 5) == "abcde"
    asked = []

    def endless():
        while True:
            asked.append("xy")
            yield "xy"

    with pytest.raises(LimitError, match=r"^more than 5 characters$"):
        bounded(endless(), 5)
    assert len(asked) == 3  # 2, 4, 6


@pytest.mark.parametrize("form", ["", "%s of %d", "%5.2f", "%1000d", "%-12s|%012d", "in 999 ways"])
def test_a_width_of_a_thousand_passes(form):
    check_widths(form)


@pytest.mark.parametrize("form", ["%1001d", "%.1001f", "%*d", "%s %9999999999d", "%00000001001d"])
def test_a_wider_one_is_refused_and_so_is_one_that_only_the_values_tell(form):
    with pytest.raises(LimitError, match=r"^a width above 1000$"):
        check_widths(form)


def test_the_most_frequent_are_all_that_occur_as_often_in_their_order():
    assert most_frequent(["b", "a", "c", "a", "b"]) == ["b", "a"]
    assert most_frequent([3, 1, 3, 1, 3]) == [3]
    assert most_frequent([]) == []


def test_a_field_is_cut_and_its_separators_are_put_aside():
    assert protected("u|||v", 0) == f"u{PROTECTED}v"
    assert protected("abcdef", 4) == "abcd"
    assert protected("abc|||def", 5) == "abc||"  # cut first, so it is none any more
    assert protected(["u|||v"], 1) == ["u|||v"]  # no text


def test_parts_are_split_at_the_template_s_separators_alone_and_stripped():
    field = protected("u ||| v", 0)
    assert parts_of(f" ask {field}? ||| yes\n") == ["ask u ||| v?", "yes"]
    assert parts_of("one") == ["one"]
    assert parts_of("||| a |||b") == ["", "a", "b"]
