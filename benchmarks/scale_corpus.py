"""Make a corpus of MS MARCO's size and shape, for measurements that need no download.

    python -m benchmarks.scale_corpus OUTPUT N_QUERIES

Words are made up and drawn by Zipf's law (exponent 1, as in any language); a query has 2 to 12 of
them, a passage 15 to 85, a query ten passages. As in the real data
a quarter of the passages hold UTF-8 that was read as Latin-1 and some hold markup; one in
thirty is a copy within its list, one in fifty nearly so; and so are one in a hundred queries each.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import show_help
from genlab.core.tables import write_table

# As on the Hub.
SCHEMA = pl.Schema(
    {
        "query_id": pl.Int32,
        "query": pl.String,
        "passages": pl.Struct(
            {"is_selected": pl.List(pl.Int32), "passage_text": pl.List(pl.String)}
        ),
    }
)
N_WORDS = 100_000  # different ones
N_PASSAGES = 10  # per query
BATCH = 5_000  # queries made at a time: 300 MB
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


def make_words(rng: np.random.Generator) -> pl.Series:
    """Return N_WORDS different words; frequent ones are short."""
    n_syllables = np.minimum(5, 1 + np.log10(np.arange(1, 4 * N_WORDS + 1)).astype(int))
    words = ["".join(rng.choice(SYLLABLES, n)) for n in n_syllables]
    return pl.Series(list(dict.fromkeys(words))[:N_WORDS])


def draw_texts(rng: np.random.Generator, words: pl.Series, sizes: np.ndarray) -> pl.Series:
    """Return a text of each size in words."""
    # The inverse of Zipf's cumulative distribution, log(rank) / log(N), nearly enough.
    ranks = np.exp(rng.random(sizes.sum()) * np.log(len(words) - 1)).astype(np.int64) - 1
    text = np.repeat(np.arange(len(sizes)), sizes)
    drawn = pl.DataFrame({"text": text, "word": words.gather(ranks)})
    return drawn.group_by("text", maintain_order=True).agg("word")["word"].list.join(" ")


def make_batch(words: pl.Series, first: int, n_queries: int) -> pl.DataFrame:
    """Return queries number `first` and on, which are the same in a corpus of any size."""
    rng = np.random.default_rng(first)
    n = n_queries * N_PASSAGES
    number = np.arange(first, first + n_queries)
    queries = draw_texts(rng, words, rng.integers(2, 13, n_queries))
    texts = draw_texts(rng, words, rng.integers(15, 86, n))
    kind = rng.random(n)
    column = pl.col("text")
    passages = pl.DataFrame({"text": texts, "kind": kind, "at": np.arange(n)}).with_columns(
        pl.when(pl.col("kind") < 0.25)
        .then(column.str.replace(" ", " cafÃ© donâ\x80\x99t ") + ".")
        .when(pl.col("kind") < 0.30)
        .then("<p>" + column.str.replace(" ", " <b>AT&amp;T</b> ") + "</p>\n")
        .otherwise(column.str.replace(" ", ", ") + ".")
        .alias("text")
    )
    before = column.shift(1)
    in_list = pl.col("at") % N_PASSAGES > 0
    passages = passages.with_columns(
        pl.when(in_list & (pl.col("kind") > 0.97))
        .then(before)
        .when(in_list & (pl.col("kind") > 0.95))
        .then(before + " Indeed.")
        .otherwise(column)
        .alias("text"),
        is_selected=pl.col("at") % N_PASSAGES
        == pl.Series(rng.integers(0, 10, n_queries)).gather(np.arange(n) // N_PASSAGES),
    )
    lists = (
        passages.with_columns(row=pl.Series(np.arange(n) // N_PASSAGES))
        .group_by("row", maintain_order=True)
        .agg(passage_text="text", is_selected=pl.col("is_selected").cast(pl.Int32))
    )
    kind = rng.random(n_queries)
    earlier = queries.shift(1).fill_null(queries[0])
    return pl.DataFrame({"queries": queries, "earlier": earlier, "kind": kind}).select(
        query_id=pl.Series(number).cast(pl.Int32),
        query=pl.when(pl.col("kind") > 0.99)
        .then(pl.col("earlier").str.to_uppercase())
        .when(pl.col("kind") > 0.98)
        .then(pl.col("earlier") + " s")
        .otherwise("queries"),
        passages=lists.select(pl.struct("is_selected", "passage_text")).to_series(),
    )


def make_corpus(n_queries: int) -> Iterator[pl.DataFrame]:
    """Yield the corpus in batches; the first queries of a larger one are those of a smaller."""
    words = make_words(np.random.default_rng(17))
    for first in range(0, n_queries, BATCH):
        batch = make_batch(words, first, BATCH)
        yield batch.head(n_queries - first)


if __name__ == "__main__":
    show_help(__doc__, 2)
    write_table(Path(sys.argv[1]), make_corpus(int(sys.argv[2])), SCHEMA)
