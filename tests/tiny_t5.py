"""A T5 small enough for tests, its tokenizer and reviews to order, from a fixed seed.

Weights are drawn wide and the output matrix is its own, as in tests/tiny_models.py: so that a
mistake in masks, positions or caches changes the tokens.
"""

from pathlib import Path

TEXTS = [
    f"{place}, {thing} . Оценка {rating}! {mood} {thing}; {place} <это>?"
    for rating in (1, 2, 3, 4, 5)
    for place in ("кафе", "баня", "школа", "аптека")
    for thing, mood in (("борщ", "вкусный"), ("зал", "тёплый"), ("врач", "добрый"))
]


def make_t5(vocab_size=40, seed=0, scale=1.0, d_model=16, num_layers=2, **options):
    """Return a T5 in evaluation mode; pad is 0, the end-of-text 1."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=vocab_size,
        d_model=d_model,
        d_kv=8,
        d_ff=32,
        num_layers=num_layers,
        num_decoder_layers=num_layers,
        num_heads=2,
        initializer_factor=scale,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        **{"tie_word_embeddings": False, "dropout_rate": 0.0, **options},
    )
    return T5ForConditionalGeneration(config).eval()


def make_tokenizer():
    """Return the mini T5's kind of tokenizer, trained on TEXTS."""
    from genlab.mini.t5 import train_tokenizer

    return train_tokenizer(TEXTS, 300)


def save_t5(folder: Path, **options) -> Path:
    """Write a tiny T5 (`make_t5`'s options) and its tokenizer to a folder in Hub layout."""
    tokenizer = make_tokenizer()
    model = make_t5(len(tokenizer), **{"scale": 1.0, **options})
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
