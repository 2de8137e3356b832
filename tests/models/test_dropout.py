"""Dropout: one probability reaches every place of a model that drops anything."""

import torch

from genlab.models.dropout import set_dropout
from tests.tiny_models import make_gpt2
from tests.tiny_t5 import make_t5


def losses(model, **inputs):
    """Return two losses of the model in training mode."""
    model.train()
    return [model(**inputs).loss.item() for _ in range(2)]


def test_a_gpt2_drops_as_much_as_it_is_told_and_nothing_at_zero():
    ids = torch.arange(1, 13)[None]
    model = make_gpt2(40, 0, n_embd=16, initializer_range=0.3)
    set_dropout(model, 0.0)
    first, second = losses(model, input_ids=ids, labels=ids)
    assert first == second
    set_dropout(model, 0.5)
    first, second = losses(model, input_ids=ids, labels=ids)
    assert first != second
    places = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert places == {0.5}
    model.eval()
    assert model(input_ids=ids, labels=ids).loss == model(input_ids=ids, labels=ids).loss


def test_a_t5_drops_within_its_attention_too():
    model = make_t5(dropout_rate=0.1)
    set_dropout(model, 0.3)
    attention = model.encoder.block[0].layer[0].SelfAttention
    assert attention.dropout == 0.3
    ids = torch.arange(2, 9)[None]
    first, second = losses(model, input_ids=ids, labels=ids)
    assert first != second
    set_dropout(model, 0.0)
    first, second = losses(model, input_ids=ids, labels=ids)
    assert first == second
