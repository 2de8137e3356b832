"""The table of the corpus: a row a text, its mood if it has one, and the prompt it answers."""

from hashlib import blake2b

import polars as pl

SPLITS = ("train", "validation")
HALVES = ("reward", "held_out")

TEXT_SCHEMA = pl.Schema(
    {
        "text_id": pl.String,
        "prompt": pl.String,  # "": none, the text begins a document
        "text": pl.String,
        "is_positive": pl.Boolean,  # null: no mood is known
        "split": pl.String,
        "half": pl.String,  # whose training text it is: no text teaches both models
    }
)


def share_of(text_id: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on the text's id and the purpose alone."""
    return int.from_bytes(blake2b(f"{purpose}:{text_id}".encode(), digest_size=8).digest()) / 2**64


def divide(text_id: str, validation_share: float) -> tuple[str, str]:
    """Return a text's split and its half."""
    split = SPLITS[share_of(text_id, "split") < validation_share]
    return split, HALVES[share_of(text_id, "half") < 0.5]
