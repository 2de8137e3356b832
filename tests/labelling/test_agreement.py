"""Shares, intervals, kappa: against numbers worked out by hand, published, or of scikit-learn."""

import json
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from genlab.core.files import write_json
from genlab.labelling import agreement
from genlab.labelling.agreement import (
    cohens_kappa,
    kappa_interval,
    lines_of,
    summarize_labels,
)
from genlab.labelling.label_files import LABEL_SCHEMA
from genlab.labelling.questionnaire import add_fingerprints
from genlab.labelling.reliability import alpha_interval, krippendorffs_alpha
from genlab.statistics.intervals import wilson_interval
from genlab.statistics.prediction_powered import powered_share
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
    # the documentation of R's statpsych (ci.kappa). Of a hundred times as many texts, beside which
    # an imagined one is nothing, the standard error is a tenth: .6757 +- 1.96 * .00734.
    counts = np.array([[31, 12], [4, 58]])
    assert cohens_kappa(counts) == pytest.approx(0.6756757)
    assert kappa_interval(100 * counts, seed=1) == pytest.approx((0.6613, 0.6901), abs=0.0015)
    low, high = kappa_interval(counts, seed=1)
    assert 0.5 < low < 0.5317 and high == pytest.approx(0.8196, abs=0.015)
    assert kappa_interval(counts, seed=1) == (low, high)


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
    assert set(agreement) == {"n", "observed"} and agreement["observed"]["low"] < 0.5


def test_raters_without_a_common_text_have_no_agreement():
    texts = table(ratings=(1,), each=2)
    summary = summarize_labels(
        texts, labels_of(texts, a=["correct", None], b=[None, "wrong"]), SHEET
    )
    assert "agreement" not in summary
    assert set(summary["shares"]["a"]) == {"a", "b"}


# ---- three raters and more


def counts_of(*raters: str) -> np.ndarray:
    """Return how many raters gave answers 1 to 5 to each text; *: not judged."""
    return np.array(
        [[texts.count(str(value)) for value in range(1, 6)] for texts in zip(*raters, strict=True)]
    )


# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four raters, twelve
# texts. He gives 0.743 for the nominal scale and 0.815 for the ordinal one.
PUBLISHED = counts_of("123321412***", "1233224125*3", "*3332342251*", "12332441251*")


def test_alpha_is_krippendorffs_published_one():
    assert round(krippendorffs_alpha(PUBLISHED, "nominal"), 3) == 0.743
    assert round(krippendorffs_alpha(PUBLISHED, "ordinal"), 3) == 0.815


def test_alpha_of_three_raters_worked_out_by_hand():
    # Answers a a b | a a a | b b (one did not judge). Pairs within texts, each over raters - 1:
    # aa 2/2 + 6/2 = 4, ab and ba 2/2 each, bb 2. So n_a = 5, n_b = 3, observed 2 / 8,
    # expected 2 * 5 * 3 / (8 * 7): alpha = 1 - (1/4) / (30/56).
    counts = np.array([[2, 1], [3, 0], [0, 2]])
    assert krippendorffs_alpha(counts, "nominal") == pytest.approx(1 - (1 / 4) / (30 / 56))
    # Of two answers the ordinal distance is one and the same, so alpha is.
    assert krippendorffs_alpha(counts, "ordinal") == pytest.approx(1 - (1 / 4) / (30 / 56))
    # A text that one rater judged is no pair, and counts for nothing.
    more = np.array([[2, 1], [3, 0], [0, 2], [0, 1], [1, 0]])
    assert krippendorffs_alpha(more, "nominal") == krippendorffs_alpha(counts, "nominal")


def test_an_ordinal_alpha_forgives_neighbours_and_a_nominal_one_does_not():
    near = np.array([[2, 1, 0], [0, 2, 1], [0, 1, 2], [3, 0, 0], [0, 0, 3]])
    far = np.array([[2, 0, 1], [0, 3, 0], [1, 0, 2], [0, 3, 0], [3, 0, 0]])
    assert krippendorffs_alpha(near, "ordinal") > krippendorffs_alpha(near, "nominal") + 0.1
    assert krippendorffs_alpha(far, "ordinal") < krippendorffs_alpha(far, "nominal")


def test_raters_who_never_disagreed_in_twenty_texts_could_still_disagree():
    """Of a kappa of 0.92 half of all such tables have no disagreement; no width would miss it."""
    low, high = kappa_interval(np.array([[10, 0], [0, 10]]), seed=1)
    assert 0.5 < low < 0.85 and high == 1
    low, high = alpha_interval(np.array([[2, 0]] * 10 + [[0, 2]] * 10), "nominal", seed=1)
    assert 0.5 < low < 0.85 and high == 1


