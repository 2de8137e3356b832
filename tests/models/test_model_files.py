"""The files of a model's folder: a missing or misnamed one is named."""

import json

import pytest

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model
from genlab.models.model_files import first_line
from tests.tiny_models import save_base


@pytest.fixture
def folder(tmp_path):
    return save_base(tmp_path / "model", n_embd=16)


def test_an_error_is_told_in_its_first_line():
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("of a field:\n  no number\n  x")) == "of a field: no number"


def test_weights_under_another_name_are_told_what_to_be_called(folder):
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")
    message = r"its weights are in consolidated\.safetensors, but .* in model\.safetensors; rename"
    with pytest.raises(InputError, match=message):
        load_causal_model(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model-q4.gguf", r"its weights \(model-q4\.gguf\) are llama\.cpp's; convert them with"),
        ("onnx/model.onnx", r"its weights \(model\.onnx\) are ONNX's; convert them with"),
        ("consolidated.00.pth", r"\(consolidated\.00\.pth\) are a pickle, which could run code"),
        ("tf_model.h5", r"\(tf_model\.h5\) are TensorFlow's; convert"),
        ("training_args.bin", r"no weights \(\*\.safetensors\); save them with"),
        ("rng_state_0.pth", r"no weights \(\*\.safetensors\); save them with"),
    ],
)
def test_weights_of_another_kind_are_called_by_it(folder, name, message):
    (folder / "model.safetensors").unlink()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(InputError, match=message):
        load_causal_model(folder)


def test_a_folder_of_models_and_a_file_are_told_what_to_give(folder):
    (folder.parent / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(
        InputError, match=r"config\.json is missing; there are models in model: give"
    ):
        load_causal_model(folder.parent)
    with pytest.raises(InputError, match=r"a\.gguf: a file; give a model's folder, with config"):
        load_causal_model(folder.parent / "a.gguf")
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"is missing; a\.gguf is llama\.cpp's, not read here"):
        load_causal_model(folder.parent)


def test_a_missing_file_of_several_is_named(folder):
    model = load_causal_model(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    lost = min(folder.glob("model-*.safetensors"))
    lost.unlink()
    with pytest.raises(InputError, match=f"{lost.name} is missing, which .* lists as a file of we"):
        load_causal_model(folder)


def test_an_index_without_metadata_is_told_what_to_add(folder):
    model = load_causal_model(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps({"weight_map": index["weight_map"]}))
    with pytest.raises(InputError, match=r'has no metadata, .*; add "metadata": \{\} beside'):
        load_causal_model(folder)
    path.write_text(json.dumps({"weight_map": index["weight_map"], "metadata": {}}))
    load_causal_model(folder)
