"""What all stage programs rest on: options, errors in one line, whole files, and scratch work."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path

import pytest
import typer

from genlab.core import progress
from genlab.core.files import remove, write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import fingerprint, resumable_folder
from tests.project_copy import ROOT

# ---- genlab.core.program


class Size(StrEnum):
    very_small = "very_small"
    large = "large"


def program(body=lambda **options: print(json.dumps(options))) -> typer.Typer:
    """Return a stage program that hands its options to `body`."""
    app = stage_app()

    @app.command()
    def main(
        max_len: int = typer.Option(..., min=1),
        lora_r: int = typer.Option(..., "--lora.r"),
        x_y: bool = typer.Option(...),
        size: Size = typer.Option(...),
        name: list[str] = typer.Option(...),
    ) -> None:
        body(max_len=max_len, lora_r=lora_r, x_y=x_y, size=size, name=name)

    return app


GIVEN = "--max_len 50 --lora.r 16 --no-x_y --size very_small --name a --name b"


def run_with(app: typer.Typer, words: str, monkeypatch) -> int:
    monkeypatch.setattr(sys, "argv", ["program", *words.split()])
    with pytest.raises(SystemExit) as exit:
        run(app)
    return exit.value.code or 0


@pytest.mark.parametrize("said", ["1", "0"])
def test_bars_of_datasets_do_not_fill_a_log_unless_they_are_asked_for(monkeypatch, said):
    """The library reads this variable when it is imported."""
    monkeypatch.delenv("HF_DATASETS_DISABLE_PROGRESS_BARS", raising=False)
    if said == "0":
        monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", said)
    seen = []
    app = program(lambda **options: seen.append(os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"]))
    run_with(app, GIVEN, monkeypatch)
    assert seen == [said]


@pytest.mark.parametrize(("switch", "value"), [("--x_y", True), ("--no-x_y", False)])
def test_options_are_taken_as_dvc_writes_them(monkeypatch, capsys, switch, value):
    assert run_with(program(), GIVEN.replace("--no-x_y", switch), monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == {
        "max_len": 50,
        "lora_r": 16,
        "x_y": value,
        "size": "very_small",
        "name": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (GIVEN.replace("50", "50.5"), "--max_len"),
        (GIVEN.replace("50", "0"), "--max_len"),
        (GIVEN.replace("--max_len 50", ""), "--max_len"),
        (GIVEN + " --max_length 3", "--max_length"),
        (GIVEN.replace("very_small", "huge"), "--size"),
        (GIVEN.replace("very_small", "huge"), "'very_small', 'large'"),
        (GIVEN + " more", "more"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(monkeypatch, capsys, words, named):
    assert run_with(program(), words, monkeypatch) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert named in output.err
    assert output.err.count("\n") == 1


def test_a_program_without_its_command_says_which_it_has_and_what_each_does(monkeypatch, capsys):
    app = stage_app()

    @app.command()
    def console() -> None:
        """Talk in the terminal: a line is a turn."""

    @app.command("page")
    def show() -> None:
        """Talk on a page."""

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(SystemExit) as exit:
        run(app, "python -m chat")
    assert exit.value.code == 2
    assert capsys.readouterr().err == (
        "error: python -m chat needs a command: console (Talk in the terminal), "
        "page (Talk on a page) (see --help)\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--to x", "Missing argument 'base': a commit or a branch"),
        ("HEAD", "Missing option '--to': a folder that is not there yet"),
    ],
)
def test_a_missing_word_is_told_with_what_it_is(monkeypatch, capsys, words, told):
    app = stage_app()

    @app.command()
    def main(
        base: str = typer.Argument(help="a commit or a branch"),
        to: str = typer.Option(..., help="a folder that is not there yet"),
    ) -> None: ...

    assert run_with(app, words, monkeypatch) == 2
    assert capsys.readouterr().err == f"error: {told} (see --help)\n"


def raising(error: BaseException):
    def body(**options):
        raise error

    return program(body)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("a.json: row 3: no query"), "a.json: row 3: no query"),
        (InputError("first\n   second"), "first second"),
        (
            OSError(errno.EACCES, "Permission denied", "data/x"),
            "data/x: cannot be read or written (Permission denied)",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "data/x"),
            "data/x: cannot be read or written (Read-only file system)",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "a file: cannot be read or written (No space left on device)",
        ),
    ],
    ids=repr,
)
def test_what_the_user_can_mend_is_one_line(monkeypatch, capsys, error, line):
    assert run_with(raising(error), GIVEN, monkeypatch) == 1
    assert capsys.readouterr().err == f"error: {line}\n"


def test_an_interrupted_program_ends_without_a_traceback(monkeypatch, capsys):
    assert run_with(raising(KeyboardInterrupt()), GIVEN, monkeypatch) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interrupted_program_that_said_it_works_does_not_say_it_is_done(monkeypatch, capsys):
    def interrupted(**options):
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "SILENT", 0.02)
    monkeypatch.setattr(sys, "argv", ["program", *GIVEN.split()])
    with pytest.raises(SystemExit):
        run(program(interrupted), task="train")
    expected = ["train: working", "train: stopped after 0 s", "interrupted"]
    assert capsys.readouterr().err.splitlines() == expected


def test_real_disk_errors_name_their_file(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for path, reason in (
        (tmp_path / "file/below", "Not a directory"),
        (tmp_path / "nowhere/file", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("a" * 300), "File name too long"),
        (tmp_path / "loop", "Too many levels of symbolic links"),
    ):
        assert run_with(program(lambda path=path, **_: path.read_text()), GIVEN, monkeypatch) == 1
        assert capsys.readouterr().err == f"error: {path}: cannot be read or written ({reason})\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line(monkeypatch, capsys):
    app = program(lambda **_: Path("/dev/full").write_text("x"))
    assert run_with(app, GIVEN, monkeypatch) == 1
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [KeyError("a bug"), ConnectionRefusedError(111, "refused"), OSError("a library's own")],
    ids=repr,
)
def test_bugs_and_lost_connections_keep_their_traceback(monkeypatch, error):
    monkeypatch.setattr(sys, "argv", ["program", *GIVEN.split()])
    with pytest.raises(type(error)):
        run(raising(error))


# ---- genlab.core.files


def contents(folder: Path) -> dict[str, str]:
    """Return every file below `folder`, hidden ones too, and its text."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_stays_as_it_was_if_its_writing_fails(tmp_path, error):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(error), written_whole(path) as partial:
        partial.write_text("ne")
        raise error
    assert contents(tmp_path) == {"out.txt": "old"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_stays_as_it_was_if_its_writing_fails(tmp_path, error):
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    with pytest.raises(error), written_whole(path) as partial:
        partial.mkdir()
        (partial / "weights").write_text("ne")
        raise error
    assert contents(tmp_path) == {"model/weights": "old"}


def test_a_file_replaces_a_file_and_missing_folders_are_made(tmp_path):
    path = tmp_path / "a/b/out.txt"
    for text in ("first", "second"):
        with written_whole(path) as partial:
            partial.write_text(text)
            assert partial.parent == path.parent  # the same disk, or it could not be renamed
        assert contents(tmp_path) == {"a/b/out.txt": text}


def test_a_folder_replaces_a_folder_whole(tmp_path):
    path = tmp_path / "model"
    for name in ("first", "second"):
        with written_whole(path) as partial:
            partial.mkdir()
            (partial / name).write_text(name)
    assert contents(tmp_path) == {"model/second": "second"}


def test_a_folder_replaces_a_file_and_a_file_a_folder(tmp_path):
    path = tmp_path / "out"
    path.write_text("a file")
    with written_whole(path) as partial:
        partial.mkdir()
        (partial / "inner").write_text("x")
    assert contents(tmp_path) == {"out/inner": "x"}
    with written_whole(path) as partial:
        partial.write_text("a file")
    assert contents(tmp_path) == {"out": "a file"}


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    killed = (
        "import os, pathlib, signal, sys\n"
        "from genlab.core.files import written_whole\n"
        "with written_whole(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('ne')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", killed, str(path)], cwd=ROOT)
    assert result.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    with written_whole(path) as partial:
        assert not partial.exists()
        partial.write_text("new")
    assert contents(tmp_path) == {"out.txt": "new"}


