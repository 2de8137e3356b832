"""Models and tokenizers small enough for tests, built from configurations and a fixed seed.

Weights are drawn wide (standard deviation 0.5) and the output matrix is its own: a model that has
just been initialised the usual way gives nearly equal scores, and a tied one repeats its input, so
that a mistake in masks or positions would not change any token.
"""

from pathlib import Path

# Every word occurs often enough to become one token.
WORDS = ["red", "blue", "green", "stone", "river", "tower", "bridge"]
WORDS += ["garden", "market", "north", "south", "old", "new", "quiet"]
TEXTS = [
    f"The {first} {second} is near the {third}. It was built by Anna in {year}."
    for year, (first, second, third) in enumerate(
        zip(WORDS * 9, WORDS[3:] * 11, WORDS[5:] * 14, strict=False), start=1900
    )
]


def make_gpt2(vocab_size=60, end=0, seed=0, n_embd=32, n_positions=128, **options):
    """Return a GPT-2 of two layers in evaluation mode."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=vocab_size,
        n_layer=2,
        n_embd=n_embd,
        n_head=4,
        n_positions=n_positions,
        bos_token_id=end,
        eos_token_id=end,
        **{"initializer_range": 0.5, "tie_word_embeddings": False, **options},
    )
    return GPT2LMHeadModel(config).eval()


def make_llama(vocab_size=60, end=0, seed=0):
    """Return a Llama of two layers (rotary positions, shared key heads) in evaluation mode."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=end,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).eval()


def make_tokenizer(vocab_size=300):
    """Return the mini base's kind of tokenizer: 256 bytes, end-of-text and some words."""
    from genlab.mini.gpt2 import train_tokenizer

    return train_tokenizer(TEXTS, vocab_size)


def save_base(folder: Path, **options) -> Path:
    """Write a tiny GPT-2 (`make_gpt2`'s options) and its tokenizer to a folder in Hub layout."""
    tokenizer = make_tokenizer()
    model = make_gpt2(len(tokenizer), tokenizer.eos_token_id, **options)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
