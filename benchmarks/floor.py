"""What a pipeline's own computing takes, beside `dvc repro` from nothing: how much is the house's?

python -m benchmarks.floor                          # the flagship
python -m benchmarks.floor pipelines/NAME

In a clean copy of HEAD, `dvc repro` runs the pipeline as a user does: DVC, a process for each
stage, its imports. In a second copy one process runs the same stages in the same order, and what it
imports is taken off: what is left is the floor. `check` computes nothing and is in the first alone.
"""

import builtins
import importlib
import json
import os
import shlex
import subprocess
import sys
import time
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from benchmarks.side_by_side import machine
from genlab.__main__ import COMMANDS
from genlab.core.markdown import markdown_table
from genlab.core.pipeline import Stage, load_stages, program_of
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.verify import clean_copy, environment

app = stage_app()

ROOT = Path(__file__).resolve().parent.parent
CHECK = "check"


@app.command()
def main(
    pipeline: Annotated[Path, Argument(help="folder of its dvc.yaml, from the root")] = Path("."),
    inside: Annotated[bool, Option(help="run the stages here and now; what this calls")] = False,
) -> None:
    """Time both, and print them with their ratio."""
    if inside:
        print(json.dumps(run_in_one_process(pipeline)))
        return
    took = {"cold": time_cold(pipeline), **time_floor(pipeline)}
    of_wall, of_processor = (took["cold"][n] / took["floor"][n] for n in (0, 1))
    rows = [["", "seconds", "of the processor"]]
    rows += [[what, *(f"{seconds:.0f}" for seconds in both)] for what, both in took.items()]
    print(machine("torch", "transformers", "dvc"))
    print(markdown_table([*rows, ["cold / floor", f"{of_wall:.2f}", f"{of_processor:.2f}"]]))


def time_cold(pipeline: Path) -> tuple[float, float]:
    """Return the seconds of `dvc repro` in a clean copy, of the wall and of the processor."""
    with clean_copy(ROOT, keep=False) as clone:
        return timed([sys.executable, "-m", "dvc", "repro"], clone / pipeline)[0]


def time_floor(pipeline: Path) -> dict[str, tuple[float, float]]:
    """Return the same of one process that runs all stages, and of its imports, in a clean copy."""
    with clean_copy(ROOT, keep=False) as clone:
        command = [sys.executable, "-m", "benchmarks.floor", str(pipeline), "--inside"]
        (wall, processor), output = timed(command, clone)
    imports = json.loads(output.splitlines()[-1])
    return {
        "in one process": (wall, processor),
        "its imports": (imports["wall"], imports["processor"]),
        "floor": (wall - imports["wall"], processor - imports["processor"]),
    }


def timed(command: list[str], folder: Path) -> tuple[tuple[float, float], str]:
    """Return the seconds of the wall and of the processor, children included; and the output."""
    wall, before = time.perf_counter(), os.times()
    done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"`{shlex.join(command)}` failed; its last lines are above")
    after = os.times()
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    return (time.perf_counter() - wall, processor), done.stdout


def run_in_one_process(pipeline: Path) -> dict[str, float]:
    """Run every stage but the check in this process; return the seconds that imports took."""
    sys.path.insert(0, str(Path.cwd()))
    os.chdir(pipeline)
    Path("data").mkdir(exist_ok=True)
    Path("data/check.txt").touch()  # nobody reads it
    imports = count_imports()
    for stage in in_order(load_stages(Path("dvc.yaml"))):
        module, words = program_and_words(stage)
        print(stage.name, file=sys.stderr, flush=True)
        for output in stage.outputs:
            Path(output).parent.mkdir(parents=True, exist_ok=True)
        command = typer.main.get_command(importlib.import_module(module).app)
        command.main(words, prog_name=stage.name, standalone_mode=False)
    return imports


def in_order(stages: list[Stage]) -> list[Stage]:
    """Return the stages, each after those that it waits for, without the check."""
    by_name = {stage.name: stage for stage in stages if stage.name != CHECK}
    waits_for = {
        name: {
            other.name
            for other in by_name.values()
            for made in other.outputs
            for read in stage.inputs
            if f"{made}/".startswith(f"{read}/") or f"{read}/".startswith(f"{made}/")
        }
        for name, stage in by_name.items()
    }
    return [by_name[name] for name in TopologicalSorter(waits_for).static_order()]


def program_and_words(stage: Stage) -> tuple[str, list[str]]:
    """Return the module that a stage's command runs, and the words after it."""
    if (ours := program_of(stage)) is not None:
        return ours
    words = shlex.split(stage.command)
    command, *rest = words[words.index("genlab") + 1 :]  # python -m genlab COMMAND ...
    return COMMANDS[command], rest


def count_imports() -> dict[str, float]:
    """Return the seconds that imports have taken, which grow while they go on."""
    took = {"wall": 0.0, "processor": 0.0}
    depth = 0

    def counted(wrapped):
        def call(*words, **options):
            nonlocal depth
            wall, processor = time.perf_counter(), time.process_time()
            depth += 1
            try:
                return wrapped(*words, **options)
            finally:
                depth -= 1
                if depth == 0:
                    took["wall"] += time.perf_counter() - wall
                    took["processor"] += time.process_time() - processor

        return call

    builtins.__import__ = counted(builtins.__import__)
    importlib.import_module = counted(importlib.import_module)
    return took


if __name__ == "__main__":
    run(app)
