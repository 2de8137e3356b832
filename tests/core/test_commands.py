"""What programs read of a pipeline's command lines."""

from dataclasses import dataclass

import pytest

from genlab.core.commands import chosen_folders, group_from, stage_options
from genlab.core.program import InputError
from tests.project_copy import ROOT


@dataclass(frozen=True)
class Size:
    width: int
    height: int
    is_round: bool = False


def test_the_options_of_a_stage_are_those_its_program_reads(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = stage_options(("generate", "nothing"))
    assert list(found) == ["generate"]
    options = found["generate"]
    assert str(options["tuned"]) == "data/train" and options["ignore_eos"] is False
    assert isinstance(options["cap"], int) and isinstance(options["temperature"], float)


def test_the_name_of_a_foreach_stands_for_all_its_instances(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = stage_options(("fetch_ranker", "fetch_ranker@bm25"))
    assert {*found} == {f"fetch_ranker@{name}" for name in ("labse", "use", "bm25")}
    assert str(found["fetch_ranker@bm25"]["kind"]) == "bm25"


def test_a_folder_without_a_pipeline_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no dvc.yaml here"):
        stage_options(("generate",))


def test_a_group_is_filled_from_options_and_keeps_its_defaults():
    options = {"width": 1, "height": 2, "is_round": True, "colour": "red"}
    assert group_from(Size, options) == Size(1, 2, False)


def test_arms_are_chosen_by_name_and_must_be_there(tmp_path):
    folders = {name: tmp_path / name for name in ("one", "two", "gone")}
    for name in ("one", "two"):
        folders[name].mkdir()
    assert list(chosen_folders(folders, ["two", "one"])) == ["one", "two"]
    with pytest.raises(InputError, match="--arm three: there are one, two, gone"):
        chosen_folders(folders, ["three"])
    with pytest.raises(InputError, match=r"gone: no such model; run `dvc repro`"):
        chosen_folders(folders, [])
