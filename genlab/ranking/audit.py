"""Do generated texts stop, run on, get read; and does their fluency go with their place?

The answers come from every text at every length, as `lengths` writes them, and from its likelihood
under the base model; no ranker is needed. Two cautions apply. A text's best prefix is a maximum
over some dozens of scores, so it beats the whole text even where scores are noise: the place at one
fixed length is the fair comparison. Texts that have ended answer other queries than those that have
not, so the two curves also differ by the kind of query that ends soon.
"""

import numpy as np
import polars as pl

from genlab.ranking.places import bounds_of_differences, chance_place
from genlab.statistics.clusters import columns_of_clusters, find_clusters, with_clusters
from genlab.statistics.column_means import column_mean
from genlab.statistics.correlation import correlate_ranks
from genlab.statistics.intervals import SHARE, bootstrap_interval, interval

FEWEST_TEXTS = 5  # a mean place of fewer is no point of a curve


def holds_query(text: str, max_words: int) -> bool:
    """Return whether a line inside the text could be a query: a prompt is a query and a line break.

    Such a line is closed by a line break, has 1 to `max_words` words and does not end like a
    statement: passages may be broken into lines, too, but after their sentences.
    """
    lines = [line.strip() for line in text.split("\n")[:-1]]
    return any(
        0 < len(line.split()) <= max_words and not line.endswith((".", "!", ":", ";", ","))
        for line in lines
    )


