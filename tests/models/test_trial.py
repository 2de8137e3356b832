"""A model is tried where it is fetched: what is refused, what is mended, and whom messages name."""

import json
import shutil

import numpy as np
import pytest
import torch

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_text_to_text_model, load_tokenizer
from genlab.models.positions import describe_positions, usable_positions
from genlab.models.trial import save_tried, try_model, try_rates
from genlab.ranking.rankers import Ranker, RankerKind, none_unread, try_ranker
from genlab.sources.model_folders import copy_base
from tests.broken_saves import save_zeroed
from tests.tiny_models import make_gpt2, make_llama, make_tokenizer, save_base
from tests.tiny_t5 import make_tokenizer as make_t5_tokenizer
from tests.tiny_t5 import save_t5

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 64, "max_position_embeddings": 64}


def save(model, folder, tokenizer=None):
    """Write a model with the tiny tokenizer; return the folder."""
    model.save_pretrained(folder)
    (tokenizer or make_tokenizer()).save_pretrained(folder)
    return folder


def change_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def make_roberta(kind, **options):
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.RobertaConfig(vocab_size=300, pad_token_id=1, **SIZES, **options)
    return getattr(transformers, kind)(config).eval()


def make_gpt1():
    """Return a tiny GPT-1, which keeps no cache of keys; weights drawn wide."""
    import torch
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

    torch.manual_seed(1)
    config = OpenAIGPTConfig(
        vocab_size=300, n_positions=64, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3
    )
    return OpenAIGPTLMHeadModel(config).eval()


def make_xlnet():
    import torch
    from transformers import XLNetConfig, XLNetLMHeadModel

    torch.manual_seed(1)
    config = XLNetConfig(vocab_size=300, d_model=32, n_layer=2, n_head=4, d_inner=64)
    return XLNetLMHeadModel(config)


def test_a_model_that_works_is_copied_and_its_positions_are_said(tmp_path, capsys):
    folder = save_base(tmp_path / "mine", n_embd=16)
    copy_base(folder, None, tmp_path / "base")
    assert f"{folder}: GPT2LMHeadModel, 128 positions; tried" in capsys.readouterr().out
    assert not (tmp_path / "base/trial").exists()
    copy_base(save_t5(tmp_path / "t5"), None, tmp_path / "base", load_text_to_text_model)
    assert "no limit on positions" in capsys.readouterr().out


def test_llamas_with_rotary_positions_and_shared_key_heads_work(tmp_path):
    folder = save(make_llama(300), tmp_path / "llama")
    copy_base(folder, None, tmp_path / "base")


def test_a_masked_model_is_refused_by_its_name(tmp_path):
    folder = save(make_roberta("RobertaForMaskedLM"), tmp_path / "mlm")
    with pytest.raises(InputError, match=f"^{folder}: not a causal .* but a RobertaForMaskedLM"):
        copy_base(folder, None, tmp_path / "base")


