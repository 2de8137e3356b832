"""How a query becomes a prompt, in one place: training and generation must agree to the token."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def make_prompt(query: str) -> str:
    """Return the text a passage is to follow: the query and a line break."""
    return query + "\n"


def encode_prompts(tokenizer: "PreTrainedTokenizerBase", queries: list[str]) -> list[list[int]]:
    """Return token ids of every prompt, with the tokenizer's own start token (Llama's BOS)."""
    return tokenizer([make_prompt(query) for query in queries])["input_ids"]


def encode_bodies(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    """Return token ids of every passage text, ended by the end-of-text token."""
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [[*body, tokenizer.eos_token_id] for body in ids]
