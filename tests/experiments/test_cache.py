"""The cache is looked at where DVC has it, and what was made from a broken object is deleted."""

import subprocess
from pathlib import Path

import pytest

from genlab.core.program import InputError
from genlab.experiments.cache import outputs
from tests.project_copy import ROOT, dvc, environment
from tests.tiny_pipeline import make_repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cache") / "repository"
    make_repository(root)
    return root


def run_cache(root: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["python", "-m", "genlab", "cache"],
        cwd=root,
        env=environment(root) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_broken_object_of_a_cache_elsewhere_is_found_with_its_output(repository, tmp_path):
    """cache.dir is in configs of this clone alone; the workspace holds links into it."""
    shared = tmp_path / "shared"
    config = f"[cache]\n    dir = {shared}\n    type = symlink\n"
    pipeline = repository / "pipelines/tiny"
    for folder in (repository, pipeline):
        (folder / ".dvc/config.local").write_text(config)
    assert dvc(pipeline, "repro", "--force").returncode == 0
    assert dvc(pipeline, "checkout", "--relink", "dvc.yaml").returncode == 0
    rows = pipeline / "data/rows.parquet"
    assert rows.is_symlink()
    [broken] = [
        path for path in shared.glob("files/md5/??/*") if path.read_bytes() == rows.read_bytes()
    ]
    broken.chmod(0o644)
    broken.write_bytes(b"broken")
    broken.chmod(0o444)

    *deleted, last = run_cache(repository).stdout.splitlines()
    assert deleted == [f"deleted: {broken}", "deleted: pipelines/tiny/data/rows.parquet"]
    assert f" objects in {shared}/files/md5, 1 of them broken; run `dvc repro`" in last
    assert not rows.is_symlink() and not rows.exists()
    assert (pipeline / "data/kinds.parquet").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<<<<<<< HEAD\nstages:\n  a: {}\n=======\n", "not readable as YAML"),
        (b"\xff\xfe", "not readable as YAML"),
        (b"[1]", "must have a mapping `stages:` of mappings"),
        (b"stages: [1]", "must have a mapping `stages:` of mappings"),
        (b"stages: {a: {outs: [5]}}", "stage a: outs must each have a path"),
        (b"stages: {a: {outs: [{path: x, md5: 5}]}}", "stage a: outs must each have a path, and"),
        (b"stages: {a: {outs: [{path: x, md5: [a]}]}}", "stage a: outs must each have a path, and"),
        (b"stages: {a: {outs: [{path: ../x, md5: a}]}}", "../x leads out of this folder"),
        (b"stages: {a: {outs: [{path: /x, md5: a}]}}", "/x leads out of this folder"),
    ],
)
def test_a_broken_lock_is_named_before_anything_is_deleted(tmp_path, content, reason):
    (tmp_path / "dvc.lock").write_bytes(content)
    with pytest.raises(InputError) as error:
        list(outputs(tmp_path, tmp_path / "cache"))
    assert str(error.value).startswith(f"dvc.lock: {reason}")
    assert str(error.value).endswith(
        "`git checkout HEAD -- dvc.lock` brings the committed one back; nothing was deleted"
    )


def test_a_config_that_dvc_cannot_read_is_one_line_with_its_words(repository):
    (repository / ".dvc/config.local").write_text("[cache\n    dir = copy\n")
    result = run_cache(repository)
    assert result.returncode == 1
    [line] = [each for each in result.stderr.splitlines() if each.startswith("error: ")]
    assert line.startswith("error: `dvc cache dir` failed: ")
