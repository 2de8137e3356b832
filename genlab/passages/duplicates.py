"""Duplicates in the query table: among queries, within a query's passages, and across splits.

Every query and passage gets a fate. Of similar queries a training query is kept before a validation
query, so that no validation query was trained on. A training query whose answer is a validation
query's answer is counted, and dropped if `drop_leaked_answers` is set.

Across batches only the queries' normalized texts (40 MB for MS MARCO's 808,731) and bands (100 MB)
are held, and those of the selected passages of the validation split. All other passages are seen
batch by batch.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, with_clusters
from genlab.text import minhash
from genlab.text.filtering import (
    Counts,
    count_by_split,
    count_characters,
    count_fates,
    explode_passages,
    first_reason,
    implode_passages,
)
from genlab.text.normal_form import first_words, key_expression

PASSAGE_REASONS = ("query_dropped", "duplicate", "near_duplicate")
# In the order in which they are looked for, each with what to do if it leaves a split empty.
REMEDIES = {
    "in_train": "the splits overlap: draw them apart in the fetch stage",
    "duplicate": "its queries are all alike: check what the fetch stage brings",
    "near_in_train": "raise dedup.query_threshold",
    "near_duplicate": "raise dedup.query_threshold",
    "leaked_answer": "set dedup.drop_leaked_answers to false or raise dedup.passage_threshold",
}
QUERY_REASONS = tuple(REMEDIES)


@dataclass(frozen=True)
class Rules:
    """The `dedup` params group; `stages/dedup.py` says what each key does."""

    query_threshold: Annotated[
        float, Option(min=0.5, max=1, help="Similarity of duplicate queries; 1: equal ones only.")
    ]
    passage_threshold: Annotated[
        float, Option(min=0.5, max=1, help="Similarity of duplicate passages; 1: equal ones only.")
    ]
    drop_leaked_answers: Annotated[
        bool, Option(help="Drop training queries whose answer is a validation query's.")
    ]
    shingle_chars: minhash.ShingleChars
    pad_ends: minhash.PadEnds
    num_perm: minhash.NumPerm
    seed: Annotated[int, Option(min=0, help="Seed of the MinHash permutations.")]

    @property
    def shingles(self) -> minhash.Shingles:
        """What a text is cut into."""
        return minhash.Shingles(self.shingle_chars, self.pad_ends)

    @property
    def hashing(self) -> dict[str, Any]:
        """The arguments of every MinHash function."""
        return {"num_perm": self.num_perm, "shingles": self.shingles, "seed": self.seed}


@dataclass(frozen=True)
class AnswerIndex:
    """The different selected passages of the validation queries, for look-up."""

    keys: pl.Series
    bands: np.ndarray | None  # None if only exact duplicates are asked for


def read_keys(batches: Iterable[pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what must be in memory as a whole: all queries, and the validation queries' answers.

    Queries: row, key, split. Answers: row, key; one row per selected passage.
    """
    queries, answers, n_rows = [], [], 0
    for batch in batches:
        numbered = batch.with_row_index("row", offset=n_rows)
        n_rows += batch.height
        queries.append(numbered.select("row", "split", key=key_expression(pl.col("query"))))
        answers.append(selected_keys(numbered.filter(pl.col("split") != "train")))
    return pl.concat(queries), pl.concat(answers)


def selected_keys(queries: pl.DataFrame) -> pl.DataFrame:
    """Return row and normalized text of every selected passage of queries numbered by `row`."""
    return (
        explode_passages(queries)
        .filter("is_selected")
        .select("row", key=key_expression(pl.col("text")))
    )


def find_query_fates(queries: pl.DataFrame, rules: Rules) -> pl.Series:
    """Return the fate of each query, in the order given, from its own text.

    Of equal or similar queries a training query is kept before any other, then the first.
    """
    is_train = pl.col("split") == "train"
    ranked = queries.sort(~is_train, "row").with_columns(
        is_first=pl.col("key").is_first_distinct(),
        is_kept_in_train=pl.col("split").first().over("key") == "train",
    )
    exact = first_reason(
        [
            ("in_train", ~pl.col("is_first") & ~is_train & pl.col("is_kept_in_train")),
            ("duplicate", ~pl.col("is_first")),
        ]
    )
    ranked = ranked.with_columns(fate=exact).with_row_index("rank")
    if rules.query_threshold < 1:
        near = find_near_queries(ranked.filter("is_first"), rules)
        ranked = ranked.join(near, on="rank", how="left", maintain_order="left").with_columns(
            fate=pl.coalesce("fate", "near_fate")
        )
    return ranked.sort("row")["fate"]


