"""Replies that repeat their input, word for word or nearly.

The same measure finds them in the corpus, where dedup leaves them out, and in what a model says.
"""

import numpy as np
import polars as pl

from genlab.text.minhash import Shingles, true_similarities
from genlab.text.normal_form import key_expression

# Ours: a turn has 25 characters, and 5 would weigh one ending too much; ends weigh as the middle.
SHINGLES = Shingles(3, pad_ends=True)
PAIRS_AT_A_TIME = 100_000


def is_echo(inputs: pl.Series, replies: pl.Series, threshold: float) -> pl.Series:
    """Return for every pair of texts whether the reply repeats its input.

    It does if their normalized forms (lower case, without punctuation) are equal, or if the Jaccard
    similarity of their character shingles is at least `threshold`; with 1.0 only equal ones do. A
    text without a word repeats nothing.
    """
    keys = pl.DataFrame({"input": inputs, "reply": replies}).select(
        key_expression(pl.col("input")), key_expression(pl.col("reply"))
    )
    found = []
    for part in keys.iter_slices(PAIRS_AT_A_TIME):
        equal = (part["input"] == part["reply"]).to_numpy()
        if threshold < 1:
            rows = np.arange(part.height)
            pairs = np.stack([rows, rows], axis=1)
            alike = true_similarities(pairs, part["input"], part["reply"], SHINGLES)
            equal = equal | (alike >= threshold)
        has_word = ((part["input"] != "") & (part["reply"] != "")).to_numpy()
        found.append(pl.Series(equal & has_word, dtype=pl.Boolean))
    return pl.concat(found) if found else pl.Series([], dtype=pl.Boolean)
