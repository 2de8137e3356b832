"""Every text at every length: cut, placed among the candidates, and the curve of mean places."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.tables import CLUSTERS
from genlab.models.token_texts import cut_texts
from genlab.ranking import places
from genlab.ranking.places import chance_place
from genlab.ranking.rankers import number_unique
from genlab.ranking.samples import over_samples
from genlab.statistics.clusters import find_clusters
from genlab.statistics.intervals import bootstrap_interval

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# One row per query, sample, ranker, stop and length: what lengths writes.
LENGTH_SCHEMA = pl.Schema(
    {
        "query_id": pl.String(),
        "sample": pl.Int64(),
        **CLUSTERS,
        "ranker": pl.String(),
        "stop": pl.String(),  # "honoured": an end-of-text stops the text; "forced": it does not
        "max_len": pl.Int64(),
        "n_tokens": pl.Int64(),  # of the text at this length
        "finished": pl.Boolean(),  # whether it has reached an end-of-text at this length
        "n_unread": pl.Int64(),  # tokens of the text beyond the ranker's input limit
        "score": pl.Float32(),
        "n_candidates": pl.Int64(),
        "answerable": pl.Boolean(),
        **{column: pl.Float64() for column in places.METRICS.values()},
    }
)


def curve_lengths(step: int, cap: int, forced_cap: int, num_beams: int) -> dict[str, list[int]]:
    """Return the lengths to rank honoured and forced texts at: step, 2 step, ... and both caps.

    No length is beyond the texts' own cap, as nothing was generated there. Texts of beam search,
    whose prefixes are not shorter generations, are ranked at their cap alone.
    """
    caps = {"honoured": cap, "forced": forced_cap}
    if num_beams > 1:
        return {stop: [most] for stop, most in caps.items()}
    at = sorted({*range(step, max(cap, forced_cap) + 1, step), cap, forced_cap})
    return {stop: [length for length in at if length <= most] for stop, most in caps.items()}


def cut_at_lengths(
    generated: pl.DataFrame,
    tokenizer: "PreTrainedTokenizerBase",
    stop: str,
    lengths: list[int],
    strip_query: bool,
    ends: set[int],
) -> pl.DataFrame:
    """Return every text at every length: its columns, stop, max_len, n_tokens, finished, text.

    Length by length, each in the order of the texts. `ends`: the ids that end a text.
    """
    n_tokens = generated["tokens"].list.len().cast(pl.Int64)
    # Where the first end-of-text is, or would be: after the last token of a text that it stopped.
    end = pl.Series(
        [
            next((at for at, token in enumerate(row) if token in ends), len(row))
            for row in generated["tokens"].to_list()
        ],
        dtype=pl.Int64,
    )
    return pl.concat(
        generated.select(
            "query_id",
            "sample",
            "query",
            *CLUSTERS,
            stop=pl.lit(stop),
            max_len=pl.lit(length, dtype=pl.Int64),
            n_tokens=n_tokens.clip(upper_bound=length),
            finished=pl.col("finished") & (end < length),
            text=pl.Series(cut_texts(generated, tokenizer, length, strip_query), dtype=pl.String),
        )
        for length in lengths
    )


def unique_pairs(cuts: pl.DataFrame) -> tuple[list[str], list[str], np.ndarray]:
    """Return the queries and texts of `cut_at_lengths`'s rows, each pair once, and row -> pair.

    A text that ended before a length is the same text at every longer one, and a forced text is
    the honoured one up to its end: nothing is scored twice.
    """
    pairs, at = number_unique(list(cuts.select("query", "text").iter_rows()))
    return [query for query, _ in pairs], [text for _, text in pairs], at


def place_cuts(
    cuts: pl.DataFrame,
    candidates: pl.DataFrame,
    ranker: str,
    relevance: np.ndarray,
    n_unread: np.ndarray,
    legacy: bool,
) -> pl.DataFrame:
    """Return LENGTH_SCHEMA rows of one ranker, in the order of `cut_at_lengths`'s rows.

    candidates: a row per query; relevance and n_unread: [rows of cuts].
    """
    scored = cuts.drop("text").with_columns(
        ranker=pl.lit(ranker),
        score=pl.Series(relevance, dtype=pl.Float32),
        n_unread=pl.Series(n_unread, dtype=pl.Int64),
    )
    with_candidates = scored.join(candidates, on="query_id", how="left", maintain_order="left")
    return places.place(with_candidates, legacy=legacy).select(LENGTH_SCHEMA.names())


def length_curve(rows: pl.DataFrame, seed: int) -> list[dict[str, str | int | float]]:
    """Return plot points of LENGTH_SCHEMA rows: mean place, interval, top_1, chance, n_queries.

    A point is of one ranker, stop and length; a ranker's lengths share their resamples. The
    interval is over queries, or over their clusters, which are counted beside (n_topics).
    """
    points = []
    of_queries = over_samples(rows, ("query_id", "ranker", "stop", "max_len"))
    for (ranker, stop), found in of_queries.group_by("ranker", "stop", maintain_order=True):
        lengths = found["max_len"].unique(maintain_order=True).to_list()
        location, top_1, chance = (
            values.to_numpy().reshape(len(lengths), -1)
            for values in found.select("location", "top_1", chance_place())
        )
        last = max(found["n_candidates"].to_list()) + 1.0
        clusters = find_clusters(found.head(location.shape[1]))  # each length has all queries
        low, high = bootstrap_interval(
            location.T, seed=seed, bounds=(1.0, last), clusters=clusters.numbers
        )
        means = [values.mean(axis=1) for values in (location, top_1, chance)]
        points += [
            {
                "ranker": ranker,
                "stop": stop,
                "max_len": length,
                "average_loc": float(means[0][i]),
                "low": float(low[i]),
                "high": float(high[i]),
                "top_1": float(means[1][i]),
                "chance": float(means[2][i]),
                "n_queries": location.shape[1],
                **clusters.counted,
            }
            for i, length in enumerate(lengths)
        ]
    return points
