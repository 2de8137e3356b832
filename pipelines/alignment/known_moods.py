"""The validation texts whose mood is known, and a reward model's accuracy on them."""

from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.files import remove
from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.preference.reward_folders import check_accuracy
from genlab.preference.rewards import accuracy, load_reward, ranked_right


def known_texts(corpus: Path) -> pl.DataFrame:
    """Return the validation texts whose mood is known, none of a corpus of queries."""
    texts = read_table(corpus).filter(pl.col("split") == "validation")
    return texts.filter(pl.col("is_positive").is_not_null())


def labelled(corpus: Path) -> tuple[list[str], np.ndarray]:
    """Return the validation texts of known mood, and bool [n], whether each is positive."""
    known = known_texts(corpus)
    return known["text"].to_list(), known["is_positive"].to_numpy().astype(bool)


def validate(folder: Path, corpus: Path, group: str, min_accuracy: float) -> dict[str, float]:
    """Print and return a reward model's accuracy on the validation texts, {} if they have no moods.

    The model is loaded in either case, so that a broken one is found here. Raises InputError, and
    removes the folder, if less than `min_accuracy` of the pairs of texts are ranked right.
    """
    rates = load_reward(folder, batch_size=64)
    known = known_texts(corpus)
    if not known.height:
        print(f"{group}: no validation text has a mood: how right it is about them is not known")
        return {}
    found = rates(known["prompt"].to_list(), known["text"].to_list())
    is_positive = known["is_positive"].to_numpy()
    right, share = accuracy(found, is_positive), ranked_right(found, is_positive)
    always = max(is_positive.mean(), 1 - is_positive.mean())
    said = (
        f"{group}: right about {right:.1%} of {known.height:,} validation texts, always the same "
        f"about {always:.1%}; {share:.1%} of pairs of a positive and a negative one are ranked "
        "right, chance is 50%"
    )
    try:
        check_accuracy(share, said, min_accuracy, group)
    except InputError:
        remove(folder)
        raise
    print(said)
    return {"validation_accuracy": right}
