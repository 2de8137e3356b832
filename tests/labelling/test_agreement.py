"""Shares, intervals, kappa: against numbers worked out by hand, published, or of scikit-learn."""

import json
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.labelling.agreement import cohens_kappa, kappa_interval, summarize_labels
from genlab.labelling.label_files import LABEL_SCHEMA
from genlab.labelling.questionnaire import add_fingerprints
from genlab.statistics.intervals import wilson_interval
from genlab.statistics.shares import (
    labels_needed,
    macro_share,
    more_labels,
    more_labels_for_macro,
    score_ends,
)
from tests.labelling.test_label_files import sheet_with, table

SHEET = sheet_with()


def labels_of(texts: pl.DataFrame, **raters: list[str | None]) -> pl.DataFrame:
    """Return each rater's answers to the texts in their order; None: not judged."""
    known = add_fingerprints(texts, SHEET)
    rows = [
        (text_id, rater, answer, fingerprint, None, "2026-01-01T00:00:00+00:00")
        for rater, answers in raters.items()
        for (text_id, fingerprint), answer in zip(
            known.select("text_id", "fingerprint").rows(), answers, strict=True
        )
        if answer
    ]
    return pl.DataFrame(rows, LABEL_SCHEMA, orient="row")


# ---- shares


def test_87_of_100_correct_has_the_published_interval():
    texts = table(ratings=(1, 2, 3, 4, 5), each=20)
    answers = ["correct"] * 87 + ["wrong"] * 13
    every = summarize_labels(texts, labels_of(texts, anna=answers), SHEET)["shares"]["a"]["anna"]
    assert every["all"]["n"] == 100
    assert every["all"]["correct"]["value"] == pytest.approx(0.87)
    assert round(every["all"]["correct"]["low"], 2) == 0.79
    assert round(every["all"]["correct"]["high"], 2) == 0.92


def test_shares_are_counted_by_rating_and_the_macro_share_is_the_mean_of_ratings():
    texts = table(ratings=(1, 2), each=4)
    answers = ["correct", "correct", "correct", "wrong", "wrong", "correct", None, None]
    summary = summarize_labels(texts, labels_of(texts, anna=answers), SHEET)
    shares = summary["shares"]["a"]["anna"]
    assert summary["labels"] == {"n": 6, "n_of_other_texts": 0}
    assert (shares["rating_1"]["n"], shares["rating_1"]["correct"]["value"]) == (4, 0.75)
    assert (shares["rating_2"]["n"], shares["rating_2"]["correct"]["value"]) == (2, 0.5)
    assert shares["all"]["correct"]["value"] == pytest.approx(4 / 6)
    assert shares["macro"]["correct"]["value"] == pytest.approx((0.75 + 0.5) / 2)
    assert shares["rating_1"]["wrong"]["low"] == wilson_interval(1, 4)[0]
    assert "agreement" not in summary


def test_there_is_no_macro_share_while_a_rating_has_no_answer():
    texts = table(ratings=(1, 2), each=2)
    labels = labels_of(texts, anna=["correct", "wrong", None, None])
    shares = summarize_labels(texts, labels, SHEET)["shares"]["a"]["anna"]
    assert set(shares) == {"all", "rating_1"}


def test_arms_are_counted_apart():
    texts = table(arms=("a", "b"), ratings=(1,), each=2)
    labels = labels_of(texts, anna=["correct", "correct", "wrong", "correct"])
    shares = summarize_labels(texts, labels, SHEET)["shares"]
    assert {arm: shares[arm]["anna"]["all"]["correct"]["value"] for arm in shares} == {
        "a": 1.0,
        "b": 0.5,
    }


def test_labels_of_texts_that_another_run_wrote_are_not_counted_for_these():
    texts = table(ratings=(1,), each=3)
    labels = labels_of(texts, anna=["correct", "correct", "wrong"])
    rewritten = texts.with_columns(
        text=pl.when(pl.col("text_id") == "a-1-0").then(pl.lit("other")).otherwise("text")
    ).filter(pl.col("text_id") != "a-1-1")
    summary = summarize_labels(rewritten, labels, SHEET)
    assert summary["labels"] == {"n": 1, "n_of_other_texts": 2}
    assert summary["shares"]["a"]["anna"]["all"]["wrong"]["value"] == 1.0
    assert summarize_labels(texts.clear(), labels, SHEET) == {
        "labels": {"n": 0, "n_of_other_texts": 3}
    }


