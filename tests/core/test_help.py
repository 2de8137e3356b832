"""`--help`: every option of every program has a text, params.yaml's spelling, and its value."""

import importlib
import os
import re
import subprocess
import sys

import pytest
import typer

from benchmarks import show_help
from genlab.__main__ import COMMANDS
from genlab.core.help import complete_help, values_of_options
from tests.project_copy import ROOT

PROGRAMS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted([*ROOT.glob("stages/*.py"), *ROOT.glob("pipelines/*/stages/*.py")])
    if path.name != "__init__.py"
]
BENCHMARKS = sorted(path.stem for path in ROOT.glob("benchmarks/*.py") if path.stem != "__init__")
SWEEPS = sorted([*ROOT.glob("sweeps/*.sh"), *ROOT.glob("pipelines/*/sweeps/*.sh")])


@pytest.mark.parametrize("module", [*PROGRAMS, *COMMANDS.values()])
def test_every_option_has_a_text_and_what_params_fill_has_its_value(module):
    command = typer.main.get_command(importlib.import_module(module).app)
    complete_help(command, module)
    commands = getattr(command, "commands", {"": command}).values()
    filled = from_params = 0
    for each in commands:
        for param in each.params:
            assert param.help, f"{module} {each.name}: {param.opts[0]}"
            assert "-" not in param.opts[0].removeprefix("--").replace("--", "")
            filled += re.search(r"\[[\w.*]+: [^\]]+\]", param.help) is not None
        values = dict(values_of_options(module, each.name if len(commands) > 1 else "")).values()
        from_params += sum(re.match(r"[\w.*]+: ", value) is not None for value in values)
    assert filled >= (from_params > 0), module


@pytest.mark.parametrize("module", [*PROGRAMS, *COMMANDS.values()])
def test_a_page_fits_a_terminal_and_names_an_argument_in_words(module, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    command = typer.main.get_command(importlib.import_module(module).app)
    complete_help(command, module)
    for each in getattr(command, "commands", {"": command}).values():
        page = each.make_context("it", [], resilient_parsing=True).get_help()
        assert max(map(len, page.splitlines())) <= 80
        assert "list[" not in page


def test_an_argument_keeps_its_name_beside_what_it_takes():
    command = typer.main.get_command(importlib.import_module("genlab.experiments.queue").app)
    complete_help(command, "genlab.experiments.queue")
    page = command.make_context("queue", [], resilient_parsing=True).get_help()
    assert "words... <text>  of dvc exp run --queue" in page


def test_help_is_printed_with_defaults_and_imports_no_model_library():
    code = "import runpy, sys; sys.argv = ['x', '--help']\n"
    code += "try: runpy.run_module('stages.train', run_name='__main__', alter_sys=True)\n"
    code += "finally: print(sorted({'torch', 'transformers', 'dvc'} & set(sys.modules)))"
    shown = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert "--learning_rate number" in shown
    assert "[train.learning_rate:" in " ".join(shown.split())
    assert shown.endswith("[]\n")


def test_help_comes_without_a_pipeline(monkeypatch, tmp_path):
    monkeypatch.setattr("genlab.core.help.ROOT", tmp_path)
    command = typer.main.get_command(importlib.import_module("stages.train").app)
    complete_help(command, "stages.train")
    assert {param.opts[0] for param in command.params} > {"--lr_scheduler_type", "tokens"}


def test_a_command_of_genlab_is_called_as_it_is_typed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["genlab", "compare", "--help"])
    with pytest.raises(SystemExit):
        importlib.import_module("genlab.__main__").main()
    assert capsys.readouterr().out.startswith("Usage: python -m genlab compare ")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_measures_nothing_on_help(name, monkeypatch, capsys):
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    text = (ROOT / f"benchmarks/{name}.py").read_text()
    if "__main__" in text and not hasattr(module, "app"):
        assert "show_help(__doc__" in text
        with pytest.raises(SystemExit):
            show_help(module.__doc__)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] and max(map(len, lines)) <= 80
        assert " ".join(lines).split() == module.__doc__.split()


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_sweep_queues_nothing_on_help(sweep, tmp_path):
    for name in ("dvc", "python"):  # would say that it was called
        (tmp_path / name).write_text("#!/bin/sh\necho CALLED $0 $@\n")
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    shown = subprocess.check_output(
        ["bash", sweep, "--help"], text=True, env=os.environ | {"PATH": path}
    )
    called = [line for line in shown.splitlines() if line.startswith("CALLED")]
    assert all(line.endswith("--help") for line in called)
    assert shown.strip() or sweep.name == "queue.sh"
