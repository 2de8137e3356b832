"""Ctrl-C ends a program in one line: while it imports, waits, computes, or works in processes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genlab.core.interrupts import GRACE
from tests.project_copy import ROOT, start_python

PROGRAM = """\
import ctypes, threading, time
from genlab.core.program import run, stage_app

app = stage_app()


@app.command()
def main():
    print("working", flush=True)
    {work}


run(app)
"""


def interrupted(words: list[str], folder: Path, after: str = "", n_times: int = 1) -> tuple:
    """Start Python, send SIGINT when it has printed `after`; return exit code, stderr, seconds."""
    process = start_python(words, folder)
    try:
        assert process.stdout.readline() == after + "\n"
        start = time.monotonic()
        for n in range(n_times):
            time.sleep(1.2 * bool(n))
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        return process.returncode, said, time.monotonic() - start
    finally:
        process.kill()
        process.communicate()


def run_program(work: str, folder: Path, **options) -> tuple:
    (folder / "program.py").write_text(PROGRAM.format(work=work))
    return interrupted(["program.py"], folder, after="working", **options)


@pytest.mark.parametrize(
    "work",
    [
        "time.sleep(60)",
        "lock = threading.Lock(); lock.acquire(); lock.acquire()",
        # polars, imported late, installs Python's handler again with SA_RESTART.
        "import polars; lock = threading.Lock(); lock.acquire(); lock.acquire()",
        # A library that takes the interrupt for an error of its own.
        "\n    try: time.sleep(60)\n    except BaseException: raise ValueError('of its own')",
    ],
)
def test_an_interrupt_is_one_line_and_exit_code_130(tmp_path, work):
    code, said, seconds = run_program(work, tmp_path)
    assert (code, said) == (130, "interrupted\n")
    assert seconds < GRACE - 1


def test_a_second_interrupt_ends_a_program_that_swallowed_the_first(tmp_path):
    work = "\n    while True:\n        try: time.sleep(60)\n        except BaseException: pass"
    code, said, seconds = run_program(work, tmp_path, n_times=2)
    assert (code, said) == (130, "interrupted\n")
    assert seconds < GRACE - 1


def test_a_program_that_swallows_all_is_ended_after_the_grace(tmp_path):
    work = "\n    while True:\n        try: time.sleep(60)\n        except BaseException: pass"
    text = PROGRAM.format(work=work).replace("run(app)", "interrupts.GRACE = 0.5\nrun(app)")
    (tmp_path / "program.py").write_text("from genlab.core import interrupts\n" + text)
    code, said, seconds = interrupted(["program.py"], tmp_path, after="working")
    assert (code, said) == (130, "interrupted\n")
    assert seconds < GRACE - 1


@pytest.mark.parametrize("module", ["genlab", "stages.slow", "pipelines.slow.stages.slow"])
def test_an_interrupt_while_modules_are_imported_is_one_line(tmp_path, module):
    """The module prints a line and waits in the middle of its imports; nobody has called `run`."""
    for package in ("stages", "pipelines"):
        (tmp_path / package).mkdir()
        text = (ROOT / package / "__init__.py").read_text()
        (tmp_path / package / "__init__.py").write_text(text)
    # Short sleeps: of one long one, a signal in the instant before it begins is seen at its end.
    slow = "import time\nprint('importing', flush=True)\nfor _ in range(600): time.sleep(0.1)\n"
    if module == "genlab":
        (tmp_path / "ast.py").write_text(slow)  # the first that genlab/__main__.py imports
    else:
        file = tmp_path / (module.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(slow)
    code, said, seconds = interrupted(["-m", module], tmp_path, after="importing")
    assert (code, said) == (130, "interrupted\n")
    assert seconds < GRACE - 1


def test_a_job_in_the_background_stays_deaf_to_interrupts(tmp_path):
    """A shell without job control starts what ends in & with SIGINT ignored."""
    (tmp_path / "program.py").write_text(PROGRAM.format(work="time.sleep(1); print('done')"))
    script = (
        f"{sys.executable} program.py > out & pid=$!\n"
        "until grep -q working out; do sleep 0.05; done\n"
        "kill -INT $pid; wait $pid; cat out"
    )
    said = subprocess.check_output(
        ["sh", "-c", script], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True
    )
    assert re.fullmatch(r"working\ndone\n", said)


def test_ctrl_c_is_obeyed_before_anything_else_is_imported():
    program = (
        "import sys; sys.argv = ['-m']; before = set(sys.modules); import genlab; "
        "from _signal import SIGINT, getsignal; "
        "print(*sorted(set(sys.modules) - before), getsignal(SIGINT).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == [
        *("genlab", "genlab.core", "genlab.core.processor", "genlab.core.startup"),
        "end_at_once",
    ]
