import shutil
from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from genlab.experiments.revisions import (
    commit_of,
    experiments_of_head,
    hash_in_lock,
    read_bytes,
    read_params,
    read_rows,
    stages_not_run,
)
from tests.project_copy import call, change_params
from tests.tiny_pipeline import enter, make_repository

ROWS = Path("data/rows.parquet")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("revisions") / "project")


@pytest.fixture
def pipeline(repository, monkeypatch) -> Path:
    enter(repository, monkeypatch)
    return repository


def first_place(revision: str | None) -> int:
    return read_rows(ROWS, revision)["place"][0]


def test_a_commit_from_before_the_pipeline_is_named_as_one(pipeline):
    nothing = call(pipeline, "git", "hash-object", "-w", "-t", "tree", "/dev/null").strip()
    commit = call(pipeline, "git", "commit-tree", nothing, "-m", "nothing").strip()
    with pytest.raises(InputError, match=rf"^{commit}: has no pipeline in this folder; `git add"):
        read_params(commit)


def test_a_table_is_read_as_it_was_in_a_commit_a_tag_an_experiment_and_the_workspace(pipeline):
    call(pipeline, "git", "tag", "--force", "here")
    commit = call(pipeline, "git", "rev-parse", "HEAD").strip()
    assert [first_place(revision) for revision in ("HEAD", "here", commit)] == [1, 1, 1]
    assert first_place("claim-tiny-one") == 2
    assert first_place(None) == 2


def test_params_are_read_as_they_were_though_git_has_them_and_not_dvc(pipeline):
    assert read_params("HEAD") == {"rows": {"shift": 0}}
    assert read_params("claim-tiny-one") == read_params(None) == {"rows": {"shift": 1}}


def test_an_experiment_of_another_commit_is_found_by_its_name(pipeline):
    call(pipeline, "git", "commit", "--quiet", "--allow-empty", "--message", "later")
    try:
        assert first_place("claim-tiny-one") == 2
    finally:
        call(pipeline, "git", "reset", "--quiet", "--soft", "HEAD~1")


def test_an_unknown_revision_is_named_with_the_closest_known(pipeline):
    with pytest.raises(InputError, match=r"claim-tiny-on: no such commit.*mean claim-tiny-one\?"):
        read_bytes(ROWS, "claim-tiny-on")


def test_a_revision_without_the_file_and_one_without_a_run_are_told_apart(pipeline):
    with pytest.raises(InputError, match=r"data/none.parquet: HEAD has no such file"):
        read_bytes(Path("data/none.parquet"), "HEAD")
    with pytest.raises(InputError, match=r"before names it in dvc.yaml, but has no run of it"):
        read_bytes(ROWS, "before")


def test_data_that_left_the_cache_are_to_be_pulled_or_made_again(pipeline):
    cache = pipeline.parent.parent / ".dvc/cache"
    cache.rename(cache.with_name("away"))
    try:
        with pytest.raises(InputError, match=r"not in DVC's cache; `dvc pull`"):
            read_bytes(ROWS, "HEAD")
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        cache.with_name("away").rename(cache)


def test_a_file_missing_in_the_workspace_is_made_by_dvc_repro(pipeline):
    with pytest.raises(InputError, match=r"no such file in the workspace; `dvc repro`"):
        read_bytes(Path("data/none.parquet"), None)


def test_a_file_that_is_not_parquet_is_named(pipeline):
    with pytest.raises(InputError, match="HEAD: not a whole Parquet file"):
        read_rows(Path("make.py"), "HEAD")


def test_params_changed_since_the_run_are_seen_by_the_stage_that_would_run(pipeline):
    assert stages_not_run(ROWS, "HEAD") == stages_not_run(ROWS, "claim-tiny-one") == []
    assert stages_not_run(ROWS, None) == []
    assert stages_not_run(ROWS, "unrun") == ["rows"]


def test_a_run_that_was_ended_in_between_left_stages_that_read_something_else(
    tmp_path, monkeypatch
):
    folder = make_repository(tmp_path / "project")
    content = yaml.safe_load((folder / "dvc.yaml").read_text())
    copy = "import shutil\nshutil.copy('data/rows.parquet', 'data/copy.parquet')\n"
    (folder / "repeat.py").write_text(copy)
    content["stages"]["copy"] = {
        "cmd": "python repeat.py",
        "deps": ["repeat.py", "data/rows.parquet"],
        "outs": ["data/copy.parquet"],
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump(content))
    enter(folder, monkeypatch)
    call(folder, "dvc", "repro")
    assert stages_not_run(Path("data/copy.parquet"), None) == []
    change_params(folder, {"rows.shift": 5})
    call(folder, "dvc", "repro", "rows")
    assert stages_not_run(ROWS, None) == []
    assert stages_not_run(Path("data/copy.parquet"), None) == ["copy"]


def test_the_hash_of_an_output_tells_whether_two_runs_made_the_same(pipeline):
    assert hash_in_lock(ROWS, "HEAD") == hash_in_lock(ROWS, "unrun") != hash_in_lock(ROWS, None)
    assert hash_in_lock(ROWS, None) == hash_in_lock(ROWS, "claim-tiny-one")
    assert hash_in_lock(Path("data/none.parquet"), None) is None


def test_experiments_of_the_current_commit_are_listed_with_their_commits(pipeline):
    there = experiments_of_head()
    assert list(there) == ["claim-tiny-one"]
    assert there["claim-tiny-one"].startswith(commit_of("claim-tiny-one"))


def test_outside_a_repository_the_error_says_so(tmp_path, monkeypatch):
    enter(tmp_path, monkeypatch)
    with pytest.raises(InputError, match="is not a git repository"):
        read_bytes(ROWS, "HEAD")
