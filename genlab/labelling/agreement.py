"""Statistics of labels: shares with intervals, agreement of two raters, how many more to ask for.

`summarize_labels` takes the texts and the labels of one or two raters (label_files.py) and returns
nested numbers for a metrics file. A share has Wilson's interval. The macro share, the mean over
ratings, joins the ratings' intervals (`macro_share`), which keeps a width where all answers are
equal; a bootstrap does not. Kappa has a bootstrap interval.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.labelling.questionnaire import ALL, BOTH, DISAGREED, Questionnaire, add_fingerprints
from genlab.statistics.bootstrap import percentile_ends
from genlab.statistics.intervals import interval, wilson_interval
from genlab.statistics.shares import macro_share, more_labels_for_macro, shares_of

MACRO = "macro"
N_RESAMPLES = 10_000


def summarize_labels(texts: pl.DataFrame, labels: pl.DataFrame, sheet: Questionnaire) -> dict:
    """Return the numbers of a metrics file about the labels of one or two raters.

    texts: all generated texts (text_id, arm, text and the questionnaire's columns); labels: as
    `read_labels` returns them. A label counts only for the text that was judged, not for one that
    another run writes in its place. The result has the keys
    labels: how many count, and how many are of other texts;
    shares: arm -> rater -> `all`, `macro` and every rating -> n, the share of each answer with its
    interval, and `more_labels`, how many more would bring all these shares to +-5 points. Of two
    raters there is also the rater `both`: the texts that both judged, with the share on which they
    `disagreed`;
    agreement: of two raters, with Cohen's kappa.

    Raises InputError for more than two raters.
    """
    raters = labels["rater"].unique().sort().to_list()
    if len(raters) > 2:
        raise InputError(
            f"labels of {len(raters)} raters ({', '.join(raters)}); kappa is about two: move the"
            " files of the others out of the folder"
        )
    known = add_fingerprints(texts, sheet).select("text_id", "fingerprint", "arm", sheet.by)
    counted = labels.join(known, on=["text_id", "fingerprint"])
    summary: dict = {
        "labels": {"n": counted.height, "n_of_other_texts": labels.height - counted.height}
    }
    if counted.is_empty():
        return summary

    answers = list(sheet.choices)
    judged = {rater: counted.filter(pl.col("rater") == rater) for rater in raters}
    if len(raters) == 2:
        first, second = judged.values()
        pairs = first.join(second.select("text_id", second="answer"), on="text_id")
        if pairs.height:
            summary["agreement"] = summarize_agreement(pairs, answers, sheet.seed)
            judged[BOTH] = pairs.with_columns(
                answer=pl.when(pl.col("answer") == pl.col("second"))
                .then("answer")
                .otherwise(pl.lit(DISAGREED))
            )
    summary["shares"] = {}
    for arm in counted["arm"].unique().sort():
        groups = known.filter(pl.col("arm") == arm)[sheet.by].unique().sort().to_list()
        summary["shares"][arm] = {
            rater: summarize_shares(
                own.filter(pl.col("arm") == arm),
                answers + [DISAGREED] * (rater == BOTH),
                sheet.by,
                groups,
            )
            for rater, own in judged.items()
            if arm in own["arm"]
        }
    return summary


def summarize_shares(
    labels: pl.DataFrame, answers: Sequence[str], by: str, groups: Sequence
) -> dict[str, dict]:
    """Return n, shares with their intervals, and `more_labels` of `all`, `macro` and each group.

    labels: one rater's answers of one arm. No `macro` while a group has no answer: a mean over
    other groups would be another quantity.
    """
    counts = {
        group: [int(((labels[by] == group) & (labels["answer"] == name)).sum()) for name in answers]
        for group in groups
    }
    pooled = [sum(column) for column in zip(*counts.values(), strict=True)]
    summary = {ALL: shares_of(pooled, answers)}
    sizes = [sum(column) for column in counts.values()]
    if all(sizes):
        summary[MACRO] = {"n": sum(sizes)}
        for name, column in zip(answers, zip(*counts.values(), strict=True), strict=True):
            summary[MACRO][name] = interval(*macro_share(column, sizes))
        columns = list(zip(*counts.values(), strict=True))
        summary[MACRO]["more_labels"] = max(more_labels_for_macro(c, sizes) for c in columns)
    for group, column in counts.items():
        if sum(column):
            summary[f"{by}_{group}"] = shares_of(column, answers)
    return summary


def summarize_agreement(pairs: pl.DataFrame, answers: Sequence[str], seed: int) -> dict:
    """Return n, the share of equal answers and Cohen's kappa, each with its interval.

    pairs: a row a text that both judged, columns answer and second. No kappa where it is not
    defined: both raters gave one and the same answer to every text.
    """
    table = np.array(
        [
            [((pairs["answer"] == a) & (pairs["second"] == b)).sum() for b in answers]
            for a in answers
        ]
    )
    n, n_equal = int(table.sum()), int(np.trace(table))
    found = {"n": n, "observed": interval(n_equal / n, *wilson_interval(n_equal, n))}
    kappa = float(cohens_kappa(table))
    if np.isnan(kappa):
        return found
    return found | {"kappa": interval(kappa, *kappa_interval(table, seed))}


def cohens_kappa(table: np.ndarray) -> np.ndarray:
    """Return kappa of int[..., k, k], first rater's answer by second's; NaN if not defined.

    (p_o - p_e) / (1 - p_e): agreement beyond that of two raters who answer independently, each
    with their own shares. Cohen 1960, Educational and Psychological Measurement 20(1).
    """
    shares = table / table.sum(axis=(-2, -1), keepdims=True)
    observed = np.trace(shares, axis1=-2, axis2=-1)
    expected = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    with np.errstate(invalid="ignore"):  # 0 / 0: all answers alike
        return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)


def kappa_interval(table: np.ndarray, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval (low, high) of kappa, texts resampled.

    Drawing texts with replacement is drawing the table's cells from a multinomial distribution. A
    resample where kappa is not defined is left out. Raters who never disagreed get an interval
    without width: the one of `observed` beside it tells what so few texts can show.
    """
    n = int(table.sum())
    drawn = np.random.default_rng(seed).multinomial(n, table.ravel() / n, N_RESAMPLES)
    kappas = cohens_kappa(drawn.reshape(-1, *table.shape))
    low, high = percentile_ends(kappas[:, None], level)
    return float(low[0]), float(high[0])
