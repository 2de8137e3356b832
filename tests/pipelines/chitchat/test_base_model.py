"""The base with tokens for two speakers: it works, and what lies on the disk is what was made."""

import pytest

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.positions import usable_positions
from genlab.sources.source import ModelOrigin, ModelSource
from pipelines.chitchat.base_model import add_speakers, fetch_base
from pipelines.chitchat.chat_inputs import SPEAKERS
from tests.broken_saves import save_zeroed
from tests.pipelines.chitchat.tiny_chat import SIZES, WORLD
from tests.tiny_models import save_base

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
