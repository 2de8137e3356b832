"""Requests for reviews, and the texts that a model writes for them.

Requests are prompts of test reviews, equally many of every rating. All arms get the same table of
requests; a model's texts are added to it.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from genlab.core.program import InputError
from genlab.core.progress import progress
from genlab.models.seq2seq_decoding import generate_texts
from genlab.models.token_texts import decode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from genlab.models.decoding import Decoding

ASKED = ["review_id", "rating", "prompt", "input_ids"]


def draw_requests(
    test_tokens: Path, reviews: pl.DataFrame, n_per_rating: int, seed: int
) -> pl.DataFrame:
    """Return n reviews of every rating, drawn by the seed, in the order of the table.

    Columns: review_id, rating, prompt, input_ids, rubrics, keywords. Raises InputError, naming the
    rating, if there are fewer.
    """
    with pa.memory_map(str(test_tokens)) as source:
        table = pl.DataFrame(pa.ipc.open_stream(source).read_all()).select(ASKED)
    drawn = table.with_row_index("place").sample(fraction=1.0, shuffle=True, seed=seed)
    drawn = drawn.filter(pl.int_range(pl.len()).over("rating") < n_per_rating)
    counts = Counter(dict.fromkeys(sorted(reviews["rating"].unique()), 0))
    counts.update(drawn["rating"].to_list())
    rating, n_rarest = counts.most_common()[-1]
    if n_rarest < n_per_rating:
        raise InputError(
            f"{test_tokens}: only {n_rarest} test reviews are rated {rating}; set gen.n_per_rating "
            f"to that or less (it is {n_per_rating}), or raise dedup.test_share"
        )
    asked = reviews.select("review_id", "rubrics", "keywords")
    requests = drawn.sort("place").drop("place").join(asked, on="review_id", maintain_order="left")
    if requests.height != drawn.height:
        raise InputError(f"{test_tokens}: of other reviews than these; run `dvc repro tokenize`")
    return requests


def write_texts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    requests: pl.DataFrame,
    decoding: "Decoding",
    batch_size: int,
    label: str,
) -> pl.DataFrame:
    """Return the requests without input_ids, and with tokens, text and finished."""
    with progress(f"generating ({label})", requests.height, "texts") as update:
        tokens, finished = generate_texts(
            model,
            requests["input_ids"].to_list(),
            requests["review_id"].to_list(),
            decoding,
            batch_size,
            update,
        )
    return requests.drop("input_ids").with_columns(
        tokens=pl.Series(tokens, dtype=pl.List(pl.Int32)),
        text=pl.Series(decode_texts(tokenizer, tokens), dtype=pl.String),
        finished=pl.Series(finished, dtype=pl.Boolean),
    )