def test_a_block_that_writes_nothing_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), written_whole(path):
        pass
    assert contents(tmp_path) == {"out.txt": "old"}


def test_json_that_dvc_could_not_read_is_refused(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"größe": 0.5})
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json(path, {"value": value})
    assert contents(tmp_path) == {"metrics.json": '{\n  "größe": 0.5\n}\n'}


def test_removing_a_link_to_a_folder_leaves_the_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    remove(tmp_path / "nothing")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


# ---- genlab.core.scratch


@pytest.fixture
def inputs(tmp_path, monkeypatch) -> list[Path]:
    """Return a file and a folder that some work reads; DVC's root is the test's folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "tokens").write_bytes(b"12345")
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text("{}")
    return [tmp_path / "tokens", tmp_path / "base"]


def test_the_fingerprint_changes_with_every_argument_byte_and_name(tmp_path, inputs):
    def seen() -> str:
        return fingerprint(["--seed", "17"], inputs)

    first = seen()
    assert first == seen()
    assert len(first) == 16
    others = {
        first,
        fingerprint(["--seed", "18"], inputs),
        fingerprint(["--seed1", "7"], inputs),
        fingerprint(["--seed", "17"], inputs[:1]),
        fingerprint(["--seed", "17"], inputs[::-1]),
    }
    (tmp_path / "tokens").write_bytes(b"12346")
    others.add(seen())
    (tmp_path / "base/config.json").write_text("{ }")
    others.add(seen())
    (tmp_path / "base/config.json").rename(tmp_path / "base/config.txt")
    others.add(seen())
    (tmp_path / "base/empty").write_text("")
    others.add(seen())
    assert len(others) == 9


def test_the_folder_is_found_again_after_a_failure_and_gone_after_success(tmp_path, inputs):
    work = ("train", ["--seed", "17"], inputs)
    with pytest.raises(KeyboardInterrupt), resumable_folder(*work) as folder:
        (folder / "checkpoint").write_text("step 100")
        raise KeyboardInterrupt
    assert folder.parent == tmp_path / ".scratch/train"
    with resumable_folder(*work) as again:
        assert again == folder
        assert (again / "checkpoint").read_text() == "step 100"
    assert not folder.exists()


def test_other_arguments_never_find_the_folder(inputs):
    with pytest.raises(ValueError), resumable_folder("train", ["--seed", "17"], inputs) as first:
        raise ValueError
    with resumable_folder("train", ["--seed", "18"], inputs) as second:
        assert second != first


def test_a_second_process_is_refused_and_told_who_works_until_that_one_is_killed(inputs):
    holder = (
        "import pathlib, sys, time\n"
        "from genlab.core.scratch import resumable_folder\n"
        "inputs = [pathlib.Path(word) for word in sys.argv[1:]]\n"
        "with resumable_folder('train', ['--seed', '17'], inputs) as folder:\n"
        "    (folder / 'checkpoint').write_text('step 100')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    words = [sys.executable, "-c", holder, *map(str, inputs)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        with (
            pytest.raises(InputError, match=f"process {process.pid} is doing this very train"),
            resumable_folder("train", ["--seed", "17"], inputs),
        ):
            pass
        with resumable_folder("train", ["--seed", "18"], inputs):
            pass  # other work is not in its way
        process.kill()
        process.wait()
        with resumable_folder("train", ["--seed", "17"], inputs) as folder:
            assert (folder / "checkpoint").read_text() == "step 100"
            assert (folder / "lock").read_text() == str(os.getpid())
