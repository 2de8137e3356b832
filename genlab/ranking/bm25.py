"""BM25 for texts outside the collection: word statistics from a whole table, scores for any text.

The passages of a query table are read once, to count in how many of them each word occurs. A scored
text need not be among them, and a generated one is not. Libraries such as bm25s score only the
documents they indexed, and statistics of a query's ten candidates would make every word of the
query look common. The formula is Lucene's. The counts are stored as Parquet and JSON, never as a
pickle.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.core.tables import read_batches, read_table, write_table

K1 = 1.5  # saturation of repeated words; k1 and b are bm25s's defaults (Lucene itself: 1.2, 0.75)
B = 0.75  # how far long texts are marked down: 0 not at all, 1 in full proportion
WORD = r"\w+"  # Unicode letters, digits and underscores; no stop words: idf makes them weigh little
PAIRS_AT_A_TIME = 20_000  # 60 words each: some 100 MB of intermediate tables
COUNTED_ROWS = 5_000  # queries x 10 passages x 60 words = 3,000,000 words in memory

FREQUENCY_SCHEMA = pl.Schema({"word": pl.String, "n_documents": pl.UInt32})


@dataclass(frozen=True)
class Collection:
    """Statistics of a collection: idf per word, number of documents, mean words per document."""

    idf: pl.DataFrame  # columns word, idf
    n_documents: int
    mean_length: float


def count_words(batches: Iterable[pl.Series]) -> tuple[pl.DataFrame, int, int]:
    """Return (documents per word with FREQUENCY_SCHEMA, number of documents, number of words).

    A text that occurs several times counts several times, as in any index of the collection.
    """
    # One small table per batch, merged at once: memory grows with the vocabulary, not the corpus.
    frequencies = FREQUENCY_SCHEMA.to_frame()
    n_documents = n_words = 0
    for texts in batches:
        words = split_words(texts)
        n_documents += len(texts)
        n_words += words.height
        counted = words.unique().group_by("word").agg(pl.len().alias("n_documents"))
        frequencies = (
            pl.concat([frequencies, counted.match_to_schema(FREQUENCY_SCHEMA)])
            .group_by("word")
            .agg(pl.col("n_documents").sum())
        )
    return frequencies.sort("word"), n_documents, n_words


def split_words(texts: pl.Series) -> pl.DataFrame:
    """Return one row per word of `texts` (lower-cased): columns text (its position) and word."""
    words = texts.str.to_lowercase().str.extract_all(WORD)
    return (
        pl.DataFrame({"text": pl.int_range(len(texts), dtype=pl.UInt32, eager=True), "word": words})
        .explode("word")
        .drop_nulls("word")
    )


def write_collection(table: Path, folder: Path) -> dict[str, int | float]:
    """Count the words of all passages of the query table (all splits) and write them to `folder`.

    Writes words.parquet and collection.json; returns the content of the latter. Raises InputError
    if the table holds no words at all.
    """
    batches = (rows["passages"].explode().struct.field("text").drop_nulls()
               for rows in read_batches(table, COUNTED_ROWS, needed=["passages"]))  # fmt: skip
    frequencies, n_documents, n_words = count_words(batches)
    if n_words == 0:
        raise InputError(f"{table}: no passage holds a word, so BM25 has nothing to count")
    write_table(folder / "words.parquet", [frequencies], FREQUENCY_SCHEMA)
    statistics = {
        "n_documents": n_documents,
        "n_words": n_words,
        "vocabulary": frequencies.height,
        "mean_length": n_words / n_documents,
    }
    write_json(folder / "collection.json", statistics)
    return statistics


def read_collection(folder: Path) -> Collection:
    """Return the statistics that `write_collection` wrote; InputError if they are not whole."""
    path = folder / "collection.json"
    try:
        statistics = parse_json(path.read_text(encoding="utf-8"))
        n_documents, mean_length = statistics["n_documents"], statistics["mean_length"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: not BM25 statistics ({error}); run `dvc repro fetch_ranker`"
        ) from None
    frequencies = read_table(folder / "words.parquet")
    return Collection(weigh_words(frequencies, n_documents), n_documents, mean_length)


def weigh_words(frequencies: pl.DataFrame, n_documents: int) -> pl.DataFrame:
    """Return each word's idf, ln(1 + (N - n + 0.5) / (n + 0.5)): Lucene's, never negative.

    Kamphuis et al. 2020, "Which BM25 do you mean?", table 1.
    """
    n = pl.col("n_documents").cast(pl.Float64)
    return frequencies.select("word", idf=(1 + (n_documents - n + 0.5) / (n + 0.5)).log())


def score_pairs(collection: Collection, queries: list[str], texts: list[str]) -> np.ndarray:
    """Return float32 [n]: the BM25 score of texts[i] for queries[i]; 0.0 where they share no word.

    score = sum over query words w of idf(w) * f / (f + k1 * (1 - b + b * length / mean length)),
    f being how often w occurs in the text; a word twice in the query counts twice. Words unknown to
    the collection add nothing.
    """
    parts = [
        score_chunk(
            collection,
            pl.Series(queries[start : start + PAIRS_AT_A_TIME], dtype=pl.String),
            pl.Series(texts[start : start + PAIRS_AT_A_TIME], dtype=pl.String),
        )
        for start in range(0, len(texts), PAIRS_AT_A_TIME)
    ]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def score_chunk(collection: Collection, queries: pl.Series, texts: pl.Series) -> np.ndarray:
    """Return float32 [n]: `score_pairs` for as many pairs as fit in memory."""
    pair_word = ["text", "word"]
    text_words = split_words(texts)
    lengths = np.bincount(text_words["text"].to_numpy(), minlength=len(texts))
    in_query = split_words(queries).group_by(pair_word).agg(pl.len().alias("in_query"))
    shared = (
        text_words.join(in_query, on=pair_word)
        .group_by([*pair_word, "in_query"])
        .agg(pl.len().alias("in_text"))
        .join(collection.idf, on="word")
        .sort(pair_word)  # bincount then adds in one order: the same bytes every time
    )
    pair = shared["text"].to_numpy()
    in_text = shared["in_text"].to_numpy().astype(np.float64)
    norm = K1 * (1 - B + B * lengths[pair] / collection.mean_length)
    weights = shared["in_query"].to_numpy() * shared["idf"].to_numpy() * in_text / (in_text + norm)
    return np.bincount(pair, weights=weights, minlength=len(texts)).astype(np.float32)