def find_near_queries(ranked: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return rank and near_fate of the queries similar to one of lower rank that is kept."""
    # Sorted by text, so that neighbours in a crowded bucket are the likeliest near-duplicates.
    by_text = ranked.sort("key")
    keys = by_text["key"]
    bands = minhash.hash_bands(keys, rules.query_threshold, **rules.hashing)
    pairs = minhash.propose_pairs(bands)
    pairs = minhash.keep_similar(pairs, keys, keys, rules.query_threshold, rules.shingles)
    ranks = np.sort(by_text["rank"].to_numpy().astype(np.int64)[pairs], axis=1)
    twins = minhash.find_later_twins(ranks)

    split_of_rank = dict(ranked.select("rank", "split").iter_rows()) if twins else {}
    fates = [
        "near_in_train"
        if split_of_rank[kept] == "train" != split_of_rank[dropped]
        else "near_duplicate"
        for dropped, kept in twins.items()
    ]
    schema = {"rank": ranked["rank"].dtype, "near_fate": pl.String()}
    return pl.DataFrame({"rank": list(twins), "near_fate": fates}, schema=schema)


def index_answers(answers: pl.DataFrame, fates: pl.Series, rules: Rules) -> AnswerIndex:
    """Return the index of the answers of the validation queries that are kept."""
    keys = answers.filter(fates.gather(answers["row"]).is_null())["key"].unique().sort()
    if rules.passage_threshold == 1:
        return AnswerIndex(keys, None)
    return AnswerIndex(keys, minhash.hash_bands(keys, rules.passage_threshold, **rules.hashing))


def find_leaks(answers: pl.DataFrame, index: AnswerIndex, rules: Rules) -> set[int]:
    """Return the rows of `answers` (row, key) that are, nearly, an answer in the index."""
    is_exact = answers["key"].is_in(index.keys.implode())
    leaks = set(answers.filter(is_exact)["row"])
    if index.bands is not None and len(index.keys):
        rest = answers.filter(~is_exact)
        threshold = rules.passage_threshold
        bands = minhash.hash_bands(rest["key"], threshold, **rules.hashing)
        pairs = minhash.propose_matches(bands, index.bands)
        pairs = minhash.keep_similar(pairs, rest["key"], index.keys, threshold, rules.shingles)
        leaks.update(rest["row"].gather(pairs[:, 0]))
    return leaks


def find_passage_fates(passages: pl.DataFrame, rules: Rules) -> pl.Series:
    """Return the fate of each passage (row, text, is_selected) among those of its row.

    Of equal or similar passages a selected one is kept before any other, then the first.
    """
    placed = passages.with_row_index("place")
    compared = placed if rules.passage_threshold < 1 else with_equal_starts(placed)
    ranked = compared.with_columns(key=key_expression(pl.col("text"))).sort(
        "row", ~pl.col("is_selected"), "place"
    )
    is_first = pl.struct("row", "key").is_first_distinct()
    ranked = ranked.with_columns(fate=first_reason([("duplicate", ~is_first)]))
    if rules.passage_threshold < 1:
        rest = ranked.filter(pl.col("fate").is_null())
        threshold = rules.passage_threshold
        hashing = rules.hashing | {"num_perm": minhash.LIST_NUM_PERM}
        signatures = minhash.sign(rest["key"], **hashing)
        pairs = minhash.propose_list_pairs(rest["row"].to_numpy(), signatures, threshold)
        pairs = minhash.keep_similar(pairs, rest["key"], rest["key"], threshold, rules.shingles)
        places = rest["place"].gather(list(minhash.find_later_twins(pairs)))
        is_near = pl.col("place").is_in(places.implode())
        near = first_reason([("near_duplicate", is_near)])
        ranked = ranked.with_columns(fate=pl.coalesce("fate", near))
    fates = pl.repeat(None, passages.height, dtype=pl.String, eager=True)
    return fates.scatter(ranked["place"], ranked["fate"])


def with_equal_starts(passages: pl.DataFrame) -> pl.DataFrame:
    """Return the passages that share their first words with another of their row.

    Only these can be equal. They are few, and to normalize a whole text takes ten times as long as
    its start.
    """
    starts = first_words(passages["text"])
    return passages.filter(pl.struct("row", start=starts).is_duplicated())


def dedup_batch(
    batch: pl.DataFrame, fates: pl.Series, index: AnswerIndex, rules: Rules
) -> tuple[pl.DataFrame, Counts]:
    """Return the batch without duplicates, in the same order, and what became of the others.

    `fates` are those of the batch's queries from `find_query_fates`.
    """
    queries = with_clusters(batch).with_row_index("row").with_columns(fate=fates)
    kept_train = queries.filter(pl.col("fate").is_null() & (pl.col("split") == "train"))
    leaks = find_leaks(selected_keys(kept_train), index, rules)
    if rules.drop_leaked_answers:
        leak = first_reason([("leaked_answer", pl.col("row").is_in(list(leaks)))])
        queries = queries.with_columns(fate=pl.coalesce("fate", leak))
    is_kept = pl.col("fate").is_null()
    kept = queries.filter(is_kept)

    all_passages = explode_passages(queries)
    passages = explode_passages(kept)
    passages = passages.with_columns(fate=find_passage_fates(passages, rules))
    kept_passages = passages.filter(is_kept)
    deduped = kept.drop("passages").join(
        implode_passages(kept_passages), on="row", how="left", maintain_order="left"
    )
    n_query_dropped = all_passages.height - passages.height
    counts = Counts(
        queries=count_by_split(queries),
        passages=count_fates(passages["fate"]) + Counter({"query_dropped": n_query_dropped}),
        chars=Counter(
            {
                "in": count_characters(batch["query"], all_passages["text"]),
                "out": count_characters(kept["query"], kept_passages["text"]),
            }
        ),
        leaked_answers=len(leaks),
    )
    # A query that came without passages goes as it came.
    deduped = deduped.with_columns(pl.col("passages").fill_null([]))
    return deduped.select(QUERY_SCHEMA.names()), counts


def check_any_left(path: str, counts: Counts) -> None:
    """Raise InputError if a split has lost all its queries, naming the reason and the remedy."""
    if not counts.queries:
        raise InputError(f"{path}: no rows; check the clean stage")
    for split, fates in counts.queries.items():
        if not fates[None]:
            reason, n_dropped = fates.most_common(1)[0]
            raise InputError(
                f"{path}: no {split} query is left of {fates.total()}; {n_dropped} dropped as"
                f" {reason}: {REMEDIES[reason]}"
            )
