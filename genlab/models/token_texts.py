"""Generated token ids as texts, cut to a number of new tokens and decoded the same way everywhere.

All tables of generated texts have the columns of GENERATED; each pipeline adds its own. A text is
cut by token count, so one generation gives every length up to its cap.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GENERATED = pl.Schema(
    {
        "prompt": pl.String(),
        "tokens": pl.List(pl.Int32),  # new ones; an end-of-text only where it did not stop the text
        "finished": pl.Boolean(),  # whether an end-of-text was reached within the cap
    }
)


def check_lengths(max_len: int, cap: int, num_beams: int) -> None:
    """Raise InputError unless `max_len` tokens can be cut from what was generated.

    A prefix of greedy or sampled text is the shorter generation. A prefix of a beam is not: the
    best 50 tokens are not the first 50 of the best 300.
    """
    if max_len > cap:
        raise InputError(
            f"gen.max_len={max_len} is more than the gen.cap={cap} new tokens that are generated; "
            "raise gen.cap (generates again) or lower gen.max_len"
        )
    if num_beams > 1 and max_len != cap:
        raise InputError(
            f"gen.num_beams={num_beams} needs gen.max_len={max_len} equal to gen.cap={cap}: a "
            "beam's prefix is not the shorter beam; set both to the length you want"
        )


def cut_texts(
    generated: pl.DataFrame,
    tokenizer: "PreTrainedTokenizerBase",
    max_len: int,
    strip_query: bool,
) -> list[str]:
    """Return the texts of at most `max_len` new tokens, with their prompt before unless stripped.

    The cut is by token count. Whatever the prompt says, only the new tokens are counted.
    """
    tokens = generated["tokens"].list.head(max_len).to_list()
    texts = decode_texts(tokenizer, tokens)
    if strip_query:
        return [text.strip() for text in texts]
    return [
        (prompt + text).strip() for prompt, text in zip(generated["prompt"], texts, strict=True)
    ]


MaxBlankShare = Annotated[
    float, Option(min=0.0, max=1.0, help="of generated texts without a word; more are refused")
]


def check_blanks(texts: Sequence[str], max_blank_share: float) -> None:
    """Say how many generated texts are blank, if any are.

    Raises InputError if their share is above `max_blank_share`: means over the rest, or over
    nothing, would pass for results.
    """
    n_blank = sum(not text.strip() for text in texts)
    if not n_blank:
        return
    said = f"{n_blank} of {len(texts)} generated texts are blank"
    if n_blank > max_blank_share * len(texts):
        raise InputError(
            f"{said}, and score.max_blank_share allows {max_blank_share} of them; train longer, "
            "generate otherwise, or raise it"
        )
    print(said)


def decode_texts(tokenizer: "PreTrainedTokenizerBase", rows: list[list[int]]) -> list[str]:
    """Return the text of each row of token ids; special tokens inside it become a line break.

    Only a text that was driven on past its end-of-text has any. Left out, as tokenizers do, they
    would glue the last word of one text to the first of the next; as "<|endoftext|>", a ranker
    would read a word. A line break is what rankers treat as any space.
    """
    special = special_tokens(tokenizer)
    parts = [
        [list(part) for is_special, part in groupby(row, special.__contains__) if not is_special]
        for row in rows
    ]
    decoded = iter(tokenizer.batch_decode([part for row in parts for part in row]))
    return ["\n".join(next(decoded) for _ in row) for row in parts]


def special_tokens(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return the ids that are no text: end-of-text, start, padding."""
    return {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
