"""Perplexity: each token's loss is transformers' own, whatever stands beside it in the batch."""

import math
import random

import numpy as np
import pytest

from genlab.core.program import InputError
from genlab.mini.gpt2 import train_tokenizer
from genlab.models import likelihood
from genlab.models.likelihood import (
    bits_per_byte,
    mean_loss,
    perplexity,
    text_losses,
    token_losses,
)
from tests.tiny_models import TEXTS, make_gpt2, make_llama

RNG = random.Random(2)
ROWS = [[RNG.randrange(60) for _ in range(n)] for n in (5, 1, 19, 2, 12, 12, 40, 3)]


def loss_alone(model, row, n_prompt):
    """Return transformers' own mean loss of one row, its prompt left out."""
    import torch

    ids = torch.tensor([row])
    labels = ids.clone()
    labels[0, :n_prompt] = -100
    with torch.inference_mode():
        return float(model(ids, labels=labels).loss)


@pytest.mark.parametrize("make", [make_gpt2, make_llama])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_losses_are_those_of_transformers_for_one_row_at_a_time(make, batch_size):
    model = make()
    n_prompts = [1, 1, 7, 1, 2, 1, 1, 1]
    found = token_losses(model, ROWS, n_prompts, batch_size)
    for row, n_prompt, losses in zip(ROWS, n_prompts, found, strict=True):
        assert losses.dtype == np.float64
        assert losses.shape == (len(row) - n_prompt,)
        if losses.size:
            assert losses.mean() == pytest.approx(loss_alone(model, row, n_prompt), rel=1e-5)


def test_each_loss_is_the_negative_log_of_the_tokens_probability():
    import torch

    model, row = make_gpt2(), ROWS[2]
    with torch.inference_mode():
        probabilities = model(torch.tensor([row])).logits[0].softmax(1)
    expected = [-math.log(probabilities[t - 1, row[t]]) for t in range(1, len(row))]
    assert token_losses(model, [row], [1], 1)[0] == pytest.approx(expected, rel=1e-5)


def test_batches_are_smaller_where_the_scores_would_not_fit(monkeypatch):
    model, sizes = make_gpt2(), []
    expected = token_losses(model, ROWS, [1] * 8, 64)
    monkeypatch.setattr(likelihood, "SCORES_AT_A_TIME", 60 * 40)  # one row of 40, two of 19
    whole = likelihood.batch_losses

    def counting(model, rows):
        sizes.append(len(rows))
        return whole(model, rows)

    monkeypatch.setattr(likelihood, "batch_losses", counting)
    found = token_losses(model, ROWS, [1] * 8, 64)
    assert sizes == [1, 2, 3, 1]  # of 40; 19, 12; 12, 5, 3; 2 tokens
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_the_corpus_weighs_tokens_and_not_rows():
    # Losses ln 2 (three tokens) and ln 16 (one): a mean of (3 ln 2 + 4 ln 2) / 4 = 7/4 ln 2.
    losses = [np.full(3, math.log(2)), np.array([math.log(16)]), np.zeros(0)]
    assert perplexity(mean_loss(losses)) == pytest.approx(2**1.75)
    # 7 bits over the 4 + 3 bytes of "abé" and "xyz".
    assert bits_per_byte(losses, ["abé", "xyz", ""]) == pytest.approx(1.0)


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary():
    import torch

    model = make_gpt2()
    torch.nn.init.zeros_(model.lm_head.weight)  # all scores equal
    losses = token_losses(model, ROWS, [1] * 8, 4)
    assert perplexity(mean_loss(losses)) == pytest.approx(60, rel=1e-6)


def test_perplexity_is_the_exponential_of_the_loss():
    assert perplexity(math.log(50)) == pytest.approx(50)
    assert perplexity(0.0) == 1.0
    assert math.isfinite(perplexity(1e6))  # DVC cannot read infinity


def test_without_tokens_nothing_is_made_up():
    assert token_losses(make_gpt2(), [], [], 4) == []
    assert math.isnan(perplexity(mean_loss([np.zeros(0)])))
    assert math.isnan(bits_per_byte([np.zeros(0)], [""]))


def test_a_row_longer_than_the_model_reads_is_refused():
    with pytest.raises(InputError, match="a text of 129 tokens exceeds the 128 positions"):
        token_losses(make_gpt2(), [[1] * 129], [1], 4)


def test_a_first_token_can_not_be_scored():
    with pytest.raises(ValueError, match="n_prompt is at least 1"):
        token_losses(make_gpt2(), [[1, 2]], [0], 4)


def test_a_text_is_read_after_the_end_of_text_and_a_long_one_in_pieces():
    """A model of 8 positions reads 7 tokens a time, each piece after the end-of-text."""
    tokenizer = train_tokenizer(TEXTS, 320)
    model = make_gpt2(vocab_size=len(tokenizer), end=tokenizer.eos_token_id, n_positions=8)
    texts = ["The red river is near the old tower.", "", "river"]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    assert len(ids[0]) > 8
    found = text_losses(model, tokenizer, texts, 2)
    assert [len(losses) for losses in found] == [len(row) for row in ids]
    pieces = [ids[0][at : at + 7] for at in range(0, len(ids[0]), 7)]
    expected = [
        token_losses(model, [[tokenizer.eos_token_id, *piece]], [1], 1)[0] for piece in pieces
    ]
    assert found[0] == pytest.approx(np.concatenate(expected), rel=1e-5)


def test_no_texts_have_no_losses():
    assert text_losses(make_gpt2(), None, [], 1) == []
