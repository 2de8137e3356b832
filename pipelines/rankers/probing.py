"""Altered passages under one ranker: which probes it is asked, and where each text stands.

A ranker gets only the probes whose outcome is open for its kind. Its kind is found by trying. If it
gives all orders of the words the same score, it gets no probes of order. If its scores are
symmetric and nothing scores above the query itself, it does not get the bare query. If it treats
all words that are not in the query alike, it gets no probes of negation and names, and those of
numbers only where the query has one of the passage's numbers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.progress import progress
from genlab.ranking import places
from genlab.ranking.candidates import Relevance
from pipelines.rankers.altered_texts import (
    BASELINES,
    MEANING_PROBES,
    NUMBERS_PROBE,
    ORDER_PROBES,
    SYMMETRY_PROBES,
)
from pipelines.rankers.remembered import score_pairs

SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        "judge": pl.String,  # "COLLECTION RANKER"
        "collection": pl.String,
        "ranker": pl.String,
        "probe": pl.String,
        "slot": pl.String,
        "text": pl.String,  # by which a claim knows other texts at the same places from equal ones
        "score": pl.Float32,
        "n_candidates": pl.Int64,
        **dict.fromkeys(places.METRICS.values(), pl.Float64),
    }
)

N_TRIED = 5  # queries; one that differs is enough, and their texts are scored again
SAME = 1e-5  # float32 sums of other orders differ by some 1e-7


@dataclass(frozen=True)
class Kind:
    """Which texts a ranker cannot tell apart."""

    reads_order: bool
    is_symmetric: bool
    reads_other_words: bool  # than the query's

    def asked(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Return the texts that such a ranker is asked about."""
        unasked = [*([] if self.reads_order else ORDER_PROBES)]
        unasked += SYMMETRY_PROBES if self.is_symmetric else ()
        unasked += () if self.reads_other_words else MEANING_PROBES
        asked = texts.filter(~pl.col("probe").is_in(unasked))
        if self.reads_other_words:
            return asked
        seen = queries_with_changed_words(texts, BASELINES["answer"], NUMBERS_PROBE)
        return asked.filter((pl.col("probe") != NUMBERS_PROBE) | pl.col("query_id").is_in(seen))


def queries_with_changed_words(texts: pl.DataFrame, one: str, other: str) -> list[str]:
    """Return the queries for which the texts of two probes contain different query words."""
    asked, told = (
        pl.col(name).str.to_lowercase().str.extract_all(r"\w+") for name in ("query", "text")
    )
    held = texts.select("query_id", "probe", held=asked.list.set_intersection(told).list.sort())
    first, second = (held.filter(pl.col("probe") == probe).drop("probe") for probe in (one, other))
    both = first.join(second, on="query_id")
    return both.filter(pl.col("held") != pl.col("held_right"))["query_id"].to_list()


def find_kind(relevance: Relevance, texts: pl.DataFrame) -> Kind:
    """Return what kind of ranker it is, by the first queries' texts."""
    some = texts["query_id"].unique(maintain_order=True).head(N_TRIED)
    tried = texts.filter(pl.col("query_id").is_in(some.to_list()))

    def scores(probe: str, swapped: bool = False) -> np.ndarray:
        rows = tried.filter(pl.col("probe") == probe)
        pair = rows["query"].to_list(), rows["text"].to_list()
        return relevance(*(reversed(pair) if swapped else pair))

    def alike(one: np.ndarray, other: np.ndarray) -> bool:
        return bool(np.allclose(one, other, rtol=0, atol=SAME))

    orders = [scores(probe) for probe in ("query_repeated_1", *ORDER_PROBES)]
    forward, back = scores("answer_passage"), scores("answer_passage", swapped=True)
    own = scores("query_alone")
    fillers = scores("random_with_random_words"), scores("random_with_foreign_words")
    return Kind(
        reads_order=not all(alike(orders[0], other) for other in orders[1:]),
        is_symmetric=alike(forward, back) and bool((own >= forward - SAME).all()),
        reads_other_words=not alike(*fillers),
    )


def score_texts(
    relevance: Relevance,
    texts: pl.DataFrame,
    queries: pl.DataFrame,
    candidates: pl.DataFrame,
    memory: Path,
    what: str = "probing",
) -> pl.DataFrame:
    """Return the texts with their scores; `what` names the work where its progress is shown.

    What the candidates' scores hold, or `memory` (remembered.py), is not scored again.
    """
    real = (
        queries.select("query_id", "query", "passages")
        .join(candidates, on="query_id", maintain_order="left")
        .explode("passages", "candidate_scores")
        .select("query", pl.col("passages").struct.field("text"), score="candidate_scores")
    )
    random = (
        texts.filter(pl.col("probe") == "random_passage")
        .join(candidates, on="query_id", maintain_order="left")
        .select("query", "text", score="floor_score")
    )
    known = pl.concat([real, random]).unique(["query", "text"], keep="first", maintain_order=True)
    rows = texts.join(known, on=["query", "text"], how="left", maintain_order="left")
    new = rows.filter(pl.col("score").is_null()).select("query", "text").unique(maintain_order=True)
    with progress(what, new.height, "texts"):
        scores = score_pairs(relevance, new, memory)
    found = new.with_columns(found=pl.Series(scores, dtype=pl.Float32))
    return (
        rows.join(found, on=["query", "text"], how="left", maintain_order="left")
        .with_columns(pl.coalesce("score", "found").alias("score"))
        .drop("found")
    )


def place_texts(scored: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Return `places.place`'s rows of scored texts, each in its slot.

    A text that replaces a passage stands among the others: beside the whole it could only tie.
    """
    lists = candidates.select("query_id", "candidate_scores", "candidate_selected")
    rows = scored.join(lists, on="query_id", how="left", maintain_order="left")

    def without(values: pl.Expr) -> pl.Expr:
        rest = pl.concat_list(values.list.head(pl.col("at")), values.list.slice(pl.col("at") + 1))
        return pl.when(pl.col("at") < 0).then(values).otherwise(rest)

    lists_of = ("candidate_scores", "candidate_selected")
    return places.place(rows.with_columns(without(pl.col(name)) for name in lists_of))