def test_a_masked_model_under_a_causal_models_name_is_refused_by_what_it_does(tmp_path):
    folder = save(make_roberta("RobertaForCausalLM"), tmp_path / "mlm")
    with pytest.raises(InputError, match=f"^{folder}: .* whose scores depend on later tokens"):
        copy_base(folder, None, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_a_permuted_model_is_refused(tmp_path):
    folder = save(make_xlnet(), tmp_path / "xlnet")
    with pytest.raises(InputError, match="a XLNetLMHeadModel whose scores depend on later tokens"):
        copy_base(folder, None, tmp_path / "base")


def test_a_model_whose_positions_are_counted_otherwise_is_refused(tmp_path):
    # RoBERTa counts positions from 2, generation from 0: it would read others than in training.
    folder = save(
        make_roberta("RobertaForCausalLM", is_decoder=True, initializer_range=0.5), tmp_path / "dec"
    )
    with pytest.raises(InputError, match="writes other tokens in a batch than alone"):
        copy_base(folder, None, tmp_path / "base")


@pytest.mark.parametrize("says_so", [True, False])
def test_a_sequence_classifier_is_no_language_model(tmp_path, says_so):
    from transformers import GPT2Config, GPT2ForSequenceClassification

    config = GPT2Config(vocab_size=300, n_layer=1, n_embd=16, n_head=2, n_positions=64)
    folder = save(GPT2ForSequenceClassification(config), tmp_path / "classifier")
    if not says_so:
        change_json(folder / "config.json", architectures=None)
    why = "but a GPT2ForSequenceClassification" if says_so else "head of another kind .score.weight"
    with pytest.raises(InputError, match=f"^{folder}: not a causal language model.*{why}"):
        copy_base(folder, None, tmp_path / "base")


def test_a_model_without_a_cache_writes_what_its_scores_over_the_whole_text_say(tmp_path):
    import torch

    from genlab.models.decoding import Decoding, generate

    folder = save(make_gpt1(), tmp_path / "gpt1")
    copy_base(folder, None, tmp_path / "base")
    model = load_causal_model(tmp_path / "base").eval()
    prompts = [[7, 100, 31, 8], [9, 55]]
    greedy = Decoding(5, 0.0, 0, 1.0, 1, 1.0, 0)
    written, _ = generate(model, prompts, ["a", "b"], greedy, set(), batch_size=2)
    for prompt, tokens in zip(prompts, written, strict=True):
        text = list(prompt)
        for _ in range(5):
            with torch.inference_mode():
                text.append(int(model(input_ids=torch.tensor([text])).logits[0, -1].argmax()))
        assert tokens == text[len(prompt) :]


def test_a_text_to_text_model_without_a_start_gets_t5s_own(tmp_path, capsys):
    folder = save_t5(tmp_path / "t5")
    change_json(folder / "config.json", decoder_start_token_id=None)
    (folder / "generation_config.json").unlink()
    copy_base(folder, None, tmp_path / "base", load_text_to_text_model)
    model = load_text_to_text_model(tmp_path / "base")
    assert model.config.decoder_start_token_id == model.config.pad_token_id == 0
    assert model.generation_config.decoder_start_token_id == 0
    assert "its decoder starts with padding" in capsys.readouterr().out


def test_another_kind_without_a_start_is_refused(tmp_path):
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=300, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16,
        decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, pad_token_id=0,
        max_position_embeddings=32, eos_token_id=1, decoder_start_token_id=None,
    )  # fmt: skip
    folder = save(BartForConditionalGeneration(config), tmp_path / "bart", make_t5_tokenizer())
    change_json(folder / "config.json", decoder_start_token_id=None)
    with pytest.raises(InputError, match=f"^{folder}: config.json does not say what the decoder"):
        copy_base(folder, None, tmp_path / "base", load_text_to_text_model)


def test_padding_is_taken_from_config_json_and_refused_where_nothing_says_it(tmp_path):
    folder = save_t5(tmp_path / "t5")
    tokenizer = load_tokenizer(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    copy_base(folder, None, tmp_path / "base", load_text_to_text_model)
    assert load_tokenizer(tmp_path / "base").pad_token_id == 0
    for name in ("config.json", "generation_config.json"):
        change_json(folder / name, pad_token_id=None)
    with pytest.raises(InputError, match=f"^{folder}: neither its tokenizer nor config.json says"):
        copy_base(folder, None, tmp_path / "other", load_text_to_text_model)


@pytest.mark.parametrize("start", [9999, -1, "0"])
def test_a_decoders_start_that_is_no_token_is_refused(tmp_path, start):
    folder = save_t5(tmp_path / "t5")
    change_json(folder / "config.json", decoder_start_token_id=start)
    (folder / "generation_config.json").unlink()
    with pytest.raises(
        InputError, match=rf"t5: its decoder starts with {start!r} \(config\.json, d"
    ):
        copy_base(folder, None, tmp_path / "base", load_text_to_text_model)


def test_a_kind_whose_settings_have_no_start_at_all_is_told_in_one_line(tmp_path):
    from transformers import (
        SwitchTransformersConfig,
        SwitchTransformersForConditionalGeneration,
    )

    tokenizer = make_t5_tokenizer()
    config = SwitchTransformersConfig(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2,
        num_decoder_layers=2, num_experts=2, num_sparse_encoder_layers=1,
        num_sparse_decoder_layers=1,
    )  # fmt: skip
    model = SwitchTransformersForConditionalGeneration(config)
    save(model, tmp_path / "switch", tokenizer)
    with pytest.raises(InputError, match=r"switch: a SwitchTr.* that cannot generate here"):
        copy_base(tmp_path / "switch", None, tmp_path / "base", load_text_to_text_model)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", r"gpt2/config\.json: .* field 'eos_token_id': \w+: .*'0'.*; correct it"),
        ("generation_config.json", r"gpt2: generation_config\.json gives '0' as eos_token_id"),
    ],
)
def test_an_end_of_text_that_is_no_number_is_refused(tmp_path, name, message):
    folder = save_base(tmp_path / "gpt2", n_embd=16)
    change_json(folder / name, eos_token_id="0")
    with pytest.raises(InputError, match=message):
        copy_base(folder, None, tmp_path / "base")


