"""Leaks: texts of the training split that evaluated queries share.

The evaluated queries are indexed whole, and the training split is looked up in batches. The result
is a row per evaluated query with its nearest training texts. genlab/ranking/leakage.py compares the
metrics of leaked and clean queries.

Only the evaluated side is held, about 2.5 KB a passage: the whole process takes 0.7 GB for 5,000
queries of ten passages of 60 words and 1.6 GB for 40,000, however large the training split.
"exact" means equal normalized texts (`genlab.text.normal_form`). "near" means similar characters
(`genlab.text.minhash`): not only leaks are near, but also questions of the same pattern about
another name. So every match shows the nearest text and the words that differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from genlab.text import minhash
from genlab.text.normal_form import key_expression, words

# Kind of leak -> what it compares. Fine-tuning reads the query and the selected passages only.
KINDS = {
    "query": "the query, with the training queries",
    "answer": "its selected passages, with the training queries' selected passages",
    "answer_in_passages": "its selected passages, with all training passages",
    "passage": "all its passages, with all training passages",
}
MATCH_SCHEMA = {
    "leak": pl.String,  # none | near | exact; null: the query has no such text
    "similarity": pl.Float64,  # of the nearest pair; this and what follows are null without one
    "text": pl.String,
    "train_query_id": pl.String,
    "train_text": pl.String,
    "differing_words": pl.Float64,  # share of both texts' different words that one text lacks
    "only_here": pl.String,  # these words, sorted
    "only_in_train": pl.String,
}
LEAK_SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        **{f"{kind}_{name}": dtype for kind in KINDS for name, dtype in MATCH_SCHEMA.items()},
        "n_passages": pl.Int64,
        "n_passages_exact": pl.Int64,
        "n_passages_near": pl.Int64,
        "passages_exact": pl.Float64,  # shares of n_passages; null without any
        "passages_near": pl.Float64,
    }
)
# Proposed pairs whose signatures are compared at a time: 2 x 32 MB at 128 places.
CHUNK_PAIRS = 2**16
N_EXAMPLES = 3  # of each kind and degree, to be read


@dataclass
class Index:
    """The distinct evaluated texts of one kind, and each one's nearest training text so far."""

    keys: pl.Series  # sorted
    threshold: float
    hashing: dict[str, Any]  # of every MinHash function
    signatures: np.ndarray  # uint32[n, num_perm]
    # uint64[bands, n], each band sorted: the hash, whose low bits are the text's place in `keys`.
    buckets: np.ndarray
    similarity: np.ndarray = field(init=False)  # 0: none found
    is_exact: np.ndarray = field(init=False)
    train_ids: np.ndarray = field(init=False)
    train_texts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.keys)
        self.similarity, self.is_exact = np.zeros(n), np.zeros(n, dtype=bool)
        self.train_ids, self.train_texts = np.full(n, None), np.full(n, None)

    @property
    def low_bits(self) -> np.uint64:
        """A mask of the bits that hold a place in `keys`, or their number."""
        return np.uint64((1 << len(self.keys).bit_length()) - 1)


def index_texts(texts: pl.Series, threshold: float, hashing: dict[str, Any]) -> Index:
    """Return the index of `texts`, with nothing found yet."""
    # A text of punctuation alone has an empty key, and equals nothing.
    keys = pl.select(key_expression(pl.lit(texts)).alias("key"))["key"]
    keys = keys.filter(keys != "").unique().sort()
    signatures = minhash.sign(keys, **hashing)
    index = Index(keys, threshold, hashing, signatures, np.zeros((0, 0), dtype=np.uint64))
    # In place: for a million texts each copy would take 256 MB.
    index.buckets = np.ascontiguousarray(fold(index, signatures).T)
    index.buckets &= ~index.low_bits
    index.buckets |= np.arange(len(keys), dtype=np.uint64)
    index.buckets.sort(axis=1)
    return index


