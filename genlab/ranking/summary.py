"""The headline metrics of generated texts under the rankers, beside chance, floor and ceiling."""

from collections.abc import Mapping
from statistics import fmean

import polars as pl

from genlab.core.terminal import table, with_ends
from genlab.ranking import places
from genlab.ranking.candidates import without_answer
from genlab.ranking.panel import Ratings
from genlab.ranking.samples import over_samples, split_metrics
from genlab.statistics.clusters import columns_of_clusters, find_clusters
from genlab.statistics.intervals import bootstrap_interval, interval
from genlab.text.measures import distinct_n, query_echo_rate


def place_under_all(
    ratings: Mapping[str, Ratings],
    candidates: Mapping[str, pl.DataFrame],
    of_texts: pl.DataFrame,
    legacy: bool,
    seed: int,
) -> tuple[dict[str, pl.DataFrame], dict[str, dict], dict[str, dict]]:
    """Return ranker -> rows with places, headline metrics, and these beside their references.

    ratings: of the texts; candidates: of the same queries in the same order; of_texts: the texts'
    sample and CLUSTERS. The headline has unread_rate, the share of texts that a ranker did not read
    to their ends; the rest is as `summarize_with_references` says.
    """
    rows, headline, beside = {}, {}, {}
    for name, (relevance, n_unread) in ratings.items():
        scored = candidates[name].with_columns(score=relevance, **of_texts.to_dict())
        rows[name] = places.place(scored, legacy)
        headline[name], beside[name] = summarize_with_references(
            rows[name], candidates[name], legacy, seed
        )
        headline[name]["unread_rate"] = float((n_unread > 0).mean())
    return rows, headline, beside


def summarize_with_references(
    rows: pl.DataFrame, candidates: pl.DataFrame, legacy: bool, seed: int
) -> tuple[dict[str, float], dict[str, dict]]:
    """Return the headline metrics, and each beside its references: chance, floor and ceiling.

    rows: `ranking.place`'s rows of one ranker; candidates: the candidate rows, in their order.
    Of each metric: value, its 95 % interval, chance, floor and ceiling, all in the same lists: of
    answerable queries, without the answer, which is the ceiling's text. Below `all`: the headline's
    own value, interval, chance and floor, in all whole lists, and with several samples a query the
    variance between and within queries. Intervals are over queries, or over the clusters that
    the headline counts (n_topics). Without a ceiling (fdaro is about the answer itself, or no
    query is answerable) both are in whole lists.
    """
    queries = over_samples(rows)
    headline = places.summarize(queries)
    texts = candidates.with_columns(score=rows["score"], **columns_of_texts(rows))
    whole = stand_between(texts, legacy, seed)
    parts = split_metrics(rows)
    lists = without_answer(texts)
    within, ceiling = {}, {}
    if len(lists):
        within = stand_between(lists, legacy, seed)
        answers = over_samples(lists.with_columns(score="answer_score"))
        ceiling = places.summarize(places.place(answers, legacy=legacy))
    beside: dict[str, dict] = {}
    for metric in places.METRICS:
        if metric not in headline:
            continue
        has_ceiling = metric in ceiling and not metric.startswith("fdaro")
        numbers = within[metric] | {"ceiling": ceiling[metric]} if has_ceiling else whole[metric]
        split = parts.get(metric)
        varied = {"between": split.between, "within": split.within} if split else {}
        beside[metric] = numbers | {"all": whole[metric] | varied}
    return headline | find_clusters(queries).counted, beside


def columns_of_texts(rows: pl.DataFrame) -> dict[str, pl.Series]:
    """Return the columns that tell the samples and the clusters of texts, of those there are."""
    sample = ["sample"] if "sample" in rows.columns else []
    return {name: rows[name] for name in (*sample, *columns_of_clusters(rows))}


def stand_between(texts: pl.DataFrame, legacy: bool, seed: int) -> dict[str, dict[str, float]]:
    """Return metric -> value, low, high, chance, floor of texts with candidate lists and a score.

    A metric that no query counts for is left out.
    """
    rows = over_samples(places.place(texts, legacy=legacy))
    values = places.summarize(rows)
    low, high = bootstrap_interval(
        places.metric_values(rows),
        seed=seed,
        bounds=places.bounds_of(rows),
        clusters=find_clusters(rows).numbers,
    )
    chance = places.summarize(places.place_by_chance(rows))
    others = over_samples(texts).with_columns(score="floor_score")
    floor = places.summarize(places.place(others, legacy=legacy))
    return {
        metric: interval(values[metric], low[i], high[i])
        | {"chance": chance[metric], "floor": floor[metric]}
        for i, metric in enumerate(places.METRICS)
        if metric in values
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
    """Return every ranker's numbers beside their references as lines for a terminal."""
    references = ("chance", "floor", "ceiling")
    rows = [
        [ranker, metric, with_ends(numbers)]
        + [f"{numbers[name]:.3f}" if name in numbers else "-" for name in references]
        for ranker, metrics in beside.items()
        for metric, numbers in metrics.items()
    ]
    said = (
        "Beside what they stand between, in one set of lists: answerable queries, without the\n"
        "answer, which is the ceiling's text (fdaro: in whole lists). metrics/score.json has all."
    )
    return f"{said}\n{table(rows, ['ranker', 'metric', 'value [95 % interval]', *references])}"


def measure_texts(generated: pl.DataFrame, ranked: list[str], max_len: int) -> dict[str, object]:
    """Return the metrics that need no ranker, of texts cut to max_len new tokens.

    distinct_n is computed for a set with one text per query and averaged over samples, because it
    falls with the number of texts.
    """
    cut = generated.with_columns(pl.col("tokens").list.head(max_len))
    # Less than max_len: generated with this cap, the last token would be the end-of-text.
    finished = generated["finished"] & (generated["tokens"].list.len() < max_len)
    sets = [of["tokens"].to_list() for of in cut.partition_by("sample", maintain_order=True)]
    return {
        "finished_rate": finished.mean(),
        "mean_new_tokens": cut["tokens"].list.len().mean(),
        "query_echo_rate": query_echo_rate(generated["query"].to_list(), ranked),
        **{f"distinct_{n}": fmean(distinct_n(tokens, n) for tokens in sets) for n in (1, 2)},
    }
