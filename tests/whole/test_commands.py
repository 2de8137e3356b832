"""`python -m genlab`: its commands, listed and called."""

import ast
import subprocess
import sys

import pytest

from genlab.__main__ import COMMANDS, listing
from genlab.core.deps import source_of
from tests.project_copy import ROOT


def genlab(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "genlab", *words], cwd=ROOT, capture_output=True, text=True
    )


def test_alone_it_lists_every_command_with_a_line_that_fits_a_terminal():
    said = genlab()
    assert (said.returncode, said.stdout) == (0, listing() + "\n")
    lines = listing().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[2:]] == list(COMMANDS)


@pytest.mark.parametrize("module", COMMANDS.values())
def test_a_command_is_told_in_one_whole_sentence(module):
    docstring = ast.get_docstring(ast.parse(source_of(module).read_text(encoding="utf-8")))
    assert docstring.splitlines()[0].endswith(".")


def test_a_misspelt_command_is_an_error_with_a_hint():
    said = genlab("compere", "HEAD")
    message = "compere is no command of genlab; did you mean compare? (python -m genlab lists them)"
    assert (said.returncode, said.stderr) == (1, f"error: {message}\n")