def test_the_summary_is_numbers_that_a_metrics_file_can_hold(tmp_path):
    texts = table(ratings=(1, 2), each=2)
    labels = labels_of(texts, anna=["correct"] * 4, bea=["correct"] * 3 + ["wrong"])
    path = tmp_path / "score.json"
    write_json(path, summarize_labels(texts, labels, SHEET))

    def check(value):
        if isinstance(value, dict):
            for each in value.values():
                check(each)
        else:
            assert type(value) in (int, float)

    check(json.loads(path.read_text()))


# ---- the macro share


def test_with_equal_shares_and_sizes_the_macro_interval_is_wilsons_of_all_labels():
    for count in (0, 9, 18, 20):
        expected = (count / 20, *wilson_interval(5 * count, 100))
        assert macro_share([count] * 5, [20] * 5) == pytest.approx(expected)
    assert macro_share([87], [100]) == pytest.approx((0.87, *wilson_interval(87, 100)))


@pytest.mark.parametrize("counts", [[2, 3], [0, 16], [4, 0], [1, 12]], ids=str)
def test_the_macro_intervals_ends_are_z_errors_away_by_brute_force(counts):
    """On a grid of means, the likeliest two shares of each and their standard error."""
    sizes = np.array([4, 16])
    first = np.linspace(1e-9, 1 - 1e-9, 2001)
    inside = []
    for mean in np.linspace(0.0005, 0.9995, 2000):
        shares = np.array([first, 2 * mean - first])
        shares = shares[:, (shares[1] > 0) & (shares[1] < 1)]
        likelihood = stats.binom.logpmf(np.array(counts)[:, None], sizes[:, None], shares)
        at = shares[:, likelihood.sum(axis=0).argmax()]
        error = np.sqrt((at * (1 - at) / sizes).sum()) / 2
        if abs(np.mean(counts / sizes) - mean) <= 1.959964 * error:
            inside.append(mean)
    share, low, high = macro_share(counts, sizes.tolist())
    assert share == pytest.approx(np.mean(counts / sizes))
    assert (low, high) == pytest.approx((inside[0], inside[-1]), abs=2e-3)


def test_one_success_more_raises_both_ends_of_the_macro_interval():
    """All counts of three groups of six; and those of issue 14, whose low end fell."""
    counts = np.array(list(product(range(7), repeat=3)), dtype=float)
    low, high = score_ends(counts, np.full(3, 6.0), 1.96)
    ends = {tuple(each): pair for each, *pair in zip(counts, low, high, strict=True)}
    assert min(low) == 0 and max(high) <= 1
    for place in np.eye(3):
        for each in counts[counts @ place < 6]:
            more, fewer = ends[tuple(each + place)], ends[tuple(each)]
            assert more[0] >= fewer[0] - 1e-9 and more[1] >= fewer[1] - 1e-9
    first, second = macro_share([0, 0, 0, 0, 40], [40] * 5), macro_share([1, 0, 0, 0, 40], [40] * 5)
    assert first[1] < second[1] and first[2] < second[2]
    # The last group's share is Wilson's of 40 of 40, 0.912 or more; the others' 0 of 160.
    assert first[1] == pytest.approx(0.912 / 5, abs=2e-4)
    assert first[2] == pytest.approx(0.2 + 0.8 * 0.0234, abs=2e-4)


def test_the_macro_interval_holds_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(0)
    sizes = np.array([30, 20, 20, 20, 10], dtype=float)
    for shares in ([0.95, 0.9, 0.9, 0.8, 0.6], [0.02, 0.03, 0.03, 0.05, 0.1]):
        counts = rng.binomial(sizes.astype(int), shares, (2000, 5)).astype(float)
        low, high = score_ends(counts, sizes, 1.96)
        held = (low <= np.mean(shares)) & (np.mean(shares) <= high)
        assert 0.93 <= held.mean() <= 0.97


# ---- how many more


@pytest.mark.parametrize("share", [0.0, 0.03, 0.25, 0.5, 0.87, 1.0])
def test_the_labels_needed_are_the_fewest_whose_interval_is_ten_points_wide(share):
    n = labels_needed(share)

    def width(n):
        low, high = wilson_interval(share * n, n)
        return high - low

    assert width(n) <= 0.1 < width(n - 1)


