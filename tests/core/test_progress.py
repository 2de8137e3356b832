"""A few lines in a log, a bar in a terminal; of pieces within each other the outer one is shown."""

import os
import pty
import subprocess
import sys
import termios
import time

import pytest

from genlab.core import progress as shown
from genlab.core.progress import (
    count,
    counted_by,
    counted_whole,
    progress,
    told_so_far,
    tracked,
    working,
)
from tests.project_copy import ROOT


def test_a_log_gets_a_line_at_the_start_and_one_at_the_end(capsys):
    with progress("reading", 1200, "texts") as update:
        update(700)
        count(500)
    assert capsys.readouterr().err == "reading: 1,200 texts\nreading: 1,200 texts in 0 s\n"
    count(1)  # nobody hears


def test_a_log_hears_every_half_minute_how_far_long_work_is_and_how_long_is_left(
    capsys, monkeypatch
):
    clock = [0.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(shown, "EVERY", 30.0)
    with progress("scoring", 1200, "texts") as update:
        for clock[0] in (10.0, 29.0, 30.0, 59.0, 61.0):
            update(150)
    assert capsys.readouterr().err.splitlines() == [
        "scoring: 1,200 texts",
        "scoring: 450 of 1,200 texts in 30 s, about 50 s left",  # 750 at 15 a second
        "scoring: 750 of 1,200 texts in 61 s, about 37 s left",  # 450 at 12.3
        "scoring: 750 texts in 61 s",
    ]


def test_what_is_left_is_told_only_where_it_can_be_known():
    assert told_so_far(0, 90, "texts", 31.2) == "0 of 90 texts in 31 s"
    assert told_so_far(40, None, "texts", 31.2) == "40 texts in 31 s"
    assert told_so_far(90, 90, "texts", 31.2) == "90 of 90 texts in 31 s"


def test_whoever_wants_quiet_gets_two_lines_however_long_it_takes():
    assert "GENLAB_QUIET" in os.environ  # tests/conftest.py
    assert shown.EVERY > 1e9


def test_what_is_within_another_piece_of_work_is_not_shown_and_not_counted_twice(capsys):
    for _ in tracked(["a", "b"], "training", "models", 2):
        with progress("reading", 9, "texts"):
            count(9)
    assert capsys.readouterr().err == "training: 2 models\ntraining: 2 models in 0 s\n"


def test_a_listener_of_its_own_hears_what_is_counted_below_it():
    heard = []
    with counted_by(heard.append):
        count(3)
        with counted_by(lambda n: None):
            count(4)
        count(5)
    assert heard == [3, 5]


def test_a_piece_that_counts_less_or_more_than_it_was_asked_about_counts_just_that():
    heard = []
    with counted_by(heard.append):
        with counted_whole(5):  # two of the five texts are equal, and read once
            count(3)
        with counted_whole(4):
            count(3)
            count(9)
    assert heard == [3, 2, 3, 1, 0]


def test_only_the_first_of_several_processes_speaks(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with progress("reading", 2, "texts") as update:
        update(2)
    assert capsys.readouterr().err == ""


def test_a_program_that_is_silent_for_long_says_that_it_works_and_another_does_not(
    capsys, monkeypatch
):
    monkeypatch.setattr(shown, "SILENT", 0.02)
    with working("compare"):
        time.sleep(0.2)
    assert capsys.readouterr().err == "compare: working\ncompare: done in 0 s\n"
    with working("score"), progress("scoring", 1, "texts") as update:
        time.sleep(0.2)
        update(1)
    assert "working" not in capsys.readouterr().err
    monkeypatch.setattr(shown, "SILENT", 3.0)
    with working("clean"):
        pass
    assert capsys.readouterr().err == ""


def test_what_an_error_or_ctrl_c_ends_was_stopped_and_is_not_done(capsys, monkeypatch):
    monkeypatch.setattr(shown, "SILENT", 0.02)
    for end in (KeyboardInterrupt, ValueError):
        with pytest.raises(end), working("train"):
            time.sleep(0.2)
            raise end
        assert capsys.readouterr().err == "train: working\ntrain: stopped after 0 s\n"


def test_a_terminal_gets_a_named_bar():
    code = (
        "from genlab.core.progress import progress\n"
        "with progress('scoring with bm25', 4, 'texts') as update: update(4)"
    )
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stderr=theirs, check=True, env=os.environ
    )
    said = os.read(ours, 10_000).decode()
    assert "scoring with bm25: 100%" in said
    assert "4/4" in said
