"""The base model's folder: copied, downloaded or made, whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from genlab.core.program import InputError
from genlab.mini.gpt2 import Sizes, check_sizes, make_base
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.sources.model_folders import copy_base
from tests.project_copy import ROOT
from tests.tiny_models import TEXTS, make_tokenizer, save_base

SIZES = {
    "n_layer": 1,
    "n_embd": 16,
    "n_head": 2,
    "n_positions": 64,
    "epochs": 1,
    "batch_size": 8,
    "learning_rate": 0.02,
    "embedding_learning_rate": 0.004,
    "max_offset": 8,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("bases") / "model", n_embd=16)


@pytest.fixture
def model(tmp_path, saved):
    """A copy of the saved folder, for a test to break."""
    return shutil.copytree(saved, tmp_path / "model")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_has_the_models_files_and_no_others(tmp_path, model):
    for name in ("modeling_own.py", "pytorch_model.bin", "optimizer.pt"):
        (model / name).write_bytes(b"left behind")
    copy_base(model, None, tmp_path / "base")
    assert names(tmp_path / "base") == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    for path in (tmp_path / "base").iterdir():
        assert path.read_bytes() == (model / path.name).read_bytes()


def test_a_copy_replaces_what_was_there(tmp_path, model):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "old.json").write_text("{}")
    copy_base(model, None, tmp_path / "base")
    assert "old.json" not in names(tmp_path / "base")


def test_another_tokenizer_takes_the_place_of_the_models(tmp_path, model):
    other = tmp_path / "other"
    other.mkdir()
    make_tokenizer(280).backend_tokenizer.model.save(str(other))  # vocab.json and merges.txt
    # Leftovers of the model's own tokenizer in the other layout.
    make_tokenizer(300).backend_tokenizer.model.save(str(model))
    copy_base(model, other, tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    assert len(tokenizer) == 280
    assert tokenizer(TEXTS[0]) == load_tokenizer(other)(TEXTS[0])
    assert "vocab.json" not in names(tmp_path / "base")


def test_with_another_tokenizer_the_models_end_of_text_is_the_tokenizers(tmp_path, model):
    from transformers import PreTrainedTokenizerFast

    # In the model's own settings 7 ends a text; with the other tokenizer 7 is an ordinary token.
    for name in ("config.json", "generation_config.json"):
        content = json.loads((model / name).read_text()) | {"eos_token_id": 7, "bos_token_id": 7}
        (model / name).write_text(json.dumps(content))
    PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer().backend_tokenizer, eos_token="e", bos_token="s"
    ).save_pretrained(tmp_path / "other")
    copy_base(model, tmp_path / "other", tmp_path / "base")
    tokenizer, copied = load_tokenizer(tmp_path / "base"), load_causal_model(tmp_path / "base")
    for settings in (copied.config, copied.generation_config):
        assert settings.eos_token_id == tokenizer.convert_tokens_to_ids("e")
        assert settings.bos_token_id == tokenizer.convert_tokens_to_ids("s")


def test_another_tokenizer_that_is_a_link_out_of_its_folder_is_refused(tmp_path, model):
    make_tokenizer(280).save_pretrained(tmp_path / "private")
    shutil.copytree(tmp_path / "private", tmp_path / "other")
    (tmp_path / "other/tokenizer.json").unlink()
    (tmp_path / "other/tokenizer.json").symlink_to(tmp_path / "private/tokenizer.json")
    with pytest.raises(InputError, match=r"other: tokenizer.json is a link that leads out of the"):
        copy_base(model, tmp_path / "other", tmp_path / "base")


def test_a_tokenizer_larger_than_the_embeddings_is_refused(tmp_path, model):
    make_tokenizer(320).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"other: the tokenizer has 320 tokens, but .* for 300"):
        copy_base(model, tmp_path / "other", tmp_path / "base")
    assert names(tmp_path) == ["model", "other"]


@pytest.mark.parametrize("broken", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_failed_copy_leaves_the_output_as_it_was(tmp_path, saved, model, broken):
    copy_base(saved, None, tmp_path / "base")
    (model / broken).write_bytes((model / broken).read_bytes()[:100])
    with pytest.raises(InputError):
        copy_base(model, None, tmp_path / "base")
    assert names(tmp_path) == ["base", "model"]
    load_causal_model(tmp_path / "base")
    load_tokenizer(tmp_path / "base")
    with pytest.raises(InputError):
        copy_base(model, None, tmp_path / "new")
    assert names(tmp_path) == ["base", "model"]


def test_a_folder_without_weights_is_refused_before_anything_is_written(tmp_path, model):
    (model / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model: no weights"):
        copy_base(model, None, tmp_path / "base")
    assert names(tmp_path) == ["model"]


def test_a_hub_name_without_network_is_an_error_with_the_way_out(tmp_path):
    # A process of its own, because huggingface_hub reads the address when it is imported. Nothing
    # listens on port 9.
    values = {"hub_id": "someone/some-model", "revision": "0" * 40, "seed": 1}
    values |= {
        "path": "none",
        "made_from": "none",
        "tokenizer_path": "none",
        "n_passages": 1,
        "vocab_size": 300,
    }
    options = [f"--{name}={value}" for name, value in (SIZES | values).items()]
    output = tmp_path / "base"
    program = [sys.executable, "-m", "stages.fetch", "base", str(output)]
    program += ["--manifest", str(tmp_path / "manifest.json")]
    environment = os.environ | {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path / "hub"),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("HF_HUB_OFFLINE", None)
    start = time.monotonic()
    result = subprocess.run(
        [*program, "--metrics", str(tmp_path / "metrics.json"), "--source=hub", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("error: base.hub_id=someone/some-model at 0000")
    assert line.endswith("or use base.source=file with base.path=FOLDER")
    assert not output.exists() and not (tmp_path / "metrics.json").exists()
    assert time.monotonic() - start < 30  # and not the half minute of retries after the imports


def test_a_made_base_is_a_whole_model_with_its_tokenizer(tmp_path):
    loss = make_base(
        ROOT / "genlab/mini/topics.yaml",
        None,
        tmp_path / "base",
        40,
        Sizes(**(SIZES | {"vocab_size": 320, "seed": 3})),
    )
    model, tokenizer = load_causal_model(tmp_path / "base"), load_tokenizer(tmp_path / "base")
    assert len(tokenizer) == 320 == model.config.vocab_size
    assert model.config.eos_token_id == model.generation_config.eos_token_id
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert 0 < loss < 7


def test_a_made_base_can_take_a_tokenizer_from_a_folder(tmp_path):
    make_tokenizer(290).backend_tokenizer.model.save(str(tmp_path))
    make_base(
        ROOT / "genlab/mini/topics.yaml",
        tmp_path,
        tmp_path / "base",
        10,
        Sizes(**(SIZES | {"vocab_size": 4096, "seed": 3})),
    )
    assert load_causal_model(tmp_path / "base").config.vocab_size == 290
    assert load_tokenizer(tmp_path / "base")(TEXTS[0]) == load_tokenizer(tmp_path)(TEXTS[0])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_embd": 15}, r"base\.n_embd=15 must be a multiple of base\.n_head=2"),
        ({"max_offset": 33}, r"base\.max_offset=33 leaves less than half of base\.n_positions=64"),
    ],
)
def test_sizes_that_make_no_model_are_named(sizes, message):
    with pytest.raises(InputError, match=message):
        check_sizes(Sizes(**(SIZES | {"vocab_size": 300, "seed": 1} | sizes)))