def fold(index: Index, signatures: np.ndarray) -> np.ndarray:
    """Return the bands of signatures that are looked up in the index."""
    r = minhash.rows_per_band(index.threshold, index.hashing["num_perm"])
    return minhash.fold_bands(signatures, r)


def note_matches(index: Index, train: pl.DataFrame) -> None:
    """Update the index with the texts of `train` that are nearer to an evaluated text than before.

    train: query_id and text of one batch, in the order of the corpus; of equally near texts the
    first stays.
    """
    train = (
        train.with_columns(key=key_expression(pl.col("text")))
        .filter(pl.col("key") != "")
        .unique("key", keep="first", maintain_order=True)
    )
    if train.is_empty() or index.keys.is_empty():
        return
    keys = train["key"]
    places = index.keys.search_sorted(keys).to_numpy().astype(np.int64)
    at = np.minimum(places, len(index.keys) - 1)
    equal = np.flatnonzero((index.keys.gather(at) == keys).to_numpy())
    equal = equal[~index.is_exact[at[equal]]]
    note(index, train, np.stack([equal, at[equal]], axis=1), np.ones(len(equal)))
    index.is_exact[at[equal]] = True

    signatures = minhash.sign(keys, **index.hashing)
    pairs = propose(index, signatures, places)
    pairs = pairs[can_be_nearer(index, signatures, pairs)]
    similarities = minhash.true_similarities(pairs, keys, index.keys, index.hashing["shingles"])
    nearer = similarities >= np.maximum(index.threshold, index.similarity[pairs[:, 1]])
    pairs, similarities = pairs[nearer], similarities[nearer]
    # Nearest first, then first in the corpus; of each evaluated text the first pair counts.
    order = np.lexsort((pairs[:, 0], -similarities, pairs[:, 1]))
    pairs, similarities = pairs[order], similarities[order]
    _, first = np.unique(pairs[:, 1], return_index=True)
    first = first[similarities[first] > index.similarity[pairs[first, 1]]]
    note(index, train, pairs[first], similarities[first])


def note(index: Index, train: pl.DataFrame, pairs: np.ndarray, similarities: np.ndarray) -> None:
    """Set the nearest training texts of the evaluated texts in `pairs` (row of train, place)."""
    rows, places = pairs.T
    index.similarity[places] = similarities
    index.train_ids[places] = train["query_id"].gather(rows).to_list()
    index.train_texts[places] = train["text"].gather(rows).to_list()


def propose(index: Index, signatures: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the pairs (row of `signatures`, place in the index) that share a band, int64[n, 2].

    In a crowded bucket a row is paired only with its neighbours in the order of the texts
    (`places`), so that the work is linear in the number of rows.
    """
    n = len(index.keys)
    low_bits, most = index.low_bits, minhash.BUCKET_NEIGHBOURS
    found = [np.zeros(0, dtype=np.int64)]
    for band, bucket in zip(fold(index, signatures).T, index.buckets, strict=True):
        start = band & ~low_bits
        first = np.searchsorted(bucket, start)
        rows = np.flatnonzero(bucket[np.minimum(first, n - 1)] & ~low_bits == start)
        start, first = start[rows], first[rows]
        last = np.searchsorted(bucket, start | low_bits, side="right")
        here = np.searchsorted(bucket, start | places[rows].astype(np.uint64))
        left = np.clip(here - most // 2, first, np.maximum(last - most, first))
        for distance in range(most):
            inside = left + distance < last
            neighbours = bucket[left[inside] + distance] & low_bits
            found.append(rows[inside] * n + neighbours.astype(np.int64))
    return np.stack(np.divmod(np.unique(np.concatenate(found)), n), axis=1)


def can_be_nearer(index: Index, signatures: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return which pairs' signatures allow a similarity above the threshold and the nearest so far.

    A pair is ruled out if its estimate is three standard errors below: 1 of 700 is missed. A text
    with an exact copy is not compared again.
    """
    needed = np.maximum(index.threshold, index.similarity[pairs[:, 1]])
    least = needed - 3 * np.sqrt(needed * (1 - needed) / signatures.shape[1])
    kept = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), CHUNK_PAIRS):
        chunk = slice(start, start + CHUNK_PAIRS)
        rows, places = pairs[chunk].T
        equal = (signatures[rows] == index.signatures[places]).mean(axis=1)
        kept[chunk] = (equal >= least[chunk]) & ~index.is_exact[places]
    return kept