@pytest.mark.parametrize("name", ["generation_config.json", "model.safetensors.index.json"])
def test_broken_settings_are_named_where_the_model_is_fetched(tmp_path, name):
    folder = save_base(tmp_path / "gpt2", n_embd=16)
    (folder / name).write_text("{")
    with pytest.raises(InputError, match=f"gpt2/{name}: broken, no JSON object"):
        copy_base(folder, None, tmp_path / "base")


def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path):
    folder = save_base(tmp_path / "gpt2", n_embd=16)
    weights = {"weight_map": {"lm_head.weight": "../other/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(weights))
    with pytest.raises(InputError, match=r"weight_map has '\.\./other/model\.safetensors' where"):
        copy_base(folder, None, tmp_path / "base")


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_settings_that_ask_for_other_outputs_change_nothing(tmp_path, kind):
    t5 = kind == "t5"
    folder = (save_t5 if t5 else save_base)(tmp_path / kind)
    change_json(
        folder / "config.json", return_dict=False, output_attentions=True, output_hidden_states=True
    )
    load = load_text_to_text_model if t5 else load_causal_model
    copy_base(folder, None, tmp_path / "base", load)
    assert load(tmp_path / "base").config.return_dict


def test_experts_give_the_loss_of_their_tokens_whatever_the_config_asks(tmp_path):
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=300, hidden_size=16, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, num_local_experts=2, bos_token_id=0,
        eos_token_id=0, max_position_embeddings=64, initializer_range=0.5,
        output_router_logits=True, router_aux_loss_coef=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    folder = save(MixtralForCausalLM(config), tmp_path / "experts")
    copy_base(folder, None, tmp_path / "base")
    model = load_causal_model(tmp_path / "base").eval()
    ids = torch.tensor([[50, 60, 70, 80]])
    found = model(input_ids=ids, labels=ids)
    expected = torch.nn.functional.cross_entropy(found.logits[0, :-1], ids[0, 1:])
    torch.testing.assert_close(found.loss, expected)


def test_of_two_sets_of_weights_the_one_that_is_read_is_said(tmp_path, capsys):
    folder = save_base(tmp_path / "mine", n_embd=16)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {}}))
    copy_base(folder, None, tmp_path / "base")
    assert f"{folder}: weights are read from model.safetensors, not from" in capsys.readouterr().out


def test_the_ends_of_texts_in_the_settings_are_the_tokenizers(tmp_path):
    # Labels end in the tokenizer's; generation would wait for the other one to the cap.
    folder = save_t5(tmp_path / "t5")
    for name in ("config.json", "generation_config.json"):
        change_json(folder / name, eos_token_id=9)
    copy_base(folder, None, tmp_path / "base", load_text_to_text_model)
    model = load_text_to_text_model(tmp_path / "base")
    assert model.config.eos_token_id == model.generation_config.eos_token_id == 1


def test_an_adapter_beside_the_weights_is_left_out_and_said(tmp_path, capsys):
    import torch
    from peft import LoraConfig, get_peft_model

    folder = save_base(tmp_path / "mine", n_embd=16)
    adapter = get_peft_model(make_gpt2(300, n_embd=16), LoraConfig(target_modules=["c_attn"]))
    adapter.save_pretrained(folder)
    copy_base(folder, None, tmp_path / "base")
    assert not list((tmp_path / "base").glob("adapter_*"))
    assert "the adapter beside the weights" in capsys.readouterr().out
    plain = load_causal_model(save_base(tmp_path / "plain", n_embd=16))
    copied = load_causal_model(tmp_path / "base")
    assert not any("lora" in name for name, _ in copied.named_parameters())
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(copied.eval()(ids).logits, plain.eval()(ids).logits)


