"""Model and tokenizer folders: what is loaded, and what each broken folder is told."""

import json
import logging
import shutil
import subprocess
import sys

import pytest

from genlab.core.program import InputError
from genlab.models.loading import (
    PLAIN_KINDS,
    is_plain,
    load_causal_model,
    load_text_to_text_model,
    load_tokenizer,
    quiet_loading,
    read_tokenizer,
)
from genlab.models.model_files import check_model_folder
from tests.project_copy import ROOT
from tests.tiny_models import make_gpt2, make_tokenizer, save_base

TEXT = "The river is near the old tower.\n Anna built it."


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("models") / "base", n_embd=16)


@pytest.fixture
def folder(tmp_path, saved):
    """A copy of the saved folder, for a test to break."""
    return shutil.copytree(saved, tmp_path / "model")


def edit(path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_model_comes_back_with_its_weights_in_float32(folder):
    import torch

    model = load_causal_model(folder)
    expected = make_gpt2(len(make_tokenizer()), n_embd=16).state_dict()
    for name, weight in model.state_dict().items():
        assert weight.dtype == torch.float32
        assert (weight == expected[name]).all()


def test_half_precision_weights_become_float32(tmp_path):
    import torch

    make_gpt2(20, n_embd=16).half().save_pretrained(tmp_path)
    assert {weight.dtype for weight in load_causal_model(tmp_path).parameters()} == {torch.float32}


def test_sentence_transformers_gives_no_advice_while_a_model_is_loaded(caplog):
    logger = logging.getLogger("sentence_transformers.base.model")
    with quiet_loading():
        logger.warning("This model was loaded in torch.float16 on CPU.")
    assert not caplog.records
    logger.warning("said again")
    assert [record.message for record in caplog.records] == ["said again"]


def test_tied_output_weights_are_not_missing(tmp_path):
    model = make_gpt2(20, n_embd=16, tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    loaded = load_causal_model(tmp_path)
    assert (loaded.lm_head.weight == model.transformer.wte.weight).all()


def test_weights_in_several_files_are_a_model(folder):
    model = load_causal_model(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    again = load_causal_model(folder).state_dict()
    assert all((again[name] == weight).all() for name, weight in model.state_dict().items())


def test_no_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such model folder"):
        load_causal_model(tmp_path / "nowhere")


def test_a_missing_configuration_is_named(folder):
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"not a model folder, config\.json is missing"):
        load_causal_model(folder)


def test_a_folder_without_weights_says_how_to_save_them(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no weights \(\*\.safetensors\); save them with"):
        load_causal_model(folder)


def test_pickled_weights_are_refused_with_the_way_out(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(
        InputError, match=r"\(pytorch_model\.bin\) are a pickle, which could run code; convert them"
    ):
        load_causal_model(folder)


def test_a_pickle_beside_safetensors_is_not_read(folder):
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    check_model_folder(folder)
    load_causal_model(folder)


@pytest.mark.parametrize("n_bytes", [0, 4, 3000, 20_000])
def test_weights_cut_off_are_refused(folder, n_bytes):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"model: its weights .* are damaged or cut off \("):
        load_causal_model(folder)


QUANTIZED = {"quant_method": "bitsandbytes", "load_in_8bit": True}


def test_a_model_that_needs_a_package_says_so_and_not_that_it_is_no_model(folder):
    edit(folder / "config.json", quantization_config=QUANTIZED)
    with pytest.raises(
        InputError, match=r"model: it needs a package that is not installed \(.*bits"
    ):
        load_causal_model(folder)


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_configuration_that_is_no_json_object_is_named(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"model/config\.json: broken, no JSON object \("):
        check_model_folder(folder)


@pytest.mark.parametrize("beside", ["config.json", None])
def test_an_adapter_alone_is_to_be_merged(folder, beside):
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    if beside is None:
        (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"an adapter alone; merge it .* \(merge_and_unload\) and"):
        check_model_folder(folder)


@pytest.mark.parametrize("content", ['{"model_type": "no_such_model"}', '{"n_embd": 16}'])
def test_a_configuration_of_no_known_model_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"model: not a causal language model \("):
        load_causal_model(folder)


def test_an_encoder_decoder_is_refused(folder):
    edit(folder / "config.json", model_type="t5", architectures=["T5ForConditionalGeneration"])
    with pytest.raises(InputError, match="not a causal language model"):
        load_causal_model(folder)


def test_weights_of_another_size_are_refused(folder):
    edit(folder / "config.json", n_embd=32)
    with pytest.raises(InputError, match="not a causal language model"):
        load_causal_model(folder)


def test_missing_weights_are_refused_where_transformers_would_draw_them_at_random(folder):
    edit(folder / "config.json", n_layer=3)
    with pytest.raises(
        InputError, match=r"not a whole causal language model, 12 weights are missing \(transformer"
    ):
        load_causal_model(folder)


@pytest.mark.parametrize("with_head", [True, False])
def test_weights_of_layers_that_the_config_lacks_are_refused(folder, with_head):
    if not with_head:  # whose names have no "transformer." in front
        make_gpt2(300, n_embd=16, tie_word_embeddings=True).transformer.save_pretrained(folder)
    edit(folder / "config.json", n_layer=1)
    # a layer has 12; transformers takes c_attn.bias for GPT-2's old buffer, which it ignores
    with pytest.raises(
        InputError, match=r"model: config\.json has fewer layers than the weights, 11 weights would"
    ):
        load_causal_model(folder)


def test_a_text_to_text_model_with_layers_cut_off_is_refused(tmp_path):
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_heads": 2}
    model = T5ForConditionalGeneration(T5Config(**sizes, num_layers=2, decoder_start_token_id=0))
    model.save_pretrained(tmp_path)
    load_text_to_text_model(tmp_path)
    edit(tmp_path / "config.json", num_layers=1)
    with pytest.raises(InputError, match=r"fewer layers than the weights, \d+ weights would be"):
        load_text_to_text_model(tmp_path)


def test_code_in_the_folder_is_not_run(folder):
    (folder / "modeling_own.py").write_text("raise SystemExit('code was run')")
    edit(
        folder / "config.json",
        model_type="own",
        auto_map={
            "AutoConfig": "modeling_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnModel",
        },
    )
    with pytest.raises(InputError, match="not a causal language model"):
        load_causal_model(folder)


def test_a_saved_tokenizer_is_the_same_tokenizer(folder):
    tokenizer, loaded = make_tokenizer(), load_tokenizer(folder)
    assert loaded(TEXT)["input_ids"] == tokenizer(TEXT)["input_ids"]
    assert loaded.decode(loaded(TEXT)["input_ids"]) == " " + TEXT
    assert loaded.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize("kind", PLAIN_KINDS)
def test_a_tokenizer_made_here_is_what_transformers_would_choose(folder, kind):
    from transformers import AutoTokenizer

    edit(folder / "config.json", model_type=kind)
    assert is_plain(folder)
    loaded, chosen = read_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    assert type(loaded) is type(chosen)
    assert loaded.backend_tokenizer.to_str() == chosen.backend_tokenizer.to_str()
    assert loaded.added_tokens_decoder == chosen.added_tokens_decoder
    assert loaded.special_tokens_map == chosen.special_tokens_map


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer"}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}),
        ("config.json", {"model_type": "qwen2"}),
    ],
)
def test_any_other_tokenizer_is_left_to_transformers(folder, name, change):
    edit(folder / name, **change)
    assert not is_plain(folder)