def explode_texts(queries: pl.DataFrame) -> pl.DataFrame:
    """Return one row per passage: query_id, text, is_selected."""
    filled = queries.filter(pl.col("passages").list.len() > 0)
    return filled.select("query_id", "passages").explode("passages").unnest("passages")


def find_leaks(
    asked: pl.DataFrame,
    batches: Iterable[pl.DataFrame],
    query_threshold: float,
    passage_threshold: float,
    hashing: dict[str, Any],
) -> tuple[pl.DataFrame, int]:
    """Return LEAK_SCHEMA rows of the evaluated queries, and the number of training queries.

    batches: the whole query table; rows of other splits than train are passed over.
    """
    passages = explode_texts(asked)
    selected = passages.filter("is_selected")
    of_queries = index_texts(asked["query"], query_threshold, hashing)
    of_answers = index_texts(selected["text"], passage_threshold, hashing)
    of_passages = index_texts(passages["text"], passage_threshold, hashing)
    n_train = 0
    for batch in batches:
        train = batch.filter(pl.col("split") == "train")
        n_train += train.height
        texts = explode_texts(train)
        note_matches(of_queries, train.select("query_id", text="query"))
        note_matches(of_answers, texts.filter("is_selected"))
        note_matches(of_passages, texts)

    matched = look_up(of_passages, passages)
    found = {
        "query": look_up(of_queries, asked.select("query_id", text="query")),
        "answer": look_up(of_answers, selected),
        "answer_in_passages": matched.filter(passages["is_selected"]),
        "passage": matched,
    }
    leaks = asked.select("query_id")
    for kind, texts in found.items():
        nearest = nearest_of_each(texts)
        names = {name: f"{kind}_{name}" for name in nearest.columns if name != "query_id"}
        nearest = nearest.rename(names)
        leaks = leaks.join(nearest, on="query_id", how="left", maintain_order="left")
    return with_leaked_passages(leaks, matched).match_to_schema(LEAK_SCHEMA), n_train


