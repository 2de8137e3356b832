"""What the arms are worth: means over their texts with intervals, to read and to plot.

SCORE_SCHEMA rows become each arm's means, by rating and over ratings; what only a set of texts has
(perplexity, distinct-n); lines to read and points to plot. Intervals draw whole organisations
(organisations.py), which cross the ratings (genlab.statistics.strata). Where none is known, shares
have Wilson's interval, their mean over ratings its form for several groups; for other means texts
are resampled within each rating, and MOVER joins the ratings' intervals.
"""

from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.shapes import read_json
from genlab.core.terminal import table, with_ends
from genlab.statistics.bootstrap import percentile_ends, resample_strata
from genlab.statistics.column_means import group_mean
from genlab.statistics.intervals import Bounds, bootstrap_interval, interval, mover
from genlab.statistics.shares import macro_share
from genlab.statistics.strata import macro_interval, stratified_ratio
from genlab.text.measures import distinct_n_of_sample
from genlab.text.normal_form import words
from pipelines.reviews.generated_reviews import GROUP, REAL, REAL_OTHER, REFERENCES
from pipelines.reviews.organisations import organisations_of, tell_drawn
from pipelines.reviews.schemas import MEANS, SHARES, STARS, bounds_of

# What metrics/score.json has of each arm.
HEADLINE = (
    "rating_recovered",
    "rating_error",
    "rubric_recovered",
    "keyword_recall",
    "perplexity",
    "bits_per_byte",
    "corpus_distinct_2",
    "self_repetition",
    "copied_share",
)


def summarize(scored: pl.DataFrame, distinct_sample: int, seed: int) -> dict[str, dict]:
    """Return decoding -> arm -> `macro`, every rating and `corpus` -> numbers with their ends.

    The macro average is the mean of the ratings' means, over the ratings in which any text
    counts. `corpus`: perplexity and bits per byte of all texts together (sums over sums), the
    distinct-n of a sample of `distinct_sample` n-grams, and how many texts and organisations.
    """
    groups = scored.partition_by(GROUP, as_dict=True, maintain_order=True)
    first = next(iter(groups.values()))
    names = [*SHARES, *MEANS, "loss", "n_read_tokens", "n_bytes"]
    # All arms in one draw: a row a review, the arms' columns side by side.
    values = np.hstack(
        [frame.select(names).cast(pl.Float64).to_numpy() for frame in groups.values()]
    )
    values = np.asarray(values, dtype=np.float64)
    ratings = first["rating"].to_numpy()
    organisations = organisations_of(first)
    clusters = organisations.numbers
    bounds = [bounds_of(name) for name in names] * len(groups)
    ends = ends_by_rating(values, ratings, clusters, bounds, seed)
    drawn, macro = None, None
    if clusters is None:
        drawn = resample_strata(values, ratings, seed=seed)
    else:
        macro = np.stack(macro_interval(values, ratings, clusters, seed=seed, bounds=bounds))
    summary: dict[str, dict] = {}
    for place, ((decoding, arm), frame) in enumerate(groups.items()):
        own = slice(place * len(names), (place + 1) * len(names))
        of_arm = None if macro is None else macro[:, own]
        numbers = summarize_arm(values[:, own], ends[:, :, own], of_arm, ratings, names)
        corpus: dict = corpus_fluency(
            values[:, own], None if drawn is None else drawn[:, :, own], ratings, clusters, seed
        )
        corpus |= {"n": frame.height, "n_empty": int((frame["n_words"] == 0).sum())}
        corpus |= organisations.counted
        token_lists = [words(text) for text in frame["text"]]
        for n in (1, 2):
            found = distinct_n_of_sample(token_lists, n, distinct_sample, clusters=clusters)
            corpus |= {f"corpus_distinct_{n}": interval(*found)} if found else {}
        summary.setdefault(decoding, {})[arm] = numbers | {"corpus": corpus}
    return summary


def ends_by_rating(
    values: np.ndarray,
    ratings: np.ndarray,
    clusters: np.ndarray | None,
    bounds: list[Bounds],
    seed: int,
) -> np.ndarray:
    """Return the ends of each rating's means, float64[ratings, 2, columns], ratings sorted.

    values: float64[texts, columns]; clusters: int[texts], drawn whole, or None.
    """
    ends = []
    for place, stars in enumerate(np.unique(ratings)):
        own = ratings == stars
        of_own = None if clusters is None else np.unique(clusters[own], return_inverse=True)[1]
        ends.append(
            bootstrap_interval(values[own], seed=[seed, place], bounds=bounds, clusters=of_own)
        )
    return np.array(ends)


def summarize_arm(
    values: np.ndarray,
    ends: np.ndarray,
    macro: np.ndarray | None,
    ratings: np.ndarray,
    names: list[str],
) -> dict[str, dict]:
    """Return the means of one arm, by rating and over ratings.

    values: float64[texts, names]; ends: float64[ratings, 2, names], the low and high ends; macro:
    float64[3, names], the mean over ratings and its ends, or None where texts are independent.
    """
    strata, sizes = np.unique(ratings, return_counts=True)
    numbers: dict[str, dict] = {"macro": {}}
    numbers |= {f"stars_{stars}": {"n": int(n)} for stars, n in zip(strata, sizes, strict=True)}
    for column, name in enumerate(names[: len(SHARES) + len(MEANS)]):
        counted = {
            stars: values[(ratings == stars) & ~np.isnan(values[:, column]), column]
            for stars in strata
        }
        there = [place for place, stars in enumerate(strata) if len(counted[stars])]
        if not there:
            continue
        columns = [counted[strata[place]] for place in there]
        lows, highs = ends[there, 0, column], ends[there, 1, column]
        for place, own, low, high in zip(there, columns, lows, highs, strict=True):
            numbers[f"stars_{strata[place]}"][name] = interval(own.mean(), low, high)
        if macro is not None:
            found = tuple(map(float, macro[:, column]))
        elif name in SHARES:
            found = macro_share([int(own.sum()) for own in columns], list(map(len, columns)))
        else:
            means = [own.mean() for own in columns]
            low, high = mover(means, lows, highs, [1 / len(there)] * len(there))
            found = (float(np.mean(means)), float(low), float(high))
        numbers["macro"][name] = interval(*found)
    return numbers