def test_after_87_of_100_another_75_labels_give_five_points_either_way():
    # 1.96^2 * (.1131 + sqrt(.1131^2 + .05^2 * (1 - .4524))) / (2 * .05^2) - 1.96^2 = 174.5
    assert more_labels(87, 100) == 75
    assert more_labels(150, 175) == 14  # .1224 + .1276 = .25, times 768.3, less 3.84: 188.2
    assert more_labels(870, 1000) == 0


def test_more_labels_for_the_macro_share_go_where_equal_numbers_need_them():
    assert more_labels_for_macro([87], [100]) == 75
    # 381 labels at a share of one half, 77 of each of five ratings: 57 more of each.
    assert more_labels_for_macro([10] * 5, [20] * 5) == 5 * 57
    assert more_labels_for_macro([10, 10, 10, 10, 50], [20, 20, 20, 20, 100]) == 4 * 57
    assert more_labels_for_macro([500] * 2, [1000] * 2) == 0


# ---- two raters


def test_kappa_of_a_table_worked_out_by_hand():
    # p_o = (20 + 15) / 50 = .7; p_e = .5 * .6 + .5 * .4 = .5; kappa = .2 / .5.
    assert cohens_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_kappa_equals_scikit_learns():
    first, second = np.random.default_rng(0).integers(0, 4, (2, 60))
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (first, second), 1)
    assert cohens_kappa(counts) == pytest.approx(cohen_kappa_score(first, second))


def test_the_bootstrap_interval_of_kappa_is_near_the_asymptotic_one_of_fleiss():
    # 31, 12, 4, 58: kappa .6757, standard error .0734, interval .5317 to .8196, as published in
    # the documentation of R's statpsych (ci.kappa).
    counts = np.array([[31, 12], [4, 58]])
    assert cohens_kappa(counts) == pytest.approx(0.6756757)
    assert kappa_interval(counts, seed=1) == pytest.approx((0.5317, 0.8196), abs=0.015)
    assert kappa_interval(counts, seed=1) == kappa_interval(counts, seed=1)


def test_two_raters_agree_where_both_judged_and_their_common_answers_have_shares():
    texts = table(ratings=(1,), each=6)
    labels = labels_of(
        texts,
        anna=["correct", "correct", "wrong", "correct", "wrong", None],
        bea=["correct", "wrong", "wrong", "correct", None, "wrong"],
    )
    summary = summarize_labels(texts, labels, SHEET)
    # Both judged four, three alike; anna 3 of 4 correct, bea 2: p_e = .375 + .125 = .5.
    assert summary["agreement"]["n"] == 4
    assert summary["agreement"]["observed"]["value"] == 0.75
    assert summary["agreement"]["kappa"]["value"] == pytest.approx((0.75 - 0.5) / 0.5)
    both = summary["shares"]["a"]["both"]["all"]
    shown = {name: both[name]["value"] for name in ("correct", "wrong", "disagreed")}
    assert both["n"] == 4 and shown == {"correct": 0.5, "wrong": 0.25, "disagreed": 0.25}
    assert summary["shares"]["a"]["anna"]["all"]["n"] == 5


def test_raters_who_gave_one_answer_only_have_no_kappa():
    texts = table(ratings=(1,), each=3)
    labels = labels_of(texts, anna=["correct"] * 3, bea=["correct"] * 3)
    agreement = summarize_labels(texts, labels, SHEET)["agreement"]
    assert set(agreement) == {"n", "observed"}


def test_raters_without_a_common_text_have_no_agreement():
    texts = table(ratings=(1,), each=2)
    summary = summarize_labels(
        texts, labels_of(texts, a=["correct", None], b=[None, "wrong"]), SHEET
    )
    assert "agreement" not in summary
    assert set(summary["shares"]["a"]) == {"a", "b"}


def test_three_raters_are_one_too_many():
    texts = table(ratings=(1,), each=1)
    labels = labels_of(texts, a=["correct"], b=["correct"], c=["correct"])
    with pytest.raises(InputError, match=r"3 raters \(a, b, c\)"):
        summarize_labels(texts, labels, SHEET)