def test_a_tokenizer_made_here_is_read_without_torch(folder):
    asked = (
        "import sys; from pathlib import Path; from genlab.models.loading import load_tokenizer; "
        f"load_tokenizer(Path({str(folder)!r})); print('torch' in sys.modules)"
    )
    said = subprocess.check_output([sys.executable, "-c", asked], cwd=ROOT, text=True)
    assert said == "False\n"


def test_a_vocabulary_and_merges_alone_are_a_tokenizer_of_gpt2s_kind(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.model.save(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merges.txt", "vocab.json"]
    loaded = load_tokenizer(tmp_path)
    # GPT-2 puts no space before the first word; ours does.
    assert loaded(" " + TEXT)["input_ids"] == tokenizer(TEXT)["input_ids"]
    assert loaded.eos_token == "<|endoftext|>"
    assert loaded.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize("beside", ["config.json", "tokenizer_config.json", None])
def test_no_vocabulary_is_an_error_and_not_an_empty_tokenizer(folder, beside):
    for path in folder.iterdir():
        if path.name != beside:
            path.unlink()
    with pytest.raises(InputError, match=r"no tokenizer can be loaded .*vocab\.json and merges"):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    ("model_type", "name"), [("bert", "sentencepiece.bpe.model"), ("t5", "source.spm")]
)
def test_a_vocabulary_that_its_kind_of_tokenizer_does_not_read_is_named(tmp_path, model_type, name):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    (tmp_path / name).write_bytes(b"pieces")
    with pytest.raises(InputError, match=rf"Tokenizer finds no vocabulary in {name}: name the kin"):
        read_tokenizer(tmp_path)


def test_a_tokenizer_of_bytes_needs_no_vocabulary(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "ByT5Tokenizer"})
    )
    # Bytes begin after padding, end and unknown; a is byte 97, the end 1.
    assert load_tokenizer(tmp_path)("a")["input_ids"] == [100, 1]


