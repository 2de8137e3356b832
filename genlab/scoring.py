"""Generated texts under the rankers: cut, scored, placed among the candidates, summed up."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab import ranking
from genlab.candidates import with_answer_in_slot
from genlab.intervals import bootstrap_interval
from genlab.program import InputError
from genlab.tables import read_table

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_lengths(max_len: int, cap: int, num_beams: int) -> None:
    """Raise InputError unless `max_len` tokens can be cut from what was generated.

    A prefix of greedy or sampled text is the shorter generation. A prefix of a beam is not: the
    best 50 tokens are not the first 50 of the best 300.
    """
    if max_len > cap:
        raise InputError(
            f"gen.max_len={max_len} is more than the gen.cap={cap} new tokens that are generated; "
            "raise gen.cap (generates again) or lower gen.max_len"
        )
    if num_beams > 1 and max_len != cap:
        raise InputError(
            f"gen.num_beams={num_beams} needs gen.max_len={max_len} equal to gen.cap={cap}: a "
            "beam's prefix is not the shorter beam; set both to the length you want"
        )


def cut_texts(
    generated: pl.DataFrame,
    tokenizer: "PreTrainedTokenizerBase",
    max_len: int,
    strip_query: bool,
) -> list[str]:
    """Return the texts of at most `max_len` new tokens, with their prompt before unless stripped.

    The cut is by token count. Whatever the prompt says, only the new tokens are counted.
    """
    tokens = generated["tokens"].list.head(max_len).to_list()
    texts = tokenizer.batch_decode(tokens, skip_special_tokens=True)
    if strip_query:
        return [text.strip() for text in texts]
    return [
        (prompt + text).strip() for prompt, text in zip(generated["prompt"], texts, strict=True)
    ]


def read_candidates(path: Path, generated: pl.DataFrame) -> pl.DataFrame:
    """Return one ranker's candidate rows in the order of the generated texts.

    Raises InputError if a generated query was never scored.
    """
    rows = generated.select("query_id").join(
        read_table(path), on="query_id", how="left", maintain_order="left"
    )
    missing = rows.filter(pl.col("candidate_scores").is_null())
    if missing.height:
        raise InputError(
            f"{path}: no candidate scores for query {missing['query_id'][0]} and "
            f"{missing.height - 1} more; run `dvc repro score_candidates`"
        )
    return rows


def curve_lengths(step: int, cap: int, num_beams: int) -> list[int]:
    """Return step, 2 step, ... and `cap`; for a beam, which has no prefixes, `cap` alone."""
    return [cap] if num_beams > 1 else sorted({*range(step, cap + 1, step), cap})


def summarize_with_references(
    rows: pl.DataFrame, candidates: pl.DataFrame, legacy: bool, seed: int
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return the headline metrics, and beside each its 95 % interval, chance, floor and ceiling.

    rows: `ranking.place`'s rows of one ranker; candidates: the same queries' candidate rows.
    """
    headline = ranking.summarize(rows)
    low, high = bootstrap_interval(ranking.metric_values(rows), seed=seed)
    chance = ranking.summarize(ranking.place_by_chance(rows))
    floor = ranking.summarize(
        ranking.place(candidates.rename({"floor_score": "score"}), legacy=legacy)
    )
    answers = with_answer_in_slot(candidates)
    ceiling = {}
    if len(answers):
        # An answer with no other answer beside it stands above all of them.
        above = pl.col("fdaro", "fdaro_any").fill_null(1.0)
        ceiling = ranking.summarize(ranking.place(answers, legacy=legacy).with_columns(above))
    beside = {
        metric: {
            "low": float(low[i]),
            "high": float(high[i]),
            "chance": chance[metric],
            "floor": floor[metric],
            "ceiling": ceiling.get(metric),
        }
        for i, metric in enumerate(ranking.METRICS)
        if metric in headline
    }
    return headline, {
        metric: {name: value for name, value in numbers.items() if value is not None}
        for metric, numbers in beside.items()
    }


def place_histogram(rows: dict[str, pl.DataFrame]) -> list[dict[str, int]]:
    """Return plot points: for each place (rounded down), how many texts each ranker put there."""
    n_places = max(int(frame["n_candidates"].max()) + 1 for frame in rows.values())
    return [
        {
            "place": place,
            **{
                name: int((frame["location"].floor() == place).sum())
                for name, frame in rows.items()
            },
        }
        for place in range(1, n_places + 1)
    ]


def score_every_length(
    generated: pl.DataFrame,
    texts: dict[int, list[str]],
    relevance: Callable[[list[str], list[str]], np.ndarray],
) -> dict[int, np.ndarray]:
    """Return for each length, in rising order, the scores float32[n] of the texts cut there.

    A text that ended before a length is the same text at every longer one, and is scored once.
    """
    queries = generated["query"].to_list()
    n_tokens = generated["tokens"].list.len().to_numpy()
    pairs: list[tuple[str, str]] = []
    latest = np.zeros(generated.height, dtype=np.int64)  # where each query's text is in `pairs`
    at = {}
    previous = -1
    for length, cut in texts.items():
        grown = np.flatnonzero(n_tokens > previous)
        latest[grown] = len(pairs) + np.arange(len(grown))
        pairs += [(queries[i], cut[i]) for i in grown]
        at[length] = latest.copy()
        previous = length
    scores = relevance([query for query, _ in pairs], [text for _, text in pairs])
    return {length: scores[where] for length, where in at.items()}


def table_of(headline: dict[str, dict], beside: dict[str, dict]) -> str:
    """Return the headline numbers of every ranker as lines to read in a terminal."""
    lines = [
        f"{'ranker':8}{'metric':17}{'value':>8}{'95 % interval':>19}"
        + "".join(f"{name:>9}" for name in ("chance", "floor", "ceiling"))
    ]
    for ranker, metrics in beside.items():
        for metric, numbers in metrics.items():
            interval = f"[{numbers['low']:.3f}, {numbers['high']:.3f}]"
            references = "".join(
                f"{numbers[name]:9.3f}" if name in numbers else f"{'-':>9}"
                for name in ("chance", "floor", "ceiling")
            )
            lines.append(
                f"{ranker:8}{metric:17}{headline[ranker][metric]:8.3f}{interval:>19}{references}"
            )
    return "\n".join(lines)