def corpus_fluency(
    values: np.ndarray,
    drawn: np.ndarray | None,
    ratings: np.ndarray,
    clusters: np.ndarray | None,
    seed: int,
) -> dict[str, dict]:
    """Return perplexity and bits per byte of all texts together; nothing without a token.

    values: float64[texts, names], of which the last three are loss, tokens and bytes; drawn:
    float64[ratings, resamples, names], means of resampled texts, where there are no clusters.
    """
    loss, tokens, n_bytes = values[:, -3:].T
    if not tokens.sum():
        return {}
    nats, bits = {}, {}
    if drawn is None:
        assert clusters is not None
        nats = interval(*stratified_ratio(loss, tokens, ratings, clusters, seed=seed))
        bits = interval(*stratified_ratio(loss, n_bytes, ratings, clusters, seed=seed))
    else:
        sizes = np.unique(ratings, return_counts=True)[1]
        sums = drawn[:, :, -3:].transpose(1, 2, 0) @ sizes
        sums = sums[sums[:, 1] > 0]
        nats = interval(loss.sum() / tokens.sum(), *percentile_ends(sums[:, 0] / sums[:, 1]))
        bits = interval(loss.sum() / n_bytes.sum(), *percentile_ends(sums[:, 0] / sums[:, 2]))
    return {
        "perplexity": {name: float(np.exp(each)) for name, each in nats.items()},
        "corpus_bits_per_byte": {name: each / float(np.log(2)) for name, each in bits.items()},
    }


def five_and_others(scored: pl.DataFrame) -> pl.DataFrame:
    """Return each arm's texts of five stars beside those of one to four, to be compared in pairs.

    Row k of `stars` five is an arm's k-th text of five stars, row k of others the mean of its k-th
    ones of one, two, three and four stars. The reviews were drawn independently, so which are put
    side by side is arbitrary, and the pairs' differences are those of independent samples.
    """
    metrics = [name for name, kind in scored.schema.items() if kind.is_numeric()]
    turn = pl.int_range(pl.len()).over("decoding", "arm", "rating")
    stars = pl.when(pl.col("rating") == max(STARS)).then(pl.lit("five")).otherwise(pl.lit("others"))
    key = ["decoding", "arm", "stars", "review_id"]
    return (
        scored.with_columns(stars=stars, review_id=pl.format("turn {}", turn))
        .group_by(key, maintain_order=True)
        .agg(group_mean(pl.col(name)) for name in metrics if name != "rating")
        .with_columns(organisation=pl.lit(None, pl.String))  # a turn's reviews are of several
    )


# ---- to read and to plot


def headline_of(arms: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Return arm -> the HEADLINE metrics that it has: macro averages, or of all texts together."""
    return {
        arm: {name: numbers[name]["value"] for name in HEADLINE if name in numbers}
        for arm, numbers in merge(arms).items()
    }


def merge(arms: dict[str, dict]) -> dict[str, dict]:
    """Return arm -> its numbers over all ratings, in one: no name is both a macro and a corpus."""
    return {arm: numbers["macro"] | numbers["corpus"] for arm, numbers in arms.items()}


def plot_by_rating(scored: pl.DataFrame, decoding: str, column: str, seed: int) -> list[dict]:
    """Return a point per arm and asked rating: the mean of a column, where any text counts.

    Keys: arm, asked, the column's own name, low, high.
    """
    counted = scored.filter(pl.col("decoding") == decoding).drop_nulls(column)
    points = []
    for (asked, arm), rows in counted.group_by("rating", "arm", maintain_order=True):
        values = rows[column].cast(pl.Float64).to_numpy()
        low, high = bootstrap_interval(
            values, seed=seed, bounds=bounds_of(column), clusters=organisations_of(rows).numbers
        )
        point = {"arm": arm, "asked": asked, column: float(values.mean())}
        points.append(point | {"low": float(low), "high": float(high)})
    return sorted(points, key=lambda point: point["asked"])


def curves_of(files: dict[str, Path]) -> list[dict]:
    """Return the points of every arm's training curve that is there, with the arm's name."""
    return [
        {"arm": arm, **point}
        for arm, file in files.items()
        if file.is_file()
        for point in read_json(file)
    ]


def table_of(arms: dict[str, dict]) -> str:
    """Return each arm's headline metrics with their interval and both references, as lines.

    The last line says what the intervals draw.
    """
    merged = merge(arms)
    rows = []
    for metric in HEADLINE:
        references = [
            f"{merged[name][metric]['value']:.3f}" if metric in merged.get(name, {}) else "-"
            for name in (REAL_OTHER, REAL)
        ]
        rows += [
            [metric, arm, with_ends(numbers[metric]), *references]
            for arm, numbers in merged.items()
            if arm not in REFERENCES and metric in numbers
        ]
    counted = next(iter(arms.values()))["corpus"]
    drawn = tell_drawn({name: n for name, n in counted.items() if name == "n_organisations"})
    return table(rows, ["metric", "arm", "value [95 % interval]", REAL_OTHER, REAL]) + f"\n{drawn}"
