"""A mini model is put into the repository with a receipt, or one line says which file lacks."""

import json
import subprocess
from pathlib import Path

import pytest

from genlab.core.program import InputError
from genlab.experiments.bundle import main

FILES = {
    "base.json": '{"model": {"loss": 2.5}}',
    "times": "100\n160\n",
    "dvc.lock": "stages: {base: {cmd: python -m stages.fetch base}}",
    "params.yaml": "base: {source: mini, n_layer: 2}",
    "model/config.json": "{}",
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with what is bundled, and be in it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bundle() -> None:
    main(*map(Path, ("model", "bundled", "base.json", "times", "dvc.lock", "params.yaml")))


def test_a_receipt_has_the_command_the_values_and_the_seconds(folder, monkeypatch):
    monkeypatch.setattr(subprocess, "check_output", lambda *_, **__: "c0ffee")
    bundle()
    receipt = json.loads((folder / "bundled/receipt.json").read_text(encoding="utf-8"))
    assert receipt["command"] == "python -m stages.fetch base"
    assert receipt["values"] == {"n_layer": 2}
    assert (receipt["metrics"], receipt["seconds"]) == ({"loss": 2.5}, 60)
    assert list(receipt["files"]) == ["config.json"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("base.json", "{"),
        ("base.json", "[1]"),
        ("times", "100"),
        ("times", "soon late"),
        ("dvc.lock", "<<<<<<< HEAD\nstages: {}\n=======\n"),
        ("dvc.lock", "stages: [1]"),
        ("dvc.lock", ""),
        ("params.yaml", "base: 5"),
        ("params.yaml", "[1]"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_written(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"^{name}: not what a model's receipt is made from"):
        bundle()
    assert not Path("bundled").exists()


@pytest.mark.parametrize("name", ["base.json", "times", "dvc.lock", "params.yaml"])
def test_a_file_that_is_not_there_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"^{name}: no such file"):
        bundle()
