import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.experiments import back, compare
from genlab.experiments.layout import read_layout
from genlab.experiments.revisions import read_bytes
from genlab.experiments.rows import RECORD, read_compared, write_record
from tests.project_copy import ROOT, call, environment
from tests.tiny_pipeline import enter, make_repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return the tiny pipeline; in the tag `recorded` git has HEAD's record, in `stale` another."""
    folder = make_repository(tmp_path_factory.mktemp("rows") / "project")
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        layout = read_layout(Path("claims.yaml"))
        for tag, revision in (("recorded", "HEAD"), ("stale", "claim-tiny-one")):
            Path("table").write_bytes(read_bytes(layout.path, revision))
            write_record(replace(layout, path=Path("table")), RECORD)
            call(folder, "git", "add", str(RECORD))
            call(folder, "git", "commit", "--quiet", "--message", tag)
            call(folder, "git", "tag", tag)
            call(folder, "git", "reset", "--quiet", "HEAD~1")
        Path("table").unlink()
        RECORD.unlink()
    return folder


@pytest.fixture
def pipeline(repository, monkeypatch) -> Path:
    enter(repository, monkeypatch)
    return repository


@contextmanager
def empty_cache(folder: Path):
    """Have nothing in DVC's cache, as in a fresh clone."""
    cache = folder.parent.parent / ".dvc/cache"
    cache.rename(cache.with_name("away"))
    try:
        yield
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        cache.with_name("away").rename(cache)


def said(app, *words: str):
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_a_run_whose_rows_are_in_no_cache_here_is_compared_by_its_record_in_git(pipeline):
    whole = said(compare.app, "HEAD").output.splitlines()
    with empty_cache(pipeline):
        recorded = said(compare.app, "recorded").output.splitlines()
        with pytest.raises(InputError, match=r"rows.parquet: its data of HEAD are not in DVC's"):
            said(compare.app, "HEAD")
    assert recorded[1:] == whole[1:]


def test_a_record_of_another_run_than_the_lock_is_refused(pipeline):
    layout = read_layout(Path("claims.yaml"))
    assert read_compared(layout, "stale").height == 80  # the cache has the true rows
    with empty_cache(pipeline), pytest.raises(InputError, match=r"is of another run than its dvc"):
        read_compared(layout, "stale")


def test_the_record_holds_what_a_comparison_reads_and_no_text(pipeline, tmp_path):
    layout = read_layout(Path("claims.yaml"))
    rows = read_compared(layout, "HEAD").with_columns(text=pl.lit("long " * 1000))
    rows.write_parquet(tmp_path / "table")
    write_record(replace(layout, path=tmp_path / "table"), tmp_path / "record")
    assert pl.read_parquet(tmp_path / "record").equals(rows.drop("text"))
    assert (tmp_path / "record").stat().st_size < 3000  # 80 rows; the frame of the format is most


def test_a_pipeline_without_its_table_is_told_where_it_is_named(pipeline, tmp_path):
    layout = replace(read_layout(Path("claims.yaml")), path=Path("data/none.parquet"))
    with pytest.raises(InputError, match=r"none.parquet: no such file; claims.yaml names it"):
        write_record(layout, tmp_path / "record")
    assert not list(tmp_path.iterdir())


def test_the_way_back_touches_nothing_where_the_cache_lacks_an_output(pipeline):
    before = {path: path.read_bytes() for path in pipeline.rglob("*") if path.is_file()}
    with (
        empty_cache(pipeline),
        pytest.raises(
            InputError,
            match=r"2 of the 2 outputs of HEAD are not in DVC's cache \(data/.*nothing was",
        ),
    ):
        said(back.app)
    assert {path: path.read_bytes() for path in pipeline.rglob("*") if path.is_file()} == before


def test_the_way_back_brings_params_and_outputs_and_keeps_what_was_there(pipeline):
    changed, experiment = Path("params.yaml").read_bytes(), Path("data/rows.parquet").read_bytes()
    command = ["python", "-m", "genlab", "back"]
    env = environment(pipeline) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=pipeline, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path("params.yaml").read_text() == "rows:\n  shift: 0\n"
    assert Path("data/rows.parquet").read_bytes() == read_bytes(Path("data/rows.parquet"), "HEAD")
    assert "git stash pop" in done.stdout
    call(pipeline, "git", "stash", "pop")
    call(pipeline, "dvc", "checkout", "dvc.yaml")
    assert Path("params.yaml").read_bytes() == changed
    assert Path("data/rows.parquet").read_bytes() == experiment