def with_leaked_passages(leaks: pl.DataFrame, passages: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of queries with the numbers and shares of their passages that leak.

    passages: query_id and leak of every passage.
    """
    counts = passages.group_by("query_id").agg(
        n_passages=pl.len(),
        n_passages_exact=(pl.col("leak") == "exact").sum(),
        n_passages_near=(pl.col("leak") == "near").sum(),
    )
    counted = leaks.join(counts, on="query_id", how="left", maintain_order="left").with_columns(
        pl.col("^n_passages.*$").fill_null(0).cast(pl.Int64)
    )
    has_any = pl.when(pl.col("n_passages") > 0)
    return counted.with_columns(
        has_any.then(pl.col(f"n_passages_{degree}") / pl.col("n_passages")).alias(
            f"passages_{degree}"
        )
        for degree in ("exact", "near")
    )


def look_up(index: Index, texts: pl.DataFrame) -> pl.DataFrame:
    """Return evaluated texts with query_id, leak, similarity, train_query_id and train_text."""
    leak = np.where(index.is_exact, "exact", np.where(index.similarity > 0, "near", "none"))
    found = pl.DataFrame(
        {
            "key": index.keys,
            "leak": pl.Series(leak.tolist(), dtype=pl.String),
            "similarity": index.similarity,
            "train_query_id": pl.Series(index.train_ids.tolist(), dtype=pl.String),
            "train_text": pl.Series(index.train_texts.tolist(), dtype=pl.String),
        }
    )
    return (
        texts.select("query_id", "text", key=key_expression(pl.col("text")))
        .join(found, on="key", how="left", maintain_order="left")
        .with_columns(pl.col("leak").fill_null("none"), pl.col("similarity").fill_null(0.0))
        .drop("key")
    )


def nearest_of_each(texts: pl.DataFrame) -> pl.DataFrame:
    """Return for each query_id its text that is nearest to a training text, as in MATCH_SCHEMA."""
    is_found = pl.col("leak") != "none"
    nearest = (
        texts.sort(pl.col("leak") == "exact", "similarity", descending=True, maintain_order=True)
        .unique("query_id", keep="first", maintain_order=True)
        .with_columns(pl.when(is_found).then(pl.col("similarity", "text")))
    )
    differing = [
        differing_words(here, there) for here, there in nearest["text", "train_text"].iter_rows()
    ]
    names = ("differing_words", "only_here", "only_in_train")
    schema = {name: MATCH_SCHEMA[name] for name in names}
    return nearest.hstack(pl.DataFrame(differing, schema=schema, orient="row"))


def differing_words(here: str | None, there: str | None) -> tuple:
    """Return the share of two texts' different words that one lacks, and each one's own words."""
    if here is None or there is None:
        return None, None, None
    one, other = set(words(here)), set(words(there))
    return (
        len(one ^ other) / len(one | other),
        " ".join(sorted(one - other)),
        " ".join(sorted(other - one)),
    )


def count_leaks(leaks: pl.DataFrame, n_train: int) -> dict:
    """Return how many queries leak by kind, and how many of all their passages do."""
    counts: dict = {"n_evaluated": leaks.height, "n_train": n_train}
    for kind in KINDS:
        has_text = leaks.filter(pl.col(f"{kind}_leak").is_not_null())
        near = has_text.filter(pl.col(f"{kind}_leak") == "near")
        n_exact = int((has_text[f"{kind}_leak"] == "exact").sum())
        counts[kind] = with_shares(has_text.height, n_exact, near.height)
        if near.height:
            counts[kind]["near_differing_words"] = near[f"{kind}_differing_words"].mean()
    totals = leaks.select(pl.col("^n_passages.*$").sum()).row(0)
    return counts | {"each_passage": with_shares(*map(int, totals))}


def with_shares(n: int, n_exact: int, n_near: int) -> dict:
    """Return counts of exact and near among n, and their shares if there are any."""
    counts = {"n": n, "exact": n_exact, "near": n_near}
    return counts | ({"exact_share": n_exact / n, "near_share": n_near / n} if n else {})


def examples_of(leaks: pl.DataFrame) -> str:
    """Return counts by kind, and example pairs, from the most to the least similar."""
    lines = []
    for kind, meaning in KINDS.items():
        leak = leaks[f"{kind}_leak"].drop_nulls()
        n_exact, n_near = int((leak == "exact").sum()), int((leak == "near").sum())
        lines.append(
            f"{kind} ({meaning}): {n_exact} exact, {n_near} near, of {len(leak)} evaluated queries"
        )
        for degree in ("exact", "near"):
            found = leaks.filter(pl.col(f"{kind}_leak") == degree)
            found = found.sort(f"{kind}_similarity", descending=True, maintain_order=True)
            columns = [f"{kind}_{name}" for name in ("similarity", "text", "train_text")]
            spread = np.linspace(0, found.height - 1, min(N_EXAMPLES, found.height)).astype(int)
            for similarity, here, there in found[spread].select(columns).iter_rows():
                lines.append(f"  {degree} {similarity:.2f}  here:  {shorten(here)}")
                lines.append(f"  {'':{len(degree) + 5}}  train: {shorten(there)}")
    return "\n".join(lines)


def shorten(text: str, most: int = 80) -> str:
    """Return `text` on one line of at most `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."