def test_an_adapter_alone_is_no_model(tmp_path):
    folder = save_base(tmp_path / "mine", n_embd=16)
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    with pytest.raises(InputError, match="no weights"):
        copy_base(folder, None, tmp_path / "base")


def test_pieces_come_along_and_what_cannot_be_read_of_them_is_said(tmp_path):
    folder = save_t5(tmp_path / "t5")
    (folder / "spiece.model").write_bytes(b"pieces")
    copy_base(folder, None, tmp_path / "base", load_text_to_text_model)
    assert (tmp_path / "base/spiece.model").read_bytes() == b"pieces"
    (folder / "tokenizer.json").unlink()
    with pytest.raises(
        InputError, match=rf"^{folder}: no tokenizer can be .*spiece\.model (needs|is)"
    ):
        copy_base(folder, None, tmp_path / "other", load_text_to_text_model)


@pytest.mark.parametrize("case", ["sizes", "no end", "unknown kind", "broken weights"])
def test_messages_name_the_users_folder_and_not_ours(tmp_path, case, capfd):
    folder = save_base(tmp_path / "mine", n_embd=16)
    if case == "sizes":
        change_json(folder / "config.json", n_embd=32)
    elif case == "no end":
        tokenizer = load_tokenizer(folder)
        tokenizer.eos_token = None
        tokenizer.save_pretrained(folder)
    elif case == "unknown kind":
        change_json(folder / "config.json", model_type="nobodys")
    else:
        (folder / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(InputError) as raised:
        copy_base(folder, None, tmp_path / "base")
    assert str(raised.value).startswith(f"{folder}: ") and "partial" not in str(raised.value)
    assert "partial" not in "".join(capfd.readouterr())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_weights_that_are_broken_are_refused(tmp_path):
    import torch

    model = make_gpt2(300)
    with torch.no_grad():
        model.transformer.wte.weight[7] = torch.nan
        model.transformer.h[0].mlp.c_fc.weight[0, 0] = torch.inf
    with pytest.raises(InputError, match="mine: the model's scores are NaN or infinite"):
        try_model(model, make_tokenizer(), load_causal_model, tmp_path / "trial", "mine")


def test_a_model_that_raises_is_refused_in_one_line(tmp_path):
    model = make_gpt2(300)
    model.transformer.h[0].mlp.c_proj = None
    with pytest.raises(
        InputError, match=r"mine: a GPT2LMHeadModel \(a causal .*\) that cannot compute here \(Type"
    ):
        try_model(model, make_tokenizer(), load_causal_model, tmp_path / "trial", "mine")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights_are_computed_in_float32(tmp_path, dtype):
    import torch

    folder = save(make_gpt2(300).to(getattr(torch, dtype)), tmp_path / "half")
    copy_base(folder, None, tmp_path / "base")
    assert load_causal_model(tmp_path / "base").dtype == torch.float32


def test_usable_positions_are_the_tables_without_the_rows_that_stand_for_no_token():
    from transformers import OPTConfig, OPTForCausalLM

    assert usable_positions(make_gpt2()) == 128
    assert usable_positions(make_roberta("RobertaForMaskedLM")) == 62  # 64 rows, pad is 1
    assert usable_positions(make_llama()) == 128
    opt = OPTConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, ffn_dim=16, num_attention_heads=2,
        word_embed_proj_dim=16, max_position_embeddings=32,
    )  # fmt: skip
    assert usable_positions(OPTForCausalLM(opt)) == 32  # of 34 rows
    assert describe_positions(make_gpt2()) == "128 positions"


