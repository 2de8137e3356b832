"""The base with tokens for two speakers: it works, and what lies on the disk is what was made."""

import pytest

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.positions import usable_positions
from genlab.sources.source import ModelOrigin, ModelSource
from pipelines.chitchat.arm_training import check_token_types
from pipelines.chitchat.base_model import add_speakers, fetch_base
from pipelines.chitchat.chat_inputs import SPEAKERS, Special
from tests.broken_saves import save_zeroed
from tests.pipelines.chitchat.tiny_chat import BARE, DIALOGUE, SIZES, WORLD
from tests.tiny_models import make_gpt2, make_llama, make_tokenizer, save_base

NOT_SAVED = "its weights are not saved as they were trained"


def test_a_base_gets_both_speakers_and_no_trace_of_its_trial(tmp_path):
    n_before = load_causal_model(save_base(tmp_path / "base", n_embd=16)).num_parameters()
    # Two more rows of 16 numbers each, in the embeddings and in the output matrix.
    assert add_speakers(tmp_path / "base", 17) == n_before + 2 * 2 * 16
    known = load_tokenizer(tmp_path / "base").get_vocab()
    assert set(SPEAKERS) <= set(known) and len(SPEAKERS) == 2
    assert usable_positions(load_causal_model(tmp_path / "base")) == 128
    assert not (tmp_path / "base/trial").exists()


def test_a_base_that_is_saved_otherwise_with_its_speakers_is_an_error(tmp_path, monkeypatch):
    folder = save_base(tmp_path / "base", n_embd=16)
    save_zeroed(monkeypatch, type(load_causal_model(folder)))
    with pytest.raises(InputError, match=NOT_SAVED):
        add_speakers(folder, 17)


def test_a_base_made_here_that_is_saved_otherwise_is_an_error_and_not_kept(tmp_path, monkeypatch):
    from transformers import PreTrainedModel

    save_zeroed(monkeypatch, PreTrainedModel)
    origin = ModelOrigin(ModelSource.mini, tmp_path / "none", WORLD, "none", "none")
    with pytest.raises(InputError, match=NOT_SAVED):
        fetch_base(origin, 20, SIZES, tmp_path / "base")
    assert not list(tmp_path.iterdir())


def make_bert():
    """Return a BERT that writes from left to right; it knows two token types."""
    import torch
    from transformers import BertConfig, BertLMHeadModel

    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, is_decoder=True,
    )  # fmt: skip
    return BertLMHeadModel(config).eval()


@pytest.mark.parametrize("make", [make_llama, make_bert])
def test_an_arm_with_token_types_needs_a_model_that_reads_them(make):
    special = Special(0, 0, (58, 59))
    check_token_types(make_gpt2(60), DIALOGUE, special)
    model = make()
    check_token_types(model, BARE, special)
    with pytest.raises(InputError, match=f"a {type(model).__name__} does not read token types"):
        check_token_types(model, DIALOGUE, special)


def test_a_base_that_does_not_read_token_types_says_so_where_it_is_fetched(tmp_path, capsys):
    tokenizer = make_tokenizer()
    make_llama(len(tokenizer)).save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    origin = ModelOrigin(ModelSource.file, tmp_path / "llama", WORLD, "none", "none")
    fetch_base(origin, 20, SIZES, tmp_path / "base")
    assert "a LlamaForCausalLM does not read token types as GPT-2 does" in capsys.readouterr().out


def test_a_base_that_cannot_take_tokens_is_refused_by_the_users_name(tmp_path):
    import torch
    from transformers import XLMConfig, XLMWithLMHeadModel

    torch.manual_seed(1)
    tokenizer = make_tokenizer()
    config = XLMConfig(  # keeps its number of tokens in a second place
        vocab_size=len(tokenizer), emb_dim=16, n_layers=1, n_heads=2, n_langs=1, causal=True
    )
    XLMWithLMHeadModel(config).save_pretrained(tmp_path / "xlm")
    tokenizer.save_pretrained(tmp_path / "xlm")
    origin = ModelOrigin(ModelSource.file, tmp_path / "xlm", WORLD, "none", "none")
    message = f"^{tmp_path}/xlm, with tokens for two speakers: .*cannot be changed here"
    with pytest.raises(InputError, match=message):
        fetch_base(origin, 20, SIZES, tmp_path / "base")
    assert not (tmp_path / "base").exists()