def after_end(tokens: list[int], ends: set[int]) -> list[int]:
    """Return the tokens after the first end-of-text; none if there is no end-of-text."""
    at = next((at for at, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[at + 1 :]


def describe_texts(
    honoured: pl.DataFrame, written: list[str], losses: list[np.ndarray], driven_on: dict[str, str]
) -> pl.DataFrame:
    """Return a row per text: query_id, mean_loss, perplexity, holds_query, asks_again.

    written and losses: each honoured text and its tokens' losses in nats; mean_loss and perplexity
    are null without any. driven_on: query -> what follows its forced text's first end-of-text;
    asks_again, whether that holds a query, is null for other queries.
    """
    # As long as the longest query that was asked: longer lines are no queries.
    most = max(len(query.split()) for query in honoured["query"])
    asks = {query_id: holds_query(text, most) for query_id, text in driven_on.items()}
    means = [float(row.mean()) if len(row) else None for row in losses]
    return honoured.select(
        "query_id",
        mean_loss=pl.Series(means, dtype=pl.Float64),
        perplexity=pl.Series(means, dtype=pl.Float64).exp(),
        holds_query=pl.Series([holds_query(text, most) for text in written], dtype=pl.Boolean),
        asks_again=pl.Series([asks.get(key) for key in honoured["query_id"]], dtype=pl.Boolean),
    )


def summarize_texts(honoured: pl.DataFrame, texts: pl.DataFrame, seed: int) -> dict[str, dict]:
    """Return the shares, with intervals, of `describe_texts`'s rows: no ranker is needed."""
    texts = texts.hstack(honoured.select("finished", *columns_of_clusters(honoured)))
    driven_on = texts.drop_nulls("asks_again")
    return {
        "texts": {
            "n_texts": texts.height,
            **find_clusters(texts).counted,
            "mean_new_tokens": honoured["tokens"].list.len().mean(),
            **share(texts, "finished", "finished_rate", seed),
            **share(texts, "holds_query", "holds_query_rate", seed),
        },
        "forced_texts": {
            "n_past_end": driven_on.height,
            **find_clusters(driven_on).counted,
            **share(driven_on, "asks_again", "asks_again_rate", seed),
        },
    }


def best_prefixes(rows: pl.DataFrame) -> pl.DataFrame:
    """Return per ranker and query the whole text's place and its best-scoring prefix.

    rows: what lengths writes, of honoured texts. Columns: query_id, ranker, n_tokens, finished,
    location (of the whole text, at the longest length), best_prefix_tokens (the shortest, where
    several score the same) and best_prefix_location.
    """
    best = pl.all().sort_by("score", "n_tokens", descending=[True, False]).first()
    whole = rows.filter(pl.col("max_len") == pl.col("max_len").max())
    return whole.select("query_id", "ranker", "n_tokens", "finished", "location").join(
        rows.group_by("query_id", "ranker")
        .agg(best)
        .select(
            "query_id",
            "ranker",
            best_prefix_tokens="n_tokens",
            best_prefix_location="location",
        ),
        on=["query_id", "ranker"],
        how="left",
        maintain_order="left",
    )


def audit_ranker(texts: pl.DataFrame, rows: pl.DataFrame, seed: int) -> dict:
    """Return one ranker's numbers; NaN where one is not defined.

    texts: `best_prefixes`'s rows with mean_loss; rows: what lengths writes, both stops. Intervals
    are over queries, or over their clusters, which are counted (n_topics).
    """
    whole = with_clusters(texts, rows)
    read = whole.drop_nulls("mean_loss")
    correlation = correlate_ranks(
        read["mean_loss"].to_numpy(),
        read["location"].to_numpy(),
        seed,
        clusters=find_clusters(read).numbers,
    )
    return (
        find_clusters(whole).counted
        | audit_prefixes(texts, rows.filter(pl.col("stop") == "honoured"), seed)
        | compare_stops(rows, seed)
        | measure_unread(rows)
        | {
            "loss_correlation": interval(*correlation),
            "n_correlated": read.height,
        }
    )


def audit_prefixes(texts: pl.DataFrame, rows: pl.DataFrame, seed: int) -> dict:
    """Return one ranker's numbers of longer texts: best prefixes, and the best fixed length.

    texts: `best_prefixes`'s rows of the ranker, rows: those they were made from. A text of no
    tokens is its own best prefix. With a single query there is no fair best length.
    """
    lost = texts["location"] - texts["best_prefix_location"]
    share = (texts["best_prefix_tokens"] / texts["n_tokens"]).fill_nan(1.0)
    numbers: dict = {
        "whole_loc": column_mean(texts["location"]),
        "best_prefix_loc": column_mean(texts["best_prefix_location"]),
        "best_prefix_places_lost": column_mean(lost),
        "best_prefix_share": column_mean(share),
        "best_prefix_shorter_rate": (texts["best_prefix_tokens"] < texts["n_tokens"]).mean(),
    }
    at = rows["max_len"].unique(maintain_order=True).to_list()
    places = rows["location"].to_numpy().reshape(len(at), -1)  # [lengths, queries]
    if places.shape[1] > 1:
        fixed = places_at_best_length(places)
        queries = rows.head(places.shape[1])  # each length has them all
        numbers |= {
            "best_fixed_len": at[int(places.mean(axis=1).argmin())],
            "best_fixed_loc": float(fixed.mean()),
            "best_fixed_places_lost": mean_difference(queries, fixed, places[-1], seed),
        }
    return numbers


def places_at_best_length(places: np.ndarray) -> np.ndarray:
    """Return float64 [queries], given places [lengths, queries]: each at its half's best length.

    A query's length is the best one for the other half of the queries (every second one), so that
    no text influences the length at which it is measured.
    """
    is_odd = np.arange(places.shape[1]) % 2 == 1
    best_of_odd = places[:, is_odd].mean(axis=1).argmin()
    best_of_even = places[:, ~is_odd].mean(axis=1).argmin()
    return np.where(is_odd, places[best_of_even], places[best_of_odd])


def compare_stops(rows: pl.DataFrame, seed: int) -> dict:
    """Return one ranker's places of honoured and forced texts of the same queries and length.

    The length is the longest at which both were ranked. If there is none, as for beams of different
    caps, {} is returned.
    """
    honoured, forced = (
        rows.filter(pl.col("stop") == stop).select(
            "query_id", "max_len", "location", "n_candidates", *columns_of_clusters(rows)
        )
        for stop in ("honoured", "forced")
    )
    pairs = forced.join(
        honoured, on=["query_id", "max_len"], suffix="_honoured", maintain_order="left"
    ).filter(pl.col("max_len") == pl.col("max_len").max())
    if pairs.is_empty():
        return {}
    honoured_at, forced_at = (pairs[name].to_numpy() for name in ("location_honoured", "location"))
    return {
        "honoured_loc": column_mean(pairs["location_honoured"]),
        "forced_loc": column_mean(pairs["location"]),
        "forced_minus_honoured": mean_difference(pairs, honoured_at, forced_at, seed),
        "forced_len": pairs["max_len"][0],
        "n_forced": pairs.height,
    }


def mean_difference(
    queries: pl.DataFrame, a: np.ndarray, b: np.ndarray, seed: int
) -> dict[str, float]:
    """Return the mean of b - a, places of the same queries, with its interval by cluster.

    queries: their rows, with n_candidates; a, b: float64[queries].
    """
    low, high = bootstrap_interval(
        b - a,
        seed=seed,
        bounds=bounds_of_differences(queries),
        clusters=find_clusters(queries).numbers,
    )
    return interval((b - a).mean(), low, high)


def measure_unread(rows: pl.DataFrame) -> dict:
    """Return how much of the whole texts one ranker never read, honoured and forced ones.

    Unread tokens are counted by the ranker's tokenizer, all tokens by the generator's, so the share
    is approximate.
    """
    numbers: dict = {}
    for stop, prefix in (("honoured", ""), ("forced", "forced_")):
        whole = rows.filter(pl.col("stop") == stop)
        whole = whole.filter(pl.col("max_len") == pl.col("max_len").max())
        share = (whole["n_unread"] / whole["n_tokens"]).fill_nan(0.0).clip(upper_bound=1.0)
        numbers |= {
            f"{prefix}unread_share": column_mean(share),
            f"{prefix}unread_rate": (whole["n_unread"] > 0).mean(),
        }
    return numbers


def share(texts: pl.DataFrame, column: str, name: str, seed: int) -> dict:
    """Return the share of texts of which a Boolean column holds, by name; {} without a text.

    The interval is Wilson's, or by cluster where texts have one.
    """
    if texts.is_empty():
        return {}
    values = texts[column].cast(pl.Float64).to_numpy()
    clusters = find_clusters(texts).numbers
    ends = bootstrap_interval(values, seed=seed, bounds=SHARE, clusters=clusters)
    return {name: interval(values.mean(), *ends)}


def split_curve(rows: pl.DataFrame) -> list[dict[str, str | int | float]]:
    """Return plot points of honoured rows: mean places of texts cut there and of finished ones.

    There is a point per ranker, length and kind of text (if it has at least FEWEST_TEXTS texts),
    with the number `n` of texts and the place by chance. A text that lacks only its end-of-text
    counts as cut.
    """
    kind = pl.when("finished").then(pl.lit("finished")).otherwise(pl.lit("cut"))
    return (
        rows.group_by("ranker", kind.alias("texts"), "max_len", maintain_order=True)
        .agg(average_loc=pl.col("location").mean(), n=pl.len(), chance=chance_place().mean())
        .filter(pl.col("n") >= FEWEST_TEXTS)
        .to_dicts()
    )


def without_undefined(metrics: dict) -> dict:
    """Return groups of numbers and intervals without those that are NaN, which JSON cannot hold."""
    return {
        group: {
            name: number
            for name, number in numbers.items()
            if not np.isnan(list(number.values()) if isinstance(number, dict) else number).any()
        }
        for group, numbers in metrics.items()
    }
