"""The way back from a run that added an entry: what only that run has goes, and nothing is lost.

tests/experiments/test_rows.py has the way back of a pipeline whose stages stay the same.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from genlab.experiments import back
from tests.project_copy import ROOT, call, change_params, commit, dvc, environment, start_git
from tests.tiny_pipeline import enter

MAKE = """\
import sys
from pathlib import Path

name, weight = sys.argv[1:]
for path in (f"data/parts/{name}.txt", f"metrics/parts/{name}.json"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(weight)
"""
SUM = """\
from pathlib import Path

parts = sorted(Path("data/parts").iterdir())
Path("data/sum.txt").write_text(str(sum(int(part.read_text()) for part in parts)))
"""
DVC_YAML = {
    "stages": {
        "make": {
            "foreach": "${parts}",
            "do": {
                "cmd": "python make.py ${key} ${item.weight}",
                "outs": ["data/parts/${key}.txt"],
                "plots": [{"metrics/parts/${key}.json": {"cache": False}}],
            },
        },
        "sum": {
            "cmd": "python sum.py",
            "deps": ["sum.py", "data/parts"],
            "outs": ["data/sum.txt"],
        },
    }
}


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> Path:
    """Return a folder whose run of the parts a and b is committed."""
    folder = tmp_path_factory.mktemp("back") / "project"
    (folder / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("data/\n")
    (folder / "make.py").write_text(MAKE)
    (folder / "sum.py").write_text(SUM)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(DVC_YAML))
    (folder / "params.yaml").write_text("parts: {a: {weight: 1}, b: {weight: 2}}\n")
    start_git(folder)
    run(folder)
    commit(folder)
    return folder


@pytest.fixture
def folder(committed, monkeypatch) -> Path:
    enter(committed, monkeypatch)
    return committed


def run(folder: Path) -> None:
    result = dvc(folder, "repro")
    assert result.returncode == 0, result.stdout


def go_back(folder: Path) -> str:
    """Go back as a user does, and return what is said."""
    env = environment(folder) | {"PYTHONPATH": str(ROOT)}
    command = ["python", "-m", "genlab", "back"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lose_output(folder: Path, stage: str) -> tuple[Path, bytes]:
    """Take a stage's first output of HEAD out of the cache; return where it was, and its bytes."""
    lock = yaml.safe_load(call(folder, "git", "show", "HEAD:dvc.lock"))
    md5 = lock["stages"][stage]["outs"][0]["md5"]
    lost = folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    content = lost.read_bytes()
    lost.chmod(0o644)
    lost.unlink()
    return lost, content


def test_what_an_added_entry_left_goes_and_comes_back_with_the_stash_and_own_files_stay(folder):
    change_params(folder, {"parts.c": {"weight": 39}})
    run(folder)
    Path("metrics/own.json").write_text("{}")
    Path("data/own.txt").write_text("mine")
    made = [Path("data/parts/c.txt"), Path("metrics/parts/c.json")]
    assert [path.read_text() for path in (*made, Path("data/sum.txt"))] == ["39", "39", "42"]
    assert "back at the committed run" in go_back(folder)
    assert not any(path.exists() for path in made)
    assert Path("data/sum.txt").read_text() == "3"
    assert call(folder, "git", "status", "--porcelain") == "?? metrics/own.json\n"
    assert Path("data/own.txt").read_text() == "mine"
    assert "up to date" in dvc(folder, "status").stdout
    assert "On main: before genlab back: parts.c.weight=39" in call(
        folder, "git", "stash", "list"
    ).replace("On master", "On main")
    call(folder, "git", "stash", "pop")
    assert dvc(folder, "checkout", "dvc.yaml").returncode == 0
    assert [path.read_text() for path in (*made, Path("data/sum.txt"))] == ["39", "39", "42"]
    go_back(folder)
    Path("metrics/own.json").unlink()


def test_what_the_user_wrote_over_an_output_stays_and_is_told(folder):
    change_params(folder, {"parts.c": {"weight": 39}})
    run(folder)
    Path("data/parts/c.txt").unlink()
    Path("data/parts/c.txt").write_text("38")  # in no cache
    told = go_back(folder)
    assert Path("data/parts/c.txt").read_text() == "38"
    assert "`dvc status` is not clean" in told and "sum (data/parts)" in told
    assert "back at the committed run" not in told
    Path("data/parts/c.txt").unlink()


def test_outputs_in_or_around_one_of_the_committed_run_are_not_left_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("kept/file", "whole/of/it", "new/file"):
        Path(name).parent.mkdir(parents=True)
        Path(name).touch()
    here = ["kept", "kept/file", "whole", "new", "gone"]
    assert back.left_over({"kept", "whole/of"}, here) == ["new"]


def test_a_stash_is_called_by_what_was_changed_shortened(folder):
    assert back.stash_name() == "before genlab back"
    change_params(folder, {"parts.a.weight": 20})
    assert back.stash_name() == "before genlab back: parts.a.weight=20"
    change_params(folder, {f"parts.another_{i}.weight": i for i in range(9)})
    assert back.stash_name().endswith("parts.another_0.weight=0, [...]")
    call(folder, "git", "checkout", "--quiet", "params.yaml")


def test_what_only_the_last_stage_made_elsewhere_is_made_again(folder):
    change_params(folder, {"parts.a.weight": 5})
    run(folder)
    lose_output(folder, "sum")
    told = go_back(folder)
    assert "made again, as no cache here has what they made: sum" in told
    assert (folder / "data/sum.txt").read_text() == "3"
    assert (folder / "data/parts/a.txt").read_text() == "1"
    assert dvc(folder, "status").stdout.strip().endswith("up to date.")
    call(folder, "git", "stash", "drop")


def test_what_other_stages_read_is_not_made_again(folder):
    change_params(folder, {"parts.a.weight": 6})
    run(folder)
    lost, content = lose_output(folder, "make@a")
    with pytest.raises(AssertionError, match=r"1 of the 3 outputs of HEAD .*data/parts/a.txt"):
        go_back(folder)
    assert (folder / "data/parts/a.txt").read_text() == "6"
    lost.write_bytes(content)
    go_back(folder)
    call(folder, "git", "stash", "drop")
