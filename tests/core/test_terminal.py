import os
import subprocess
import sys

import pytest

from genlab.core.terminal import table, with_ends


def test_a_table_has_its_first_column_left_and_its_numbers_right_as_they_are_given():
    rows = [["labse", "3.360", "0.10"], ["use", "12.5", "1e-05"]]
    assert table(rows, ["ranker", "loc", "p"]).splitlines() == [
        "ranker    loc      p",
        "labse   3.360   0.10",
        "use      12.5  1e-05",
    ]


def test_a_row_may_name_its_cells_and_a_table_may_have_none():
    assert table([{"n": 3, "arm": "a"}], ["arm", "n"]).splitlines() == ["arm  n", "a    3"]
    assert table([], ["arm", "n"]) == "arm  n"


def test_a_column_of_words_can_stand_left():
    rows = [["top_1", "0.2", "worse"], ["loc", "12.5", "better"]]
    assert table(rows, ["metric", "diff", "verdict"], left=["verdict"]).splitlines() == [
        "metric  diff  verdict",
        "top_1    0.2  worse",
        "loc     12.5  better",
    ]


def test_an_interval_stands_in_brackets_after_its_value():
    assert with_ends({"value": 3.3604, "low": 3.12, "high": 3.6}, digits=2) == "3.36 [3.12, 3.60]"


def test_an_interval_without_width_is_said_to_have_none():
    best_dose = {"value": 8.0, "low": 8.0, "high": 8.0}
    assert with_ends(best_dose, digits=0) == "8 [resamples agree]"
    narrow = {"value": 0.0, "low": -0.001, "high": 0.001}
    assert with_ends(narrow, digits=2) == "0.00 [-0.00, 0.00]"


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_is_typed_comes_without_its_bytes_that_are_no_text(errors):
    """A file in another encoding; Python is strict in most locales, and not in the locale C."""
    words = "from genlab.core.terminal import read_line\n"
    words += "while line := read_line(): print(ascii(line))"
    done = subprocess.run(
        [sys.executable, "-c", words],
        input="чай\n".encode() + b"\xf7a\xe9\n" + b"a\n\n",
        env=os.environ | {"PYTHONIOENCODING": f"utf-8:{errors}"},
        capture_output=True,
    )
    assert done.stdout.decode().splitlines() == [ascii("чай"), "'a'", "'a'"], done.stderr
