"""A base model that lies ready in the repository is taken as it is, or refused in a line."""

import json
from pathlib import Path

import pytest

from genlab.core.files import sha256_of
from genlab.core.program import InputError
from genlab.sources.bundled import check_bundled, check_model_origin, read_bundled
from genlab.sources.model_folders import fetch_folder
from genlab.sources.source import ModelOrigin, ModelSource
from tests.tiny_models import save_base


def bundle(folder: Path) -> Path:
    """Write a tiny base model and its receipt; return its folder."""
    save_base(folder)
    files = {file.name: sha256_of(file) for file in folder.iterdir()}
    receipt = {"values": {"n_layer": 2, "seed": 7}, "metrics": {"pretraining_loss": 0.5}}
    (folder / "receipt.json").write_text(json.dumps(receipt | {"files": files}))
    return folder


def test_a_bundled_model_is_copied_byte_by_byte_and_brings_the_loss_of_its_training(tmp_path):
    folder = bundle(tmp_path / "base")
    found = fetch_folder(ModelSource.bundled, folder, "none", "none", tmp_path / "out")
    assert found == ("none", {"pretraining_loss": 0.5})
    for name in ("model.safetensors", "config.json", "receipt.json"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"n_layer": 2, "seed": 7, "not_in_the_receipt": 1}, None),
        ({"n_layer": 3}, r"base\.n_layer=3 changes nothing .* \(with 2\); add base\.source=mini"),
        ({"seed": 8}, r"base\.seed=8 changes nothing"),
    ],
)
def test_a_value_that_would_change_nothing_is_refused(tmp_path, values, expected):
    folder = bundle(tmp_path / "base")
    if expected is None:
        check_bundled(ModelSource.bundled, folder, values)
    else:
        with pytest.raises(InputError, match=expected):
            check_bundled(ModelSource.bundled, folder, values)
    check_bundled(ModelSource.file, folder, values)  # nobody says what made the user's own


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: (folder / "receipt.json").unlink(), "no bundled model"),
        (lambda folder: (folder / "receipt.json").write_text("{}"), "no receipt of a bundled"),
        (lambda folder: (folder / "receipt.json").write_text("["), "no receipt of a bundled"),
        (lambda folder: (folder / "config.json").write_text("{}"), "config.json: not the file"),
        (lambda folder: (folder / "model.safetensors").unlink(), "safetensors: not the file"),
    ],
    ids=["no receipt", "empty", "broken", "changed", "missing"],
)
def test_a_folder_that_is_not_as_it_was_bundled_is_refused(tmp_path, damage, expected):
    folder = bundle(tmp_path / "base")
    damage(folder)
    with pytest.raises(InputError, match=expected):
        read_bundled(folder)
    with pytest.raises(InputError, match=expected):
        fetch_folder(ModelSource.bundled, folder, "none", "none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_world_of_a_mini_model_given_as_its_path_is_not_read_in_silence(tmp_path):
    folder = bundle(tmp_path / "base")
    (tmp_path / "world.yaml").write_text("words: []")
    for path in (tmp_path / "world.yaml", Path("data/texts.parquet")):
        origin = ModelOrigin(ModelSource.mini, path, Path("other.yaml"), "none", "none")
        with pytest.raises(InputError, match=r"base\.made_from=other\.yaml: change that"):
            check_model_origin(origin, {})
    for path in (folder, Path("none")):
        origin = ModelOrigin(ModelSource.mini, path, Path("other.yaml"), "none", "none")
        check_model_origin(origin, {"n_layer": 9})
        assert origin.asset == "other.yaml"
