"""`python -m genlab`: its commands, listed and called."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genlab.__main__ import COMMANDS, OWN_FIRST, OWN_PROGRAMS, listing
from genlab.core.deps import source_of
from genlab.core.pipeline import check_pipeline_here
from genlab.core.processor import has_avx2
from genlab.core.program import InputError
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
    assert [line.split()[0] for line in lines[2:]] == [*COMMANDS, *OWN_PROGRAMS]


@pytest.mark.parametrize("module", COMMANDS.values())
def test_a_command_is_told_in_one_whole_sentence(module):
    docstring = ast.get_docstring(ast.parse(source_of(module).read_text(encoding="utf-8")))
    assert docstring.splitlines()[0].endswith(".")


def test_a_misspelt_command_is_an_error_with_a_hint():
    said = genlab("compere", "HEAD")
    message = "compere is no command of genlab; did you mean compare? (python -m genlab lists them)"
    assert (said.returncode, said.stderr) == (1, f"error: {message}\n")


def test_a_program_that_this_folder_lacks_is_an_error_that_names_who_has_one():
    said = genlab("chat")
    having = " and ".join(
        path.parent.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.glob("pipelines/*/chat.py"))
    )
    message = f"error: chat: there is no chat.py here; {having} have one\n"
    assert (said.returncode, said.stderr) == (1, message)


@pytest.mark.parametrize(
    "path",
    [
        path
        for name in (*OWN_PROGRAMS, *OWN_FIRST)
        for path in sorted(ROOT.glob(f"pipelines/*/{name}.py"))
    ],
    ids=lambda path: path.relative_to(ROOT / "pipelines").as_posix(),
)
def test_a_pipelines_own_program_is_a_command_in_its_folder(path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [sys.executable, "-m", "genlab", path.stem, "--help"]
    said = subprocess.run(words, cwd=path.parent, env=environment, capture_output=True, text=True)
    assert said.stdout.startswith(f"Usage: python -m genlab {path.stem} "), said.stderr


PIPELINES = sorted(path.parent for path in ROOT.glob("pipelines/*/dvc.yaml"))


@pytest.mark.parametrize("folder", PIPELINES, ids=lambda folder: folder.name)
def test_in_a_pipelines_folder_it_works_from_any_shell_without_settings(folder):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    said = subprocess.run([sys.executable, "-m", "genlab"], **run)
    assert (said.returncode, said.stdout) == (0, listing() + "\n")
    where = "import genlab.core.deps as d, pipelines; print(d.ROOT, *pipelines.__path__)"
    found = subprocess.run([sys.executable, "-c", where], **run).stdout.split()
    assert found == [str(ROOT), str(ROOT / "pipelines")]


@pytest.mark.parametrize(
    "words",
    [
        "compare HEAD",
        "compare rows.parquet HEAD",
        "claims",
        "claims run",
        "queue",
        "show",
        "beside HEAD",
        "play",
        "publish --to folder",
        "back",
        "deps",
        "check",
        "rows metrics/rows.parquet",
        "report page.html --receipt receipt.json --plots_library vega.js",
        "readme",
        "verify",
        "label --rater anna",
    ],
)
def test_what_needs_a_pipeline_says_so_first_in_another_folder(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    name, *arguments = words.split()
    app = importlib.import_module(COMMANDS[name]).app
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "no dvc.yaml here; run this in the folder of a pipeline"
    assert result.output == "" and not list(tmp_path.iterdir())


def test_below_a_pipeline_the_nearest_one_is_named(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "stages").mkdir()
    monkeypatch.chdir(tmp_path / "stages")
    expected = "no dvc.yaml here; run this in the folder of a pipeline: the nearest one above is "
    expected += str(tmp_path)
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        check_pipeline_here()
    with pytest.raises(InputError, match=r"^no dvc.yaml in ../none; run this in the folder of a"):
        check_pipeline_here(Path("../none"))


def test_queue_says_in_a_line_that_experiments_can_be_queued(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    said = CliRunner().invoke(importlib.import_module(COMMANDS["queue"]).app, [])
    told = "nothing else works in this clone; experiments can be queued\n"
    assert (said.exit_code, said.output) == (0, told)


@pytest.mark.parametrize(
    "folder",
    [folder for folder in PIPELINES if (folder / "benchmark.py").is_file()],
    ids=lambda folder: folder.name,
)
def test_a_pipelines_benchmark_starts_in_its_folder(folder):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [sys.executable, "-m", "benchmark", "--help"]
    said = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert said.returncode == 0 and said.stdout.startswith("Usage: "), said.stderr


def test_no_readme_asks_for_a_setting_that_fish_and_csh_spell_otherwise():
    for readme in [*ROOT.rglob("README.md")]:
        if ".venv" not in readme.parts:
            assert "PYTHONPATH=" not in readme.read_text(encoding="utf-8"), readme


def test_every_pipeline_finds_the_repository_by_the_same_lines():
    shims = [*ROOT.glob("pipelines/*/genlab/__init__.py")]
    assert len(shims) == len(PIPELINES)
    text = (ROOT / "genlab/skeleton/files/genlab/__init__.py").read_text(encoding="utf-8")
    assert all(shim.read_text(encoding="utf-8") == text for shim in shims)


BEGINS = """
import sys
sys.argv = ["-m"]
import genlab
import os, signal
print(os.environ.get("ATEN_CPU_CAPABILITY"), signal.getsignal(signal.SIGINT).__name__)
"""


@pytest.mark.parametrize("folder", [ROOT, *PIPELINES], ids=lambda folder: folder.name)
def test_a_program_begins_alike_in_every_folder(folder):
    """Or the same training is held to AVX2 when `make verify` starts it, and not by `dvc repro`."""
    left_out = {"PYTHONPATH", "ATEN_CPU_CAPABILITY"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    words = [sys.executable, "-c", BEGINS]
    said = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    kernels = "avx2" if has_avx2() else "None"
    assert said.stdout.split() == [kernels, "end_at_once"], said.stderr
