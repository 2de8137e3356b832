"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params

PIPELINE = ROOT / "pipelines/rankers"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the pipeline's files at its depth, and be in it."""
    shutil.copytree(ROOT / "genlab/mini", tmp_path / "genlab/mini")
    return be_in_pipeline(
        tmp_path / "pipelines/rankers", monkeypatch, PIPELINE, "none", "claims.yaml"
    )


def test_the_committed_params_pass(folder):
    assert run_check() == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"alter.repeats": [2, 4]}, "alter.repeats lacks 1"),
        ({"alter.cut_words": [10, 10]}, "alter.cut_words has 10 twice"),
        ({"alter.cut_words": [20]}, "alter.cut_words lacks 10, 50, which claims.yaml asks about"),
        ({"alter.repeats": [1, 2, 8]}, "alter.repeats lacks 4, which claims.yaml asks about"),
        ({"rankers.static.source": "hub"}, "rankers.static.hub_id=none, but rankers.static.source"),
        ({"collections.mini.path": "nowhere"}, "collections.mini.path=nowhere: no such file"),
        ({"collections.mini.negatives": "hard"}, "collections.mini.negatives=hard"),
        ({"rankers.bm25.source": "hub"}, "a ranker of kind bm25 counts the words of each"),
        ({"rankers.static.path": "none"}, "source mini learns from a table of queries"),
        ({"rankers.static.kind": "bert"}, "rankers.static.kind=bert"),
        (
            {"rankers.static.kind": "cross_encoder"},
            "kind cross_encoder is not made here; set source",
        ),
        ({"score.batch_size": 0}, "score.batch_size=0"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert expected in message(capsys)


@pytest.mark.parametrize(
    "left",
    [
        "data/fetch/collections/old.parquet",
        "data/fetch/bm25/old",
        "data/candidates/old",
        "data/alter/old.parquet",
        "data/probe/old.parquet",
    ],
)
def test_what_is_left_of_a_collection_or_ranker_of_another_name_is_named(folder, capsys, left):
    (folder / left).parent.mkdir(parents=True)
    (folder / left).touch()
    assert message(capsys).startswith(f"{left}: no stage makes it, as a collection or ranker of")


def test_the_record_is_of_the_same_keys_and_of_real_sources():
    default, record = (
        yaml.safe_load((PIPELINE / name).read_text(encoding="utf-8"))
        for name in ("params.yaml", "record/params.yaml")
    )
    assert default.keys() == record.keys()
    for group in ("collections", "rankers"):
        keys = {tuple(entry) for entry in [*default[group].values(), *record[group].values()]}
        assert len(keys) == 1
        real = [entry for entry in record[group].values() if entry.get("kind") != "bm25"]
        assert {entry["source"] for entry in real} == {"file"}
    for group in ("score", "alter"):
        assert default[group].keys() == record[group].keys()


def test_every_arm_of_claims_yaml_is_compared():
    assert arms_without_claim(PIPELINE) <= {"default"}


def test_what_claims_yaml_says_of_the_flagship_is_there():
    own, root = (
        yaml.safe_load((folder / "claims.yaml").read_text(encoding="utf-8"))
        for folder in (PIPELINE, ROOT)
    )
    assert own["same_as_root"].keys() <= root["claims"].keys()
    assert {*own["same_as_root"].values(), *own["findings"]} <= own["claims"].keys()
