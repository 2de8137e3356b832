"""A new pipeline is seven files, runs at once, keeps the house's rules and goes without a trace."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from genlab.core.program import InputError
from genlab.skeleton.new import check_name
from tests.project_copy import (
    call,
    change_params,
    commit,
    copy_project,
    dvc,
    environment,
    stages_run,
    start_git,
)

NAME = "sketch"
SEVEN_FILES = [
    "README.md",
    "claims.yaml",
    "dvc.yaml",
    "params.yaml",
    "report.yaml",
    "stages/fetch.py",
    "stages/score.py",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Return a repository of the project with a committed pipeline NAME, which has been run."""
    folder = tmp_path_factory.mktemp("new") / "project"
    copy_project(folder)
    start_git(folder)
    (folder / ".git/info/exclude").write_text("*-dvc/\n")  # the site folder of tests' DVC
    call(folder, "python", "-m", "genlab", "new", NAME)
    result = dvc(folder / "pipelines" / NAME, "repro")
    assert result.returncode == 0, result.stdout
    assert sorted(stages_run(result)) == ["check", "fetch", "report", "rows", "score"]
    commit(folder)
    return folder


def test_it_is_seven_files_that_name_themselves(project):
    tracked = call(project, "git", "ls-files", f"pipelines/{NAME}").split()
    names = [name.removeprefix(f"pipelines/{NAME}/") for name in tracked]
    made = ("metrics/", ".dvc")
    files = [name for name in names if not name.startswith(made) and name != "dvc.lock"]
    assert [name for name in files if not name.endswith("__init__.py")] == SEVEN_FILES
    for name in SEVEN_FILES:
        assert "pipelines.NAME" not in (project / "pipelines" / NAME / name).read_text(
            encoding="utf-8"
        )


def test_its_deps_are_written_and_the_tests_of_every_pipeline_hold_for_it(project):
    call(project, "python", "-m", "genlab", "deps", "--check")
    files = ["tests/whole/test_pipelines.py", "tests/whole/test_house.py"]
    call(project, "python", "-m", "pytest", "-q", *files, "-k", f"{NAME} or room")


def test_the_three_commands_work_in_its_folder(project):
    folder = project / "pipelines" / NAME
    before = json.loads((folder / "metrics/score.json").read_text())["repeated_share"]["value"]
    result = dvc(folder, "exp", "run", "-S", "gen.max_len=5")
    assert result.returncode == 0, result.stdout
    assert sorted(stages_run(result)) == ["check", "report", "rows", "score"]
    shown = json.loads(dvc(folder, "metrics", "diff", "--json").stdout.splitlines()[-1])
    value = shown["metrics/score.json"]["repeated_share.value"]
    assert value["old"] == before and value["diff"] < -0.1
    call(project, "git", "checkout", "--quiet", f"pipelines/{NAME}")


def test_a_length_that_the_texts_lack_stops_it_before_any_work(project):
    folder = project / "pipelines" / NAME
    change_params(folder, {"gen.max_len": 61})
    done = subprocess.run(
        ["python", "-m", "genlab", "check", "data/check.txt"],
        cwd=folder,
        env=environment(project) | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    message = "error: gen.max_len=61 is more than fetch.n_words=60; raise that (params.yaml keeps"
    assert done.stderr.startswith(message)
    call(project, "git", "checkout", "--quiet", f"pipelines/{NAME}")


def test_removing_its_folder_leaves_nothing_behind(project):
    shutil.rmtree(project / "pipelines" / NAME)
    call(project, "git", "add", "--all")
    assert call(project, "git", "diff", "--cached", "HEAD~1") == ""
    call(project, "python", "-m", "genlab", "deps", "--check")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Tiny", "Tiny: must be small letters"),
        ("../tiny", "must be small letters"),
        ("class", "no keyword"),
        ("tokenize", "tokenize: is the name of a module of Python's"),
        ("__init__", "must be small letters"),
    ],
)
def test_a_name_that_cannot_be_a_pipelines_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        check_name(name)


def test_a_pipeline_that_is_there_is_not_overwritten(project):
    other = project / "pipelines/other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(Exception, match="returned non-zero exit status 1"):
        call(project, "python", "-m", "genlab", "new", "other")
    assert [path.name for path in other.iterdir()] == ["mine.txt"]
    shutil.rmtree(other)
