"""How a query becomes a prompt, in one place: training and generation must agree to the token."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def make_prompt(query: str) -> str:
    """Return the text a passage is to follow: the query and a line break."""
    return query + "\n"


def encode_prompts(tokenizer: "PreTrainedTokenizerBase", queries: list[str]) -> list[list[int]]:
    """Return token ids of every prompt, with the tokenizer's own start token (Llama's BOS)."""
    return encode(tokenizer, [make_prompt(query) for query in queries], add_special_tokens=True)


def encode_bodies(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    """Return token ids of every passage text, ended by the end-of-text token."""
    ids = encode(tokenizer, texts, add_special_tokens=False)
    for body in ids:
        body.append(tokenizer.eos_token_id)
    return ids


def encode(
    tokenizer: "PreTrainedTokenizerBase", texts: list[str], add_special_tokens: bool
) -> list[list[int]]:
    """Return token ids of every text, nothing cut or padded.

    Where the tokenizer is a fast one, without transformers around it: a third of the time went
    into masks and offsets that nobody reads.
    """
    if not tokenizer.is_fast:
        return tokenizer(texts, add_special_tokens=add_special_tokens)["input_ids"]
    fast = tokenizer.backend_tokenizer
    fast.no_truncation()
    fast.no_padding()
    encoded = fast.encode_batch_fast(texts, add_special_tokens=add_special_tokens)
    return [each.ids for each in encoded]
