"""The validation texts whose mood is known, and how right a reward model is about them."""

from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.files import remove
from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.preference.reward_folders import check_above_chance
from genlab.preference.rewards import accuracy, load_reward, ranked_right


def known_texts(corpus: Path) -> pl.DataFrame:
    """Return the validation texts whose mood is known, none of a corpus of queries."""
    texts = read_table(corpus).filter(pl.col("split") == "validation")
    return texts.filter(pl.col("is_positive").is_not_null())


def labelled(corpus: Path) -> tuple[list[str], np.ndarray]:
    """Return the validation texts of known mood, and bool [n], whether each is positive."""
    known = known_texts(corpus)
    return known["text"].to_list(), known["is_positive"].to_numpy().astype(bool)


def validate(folder: Path, corpus: Path, group: str) -> dict[str, float]:
    """Return a reward model's accuracy on the validation texts, {} if they have no moods.

    The model is loaded in either case, so that a broken one is met here. Raises InputError, and
    removes the folder, if it rates texts worse than chance.
    """
    rates = load_reward(folder, batch_size=64)
    known = known_texts(corpus)
    if not known.height:
        return {}
    found = rates(known["prompt"].to_list(), known["text"].to_list())
    is_positive = known["is_positive"].to_numpy()
    try:
        check_above_chance(ranked_right(found, is_positive), group, group)
    except InputError:
        remove(folder)
        raise
    return {"validation_accuracy": accuracy(found, is_positive)}
