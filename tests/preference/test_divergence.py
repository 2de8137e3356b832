"""KL of two models token by token, by hand from their logits, whatever stands beside a row."""

import numpy as np
import pytest
import torch

from genlab.core.program import InputError
from genlab.models.likelihood import token_losses
from genlab.preference.divergence import check_same_tokenizer, token_divergences
from tests.tiny_models import make_gpt2, make_tokenizer, save_base

ROWS = [[0, 5, 9, 3], [0, 7], [0, 4, 4, 4, 8, 2]]


@pytest.fixture(scope="module")
def models():
    return make_gpt2(seed=1), make_gpt2(seed=2)


def test_each_token_has_the_kl_of_the_whole_distributions_before_it(models):
    policy, reference = models
    found, _ = token_divergences(policy, reference, ROWS, [1, 1, 2], batch_size=2)
    assert [len(row) for row in found] == [3, 1, 4]
    with torch.inference_mode():
        p, q = (model(torch.tensor(ROWS[2:])).logits[0].softmax(-1).double() for model in models)
    expected = [(p[t] * (p[t] / q[t]).log()).sum().item() for t in range(1, 5)]
    assert found[2] == pytest.approx(expected, rel=1e-3)


def test_a_model_does_not_diverge_from_itself(models):
    found, _ = token_divergences(models[0], models[0], ROWS, [1] * 3, batch_size=8)
    assert np.abs(np.concatenate(found)).max() < 1e-5


def test_the_surprisal_is_the_references_loss_of_each_token(models):
    _, found = token_divergences(*models, ROWS, [1, 1, 2], batch_size=2)
    for row, expected in zip(found, token_losses(models[1], ROWS, [1, 1, 2], 4), strict=True):
        assert row == pytest.approx(expected, rel=1e-4)


def test_tokenizers_that_differ_are_an_error_that_names_both(tmp_path):
    policy, reference = save_base(tmp_path / "policy"), tmp_path / "reference"
    make_tokenizer(vocab_size=280).save_pretrained(reference)
    with pytest.raises(InputError, match=r"tokenizers of .*policy and of its reference .*differ"):
        check_same_tokenizer(policy, reference)
    make_tokenizer().save_pretrained(reference)
    check_same_tokenizer(policy, reference)
