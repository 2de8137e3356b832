"""What lies in a model's folder and would be passed over in silence is refused, by its name."""

import json

import pytest

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model
from tests.tiny_models import make_llama, save_base

ATTENTION = "transformer.h.0.attn.c_attn"  # float32 [16, 48]


@pytest.fixture
def folder(tmp_path):
    return save_base(tmp_path / "model", n_embd=16)


def change_weights(folder, change):
    """Give the weights in a folder as `change` returns them, from those that are there."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(("dtype", "called"), [("int8", "I8"), ("float8_e4m3fn", "F8_E4M3")])
def test_weights_of_8_bits_without_what_they_mean_are_refused(folder, dtype, called):
    import torch

    name = f"{ATTENTION}.weight"
    change_weights(folder, lambda found: found | {name: found[name].to(getattr(torch, dtype))})
    with pytest.raises(InputError, match=rf"model\.safetensors has {name} as {called}, and config"):
        load_causal_model(folder)


def test_weights_of_8_bits_in_a_file_that_is_not_read_are_no_matter(folder):
    """As in a folder that has the same model in several sizes."""
    import torch
    from safetensors.torch import save_file

    small = {f"{ATTENTION}.weight": torch.ones(16, 48, dtype=torch.int8)}
    save_file(small, folder / "model_int8.safetensors")
    load_causal_model(folder)


def test_weights_of_8_bits_in_one_of_several_files_are_refused(folder):
    import torch
    from safetensors.torch import load_file, save_file

    name = f"{ATTENTION}.weight"
    found = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    parts = {"a.safetensors": {name: found.pop(name).to(torch.int8)}, "b.safetensors": found}
    for part, weights in parts.items():
        save_file(weights, folder / part, metadata={"format": "pt"})
    places = {key: part for part, weights in parts.items() for key in weights}
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=rf"a\.safetensors has {name} as I8, and config"):
        load_causal_model(folder)


def test_weights_of_8_bits_that_the_config_explains_are_read_with_their_scales(tmp_path):
    import torch

    make_llama(60).save_pretrained(tmp_path)
    name = "model.layers.0.self_attn.q_proj.weight"
    before = {}

    def as_fp8(found):
        before.update(found)
        small = {
            key: value.to(torch.float8_e4m3fn) for key, value in found.items() if "proj" in key
        }
        scales = {f"{key}_scale_inv": torch.full((1, 1), 0.5) for key in small}
        return found | small | scales

    change_weights(tmp_path, as_fp8)
    with pytest.raises(InputError, match=r"its weights are of a model stored in few bits, .*inv, "):
        load_causal_model(tmp_path)
    change_config(tmp_path, quantization_config={"quant_method": "fp8"})
    loaded = load_causal_model(tmp_path).state_dict()[name]
    expected = before[name].to(torch.float8_e4m3fn).float() * 0.5
    torch.testing.assert_close(loaded, expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["lora_A.default.weight", "lora_B.default.weight"], r"2 of .* an adapter's, .*; merge it"),
        (
            ["weight_scale"],
            r"1 of its weights are of a model stored in few bits, .*; give the mode",
        ),
        (
            ["qweight", "qzeros", "scales", "g_idx"],
            r"4 of its weights are .*in few bits, .*g_idx, ",
        ),
    ],
)
def test_weights_that_others_depend_on_are_not_left_out_in_silence(folder, names, message):
    import torch

    further = {f"{ATTENTION}.{name}": torch.ones(2) for name in names}
    change_weights(folder, lambda found: found | further)
    with pytest.raises(InputError, match=f"not a whole causal language model, {message}"):
        load_causal_model(folder)


def test_an_adapters_wrapped_matrices_are_called_by_what_they_are(folder):
    def wrapped(found):
        return {name.replace("c_attn.", "c_attn.base_layer."): each for name, each in found.items()}

    change_weights(folder, wrapped)
    with pytest.raises(
        InputError, match=r"4 of its weights are an adapter's, .*c_attn\.base_layer"
    ):
        load_causal_model(folder)


def test_buffers_and_other_heads_are_as_harmless_as_before(folder):
    import torch

    masks = {"transformer.h.0.attn.bias": torch.ones(4, 4, dtype=torch.uint8)}  # old GPT-2's
    change_weights(folder, lambda found: found | masks)
    load_causal_model(folder)


def test_a_class_of_the_folders_own_code_is_not_replaced_in_silence(folder):
    code = {"AutoModelForCausalLM": "modeling_my.MyGPTLMHeadModel"}
    change_config(folder, auto_map=code, architectures=["MyGPTLMHeadModel"])
    with pytest.raises(
        InputError, match=r"config\.json asks for MyGPTLMHeadModel, whose code .*GPT2"
    ):
        load_causal_model(folder)


@pytest.mark.parametrize(
    "code",
    [
        {"AutoModelForCausalLM": "org/model--modeling_gpt2.GPT2LMHeadModel"},
        {"AutoModelForCausalLM": "modeling_gpt2.Gpt2LMHeadModel"},  # MPT is written in two ways
        {"AutoTokenizer": ["tokens.MyTokenizer", None]},
        "nonsense",
    ],
)
def test_a_class_that_the_library_has_by_now_is_read(folder, code):
    change_config(folder, auto_map=code)
    load_causal_model(folder)