def test_a_special_file_and_a_link_out_of_the_folder_are_refused(tmp_path):
    import os

    folder = save_base(tmp_path / "mine", n_embd=16)
    (tmp_path / "secret.json").write_text("{}")
    (folder / "extra.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(InputError, match=f"^{folder}: extra.json is a link that leads out"):
        copy_base(folder, None, tmp_path / "base")
    (folder / "extra.json").unlink()
    os.mkfifo(folder / "extra.json")
    with pytest.raises(InputError, match=f"^{folder}: extra.json is neither a file nor a folder"):
        copy_base(folder, None, tmp_path / "base")


def test_the_hubs_own_cache_and_links_within_the_folder_are_read(tmp_path):
    cache = tmp_path / "models--mine"
    folder = save_base(cache / "snapshots/abc", n_embd=16)
    (cache / "blobs").mkdir()
    shutil.move(folder / "model.safetensors", cache / "blobs/0f")
    (folder / "model.safetensors").symlink_to("../../blobs/0f")
    (folder / "special_tokens_map.json").symlink_to("tokenizer_config.json")
    copy_base(folder, None, tmp_path / "base")
    assert not (tmp_path / "base/model.safetensors").is_symlink()


def test_what_is_made_here_is_tried_and_a_broken_one_leaves_nothing(tmp_path):
    model, tokenizer = load_causal_model(save_base(tmp_path / "x", n_embd=16)), make_tokenizer()
    save_tried(model, tokenizer, tmp_path / "base", load_causal_model, "a mini model")
    assert (tmp_path / "base/model.safetensors").is_file()
    assert not (tmp_path / "base/trial").exists()
    with torch.no_grad():
        model.transformer.wte.weight.fill_(float("nan"))
    with pytest.raises(InputError, match=r"^a mini model: the model's scores are NaN"):
        save_tried(model, tokenizer, tmp_path / "broken", load_causal_model, "a mini model")
    assert {each.name for each in tmp_path.iterdir()} == {"x", "base"}


def test_what_is_made_here_and_saved_otherwise_leaves_nothing(tmp_path, monkeypatch):
    model, tokenizer = load_causal_model(save_base(tmp_path / "x", n_embd=16)), make_tokenizer()
    save_zeroed(monkeypatch, type(model))
    with pytest.raises(InputError, match="its weights are not saved as they were trained"):
        save_tried(model, tokenizer, tmp_path / "base", load_causal_model, "a mini model")
    assert {each.name for each in tmp_path.iterdir()} == {"x"}


def test_a_model_with_too_few_positions_is_refused_by_their_number(tmp_path):
    folder = save_base(tmp_path / "short", n_embd=16, n_positions=4)
    with pytest.raises(InputError, match=f"^{folder}: it has 4 positions, too few"):
        copy_base(folder, None, tmp_path / "base")
    copy_base(save_base(tmp_path / "just", n_embd=16, n_positions=8), None, tmp_path / "base")


def test_a_mixture_of_experts_that_cannot_generate_is_named_as_one(tmp_path):
    from transformers import SwitchTransformersConfig, SwitchTransformersForConditionalGeneration

    config = SwitchTransformersConfig(
        vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_decoder_layers=2,
        num_heads=2, num_experts=2, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = SwitchTransformersForConditionalGeneration(config)
    folder = save(model, tmp_path / "switch", make_t5_tokenizer())
    kind = r"an encoder-decoder with a mixture of experts\) that cannot generate here"
    with pytest.raises(InputError, match=f"^{folder}: a Switch.*{kind}"):
        copy_base(folder, None, tmp_path / "base", load_text_to_text_model)


def lengths_of(texts):
    return np.array([len(text) for text in texts], np.float32)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (lengths_of, None),
        (lambda texts: np.ones(len(texts)), "rates all texts alike"),
        (lambda texts: lengths_of(texts) + max(map(len, texts)), "otherwise when a longer one is"),
        (lambda texts: np.random.default_rng().random(len(texts)), "otherwise a second time"),
        (lambda texts: lengths_of(texts)[0] / 0, "cannot read a long text"),
        (lambda texts: np.full((len(texts), 2), np.nan), "rates are NaN or infinite: its weights"),
        (lambda texts: np.full(len(texts), -np.inf), "rates are NaN or infinite: its weights"),
    ],
)
def test_what_rates_texts_must_do_so_each_by_itself_and_always_alike(rates, message):
    with np.errstate(all="raise"):
        if message is None:
            try_rates(rates, 100, "theirs")
            return
        with pytest.raises(InputError, match=f"^theirs: its? .*{message}"):
            try_rates(rates, 100, "theirs")


def test_a_ranker_that_does_not_read_its_query_is_refused():
    ranker = Ranker(
        "r", RankerKind.cross_encoder, lambda queries, texts: lengths_of(texts), none_unread
    )
    with pytest.raises(InputError, match=r"^theirs: it rates texts alike for any query"):
        try_ranker(ranker, "theirs")
