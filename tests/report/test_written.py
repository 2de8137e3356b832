"""What a page's opening says of the commit that its run is in, or came after."""

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

from genlab.core.files import write_json
from genlab.report.written import tell_written
from tests.project_copy import commit, start_git

RECEIPT = {"params": {"sha256": "1"}}
TODAY = date(2026, 11, 29)


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """Return a folder of git with one commit."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("a: 1\n")
    start_git(tmp_path)
    return tmp_path


def head() -> str:
    words = ["git", "log", "-1", "--abbrev=10", "--format=%h of %cs"]
    return subprocess.check_output(words, text=True).strip()


def test_before_the_commit_a_page_says_after_which_one_and_how_to_find_its_own(repository):
    before = head()
    Path("params.yaml").write_text("a: 2\n")
    write_json(Path("receipt.json"), RECEIPT)
    label, words = tell_written(RECEIPT, TODAY)
    assert label == "written"
    assert words.startswith(f"on 2026-11-29, after commit {before} with 2 changed files; not")
    name = subprocess.check_output(["git", "hash-object", "receipt.json"], text=True)[:12]
    assert f"git log --find-object={name}" in words


def test_a_run_that_is_committed_is_told_by_its_commit_even_after_a_later_one(repository):
    write_json(Path("receipt.json"), RECEIPT)
    commit(repository)
    held = head()
    assert tell_written(RECEIPT, TODAY) == ("commit", held)
    subprocess.run(["git", "config", "core.abbrev", "6"], check=True)  # as in a smaller repository
    assert tell_written(RECEIPT, TODAY) == ("commit", held)
    Path("receipt.json").write_text(json.dumps({}))
    commit(repository)
    assert tell_written(RECEIPT, TODAY) == ("commit", held)


def test_outside_of_git_a_page_says_when_it_was_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tell_written(RECEIPT, TODAY) == ("written", "on 2026-11-29, outside of git")
