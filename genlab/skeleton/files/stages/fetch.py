"""Fetch the texts. They are made here: words drawn one by one, common words more often.

Put what your pipeline reads in the place of `make_texts`. No other stage should reach outside, so
that all of them run without a network.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.seeds import random_stream
from genlab.core.tables import write_table

SCHEMA = pl.Schema({"text_id": pl.String(), "text": pl.String()})

app = stage_app()


def make_texts(n_texts: int, n_words: int, n_vocabulary: int, seed: int) -> pl.DataFrame:
    """Return SCHEMA rows; word k of the vocabulary is drawn with a chance proportional to 1/k.

    The words of a text depend on the seed and its id alone.
    """
    weights = 1 / np.arange(1, n_vocabulary + 1)
    ends = np.cumsum(weights / weights.sum())
    rows = []
    for text_id in (f"text-{i}" for i in range(n_texts)):
        drawn = np.searchsorted(ends, random_stream(seed, text_id, n_words))
        rows.append((text_id, " ".join(f"w{k + 1}" for k in drawn)))
    return pl.DataFrame(rows, SCHEMA, orient="row")


@app.command()
def main(
    output: Path,
    metrics: Annotated[Path, Option(help="Counts (JSON).")],
    n_texts: Annotated[int, Option(min=2, help="Texts.")],
    n_words: Annotated[int, Option(min=1, help="Words of each text.")],
    n_vocabulary: Annotated[int, Option(min=1, help="Different words there are.")],
    seed: Annotated[int, Option(min=0, help="Seed of the words.")],
) -> None:
    """Write the texts, a row each."""
    texts = make_texts(n_texts, n_words, n_vocabulary, seed)
    write_table(output, [texts], SCHEMA)
    write_json(metrics, {"n_texts": texts.height})


if __name__ == "__main__":
    run(app)
