"""What the process that renders templates is made of, by hand; test_rendering.py asks it whole."""

import json
import signal
import subprocess
import sys

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
from tests.project_copy import ROOT

# Two lists of lists, 60 deep, that differ nowhere: 2**60 comparisons, all of them in C.
COMPARES_WITHOUT_END = (
    "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
    "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }} ||| a"
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


def test_a_loop_in_which_no_python_runs_ends_the_process_by_a_signal_of_the_system():
    request = {"jinja": COMPARES_WITHOUT_END, "answer_choices": "", "rows": [{}], "streams": ["s"]}
    request |= {"max_chars": 100, "max_field_chars": 0, "seconds": 0.01}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.instruct.template_sandbox"],
        cwd=ROOT,
        input=json.dumps(request) + "\n",
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGPROF, "")
