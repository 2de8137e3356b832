"""A stage is alone in its folder, keeps off a queueing, and ends with the dvc that started it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genlab.core.running import Busy, queueing
from tests.project_copy import ROOT

SLOW = """\
import time
from pathlib import Path
from typer import Option
from genlab.core.files import written_whole
from genlab.core.program import run, stage_app

app = stage_app()


@app.command()
def main(output: Path, seconds: float = Option(...)):
    with written_whole(output) as partial:
        partial.write_text("mine")
        print("working", flush=True)
        {before}
        time.sleep(seconds)
    print("written", flush=True)


if __name__ == "__main__":
    run(app)
"""


@pytest.fixture
def clone(tmp_path) -> Path:
    """Return a folder that DVC would take for a repository, with a slow stage in it."""
    folder = tmp_path / "clone"
    (folder / "stages").mkdir(parents=True)
    (folder / ".dvc/tmp").mkdir(parents=True)
    (folder / "stages/__init__.py").touch()
    (folder / "stages/slow.py").write_text(SLOW.format(before=""))
    return folder


def command(output: str = "out", seconds: float = 60) -> list[str]:
    return [sys.executable, "-m", "stages.slow", output, "--seconds", str(seconds)]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    return kept | {"PYTHONPATH": str(ROOT)} | more


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@contextmanager
def working(folder: Path, words: list[str], **more: str) -> Iterator[subprocess.Popen]:
    """Start a stage and wait until it works."""
    process = subprocess.Popen(words, cwd=folder, env=environment(**more), **PIPES)
    try:
        line = process.stdout.readline()
        assert line == "working\n", line + process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def attempt(folder: Path, words: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(words, cwd=folder, env=environment(), **PIPES)


def test_of_two_runs_of_one_stage_the_second_says_who_is_first(clone):
    with working(clone, command()) as first:
        second = attempt(clone, command(seconds=0))
        assert second.returncode == 1
        assert second.stderr == (
            f"error: slow: process {first.pid} (slow) is running this stage in this folder; wait "
            "for it or stop it\n"
        )
        assert attempt(clone, command("other", seconds=0)).stdout == "working\nwritten\n"
        first.kill()
        first.wait()
        assert attempt(clone, command(seconds=0)).returncode == 0
    assert (clone / "out").read_text() == "mine"


def test_experiments_are_not_queued_beside_a_stage_nor_a_stage_begun_beside_a_queueing(
    clone, monkeypatch
):
    monkeypatch.chdir(clone)
    with (
        working(clone, command()) as stage,
        pytest.raises(Busy, match=rf"process {stage.pid} \(slow\) works in this clone"),
        queueing(),
    ):
        pass
    with queueing():
        refused = attempt(clone, command(seconds=0))
        assert refused.returncode == 1
        assert f"process {os.getpid()} (queueing) is queueing experiments" in refused.stderr
        with pytest.raises(Busy, match="queueing"), queueing():
            pass
    assert attempt(clone, command(seconds=0)).returncode == 0


def test_a_stage_of_a_pipeline_with_a_repository_of_its_own_holds_the_clones_work_tree(
    clone, monkeypatch
):
    pipeline = clone / "pipelines/one"
    (pipeline / ".dvc").mkdir(parents=True)
    shutil.copytree(clone / "stages", pipeline / "stages")
    (clone / ".git").mkdir()
    monkeypatch.chdir(clone)
    with (
        working(pipeline, command()) as stage,
        pytest.raises(Busy, match=rf"process {stage.pid} \(slow\) works in this clone"),
        queueing(),
    ):
        pass
    monkeypatch.chdir(pipeline)
    with queueing():
        assert "is queueing experiments" in attempt(clone, command(seconds=0)).stderr
    assert not (pipeline / ".dvc/tmp").exists()


@pytest.mark.parametrize("repository", [".", "pipelines/one"])
def test_experiments_are_not_queued_while_a_dvc_runs_here_and_a_dead_ones_entry_does_not_count(
    clone, monkeypatch, repository
):
    """As DVC writes it when it runs a stage: the outputs are written, the deps read."""
    monkeypatch.chdir(clone)
    (repository := clone / repository / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    (clone / "dvc").write_text("import time; time.sleep(60)")
    with subprocess.Popen([sys.executable, "dvc", "repro"]) as dvc:
        entry = {"pid": dvc.pid, "cmd": "dvc repro"}
        content = {"write": {"/clone/out": entry}, "read": {"/clone/in": [entry]}}
        (repository / "rwlock").write_text(json.dumps(content))
        with pytest.raises(Busy, match=rf"process {dvc.pid} \(dvc repro\)"), queueing():
            pass
        dvc.kill()
    with queueing():
        pass


# Starts what its arguments say and says the number, as dvc does; `sh` stands between the two.
DVC = """\
import subprocess, sys
stage = subprocess.Popen(["sh", "-c", "; ".join([" ".join(sys.argv[1:]), "true"])])
stage.wait()
"""


def test_a_stage_ends_with_its_dvc_also_with_a_shell_between_them(clone):
    (clone / "dvc").write_text(DVC)
    words = [sys.executable, "dvc", *command()]
    with working(clone, words, DVC_STAGE="slow") as dvc:
        dvc.kill()
        dvc.wait()
        start = time.monotonic()
        said = dvc.stderr.read()  # to its end: nobody holds it any more
        assert said == (
            "error: the dvc that started this stage has ended, so the stage ends and writes "
            "nothing\n"
        )
        assert time.monotonic() - start < 30
    assert not (clone / "out").exists()


def test_a_stage_that_was_paused_when_its_dvc_was_killed_puts_nothing_into_place(clone):
    """It is about to write, and its thread that looks for dvc has no time to."""
    (clone / "dvc").write_text(DVC)
    held = "from genlab.core import running; running.EVERY = 60"
    (clone / "stages/slow.py").write_text(
        f"{held}\n" + SLOW.format(before="import os; print(os.getpid(), flush=True)")
    )
    words = [sys.executable, "dvc", *command(seconds=0.5)]
    with working(clone, words, DVC_STAGE="slow") as dvc:
        stage = int(dvc.stdout.readline())
        os.kill(stage, signal.SIGSTOP)
        dvc.kill()
        dvc.wait()
        os.kill(stage, signal.SIGCONT)
        assert "the dvc that started this stage has ended" in dvc.stderr.read()
    assert [path.name for path in clone.glob("*out*")] == []


def test_a_stage_that_is_run_by_hand_outlives_the_shell_that_started_it(clone):
    shell = subprocess.Popen(
        ["sh", "-c", " ".join(command(seconds=1)) + " & wait"],
        cwd=clone,
        env=environment(),
        **PIPES,
    )
    assert shell.stdout.readline() == "working\n"
    shell.kill()
    shell.wait()
    assert shell.stdout.read() == "written\n"
    assert (clone / "out").read_text() == "mine"


def test_a_sweep_asks_before_it_makes_room_for_itself(clone):
    """As sweeps/queue.sh does; without a stage there is nothing to say."""
    words = [sys.executable, "-m", "genlab", "queue"]
    (clone / "dvc.yaml").write_text("stages: {}\n")
    with working(clone, command()):
        refused = attempt(clone, words)
    assert refused.returncode == 1
    assert "take the work tree away under it; wait for it or stop it" in refused.stderr
    assert attempt(clone, words).returncode == 0
