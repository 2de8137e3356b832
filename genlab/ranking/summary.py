"""The headline numbers of generated texts under the rankers, beside what they stand between."""

import polars as pl

from genlab.core.terminal import table, with_ends
from genlab.ranking import places
from genlab.ranking.candidates import with_answer_in_slot
from genlab.statistics.intervals import bootstrap_interval, interval


def summarize_with_references(
    rows: pl.DataFrame, candidates: pl.DataFrame, legacy: bool, seed: int
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return the headline metrics, and beside each its 95 % interval, chance, floor and ceiling.

    rows: `ranking.place`'s rows of one ranker; candidates: the same queries' candidate rows.
    """
    headline = places.summarize(rows)
    low, high = bootstrap_interval(
        places.metric_values(rows), seed=seed, bounds=places.bounds_of(rows)
    )
    chance = places.summarize(places.place_by_chance(rows))
    floor = places.summarize(
        places.place(candidates.rename({"floor_score": "score"}), legacy=legacy)
    )
    answers = with_answer_in_slot(candidates)
    ceiling = {}
    if len(answers):
        # An answer with no other answer beside it stands above all of them.
        above = pl.col("fdaro", "fdaro_any").fill_null(1.0)
        ceiling = places.summarize(places.place(answers, legacy=legacy).with_columns(above))
    beside: dict[str, dict[str, float | None]] = {
        metric: {
            **interval(headline[metric], low[i], high[i]),
            "chance": chance[metric],
            "floor": floor[metric],
            "ceiling": ceiling.get(metric),
        }
        for i, metric in enumerate(places.METRICS)
        if metric in headline
    }
    return headline, {
        metric: {name: value for name, value in numbers.items() if value is not None}
        for metric, numbers in beside.items()
    }


def place_histogram(rows: dict[str, pl.DataFrame]) -> list[dict[str, str | int]]:
    """Return plot points: for each ranker and place (rounded down), how many texts are there."""
    n_places = max(max(frame["n_candidates"].to_list()) + 1 for frame in rows.values())
    return [
        {
            "ranker": ranker,
            "place": place,
            "texts": int((frame["location"].floor() == place).sum()),
        }
        for ranker, frame in rows.items()
        for place in range(1, n_places + 1)
    ]


def table_of(beside: dict[str, dict]) -> str:
    """Return the headline numbers of every ranker as lines to read in a terminal."""
    references = ("chance", "floor", "ceiling")
    rows = [
        [ranker, metric, with_ends(numbers)]
        + [f"{numbers[name]:.3f}" if name in numbers else "-" for name in references]
        for ranker, metrics in beside.items()
        for metric, numbers in metrics.items()
    ]
    return table(rows, ["ranker", "metric", "value [95 % interval]", *references])