def test_the_intervals_of_kappa_and_alpha_hold_the_truth_of_two_raters_who_hardly_disagree():
    """Two of a hundred answers are wrong, by chance: kappa and alpha are 1 - 4 * 0.02 * 0.98."""
    rng, truth = np.random.default_rng(1), 1 - 4 * 0.02 * 0.98
    cells = np.array([(1 - 0.0392) / 2, 0.0392 / 2, 0.0392 / 2, (1 - 0.0392) / 2])
    held = {"kappa": 0, "alpha": 0}
    for n_cells in rng.multinomial(40, cells, 100):
        low, high = kappa_interval(n_cells.reshape(2, 2), seed=1)
        held["kappa"] += low <= truth <= high
        counts = np.repeat([[2, 0], [1, 1], [1, 1], [0, 2]], n_cells, axis=0)
        low, high = alpha_interval(counts, "nominal", seed=1)
        held["alpha"] += low <= truth <= high
    assert min(held.values()) >= 90  # of resamples without the imagined text some 78


def test_alpha_of_answers_dealt_by_chance_is_near_zero_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        counts = rng.multinomial(3, [0.5, 0.3, 0.2], 60)
        low, high = alpha_interval(counts, "nominal", seed=trial)
        assert low < krippendorffs_alpha(counts, "nominal") < high
        held += low <= 0 <= high
    assert 88 <= held <= 100


def test_alpha_is_not_defined_where_all_answers_are_alike_or_no_text_has_two():
    assert np.isnan(krippendorffs_alpha(np.array([[3, 0], [2, 0]]), "nominal"))
    assert np.isnan(krippendorffs_alpha(np.array([[1, 0], [0, 1]]), "ordinal"))


def test_three_raters_have_alpha_and_a_majority():
    texts = table(ratings=(1,), each=4)
    labels = labels_of(
        texts,
        anna=["correct", "correct", "wrong", "correct"],
        bea=["correct", "correct", "wrong", None],
        carl=["wrong", "correct", None, None],
    )
    summary = summarize_labels(texts, labels, SHEET)
    agreement = summary["agreement"]
    # Texts with two answers or more: one pair of three agrees, three of three, one of one.
    assert agreement["n"] == 3 and set(agreement) == {"n", "observed", "alpha"}
    assert agreement["observed"]["value"] == pytest.approx((1 / 3 + 1 + 1) / 3)
    assert agreement["alpha"]["value"] == pytest.approx(1 - (1 / 4) / (30 / 56))
    majority = summary["shares"]["a"]["majority"]["all"]
    assert majority["n"] == 2 and majority["correct"]["value"] == 1
    assert majority["disagreed"]["value"] == 0
    assert set(summary["shares"]["a"]) == {"anna", "bea", "carl", "majority"}
    assert lines_of(summary).splitlines()[-1].startswith("agreement on 3 texts: observed 0.778 [")
    assert "alpha 0.533 [" in lines_of(summary)


def test_the_majority_is_more_than_half_of_the_raters():
    texts = table(ratings=(1,), each=2)
    labels = labels_of(
        texts,
        a=["correct", "correct"],
        b=["correct", "correct"],
        c=["wrong", "correct"],
        d=["wrong", "wrong"],
    )
    majority = summarize_labels(texts, labels, SHEET)["shares"]["a"]["majority"]["all"]
    assert (majority["correct"]["value"], majority["disagreed"]["value"]) == (0.5, 0.5)


def test_alpha_is_of_the_questionnaires_scale():
    texts = table(ratings=(1,), each=4)
    names = ["bad", "middling", "good"]
    choices = {name: {"en": name} for name in names}
    # Neighbours are taken for one another, the ends never: counts as in the ordinal test above.
    answers = {
        "a": ["bad", "middling", "bad", "good"],
        "b": ["bad", "middling", "bad", "good"],
        "c": ["middling", "good", "bad", "good"],
    }
    counts = np.array([[2, 1, 0], [0, 2, 1], [3, 0, 0], [0, 0, 3]])
    for scale in ("nominal", "ordinal"):
        sheet = sheet_with(choices=choices, scale=scale)
        found = summarize_labels(texts, labels_of(texts, **answers), sheet)["agreement"]["alpha"]
        assert found["value"] == pytest.approx(krippendorffs_alpha(counts, scale))


def test_a_rater_whose_texts_are_gone_is_no_rater_of_these():
    texts = table(ratings=(1,), each=3)
    labels = labels_of(texts, anna=["correct", "wrong", "wrong"], bea=["correct", "wrong", None])
    elsewhere = labels.filter(rater="anna").with_columns(
        rater=pl.lit("carl"), fingerprint=pl.lit("other")
    )
    summary = summarize_labels(texts, pl.concat([labels, elsewhere]), SHEET)
    assert set(summary["agreement"]) == {"n", "observed", "alpha", "kappa"}
    assert set(summary["shares"]["a"]) == {"anna", "bea", "both"}


# ---- shares from labels and guesses


def guesses_of(texts: pl.DataFrame, correct: list[float | None]) -> pl.DataFrame:
    return texts.select("text_id", correct=pl.Series(correct, dtype=pl.Float64))


