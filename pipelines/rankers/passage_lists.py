"""What a collection's lists of passages must be, before any ranker sees them.

A passage that stands twice in a list takes two places of it. Where one of the copies is selected
and the other is not, as in MS MARCO, the answer would tie with itself.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl

from genlab.core.program import InputError
from pipelines.rankers.altered_texts import altered_queries


def each_passage_once(frames: Iterable[pl.DataFrame], counts: Counter[str]) -> Iterator:
    """Yield the queries with each passage once, selected if one of its copies is.

    counts: repeated_passages, the copies that are left out.
    """
    for frame in frames:
        own = frame.with_row_index("row").select("row", "passages")
        once = (
            own.explode("passages")
            .unnest("passages")
            .group_by("row", "text", maintain_order=True)
            .agg(pl.col("is_selected").any(), copies=pl.len())
        )
        left_out = int((once["copies"] - 1).sum())
        counts["repeated_passages"] += left_out
        if left_out:
            lists = once.group_by("row", maintain_order=True).agg(
                passages=pl.struct("text", "is_selected")
            )
            frame = frame.with_columns(lists["passages"])
        yield frame


def with_some_to_alter(frames: Iterable[pl.DataFrame], name: str) -> Iterator[pl.DataFrame]:
    """Yield the frames; raise InputError at the end if no evaluated query can be altered.

    Before any ranker works for hours, and not after.
    """
    n_queries = n_altered = 0
    for frame in frames:
        evaluated = frame.filter(pl.col("split") == "validation")
        n_queries += evaluated.height
        n_altered += altered_queries(evaluated, 0).height
        yield frame
    if n_queries < 2:
        raise InputError(
            f"collections.{name}: {n_queries} queries to evaluate; a passage of another query is "
            "altered, so there must be two: give more, or raise validation_share"
        )
    if not n_altered:
        raise InputError(
            f"collections.{name}: none of its {n_queries} evaluated queries has a selected and an "
            "unselected passage, so there is nothing to rank or alter; negatives: mined finds "
            "unselected ones"
        )
