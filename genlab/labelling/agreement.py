"""Statistics of labels: shares with intervals, agreement of raters, how many more to ask for.

`summarize_labels` takes the texts and the labels of the raters (label_files.py) and returns nested
numbers for a metrics file; `lines_of` says them in a terminal. A share has Wilson's interval, and
where a program guesses every text's answer a prediction-powered one beside it. The macro share, the
mean over ratings, joins the ratings' intervals (`macro_share`), which keeps a width where all
answers are equal; a bootstrap does not. Kappa and alpha have bootstrap intervals.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from genlab.core.terminal import with_ends
from genlab.labelling.questionnaire import (
    ALL,
    BOTH,
    DISAGREED,
    MAJORITY,
    Questionnaire,
    add_fingerprints,
)
from genlab.labelling.reliability import (
    alpha_interval,
    independent_answers,
    krippendorffs_alpha,
)
from genlab.statistics.bootstrap import percentile_ends
from genlab.statistics.intervals import SHARE, bootstrap_interval, interval
from genlab.statistics.prediction_powered import powered_share
from genlab.statistics.shares import macro_share, more_labels_for_macro, shares_of

MACRO = "macro"
POWERED = "powered"
N_RESAMPLES = 10_000


def summarize_labels(
    texts: pl.DataFrame,
    labels: pl.DataFrame,
    sheet: Questionnaire,
    guesses: pl.DataFrame | None = None,
) -> dict:
    """Return the numbers of a metrics file about the labels of any number of raters.

    texts: all generated texts (text_id, arm, text and the questionnaire's columns). labels: as
    `read_labels` returns them; a label counts only for the text that was judged, not for another
    run's text with the same id. guesses: text_id, and for some answers a column with a program's
    probability of that answer, in [0, 1]. The result has the keys
    labels: how many count, and how many are of other texts;
    shares: arm -> rater -> `all`, `macro` and every rating -> n, the share of each answer with its
    interval, and `more_labels`, how many more would bring all these shares to +-5 points; and with
    guesses `powered`, see `summarize_powered`. The texts that all raters judged are those of one
    more rater, `both` or of three and more `majority`: what more than half of them answered, else
    `disagreed`;
    agreement: of two raters and more, see `summarize_agreement`.
    """
    known = add_fingerprints(texts, sheet).select("text_id", "fingerprint", "arm", sheet.by)
    counted = labels.join(known, on=["text_id", "fingerprint"], maintain_order="left")
    summary: dict = {
        "labels": {"n": counted.height, "n_of_other_texts": labels.height - counted.height}
    }
    if counted.is_empty():
        return summary

    answers = list(sheet.choices)
    raters = counted["rater"].unique().sort().to_list()
    judged = {rater: counted.filter(pl.col("rater") == rater) for rater in raters}
    if agreement := summarize_agreement(counted, len(raters), sheet):
        summary["agreement"] = agreement
    common = answers_in_common(counted, len(raters))
    if len(raters) > 1 and common.height:
        judged[BOTH if len(raters) == 2 else MAJORITY] = common
    summary["shares"] = {}
    for arm in counted["arm"].unique().sort():
        of_arm = known.filter(pl.col("arm") == arm)
        groups = of_arm[sheet.by].unique().sort().to_list()
        shares = summary["shares"][arm] = {}
        for rater, all_arms in judged.items():
            own = all_arms.filter(pl.col("arm") == arm)
            if own.is_empty():
                continue
            known_answers = answers + [DISAGREED] * (rater in (BOTH, MAJORITY))
            shares[rater] = summarize_shares(own, known_answers, sheet.by, groups)
            if guesses is not None:
                guessed = guesses.join(of_arm, on="text_id", how="semi", maintain_order="left")
                if powered := summarize_powered(own, guessed, answers):
                    shares[rater][POWERED] = powered
    return summary


def answers_in_common(counted: pl.DataFrame, n_raters: int) -> pl.DataFrame:
    """Return one row for each text that all raters judged: what most answered, or `disagreed`."""
    texts = counted.filter(pl.len().over("text_id") == n_raters)
    votes = texts.group_by("text_id", "answer", maintain_order=True).len()
    won = votes.filter(pl.col("len") * 2 > n_raters).select("text_id", won="answer")
    return (
        texts.unique("text_id", maintain_order=True)
        .join(won, on="text_id", how="left", maintain_order="left")
        .with_columns(answer=pl.col("won").fill_null(DISAGREED))
        .drop("won")
    )


def summarize_powered(
    labels: pl.DataFrame, guesses: pl.DataFrame, answers: Sequence[str]
) -> dict[str, dict]:
    """Return the prediction-powered share of each answer that is guessed, and what it saved.

    labels: one rater's, of one arm; guesses: about all of the arm's texts. Besides the share and
    its interval there is `labels_saved`: how many more labels would give an interval of this width
    without guesses. Returns {} if every text has a label, or no answer is guessed.
    """
    powered = {}
    for name in (each for each in answers if each in guesses.columns):
        known = guesses.filter(pl.col(name).is_not_null()).select("text_id", guess=name)
        own = labels.join(known, on="text_id", maintain_order="left")
        others = known.join(labels, on="text_id", how="anti", maintain_order="left")["guess"]
        if own.height and others.len():
            is_given = (own["answer"] == name).cast(pl.Float64).to_numpy()
            found = powered_share(is_given, own["guess"].to_numpy(), others.to_numpy())
            powered[name] = interval(found.value, found.low, found.high) | {
                "labels_saved": int(found.n_effective) - own.height
            }
    return powered


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


def summarize_agreement(counted: pl.DataFrame, n_raters: int, sheet: Questionnaire) -> dict:
    """Return the raters' agreement on the texts that two or more of them judged; {} without any.

    n: the number of these texts; observed: the share of equal answers among all pairs of answers to
    a text, averaged over texts; alpha: Krippendorff's, on the questionnaire's scale; kappa:
    Cohen's, for two raters. Each has its interval. kappa and alpha are left out where they are
    undefined, which is if all answers are the same.
    """
    answers = list(sheet.choices)
    counts = (
        counted.group_by("text_id")
        .agg((pl.col("answer") == name).sum().alias(name) for name in answers)
        .sort("text_id")
        .select(answers)
        .to_numpy()
        .astype(np.int64)
    )
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return {}
    n_answers = counts.sum(axis=1)
    equal = (counts * (counts - 1)).sum(axis=1) / (n_answers * (n_answers - 1))
    ends = bootstrap_interval(equal, seed=sheet.seed, bounds=SHARE)
    found: dict = {"n": len(counts), "observed": interval(equal.mean(), *ends)}
    alpha = krippendorffs_alpha(counts, sheet.scale)
    if not np.isnan(alpha):
        found["alpha"] = interval(alpha, *alpha_interval(counts, sheet.scale, sheet.seed))
    if n_raters == 2:
        table = answers_of_two(counted, answers)
        kappa = float(cohens_kappa(table))
        if not np.isnan(kappa):
            found["kappa"] = interval(kappa, *kappa_interval(table, sheet.seed))
    return found


def answers_of_two(counted: pl.DataFrame, answers: Sequence[str]) -> np.ndarray:
    """Return int[k, k]: of texts that both raters judged, the first's answer by the second's."""
    first, second = (
        counted.filter(pl.col("rater") == rater).select("text_id", "answer")
        for rater in counted["rater"].unique().sort()
    )
    pairs = first.join(second, on="text_id", suffix="_second")
    return np.array(
        [
            [((pairs["answer"] == a) & (pairs["answer_second"] == b)).sum() for b in answers]
            for a in answers
        ]
    )


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


def kappa_interval(table: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the percentile bootstrap interval (low, high) of kappa, texts resampled.

    Drawing texts with replacement is drawing the table's cells from a multinomial distribution.
    As in `alpha_interval`, one imagined text is drawn from, too, so that raters who never disagreed
    get a width. A resample where kappa is not defined is left out.
    """
    n = int(table.sum())
    imagined = independent_answers(table.sum(axis=0) + table.sum(axis=1))
    shares = (table + imagined).ravel() / (n + 1)
    drawn = np.random.default_rng(seed).multinomial(n, shares, N_RESAMPLES)
    return percentile_ends(cohens_kappa(drawn.reshape(-1, *table.shape)))


def lines_of(summary: dict) -> str:
    """Return shares and agreement as lines for a terminal; "" where no label counts."""
    lines = []
    for arm, raters in summary.get("shares", {}).items():
        for rater, shares in raters.items():
            n = shares[ALL]["n"]
            for name, plain in shares[ALL].items():
                if not isinstance(plain, dict):
                    continue
                line = f"{arm}, {rater}, {n} labels: {name} {with_ends(plain)}"
                if powered := shares.get(POWERED, {}).get(name):
                    line += f"; with all guesses {with_ends(powered)}"
                    line += f", which saved {powered['labels_saved']} labels"
                lines.append(line)
    if agreement := summary.get("agreement"):
        said = [
            f"{name} {with_ends(agreement[name])}"
            for name in ("observed", "alpha", "kappa")
            if name in agreement
        ]
        lines.append(f"agreement on {agreement['n']} texts: {', '.join(said)}")
    return "\n".join(lines)
