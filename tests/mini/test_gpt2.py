"""The mini base: its tokenizer, the order of its texts, and that pretraining teaches something."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.mini.gpt2 import Sizes, break_lines, pretrain
from genlab.mini.training import is_matrix, length_bucketed_batches
from tests.tiny_models import TEXTS, WORDS, make_tokenizer

SIZES = {
    "vocab_size": 300,
    "n_layer": 1,
    "n_embd": 32,
    "n_head": 2,
    "n_positions": 64,
    "epochs": 4,
    "batch_size": 8,
    "learning_rate": 0.02,
    "embedding_learning_rate": 0.01,
    "max_offset": 8,
    "seed": 1,
}


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(500)


@pytest.fixture(scope="module")
def pretrained(tokenizer):
    return pretrain(TEXTS, tokenizer, Sizes(**SIZES))


def test_a_name_is_one_token_wherever_it_stands(tokenizer):
    for word in (*WORDS, "Anna"):
        [number] = tokenizer(word)["input_ids"]  # at the start of a query
        for text in (f"by {word}", f"end.\n {word}", f"{word} {word}"):  # inside, after a break
            assert tokenizer(text)["input_ids"][-1] == number
        assert tokenizer(f"end.\n {word}")["input_ids"][:-1] == tokenizer("end.\n")["input_ids"]


def test_the_tokenizer_has_at_most_the_asked_number_of_tokens_and_loses_no_character(tokenizer):
    assert len(make_tokenizer(300)) == 300
    assert len(tokenizer) < 500  # the texts have no more pairs that occur twice
    for text in ("Zürich, 3 °C – ☃\n\tend", *TEXTS[:5]):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == f" {text}"
    assert tokenizer.eos_token == tokenizer.bos_token == "<|endoftext|>"
    assert tokenizer("a<|endoftext|>")["input_ids"][-1] == tokenizer.eos_token_id


sentences = st.lists(st.text("ab. ", max_size=6), max_size=6).map(". ".join)


@given(st.lists(sentences, max_size=5), st.integers(0, 9))
def test_one_line_break_a_text_at_a_sentence_end_and_nothing_else_is_changed(texts, seed):
    broken = break_lines(texts, seed)
    assert [text.replace("\n", "") for text in broken] == texts
    for text, before in zip(broken, texts, strict=True):
        assert text.count("\n") == (". " in before)
        assert text.count(".\n ") == text.count("\n")


def test_line_breaks_are_at_every_sentence_end_in_turn():
    texts = ["One. Two. Three."] * 40
    assert set(break_lines(texts, 1)) == {"One.\n Two. Three.", "One. Two.\n Three."}
    assert break_lines(texts, 1) == break_lines(texts, 1) != break_lines(texts, 2)


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 7), st.integers(0, 9))
def test_batches_hold_every_row_once_and_neighbours_in_length(lengths, batch_size, seed):
    batches = list(length_bucketed_batches(lengths, batch_size, random.Random(seed)))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    assert all(len(batch) <= batch_size for batch in batches)
    spans = sorted((min(span), max(span)) for span in ([lengths[i] for i in b] for b in batches))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_batches_come_in_another_order_every_time():
    rng = random.Random(1)
    orders = [tuple(map(tuple, length_bucketed_batches([5] * 40, 4, rng))) for _ in range(3)]
    assert len(set(orders)) == 3


def mean_loss(model, tokenizer, texts, offset=0):
    import torch

    total = n_tokens = 0
    for text in texts:
        ids = torch.tensor([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
        positions = torch.arange(offset, offset + ids.shape[1])[None]
        with torch.inference_mode():
            logits = model(ids, position_ids=positions).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        n_tokens += ids.shape[1] - 1
    return total / n_tokens


def test_pretraining_learns_the_language(pretrained, tokenizer):
    model, loss = pretrained
    untrained = math.log(len(tokenizer))  # nats a token when all are equally likely
    assert mean_loss(model, tokenizer, TEXTS[:20]) < 0.4 * untrained
    assert loss < untrained  # the mean over all steps, of which there are fewer than 100 here
    assert not model.training


def test_pretraining_teaches_later_positions_too(pretrained, tokenizer):
    model, _ = pretrained
    shifted = mean_loss(model, tokenizer, TEXTS[:20], offset=SIZES["max_offset"])
    unshifted, _ = pretrain(TEXTS, tokenizer, Sizes(**(SIZES | {"max_offset": 0})))
    assert shifted < mean_loss(unshifted, tokenizer, TEXTS[:20], offset=SIZES["max_offset"]) - 0.1


def test_two_runs_give_the_same_weights_and_another_seed_others(pretrained, tokenizer):
    model, loss = pretrained
    again, loss_again = pretrain(TEXTS, tokenizer, Sizes(**SIZES))
    assert loss == loss_again
    before, after = model.state_dict(), again.state_dict()
    assert all((before[name] == after[name]).all() for name in before)
    _, other = pretrain(TEXTS, tokenizer, Sizes(**(SIZES | {"seed": 2, "epochs": 1})))
    assert other != pretrain(TEXTS, tokenizer, Sizes(**(SIZES | {"epochs": 1})))[1]


def test_a_text_longer_than_the_positions_is_cut(tokenizer):
    model, _ = pretrain(
        [" ".join(TEXTS[:9])] * 8, tokenizer, Sizes(**(SIZES | {"n_positions": 20, "epochs": 1}))
    )
    assert model.config.n_positions == 20


def test_muon_turns_the_matrices_inside_the_blocks_and_nothing_else(pretrained):
    model, _ = pretrained
    turned = {name for name, weight in model.named_parameters() if is_matrix(name, weight)}
    assert turned == {
        f"transformer.h.0.{name}.weight"
        for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }
