"""What generated reviews are worth, text by text and arm by arm.

Rows of `generated_reviews` become SCORE_SCHEMA rows, by the classifiers and the real train reviews.
From these come each arm's means over texts, by rating and over ratings; what only a set of texts
has (perplexity, distinct-n); lines to read and points to plot.

An empty text scores 0 on recovery and recall and the maximum rating error; per-word measures skip
it. So does a text without any word that the classifiers know. A text of one word that some review
has is copied whole. Shares have Wilson's interval, their mean over ratings its stratified form; all
else resamples texts within each rating.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.terminal import table, with_ends
from genlab.statistics.intervals import interval, percentile_ends, resample_strata, wilson_interval
from genlab.statistics.shares import macro_share
from genlab.text.classifier import Classifier
from genlab.text.copied_spans import longest_copied_spans
from genlab.text.measures import distinct_n, distinct_n_of_sample, repeated_share
from genlab.text.normal_form import words
from pipelines.reviews.generated_reviews import GROUP, REAL, REAL_OTHER, REFERENCES
from pipelines.reviews.keywords import analyse
from pipelines.reviews.schemas import GENERATE_SCHEMA, STARS

SHARES = ("rating_recovered", "rubric_recovered", "finished")
MEANS = (
    "rating_error",  # |recovered - asked|, in stars
    "keyword_recall",  # share of the asked keywords that stand in the text
    "loss_per_token",  # nats, under the fluency model
    "bits_per_byte",  # the same, whatever its tokenizer
    "distinct_1",  # different words over words, within the text
    "distinct_2",
    "self_repetition",  # share of its word n-grams that repeat an earlier one
    "copied_share",  # longest run of words that is in a train review, over the text's words
    "n_words",
    "n_tokens",
)
SCORE_SCHEMA = pl.Schema(
    {name: GENERATE_SCHEMA[name] for name in ("text_id", "review_id", "arm", "decoding", "rating")}
    | {
        "text": pl.String,
        "predicted_rating": pl.Int8,  # null: no classifier, or a text without a known word
        "predicted_rubric": pl.String,
        **dict.fromkeys([*SHARES, *MEANS], pl.Float64),  # null: does not count
        "copied_words": pl.Int64,
        "loss": pl.Float64,  # of all tokens, nats
        "n_read_tokens": pl.Int64,  # the fluency model's tokens
        "n_bytes": pl.Int64,
    }
)
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


# ---- text by text


def score_texts(
    rows: pl.DataFrame,
    train: pl.Series,
    classifiers: dict[str, Classifier | None],
    losses: list[np.ndarray],
    repetition_words: int,
) -> pl.DataFrame:
    """Return SCORE_SCHEMA rows of GENERATE_SCHEMA rows, in their order.

    classifiers: of "rating" and "rubric", None where there is none; losses: of each row's text.
    """
    texts, tokens = rows["text"].to_list(), rows["tokens"].to_list()
    token_lists = [words(text) for text in texts]
    n_words = [len(tokens) for tokens in token_lists]
    copied = longest_copied_spans(texts, train)
    guesses = {
        name: classifier.predict(texts) if classifier else [None] * len(texts)
        for name, classifier in classifiers.items()
    }
    asked = rows.select("rating", "rubrics", "keywords").iter_rows()
    columns = [
        {
            **compare_rating(classifiers["rating"], guesses["rating"][row], rating),
            **compare_rubric(classifiers["rubric"], guesses["rubric"][row], rubrics),
            "keyword_recall": keyword_recall(keywords, token_lists[row]),
            "distinct_1": within(token_lists[row], 1),
            "distinct_2": within(token_lists[row], 2),
            "self_repetition": repeated_share(token_lists[row], repetition_words),
            "copied_words": int(copied[row]),
            "copied_share": copied[row] / n_words[row] if n_words[row] else None,
            "loss": float(losses[row].sum()),
            "n_read_tokens": len(losses[row]),
            "n_bytes": len(texts[row].encode()),
            "loss_per_token": float(losses[row].mean()) if len(losses[row]) else None,
            "bits_per_byte": bits(losses[row], texts[row]),
            "n_words": n_words[row],
            "n_tokens": None if tokens[row] is None else len(tokens[row]),
        }
        for row, (rating, rubrics, keywords) in enumerate(asked)
    ]
    kinds = {name: SCORE_SCHEMA[name] for name in columns[0]}
    measured = pl.DataFrame(columns, schema=kinds, strict=False)
    return rows.with_columns(measured).select(
        pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()
    )


def compare_rating(classifier: Classifier | None, found: int | None, asked: int) -> dict:
    """Return what the rating found says; nothing if the classifier does not know the asked one."""
    if classifier is None or asked not in classifier.classes:
        return {"predicted_rating": None, "rating_recovered": None, "rating_error": None}
    worst = max(abs(stars - asked) for stars in STARS)
    return {
        "predicted_rating": found,
        "rating_recovered": float(found == asked),
        "rating_error": float(worst if found is None else abs(found - asked)),
    }


def compare_rubric(classifier: Classifier | None, found: str | None, asked: list[str]) -> dict:
    """Return whether the classifier names one of the asked rubrics; nothing where it knows none."""
    if classifier is None or not set(asked) & set(classifier.classes):
        return {"predicted_rubric": None, "rubric_recovered": None}
    return {
        "predicted_rubric": found,
        "rubric_recovered": float(found in asked),
    }


def keyword_recall(keywords: Sequence[str], tokens: Sequence[str]) -> float | None:
    """Return the share of keywords whose words stand in the text side by side, in any form.

    A word is another's form if they have one dictionary form, or one is the other's: the form of a
    form can be another word's ("стекло", glass, and "flowed down"). None without keywords.
    """
    if not keywords:
        return None
    text = [forms_of(token) for token in tokens]
    wanted = [[forms_of(word) for word in words(keyword)] for keyword in keywords]
    return sum(stands_in(keyword, text) for keyword in wanted) / len(wanted)


def stands_in(wanted: list[set[str]], text: list[set[str]]) -> bool:
    """Tell whether words with these forms, at least one, stand in the text side by side."""
    return bool(wanted) and any(
        all(a & b for a, b in zip(wanted, text[start:], strict=False))
        for start in range(len(text) - len(wanted) + 1)
    )


def forms_of(word: str) -> set[str]:
    """Return a lower-case word and its dictionary form, without e-dieresis."""
    return {word.replace("ё", "е"), analyse(word)[0]}


def within(tokens: Sequence[str], n: int) -> float | None:
    """Return a text's distinct-n; None if it is shorter than n words."""
    return distinct_n([tokens], n) if len(tokens) >= n else None


def bits(losses: np.ndarray, text: str) -> float | None:
    """Return a text's bits per byte; None without a token."""
    return float(losses.sum() / np.log(2) / len(text.encode())) if len(losses) else None


# ---- arm by arm


def summarize(scored: pl.DataFrame, distinct_sample: int, seed: int) -> dict[str, dict]:
    """Return decoding -> arm -> `macro`, every rating and `corpus` -> numbers with their ends.

    The macro average is the mean of the ratings' means, over the ratings in which any text
    counts. `corpus`: perplexity and bits per byte of all texts together (sums over sums, whose
    resamples are the ratings' own), and the distinct-n of a sample of `distinct_sample` n-grams.
    """
    groups = scored.partition_by(GROUP, as_dict=True, maintain_order=True)
    names = [*SHARES, *MEANS, "loss", "n_read_tokens", "n_bytes"]
    # All arms in one draw: a row a review, the arms' columns side by side.
    values = np.hstack(
        [frame.select(names).cast(pl.Float64).to_numpy() for frame in groups.values()]
    )
    values = np.asarray(values, dtype=np.float64)
    ratings = next(iter(groups.values()))["rating"].to_numpy()
    drawn = resample_strata(values, ratings, seed=seed)
    summary: dict[str, dict] = {}
    for place, ((decoding, arm), frame) in enumerate(groups.items()):
        own = slice(place * len(names), (place + 1) * len(names))
        numbers = summarize_arm(values[:, own], drawn[:, :, own], ratings, names)
        corpus = numbers["corpus"]
        corpus |= {"n": frame.height, "n_empty": int((frame["n_words"] == 0).sum())}
        token_lists = [words(text) for text in frame["text"]]
        for n in (1, 2):
            found = distinct_n_of_sample(token_lists, n, distinct_sample)
            corpus |= {f"corpus_distinct_{n}": interval(*found)} if found else {}
        summary.setdefault(decoding, {})[arm] = numbers
    return summary


def summarize_arm(
    values: np.ndarray, drawn: np.ndarray, ratings: np.ndarray, names: list[str]
) -> dict[str, dict]:
    """Return the numbers of one arm but its distinct-n.

    values: float64[texts, names]; drawn: float64[ratings, resamples, names].
    """
    strata, sizes = np.unique(ratings, return_counts=True)
    numbers: dict[str, dict] = {"macro": {}, "corpus": {}}
    numbers |= {f"stars_{stars}": {"n": int(n)} for stars, n in zip(strata, sizes, strict=True)}
    for column, name in enumerate(names[: len(SHARES) + len(MEANS)]):
        counted = {
            stars: values[(ratings == stars) & ~np.isnan(values[:, column]), column]
            for stars in strata
        }
        there = [place for place, stars in enumerate(strata) if len(counted[stars])]
        if not there:
            continue
        for place in there:
            own = counted[strata[place]]
            if name in SHARES:
                ends = wilson_interval(int(own.sum()), len(own))
            else:
                ends = ends_of(drawn[place, :, column])
            numbers[f"stars_{strata[place]}"][name] = interval(own.mean(), *ends)
        columns = [counted[strata[place]] for place in there]
        if name in SHARES:
            found = macro_share([int(own.sum()) for own in columns], list(map(len, columns)))
        else:
            ends = ends_of(drawn[there, :, column].mean(axis=0))
            found = (float(np.mean([own.mean() for own in columns])), *ends)
        numbers["macro"][name] = interval(*found)
    numbers["corpus"] = corpus_fluency(values, (drawn.transpose(1, 2, 0) @ sizes), names)
    return numbers


def ends_of(means: np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % interval of resampled means, float64[resamples]."""
    low, high = percentile_ends(means[:, None])
    return float(low[0]), float(high[0])


def corpus_fluency(values: np.ndarray, sums: np.ndarray, names: list[str]) -> dict[str, dict]:
    """Return perplexity and bits per byte of all texts together; nothing without a token.

    values: float64[texts, names]; sums: float64[resamples, names], the sums over resampled texts.
    """
    loss, tokens, n_bytes = map(names.index, ("loss", "n_read_tokens", "n_bytes"))
    total = values.sum(axis=0)
    if not total[tokens]:
        return {}
    sums = sums[sums[:, tokens] > 0]
    perplexity = np.exp(total[loss] / total[tokens])
    bits_per_byte = total[loss] / np.log(2) / total[n_bytes]
    drawn_perplexity = np.exp(sums[:, loss] / sums[:, tokens])
    drawn_bits = sums[:, loss] / np.log(2) / sums[:, n_bytes]
    return {
        "perplexity": interval(perplexity, *ends_of(drawn_perplexity)),
        "corpus_bits_per_byte": interval(bits_per_byte, *ends_of(drawn_bits)),
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
        .agg(pl.col(name).cast(pl.Float64).mean() for name in metrics if name != "rating")
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


def plot_by_rating(scored: pl.DataFrame, decoding: str, column: str) -> list[dict]:
    """Return a point per arm and asked rating: the mean of a column, where any text counts."""
    rows = scored.filter(pl.col("decoding") == decoding)
    means = rows.group_by("arm", asked="rating", maintain_order=True)
    points = means.agg(pl.col(column).cast(pl.Float64).mean()).drop_nulls(column)
    return points.sort(pl.col("asked"), maintain_order=True).to_dicts()


def curves_of(files: dict[str, Path]) -> list[dict]:
    """Return the points of every arm's training curve that is there, with the arm's name."""
    return [
        {"arm": arm, **point}
        for arm, file in files.items()
        if file.is_file()
        for point in json.loads(file.read_text(encoding="utf-8"))
    ]


def table_of(arms: dict[str, dict]) -> str:
    """Return each arm's headline metrics with their interval and both references, as lines."""
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
    return table(rows, ["metric", "arm", "value [95 % interval]", REAL_OTHER, REAL])
