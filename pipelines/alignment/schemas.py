"""The corpus: a row per text with its mood, if it has one, and the prompt it answers."""

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS

SPLITS = ("train", "validation")
HALVES = ("reward", "held_out")

TEXT_SCHEMA = pl.Schema(
    {
        "text_id": pl.String,
        "prompt": pl.String,  # "": none, the text begins a document
        "text": pl.String,
        "is_positive": pl.Boolean,  # null: no mood is known
        "split": pl.String,
        "half": pl.String,  # which of the two reward models it trains; none trains both
    }
)


def share_of(text_id: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on the text's id and the purpose alone."""
    return int.from_bytes(blake2b(f"{purpose}:{text_id}".encode(), digest_size=8).digest()) / 2**64


def divide(text_id: str, validation_share: float) -> tuple[str, str]:
    """Return a text's split and its half."""
    split = SPLITS[share_of(text_id, "split") < validation_share]
    return split, HALVES[share_of(text_id, "half") < 0.5]


def frames_of(rows: list[tuple]) -> Iterator[pl.DataFrame]:
    """Yield rows of TEXT_SCHEMA as frames of bounded size."""
    for start in range(0, len(rows), BATCH_ROWS):
        yield pl.DataFrame(rows[start : start + BATCH_ROWS], TEXT_SCHEMA, orient="row")


def count_texts(frame: pl.DataFrame) -> dict[str, int]:
    """Return how many texts of TEXT_SCHEMA each split and each mood has."""
    counts = {f"{split}_texts": int((frame["split"] == split).sum()) for split in SPLITS}
    moods = {"positive": frame["is_positive"], "negative": ~frame["is_positive"]}
    return counts | {mood: int(is_mood.sum()) for mood, is_mood in moods.items()}


def training_texts(texts: pl.DataFrame, half: str, group: str) -> tuple[list[str], np.ndarray]:
    """Return the train texts of one half and float32 [n]: 1 positive, 0 negative.

    Raises InputError, naming the params group, if they are not of both moods.
    """
    mine = texts.filter((pl.col("split") == "train") & (pl.col("half") == half))
    mine = mine.filter(pl.col("is_positive").is_not_null())
    labels = mine["is_positive"].cast(pl.Float32).to_numpy()
    if len(set(labels)) < 2:
        raise InputError(
            f"{group}.source=mini learns from texts of two moods, and the {half} half of the "
            f"corpus has {len(labels)} texts of {len(set(labels))}; give another source"
        )
    return mine["text"].to_list(), labels
