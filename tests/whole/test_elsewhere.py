"""The notebook, the container and the citation speak of what is there."""

import ast
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from genlab.__main__ import COMMANDS
from genlab.core.params import flatten
from tests.project_copy import ROOT, call, environment, start_git

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NOTEBOOK = json.loads((ROOT / "notebook.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
# Stands for make, dvc and python, which would take minutes.
STAND_IN = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
test "$1" != repro || { mkdir -p report; echo '<p title="a">page</p>' > report/index.html; }
test "$1" != "$FAILING" || { echo "no rule"; exit 2; }
"""
# Runs the cells one after the other, as a notebook does.
KERNEL = """\
import json, sys, types

cells, sys.executable = json.loads(sys.argv[1]), sys.argv[2]
page = types.ModuleType("IPython.display")
page.HTML, page.display = str, print
sys.modules |= {"IPython": types.ModuleType("IPython"), "IPython.display": page}
names = {}
for cell in cells:
    exec(cell, names)
"""


def test_the_notebook_is_python_with_no_output_and_asks_make_for_what_it_makes():
    for cell in CODE:
        ast.parse(cell)
    assert all(not cell.get("outputs") for cell in NOTEBOOK["cells"])
    for target in re.findall(r'"make", "(\w+)"', "\n".join(CODE)):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.fixture
def notebook(tmp_path):
    """Return a function that runs the notebook on stand-ins, and the log of their calls."""
    (tmp_path / "bin").mkdir()
    for name in ("make", "dvc", "python"):
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    log = tmp_path / "log"

    def run(folder: Path, repository: str = "", failing: str = "none"):
        settings = environment(tmp_path) | {"LOG": str(log), "FAILING": failing}
        settings["PATH"] = f"{tmp_path}/bin{os.pathsep}{settings['PATH']}"
        cells = [f"REPOSITORY = {repository!r}", *CODE[1:]]
        words = [sys.executable, "-c", KERNEL, json.dumps(cells), str(tmp_path / "bin/python")]
        return subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True)

    return run, log


def make_copy(folder: Path) -> None:
    """Make a folder of what the notebook wants to find in the repository."""
    (folder / "metrics").mkdir(parents=True)
    for name in ("dvc.yaml", "dvc.lock", "metrics/score.json"):
        (folder / name).write_text("{}\n")


CALLS = [
    "python -m pip install --quiet uv",
    "make repro",
    "dvc exp run -S gen.max_len=20",
    "python -m genlab compare HEAD",
]


def test_the_notebook_runs_in_an_unpacked_folder_which_becomes_a_repository(notebook, tmp_path):
    run, log = notebook
    folder = tmp_path / "my copy"
    make_copy(folder)
    done = run(tmp_path, "my copy")
    assert done.returncode == 0, done.stderr
    assert 'srcdoc="<p title=&quot;a&quot;>page</p>' in done.stdout
    assert log.read_text().splitlines() == CALLS
    assert call(folder, "git", "log", "--format=%s").splitlines() == [
        "as it runs here",
        "as it was unpacked",
    ]
    run(folder)  # where the notebook lies, and once more
    assert log.read_text().splitlines() == [*CALLS, *CALLS]


def test_the_notebook_clones_an_address(notebook, tmp_path):
    run, log = notebook
    make_copy(tmp_path / "origin")
    start_git(tmp_path / "origin")
    for _ in range(2):
        done = run(tmp_path, (tmp_path / "origin").as_uri())
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "genlab-copy/report/index.html").is_file()
    assert log.read_text().splitlines() == [*CALLS, *CALLS]


def test_the_notebook_stops_where_a_command_fails_and_says_why(notebook, tmp_path):
    run, log = notebook
    assert "has no dvc.yaml: say in the first cell where" in run(tmp_path).stderr
    assert not log.exists()
    (tmp_path / "dvc.yaml").touch()
    done = run(tmp_path, failing="repro")
    assert "no rule" in done.stdout
    assert done.stderr.strip().endswith("make repro failed; the reason stands above")
    assert log.read_text().splitlines() == CALLS[:2]


def test_what_the_notebook_calls_is_there():
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert CALLS[2].split()[-1].partition("=")[0] in flatten(params)
    assert CALLS[3].split()[3] in COMMANDS


def test_the_notebooks_page_is_shown_whole_whatever_it_holds(tmp_path):
    """The page goes into an attribute, which a quote would end."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text('<p title="a &amp; b">"</p>')
    shown = []
    cell = next(cell for cell in CODE if "srcdoc" in cell)
    cell = cell.replace("from IPython.display import HTML, display", "")
    exec(cell, {"folder": tmp_path, "HTML": str, "display": shown.append})
    (srcdoc,) = re.findall(r'srcdoc="([^"]*)"', shown[0])
    assert html.unescape(srcdoc) == '<p title="a &amp; b">"</p>'


def test_the_container_has_the_python_of_the_makefile_and_makes_its_packages():
    image = (ROOT / ".devcontainer/Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^FROM python:(\d+\.\d+)", image, re.MULTILINE)
    assert f"PYTHON := python{version}" in MAKEFILE
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert container["build"]["dockerfile"] == "Dockerfile"
    target = container["postCreateCommand"].removeprefix("make .venv/")
    assert f"$(VENV)/{target}:" in MAKEFILE


@pytest.mark.parametrize("key", ["cff-version", "message", "title", "authors", "license"])
def test_the_citation_has_what_the_format_needs(key):
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))[key]
