"""TensorFlow says nothing unless its import fails."""

import os
import subprocess
import sys

import pytest

from genlab.models.quiet_tensorflow import stderr_set_aside
from tests.project_copy import ROOT


def test_importing_and_using_tensorflow_prints_nothing():
    program = (
        "from genlab.models.quiet_tensorflow import import_tensorflow\n"
        "tf, hub = import_tensorflow()\n"
        "assert tf.function(lambda x: x + 1)(tf.constant(1)).numpy() == 2"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_what_is_written_to_stderr_is_held_back_and_later_output_is_not(capfd):
    with stderr_set_aside():
        os.write(2, b"chatter")
    os.write(2, b"later")
    assert capfd.readouterr().err == "later"


def test_what_was_held_back_is_shown_if_the_block_raises(capfd):
    with pytest.raises(ImportError), stderr_set_aside():
        os.write(2, b"libfoo.so is missing")
        raise ImportError
    assert capfd.readouterr().err == "libfoo.so is missing"
