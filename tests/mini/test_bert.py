"""The classifier's shape: whatever hidden_size a user sets."""

import pytest

from genlab.mini.bert import ClassifierRecipe, new_classifier

TEXTS = ["a wonderful film and a lovely plot", "an awful film and a boring end"] * 4


@pytest.mark.parametrize(
    ("hidden_size", "n_heads"),
    [(32, 1), (64, 2), (96, 3), (100, 1), (200, 2)],  # 100 // 32 = 3, 200 // 32 = 6
)
def test_the_heads_of_attention_divide_any_hidden_size(hidden_size, n_heads):
    recipe = ClassifierRecipe(
        vocab_size=300,
        hidden_size=hidden_size,
        max_tokens=16,
        epochs=1,
        batch_size=8,
        learning_rate=0.003,
        seed=1,
    )
    _, model = new_classifier(TEXTS, recipe)
    assert model.config.num_attention_heads == n_heads