def test_no_tokenizer_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no tokenizer can be loaded"):
        load_tokenizer(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["tokenizer.model", "qwen.tiktoken", "tekken.json"])
def test_a_vocabulary_of_tiktokens_kind_is_not_called_sentencepieces(tmp_path, name):
    (tmp_path / name).write_bytes(b"IQ== 0\nIg== 1\n" if name != "tekken.json" else b"{}")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError, match=rf"\({name} is tiktoken's or tekken's kind; save it as"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_of_nothing_is_refused(folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="model: no tokenizer can be loaded"):
        load_tokenizer(folder)


@pytest.mark.parametrize("content", ["{", ""])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "config.json"])
def test_a_broken_file_of_a_tokenizer_is_named(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=rf"model/{name}: broken, no JSON object \("):
        load_tokenizer(folder)


@pytest.mark.parametrize("limit", ["128", -1])
def test_a_limit_of_a_tokenizer_that_is_no_number_is_refused(folder, limit):
    edit(folder / "tokenizer_config.json", model_max_length=limit)
    message = rf"tokenizer_config\.json: model_max_length is {limit!r}, no number"
    with pytest.raises(InputError, match=message):
        load_tokenizer(folder)


def test_a_tokenizer_without_end_of_text_is_refused(folder):
    edit(folder / "tokenizer_config.json", eos_token=None)
    with pytest.raises(InputError, match=r"no end-of-text token \(eos_token\)"):
        load_tokenizer(folder)


@pytest.mark.parametrize("front", ["_orig_mod.", "module."])
def test_weights_of_a_wrapped_model_are_told_by_their_names(folder, front):
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file({front + name: each for name, each in load_file(path).items()}, path)
    with pytest.raises(InputError, match=f"missing .* all names begin with '{front}'; save the mo"):
        load_causal_model(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dtype": "float23"}, r"config\.json: it cannot be read .*'float23'.*; correct it"),
        ({"layer_norm_epsilon": "1e-5"}, r"config\.json: it cannot be read .* expected float"),
    ],
)
def test_a_config_that_cannot_be_read_is_not_taken_for_a_broken_tokenizer(folder, values, message):
    edit(folder / "config.json", **values)
    edit(folder / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")
    with pytest.raises(InputError, match=message):
        read_tokenizer(folder)


def test_a_config_that_cannot_be_read_is_named_where_the_model_is_loaded(folder):
    edit(folder / "config.json", layer_norm_epsilon="1e-5")
    assert read_tokenizer(folder)  # one that was made here is read without the config
    with pytest.raises(InputError, match=r"config\.json: it cannot be read .* expected float"):
        load_causal_model(folder)


def test_a_value_of_the_config_that_is_not_known_is_told_with_what_to_do(folder):
    edit(folder / "config.json", activation_function="gelu_magic")
    with pytest.raises(InputError, match=r"\(KeyError: 'gelu_magic'\); give the config\.json"):
        load_causal_model(folder)


def test_attention_that_this_machine_does_not_have_is_told_with_what_to_do(folder):
    edit(folder / "config.json", attn_implementation="my_kernel", _attn_implementation="my_kernel")
    with pytest.raises(InputError, match=r"a kind of attention that .*; delete attn_implem"):
        load_causal_model(folder)


def test_a_reward_model_is_no_language_model_though_its_name_ends_like_a_bodys(folder):
    edit(folder / "config.json", architectures=["GPT2ForRewardModel"])
    with pytest.raises(InputError, match="not a causal language model but a GPT2ForRewardModel"):
        load_causal_model(folder)
    edit(folder / "config.json", architectures=["GPT2Model"])
    load_causal_model(folder)


def test_output_weights_of_its_own_stay_a_models_own_when_tokens_are_added(folder):
    import torch

    before = load_causal_model(folder)
    head = before.lm_head.weight.detach().clone()
    edit(folder / "config.json", tie_word_embeddings=True)
    model = load_causal_model(folder)
    assert not model.config.tie_word_embeddings
    model.resize_token_embeddings(len(head) + 2, mean_resizing=False)
    assert torch.equal(model.lm_head.weight[: len(head)], head)
    model.save_pretrained(folder)
    assert torch.equal(load_causal_model(folder).lm_head.weight[: len(head)], head)