def test_guesses_about_all_texts_narrow_the_share_and_say_what_they_saved():
    """Labels 10 of 20, guesses right on 18 of them, other guesses 60 of 100: worked out by hand."""
    texts = table(ratings=(1,), each=120)
    answers = ["correct"] * 10 + ["wrong"] * 10
    guesses = [1] * 9 + [0] + [0] * 9 + [1] + [1] * 60 + [0] * 40
    summary = summarize_labels(
        texts,
        labels_of(texts, anna=answers + [None] * 100),
        SHEET,
        guesses_of(texts, guesses),
    )
    shares = summary["shares"]["a"]["anna"]
    # With the four imagined labels: 12 of 24 both, 10 in common: covariance 10/24 - 1/4 = 1/6 and
    # variances 1/4, so w = (1/6) / (1.2 * 1/4) = 5/9 and the share .5 + 5/9 * (.6 - .5).
    # Variance (1/4 - 2 * 5/9 * 1/6 + 25/81 * 1/4) / 20 + 25/81 * 1/4 / 100 = .0078704, which
    # labels alone have at (1/4) / .0078704 = 31.76.
    powered = shares["powered"]["correct"]
    assert powered["value"] == pytest.approx(0.5 + 5 / 90)
    assert powered["labels_saved"] == 11
    low, high = wilson_interval(31.7647 * powered["value"], 31.7647)
    assert (powered["low"], powered["high"]) == pytest.approx((low, high), abs=1e-4)
    plain = shares["all"]["correct"]
    assert powered["high"] - powered["low"] < plain["high"] - plain["low"]
    assert "; with all guesses 0.556 [" in lines_of(summary)
    assert "which saved 11 labels" in lines_of(summary)


def test_answers_that_nobody_guesses_and_arms_that_are_labelled_whole_have_the_plain_share_only():
    texts = table(arms=("a", "b"), ratings=(1,), each=3)
    labels = labels_of(texts, anna=["correct", "wrong", "correct", "correct", "wrong", None])
    guesses = guesses_of(texts, [1, 0, 1, 1, None, 0])
    shares = summarize_labels(texts, labels, SHEET, guesses)["shares"]
    assert "powered" not in shares["a"]["anna"]
    assert set(shares["b"]["anna"]["powered"]) == {"correct"}
    assert "powered" not in summarize_labels(texts, labels, SHEET)["shares"]["b"]["anna"]


def test_useless_guesses_leave_the_labels_own_share_and_save_next_to_nothing():
    labels, guesses = [1.0, 0.0] * 50, [0.0, 0.0, 1.0, 1.0] * 25
    found = powered_share(labels, guesses, [1.0] * 900)
    assert found.value == 0.5 and found.n_effective == pytest.approx(100)
    assert (found.low, found.high) == pytest.approx(wilson_interval(50, 100))


def test_guesses_that_were_never_wrong_leave_a_width():
    """100 labels, of which the guesses missed none: the others may still be missed."""
    labels = [1.0] * 90 + [0.0] * 10
    found = powered_share(labels, labels, labels * 9)
    assert found.value == pytest.approx(0.9)
    assert 0.03 < found.high - found.low < 0.09  # Wilson's alone: 0.12
    every = powered_share([1.0] * 100, [1.0] * 100, [1.0] * 900)
    assert every.high == 1 and 0.95 < every.low < 0.99


def test_labels_and_guesses_must_be_of_the_same_texts():
    for labels, guesses, others in (([], [], [1]), ([1], [1], []), ([1], [1, 0], [1])):
        with pytest.raises(ValueError, match="labels"):
            powered_share(labels, guesses, others)


@pytest.mark.parametrize(("share", "right"), [(0.5, 0.8), (0.87, 0.95), (0.97, 0.8)])
@pytest.mark.parametrize("n", [40, 100])
def test_the_prediction_powered_interval_holds_the_true_share_about_95_times_in_100(
    share, right, n
):
    rng = np.random.default_rng(7)
    held, widths, plain_widths = 0, 0.0, 0.0
    for _ in range(1000):
        labels = (rng.random(n + 900) < share).astype(float)
        guesses = np.where(rng.random(n + 900) < right, labels, 1 - labels)
        found = powered_share(labels[:n], guesses[:n], guesses[n:])
        held += found.low <= share <= found.high
        widths += found.high - found.low
        low, high = wilson_interval(labels[:n].sum(), n)
        plain_widths += high - low
    assert 930 <= held <= 990
    assert widths < plain_widths


def test_powered_shares_are_summed_in_the_order_of_labels_and_guesses(monkeypatch):
    """Of so many rows that a join divides them among threads."""
    n = 50_000
    guesses = pl.DataFrame({"text_id": np.arange(n), "correct": np.arange(n) / n})
    order = np.random.default_rng(1).permutation(n)[: n // 2]
    labels = pl.DataFrame({"text_id": order, "answer": ["correct"] * len(order)})
    seen = []

    def looked_at(answers, guesses, others):
        seen.extend([guesses, others])
        return powered_share(answers, guesses, others)

    monkeypatch.setattr(agreement, "powered_share", looked_at)
    agreement.summarize_powered(labels, guesses, ["correct"])
    own, others = seen
    assert np.array_equal(own, order / n)
    assert np.array_equal(others, np.setdiff1d(np.arange(n), order) / n)
