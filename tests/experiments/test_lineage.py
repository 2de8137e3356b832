"""Which stages a table comes from, by a lock's own paths."""

import pytest
import yaml

from genlab.experiments.lineage import command, hash_of_another, makers, stages_on_the_way
from tests.project_copy import start_git


def stage(deps: list[str], outs: list[str]) -> dict:
    return {"deps": [{"path": path} for path in deps], "outs": [{"path": path} for path in outs]}


LOCK = {
    "check": stage(["genlab"], ["data/check.txt"]),
    "fetch": stage(["fetch.py", "data/check.txt"], ["data/fetch"]),
    "rank@a": stage(["data/fetch/model"], ["data/ranked/a"]),
    "rank@b": stage(["data/fetch/model"], ["data/ranked/b"]),
    "score": stage(["data/ranked"], ["data/score.parquet"]),
    "report": stage(["data/score.parquet"], ["report.html"]),
}


@pytest.mark.parametrize(
    ("output", "needed"),
    [
        # a folder stands for the outputs in it, a file for the output that it lies in
        ("data/score.parquet", {"score", "rank@a", "rank@b", "fetch"}),
        ("data/ranked/a", {"rank@a", "fetch"}),
        ("data/none.parquet", set()),
    ],
)
def test_the_stages_on_the_way_are_those_whose_outputs_are_read_but_the_check(output, needed):
    assert set(stages_on_the_way(LOCK, output)) == needed


def test_a_name_that_only_begins_alike_is_another_output():
    assert makers(LOCK, "data/fetch") == {"fetch"}
    assert makers(LOCK, "data/fet") == set()
    assert makers(LOCK, "data") == set(LOCK) - {"report"}


def test_a_stage_of_a_foreach_has_its_command_below():
    assert command({"foreach": "${arms}", "do": {"cmd": "train ${key}"}}) == "train ${key}"
    assert command({"cmd": "score"}) == "score"
    assert command(None) is None


def test_what_the_flagship_made_is_known_by_its_lock(tmp_path, monkeypatch):
    """A pipeline's dep on it is in no git and in no lock of the pipeline's own."""
    folder = tmp_path / "project/pipelines/one"
    folder.mkdir(parents=True)
    lock = {"stages": {"train": {"outs": [{"path": "data/train", "md5": "c0ffee.dir"}]}}}
    (tmp_path / "project/dvc.lock").write_text(yaml.safe_dump(lock))
    start_git(tmp_path / "project")
    monkeypatch.chdir(folder)
    assert hash_of_another("../../data/train", "HEAD") == "c0ffee.dir"
    assert hash_of_another(str(tmp_path / "project/data/train"), "HEAD") == "c0ffee.dir"
    assert hash_of_another("../../data/other", "HEAD") is None
    assert hash_of_another("data/train", "HEAD") is None
