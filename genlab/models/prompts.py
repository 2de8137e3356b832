"""How a query becomes a prompt, in one place: training and generation must agree to the token.

Tokenizers differ in the special tokens that they add before and after a text. Here a prompt gets
those before it and never an end-of-text; a text to be learnt has exactly one, at its end.
"""

from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

STRANGE = "\u2603\ua66e"  # a snowman and a letter of one manuscript: in no vocabulary but by bytes

MaxUnknownShare = Annotated[
    float, Option(min=0.0, max=1.0, help="of tokens unknown to the tokenizer; above: refused")
]


def make_prompt(query: str) -> str:
    """Return the text a passage is to follow: the query and a line break."""
    return query + "\n"


def encode_prompts(tokenizer: "PreTrainedTokenizerBase", queries: list[str]) -> list[list[int]]:
    """Return token ids of every prompt, with the tokenizer's own start token (Llama's BOS).

    Special tokens that the tokenizer adds after a text are left out, as the passage follows.
    """
    start, _ = frame(tokenizer)
    texts = [make_prompt(query) for query in queries]
    return [[*start, *ids] for ids in encode(tokenizer, texts, read_special_tokens=False)]


def encode_bodies(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    """Return token ids of every passage text, ended by the end-of-text token."""
    ids = encode(tokenizer, texts, read_special_tokens=False)
    for body in ids:
        body.append(tokenizer.eos_token_id)
    return ids


def frame(tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    """Return the special ids that the tokenizer adds before a text, and those after it.

    Only encoders use those after it, as genlab itself marks the end of a text. Raises InputError
    for a tokenizer that splits a text differently when it adds special tokens.
    """
    text = "a b"
    [plain], [full] = encode(tokenizer, [text]), encode(tokenizer, [text], add_special_tokens=True)
    for start in range(len(full) - len(plain) + 1):
        if full[start : start + len(plain)] == plain:
            return full[:start], full[start + len(plain) :]
    raise InputError(
        f"{tokenizer.name_or_path}: its tokenizer reads {text!r} as {full} with special tokens, "
        f"and as {plain} without; take one that only puts them before and behind"
    )


def encode(
    tokenizer: "PreTrainedTokenizerBase",
    texts: list[str],
    add_special_tokens: bool = False,
    read_special_tokens: bool = True,
) -> list[list[int]]:
    """Return token ids of every text, nothing cut or padded.

    Without `read_special_tokens` a special token's name in a text is read as text: an end-of-text
    that somebody typed must not end a document. A fast tokenizer is called directly, not through
    transformers, which spends a third of the time on masks and offsets that are not needed.
    """
    if not tokenizer.is_fast:
        return tokenizer(
            texts,
            add_special_tokens=add_special_tokens,
            split_special_tokens=not read_special_tokens,
        )["input_ids"]
    fast = tokenizer.backend_tokenizer
    fast.no_truncation()
    fast.no_padding()
    before, fast.encode_special_tokens = fast.encode_special_tokens, not read_special_tokens
    try:
        encoded = fast.encode_batch_fast(texts, add_special_tokens=add_special_tokens)
    finally:
        fast.encode_special_tokens = before
    return [each.ids for each in encoded]


def count_dropped(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> int:
    """Return how many characters of the texts, without spaces, the tokenizer silently drops.

    A BPE tokenizer without byte fallback and without an unknown token drops what it does not know.
    Others drop nothing; for them the texts are not read.
    """
    if not tokenizer.is_fast or tokenizer.unk_token_id is not None:
        return 0
    if encode(tokenizer, [STRANGE])[0]:
        return 0
    dropped = 0
    for text, each in zip(texts, tokenizer.backend_tokenizer.encode_batch(texts), strict=True):
        read = {at for start, end in each.offsets for at in range(start, end)}
        dropped += sum(not char.isspace() and at not in read for at, char in enumerate(text))
    return dropped


def count_unknown(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> tuple[int, int]:
    """Return (number of unknown tokens, number of all tokens) of the texts.

    Each character that the tokenizer drops counts as an unknown token.
    """
    ids = encode(tokenizer, texts, read_special_tokens=False)
    dropped = count_dropped(tokenizer, texts)
    unknown = sum(row.count(tokenizer.unk_token_id) for row in ids) + dropped
    if tokenizer.unk_token_id == tokenizer.eos_token_id:  # GPT-2's: bytes are all known
        unknown = dropped
    return unknown, sum(map(len, ids)) + dropped


def check_unknown(
    unknown: int,
    tokens: int,
    max_unknown_share: float,
    place: str,
    base: object,
    group: str = "tokenize",
) -> None:
    """Raise InputError if too many of the tokens at `place` are unknown to base's tokenizer."""
    share = unknown / max(tokens, 1)
    if share > max_unknown_share:
        raise InputError(
            f"{place}: {share:.1%} of its tokens are unknown to the tokenizer of {base}, above "
            f"{group}.max_unknown_share={max_unknown_share}: it was made for another language or "
            "alphabet; take another base, or raise the share"
        )
