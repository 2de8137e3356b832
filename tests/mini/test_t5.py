"""The mini T5: its objective against cases worked out by hand, its tokenizer, what it learns."""

import math
import random

import pytest

from genlab.core.program import InputError
from genlab.mini.t5 import Sizes, check_sizes, corrupt_spans, divide, pretrain, sentinel
from tests.tiny_t5 import TEXTS, make_tokenizer

END = 1
SENTINELS = list(range(900, 1000))


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def put_together(inputs: list[int], targets: list[int]) -> list[int]:
    """Return the text that a corrupted pair was made of."""
    gaps: dict[int, list[int]] = {}
    for token in targets:
        if token in SENTINELS:
            gaps[token] = []
            last = token
        else:
            gaps[last].append(token)
    return [each for token in inputs for each in gaps.get(token, [token])]


class FixedCuts(random.Random):
    """Cuts where it is told to, one list a call."""

    def __init__(self, *cuts):
        super().__init__()
        self.cuts = list(cuts)

    def sample(self, population, k):
        cuts = self.cuts.pop(0)
        assert len(cuts) == k and set(cuts) <= set(population)
        return cuts


def test_spans_are_replaced_by_sentinels_as_worked_out_by_hand():
    # 20 ids, density 0.3: 6 are lost in 2 spans of 4 + 2; the 14 others stand as 5 + 9.
    ids = list(range(10, 30))
    inputs, targets = corrupt_spans(ids, SENTINELS, END, FixedCuts([5], [4]), 0.3, 3.0)
    assert inputs == [10, 11, 12, 13, 14, 900, *range(19, 28), 901, END]
    assert targets == [900, 15, 16, 17, 18, 901, 28, 29, 902, END]


def test_a_text_of_two_ids_loses_its_second():
    assert corrupt_spans([7, 8], SENTINELS, END, random.Random(0)) == (
        [7, 900, END],
        [900, 8, 901, END],
    )


@pytest.mark.parametrize("n", [2, 3, 5, 7, 20, 64, 333])
def test_the_pieces_put_together_are_the_text_and_its_first_id_is_never_lost(n):
    ids = list(range(2, n + 2))
    for seed in range(20):
        inputs, targets = corrupt_spans(ids, SENTINELS, END, random.Random(seed))
        assert inputs[-1] == targets[-1] == END
        assert put_together(inputs[:-1], targets[:-1]) == ids
        assert inputs[0] == ids[0]
        n_spans = sum(token in SENTINELS for token in inputs)
        assert [token for token in inputs if token in SENTINELS] == SENTINELS[:n_spans]
        assert [token for token in targets if token in SENTINELS] == SENTINELS[: n_spans + 1]


def test_long_texts_lose_15_percent_in_spans_of_3():
    ids = [2] * 400
    for seed in range(5):
        inputs, targets = corrupt_spans(ids, SENTINELS, END, random.Random(seed))
        n_spans = sum(token in SENTINELS for token in inputs)
        assert len(targets) - 1 - (n_spans + 1) == 60  # 15 % of 400
        assert n_spans == 20  # 60 / 3


def test_all_divisions_are_equally_likely():
    rng = random.Random(0)
    counts: dict = {}
    for _ in range(6000):
        parts = tuple(divide(5, 3, rng))
        counts[parts] = counts.get(parts, 0) + 1
    # 4 choose 2 = 6 ways; 1000 each, standard deviation 29.
    assert set(counts) == {(1, 1, 3), (1, 3, 1), (3, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)}
    assert all(abs(count - 1000) < 120 for count in counts.values())
    assert divide(4, 1, rng) == [4] and divide(4, 4, rng) == [1, 1, 1, 1]


def test_the_tokenizer_ends_texts_and_gives_them_back(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        assert ids[-1] == END and ids.count(END) == 1
        assert 2 not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_every_sentinel_is_one_token(tokenizer):
    ids = tokenizer.convert_tokens_to_ids([sentinel(i) for i in range(100)])
    assert len(set(ids)) == 100 and 2 not in ids
    assert tokenizer("<extra_id_7>")["input_ids"] == [ids[7], END]


def test_marks_that_end_a_sentence_are_tokens_and_a_word_is_the_same_before_them(tokenizer):
    tokens = tokenizer.convert_ids_to_tokens
    for mark in ".,!?;":
        alone, marked = tokenizer("борщ")["input_ids"], tokenizer(f"борщ{mark}")["input_ids"]
        assert marked[: len(alone) - 1] == alone[:-1]
        assert tokens(marked)[len(alone) - 1 :] == [mark, "</s>"]


SIZES = {
    "vocab_size": 300,
    "d_model": 16,
    "num_layers": 1,
    "num_heads": 2,
    "batch_size": 8,
    "learning_rate": 0.01,
    "embedding_learning_rate": 0.02,
}


def test_the_same_seed_gives_the_same_weights_and_another_others(tokenizer):
    def weights(seed):
        model, _ = pretrain(TEXTS[:24], tokenizer, Sizes(epochs=1, seed=seed, **SIZES))
        return model.state_dict()

    one, two, other = weights(1), weights(1), weights(2)
    assert all((one[name] == two[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)


def test_the_loss_falls_far_below_that_of_guessing(tokenizer):
    _, loss = pretrain(TEXTS, tokenizer, Sizes(epochs=40, seed=1, **SIZES))
    assert loss < 0.4 * math.log(len(tokenizer))


def test_a_width_that_heads_do_not_divide_is_an_error_naming_both_keys():
    with pytest.raises(InputError, match=r"base\.d_model=10 .* base\.num_heads=3"):
        check_sizes(Sizes(**SIZES | {"d_model": 10, "num_heads": 3}, epochs=1, seed=1))
