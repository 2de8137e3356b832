"""The pipeline's own statistics: best-of-n, Gao's curves, accuracy and calibration."""

import itertools

import numpy as np
import polars as pl
import pytest

from genlab.statistics.intervals import bootstrap_interval
from pipelines.rlhf.arms_measured import measure_arms
from pipelines.rlhf.best_of_n import best_weights, expected_best, kl_bound
from pipelines.rlhf.metrics import (
    COLUMNS,
    linear_root,
    peak_step,
    spread_of_sets,
    summarize,
    summarize_gains,
    table_of,
)
from pipelines.rlhf.overoptimisation import (
    fit_gain,
    gain_at,
    linear_turn,
    read_at,
    residual_deviation,
    turning_interval,
    turning_point,
)
from pipelines.rlhf.policies_compared import (
    Point,
    at_equal_kl,
    best_points,
    compare_policies,
    fit_trainings,
    on_prompts_of,
    rl_points,
)
from pipelines.rlhf.readme_tables import make_tables
from pipelines.rlhf.reward_quality import (
    clustered,
    measure_calibration,
    measure_trainings,
    over_both,
    pair_scores,
)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_the_expected_best_is_the_mean_over_all_choices_of_n(n):
    proxy = np.array([0.3, -1.0, 0.3, 2.0, 0.9, 0.3])
    truth = np.array([1.0, 4.0, 2.0, -1.0, 0.5, 6.0])
    tied = truth[proxy == 0.3].mean()
    means = [
        tied if proxy[list(some)].max() == 0.3 else truth[max(some, key=lambda i: proxy[i])]
        for some in itertools.combinations(range(6), n)
    ]
    assert expected_best(proxy, truth, n) == pytest.approx(np.mean(means))
    assert best_weights(6, n).sum() == pytest.approx(1)


def test_the_bound_of_best_of_n():
    assert kl_bound(1) == 0
    assert kl_bound(64) == pytest.approx(np.log(64) - 63 / 64)


@pytest.mark.parametrize(("form", "turn"), [("best_of_n", 1.5), ("rl", np.exp(0.5))])
def test_a_fit_finds_the_curve_its_points_were_drawn_from(form, turn):
    d = np.linspace(0.2, 4, 9)
    a, b = (3.0, 1.0) if form == "best_of_n" else (1.5, 1.0)
    found = fit_gain(d, gain_at(d, a, b, form), form)
    assert found == pytest.approx((a, b))
    at = turning_point(*found, form)
    assert at == pytest.approx(turn)
    assert (
        gain_at(np.array([at]), a, b, form)
        > gain_at(np.array([at - 0.1, at + 0.1]), a, b, form).max()
    )
    assert turning_point(1.0, -0.1, form) == np.inf


def test_the_turning_point_has_an_interval_of_those_trainings_that_turn():
    turns = [1.0, 2.0, 4.0, np.inf, 9.0]
    alike = [np.full(5, np.log(min(turn, 99.0))) for turn in turns]
    found = turning_interval(turns, [5.0] * 5, alike, 7)
    # Student's t on log 1, 2, 4: mean log 2, deviation log 2, 4.303 for two degrees of freedom.
    half = 4.3026527 * np.log(2) / np.sqrt(3)
    assert found["trainings"] == 5 and found["turn"] == 3
    assert found["value"] == pytest.approx(2.0)
    assert (found["low"], found["high"]) == pytest.approx((2 * np.exp(-half), 2 * np.exp(half)))
    assert "low" not in turning_interval([1.0, 2.0], [5.0, 5.0], alike[:2], 7)
    without = [np.where(np.arange(5) == 3, np.nan, each) for each in alike]
    assert "low" not in turning_interval(turns, [5.0] * 5, without, 7)  # one more prompt, no turn


def test_the_turning_point_is_for_other_prompts_too():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.5, 100)
    of_prompts = np.log(2) + noise - noise.mean()
    found = turning_interval([2.0] * 3, [5.0] * 3, [of_prompts] * 3, 7)
    low, high = bootstrap_interval(of_prompts, seed=7)
    assert (found["low"], found["high"]) == pytest.approx((np.exp(low), np.exp(high)))
    apart = [of_prompts + shift for shift in (-0.3, 0.0, 0.3)]
    wider = turning_interval([2.0] * 3, [5.0] * 3, apart, 7)
    half = 4.3026527 * 0.3 / np.sqrt(3)  # of the trainings, joined to the prompts' as squares
    assert np.log(wider["high"] / 2) == pytest.approx(np.hypot(half, high - np.log(2)))


def test_what_a_prompt_does_to_the_turning_point_is_found_by_leaving_it_out():
    rng = np.random.default_rng(1)
    d = np.repeat(np.linspace(0.5, 3, 4)[:, None], 6, axis=1)
    gains = gain_at(d, 2.0, 1.5, "rl") + rng.normal(0, 0.05, d.shape)
    values = linear_turn(d, gains, "rl")
    a, b = fit_gain(d.mean(axis=1), gains.mean(axis=1), "rl")
    assert values.mean() == pytest.approx(a / b - 1)
    kept = np.arange(6) != 2
    a, b = fit_gain(d[:, kept].mean(axis=1), gains[:, kept].mean(axis=1), "rl")
    others = np.array(
        [np.log(turning_point(*fit_gain(d[:, 0], np.delete(gains, i, 1).mean(axis=1), "rl"), "rl"))
         for i in range(6)]
    )  # fmt: skip
    assert values[2] == pytest.approx(values.mean() + 5 * (others.mean() - (a / b - 1)))
    flat = linear_turn(d, d * 1.0, "rl")  # the gain goes on rising
    assert np.isnan(flat).all() and np.isnan(linear_turn(d[:, :2], gains[:, :2], "rl")).all()


def test_a_training_turns_within_the_distances_of_its_own_and_not_of_the_shortest():
    found = turning_interval([1.0, 3.0, 3.0], [2.0, 4.0, 2.0], [np.zeros(3)] * 3, 7)
    assert found["turn"] == 2 and found["value"] == pytest.approx(np.sqrt(3))
    points = []
    for seed, end in (("1", 2.0), ("2", 4.0)):  # d (2 - log d) turns at e = 2.72
        d = np.linspace(0.5, end, 4)
        truths = gain_at(d, 2.0, 1.0, "rl")
        points += [point("main", seed, i, d[i], truths[i]) for i in range(4)]
    starts = {seed: point("start", seed, 0, 0.0, 0.0) for seed in ("1", "2")}
    turn = fit_trainings(points, starts, "rl", 7)["turning_point"]
    assert (turn["trainings"], turn["turn"]) == (2, 1)
    assert turn["value"] == pytest.approx(np.e)


def test_a_fit_says_how_far_its_points_lie_from_it():
    d, gain = np.array([1.0, 1.0, 2.0, 2.0]), np.array([0.9, 1.1, 0.4, 0.6])
    a, b = fit_gain(d, gain, "best_of_n")  # through the means, 0.1 from each: sqrt(0.04 / 2)
    assert residual_deviation(d, gain, a, b, "best_of_n") == pytest.approx(np.sqrt(0.02))
    points = [point("best_of", "1", i, d[i], gain[i]) for i in range(4)]
    starts = {"1": point("best_of", "1", 1, 0.0, 0.0)}
    fitted = fit_trainings(points, starts, "best_of_n", 7)
    assert fitted["residual_sd"] == pytest.approx(np.sqrt(0.02))


def test_a_value_between_two_points_is_on_the_line_and_none_outside():
    far, near = (2.0, np.array([4.0, 0.0])), (1.0, np.array([2.0, 1.0]))
    assert read_at(1.5, [far, near]) == pytest.approx([3.0, 0.5])
    assert read_at(2.5, [far, near]) is None


def point(arm, seed, step, d, truth, apart=0.0):
    """Return a policy's point of four prompts, whose truths are `apart` or as much below."""
    away = np.array([-1.0, -1, 1, 1]) * apart
    return Point(arm, seed, step, d, 0, truth, truth + away, np.full(4, d))


def test_policies_are_compared_at_the_distance_of_dpo_training_by_training():
    points = []
    for seed, dpo in (("1", 0.9), ("2", 1.1)):
        points += [point("start", seed, 0, 0.0, 1.0), point("main", seed, 5, 2.0, 3.0),
                   point("dpo", seed, 0, 1.0, dpo), point("best_of", seed, 1, 0.0, 1.0),
                   point("best_of", seed, 2, 2.0, 2.0)]  # fmt: skip
    found = at_equal_kl(points, points, "main", 7)
    assert found["rl"]["value"] == pytest.approx(2.0)
    assert found["best_of"]["value"] == pytest.approx(1.5)
    assert found["rl_minus_dpo"]["value"] == pytest.approx(1.0)


def test_policies_are_compared_for_other_prompts_and_other_trainings():
    """In every training all differ alike, so what is left unsure is the prompts'."""
    points = []
    for seed, shift in (("1", 0.0), ("2", 0.0), ("3", 0.0)):
        points += [point("start", seed, 0, 0.0, 1.0), point("main", seed, 5, 2.0, 3.0 + shift, 1.0),
                   point("dpo", seed, 0, 1.0, 1.0), point("best_of", seed, 1, 0.0, 1.0),
                   point("best_of", seed, 2, 2.0, 2.0)]  # fmt: skip
    found = at_equal_kl(points, points, "main", 7)
    assert found["d"]["value"] == 1.0
    # Halfway to main at d = 1, prompts are 0.5 above or below a difference of 1.
    low, high = bootstrap_interval(np.array([0.5, 0.5, 1.5, 1.5]), seed=7)
    for name, mean in (("rl", 2.0), ("rl_minus_dpo", 1.0)):
        assert found[name] == pytest.approx(
            {"value": mean, "low": mean - 1 + low, "high": mean - 1 + high}
        )
    one = at_equal_kl(points[:5], points[:5], "main", 7)
    assert one["rl"] == pytest.approx(found["rl"])  # of one training: for other prompts
    points[1] = point("main", "1", 5, 2.0, 5.0, 1.0)
    wider = at_equal_kl(points, points, "main", 7)["rl_minus_dpo"]
    assert wider["high"] - wider["low"] > high - low


def test_best_of_n_stands_beside_rl_on_the_prompts_that_it_answered():
    """A truth that depends on the prompt alone is the same for all; so is that of two prompts."""
    truths = {"a": 2.0, "b": 0.0, "c": 1.0, "d": -1.0}
    rows = pl.DataFrame(
        [
            (arm, "1", step, purpose, prompt, kl, 0.0, truth)
            for arm, step, kl in (("start", 0, 0.0), ("dpo", 0, 0.25), ("main", 8, 1.0))
            for purpose in ("validation", "held_out")
            for prompt, truth in truths.items()
        ],
        ["arm", "seed", "step", "purpose", "prompt_id", "kl", "proxy", "truth"],
        orient="row",
    )
    held_out = rows.filter(pl.col("purpose") == "held_out")
    drawn = pl.DataFrame(
        [(name, float(draw), truths[name]) for name in "ab" for draw in range(64)],
        ["prompt_id", "proxy", "truth"],
        orient="row",
    )
    best = best_points(drawn, "1")
    beside = rl_points(on_prompts_of(held_out, drawn)) + best
    found = compare_policies(rl_points(held_out) + best, beside, ["main"], rows, 4, 7)["main"]
    for equal in ("at_equal_kl", "at_equal_samples"):
        assert found[equal]["rl_minus_best_of"]["value"] == pytest.approx(0)
        assert found[equal]["rl_beside_best"]["value"] == pytest.approx(1.0)
    assert found["at_equal_kl"]["rl"]["value"] == pytest.approx(0.5)  # of all four prompts
    assert found["at_equal_kl"]["rl_minus_dpo"]["value"] == pytest.approx(0)


def test_rl_and_best_of_n_begin_from_all_answers_of_the_start():
    of_all = [point("start", "1", 0, 0.0, 9.0), point("main", "1", 5, 2.0, 3.0)]
    points = [*of_all, point("dpo", "1", 0, 1.0, 1.0)]
    best = [point("best_of", "1", n, d, float(n)) for n, d in ((1, 0.0), (2, 2.0))]
    beside = [*of_all, *best]
    found = at_equal_kl(points, beside, "main", 7)
    assert found["rl_beside_best"]["value"] == pytest.approx((1 + 3) / 2)
    assert found["rl"]["value"] == pytest.approx((9 + 3) / 2)


def test_a_peak_is_the_step_of_the_highest_mean_over_trainings():
    rows = pl.DataFrame({"step": [1, 1, 2, 2], "truth": [0.0, 3.0, 1.0, 1.0]})
    assert peak_step(rows) == 1
    assert peak_step(rows.with_columns(truth=pl.lit(None, pl.Float64))) == 2


def trainings_of(n_trainings, n=200, shift=0.0):
    """Return rows of trainings that share their prompts: truth, KL, and a win that is certain."""
    rng = np.random.default_rng(7)
    of_prompts = rng.normal(size=n)
    columns = {name: pl.Float64 for name in COLUMNS}
    return [
        pl.DataFrame(
            {
                "truth": of_prompts + shift * training,
                "kl": rng.exponential(size=n) * (1 + 20 * shift * training),
                "win": np.ones(n),
            }
        )
        .with_columns(pl.lit(None).alias(name) for name in COLUMNS[4:])
        .with_columns(proxy=pl.col("truth"))
        .select(COLUMNS)
        .cast(columns)
        for training in range(n_trainings)
    ]


def test_the_terminal_gets_every_number_with_its_interval_over_trainings_if_there_are_any():
    def of(low: float) -> dict[str, float]:
        return {"value": 0.5, "low": low, "high": 0.9}

    summaries = {
        "sft": {"truth": {"prompts": of(0.25)}},
        "main_end": {"truth": {"prompts": of(0.25), "seeds": of(0.125)}},
        "start": {"truth": {"prompts": {"value": 0.5}}},
    }
    assert [line.split(maxsplit=1) for line in table_of(summaries).splitlines()[1:]] == [
        ["arm", "truth"],
        ["sft", "0.500 [0.250, 0.900]"],
        ["main_end", "0.500 [0.125, 0.900]"],
        ["start", "0.500"],
    ]


def test_an_interval_over_trainings_is_for_other_prompts_too():
    """Trainings that hardly differ: as wide as prompts leave one training's mean."""
    found = summarize(trainings_of(5, shift=1e-3), [[[1]]] * 5, seed=1)
    widths = {name: found["truth"][name]["high"] - found["truth"][name]["low"] for name in
              ("prompts", "seeds")}  # fmt: skip
    assert widths["seeds"] == pytest.approx(widths["prompts"], rel=0.01)
    values = np.stack([each["truth"].to_numpy() for each in trainings_of(3, shift=0.5)])
    found = summarize(trainings_of(3, shift=0.5), [[[1]]] * 3, seed=1)
    # Units of variance 1 / 200, and Student's t of 0, 0.5, 1: 4.303 for two degrees of freedom.
    half = np.hypot(1.96 * values[0].std() / np.sqrt(200), 4.3026527 * 0.5 / np.sqrt(3))
    assert found["truth"]["seeds"]["high"] - values.mean() == pytest.approx(half, rel=0.01)
    assert "seeds" not in summarize(trainings_of(1), [[[1]]], seed=1)["truth"]
    assert "seeds" not in summarize([trainings_of(1)[0]] * 2, [[[1]]] * 2, seed=1)["truth"]


def test_intervals_stay_within_what_can_be_and_a_share_of_all_keeps_a_width():
    found = summarize(trainings_of(3, shift=1.0), [[[1]]] * 3, seed=1)
    assert found["kl"]["seeds"]["low"] == 0  # Student's t alone would go below
    won = found["win"]["prompts"]
    assert (won["value"], won["high"]) == (1, 1) and 0.97 < won["low"] < 0.99  # Wilson's of 200


def test_gains_over_the_start_are_paired_by_prompt():
    models, starts = trainings_of(3), trainings_of(3)
    better = [each.with_columns(pl.col("truth") + 0.25) for each in models]
    found = summarize_gains(better, starts, seed=1)
    assert set(found) == {"d_gained", "proxy_gained", "truth_gained"}
    gained = found["truth_gained"]["prompts"]
    assert (gained["low"], gained["high"]) == pytest.approx((0.25, 0.25))
    kl = models[0]["kl"].to_numpy()
    assert found["d_gained"]["prompts"]["value"] == pytest.approx(np.sqrt(kl.mean()))
    half = 1.96 * kl.std() / np.sqrt(200) / (2 * np.sqrt(kl.mean()))  # the delta method
    width = found["d_gained"]["prompts"]["high"] - found["d_gained"]["prompts"]["low"]
    assert width == pytest.approx(2 * half, rel=0.05)
    assert (linear_root(np.zeros(3)) == 0).all()  # the start, from itself


@pytest.mark.parametrize("has_truth", [True, False])
def test_what_is_so_by_definition_has_no_interval_and_steps_have_gains(has_truth):
    """Two trainings of one arm; without a hidden rule there is no truth, and no win by it."""
    views = [("base", 0), ("sft", 0), ("start", 0), ("dpo", 0), ("main", 1)]
    rows = pl.DataFrame(
        [
            (f"p{i}", arm, seed, step, purpose, [1, 2], float(i % 3), float(i % 4), 0.5 * step + i)
            for arm, step in views
            for seed in ("3", "4")
            for purpose in ("validation", "held_out")
            for i in range(9)
        ],
        ["prompt_id", "arm", "seed", "step", "purpose", "tokens", "truth", "proxy", "kl"],
        orient="row",
    ).with_columns(
        kl=pl.when(pl.col("arm") == "start").then(0.0).otherwise("kl"),
        truth=pl.col("truth") if has_truth else pl.lit(None, pl.Float64),
        finished=pl.lit(True), text=pl.lit("a"), kind=pl.lit("wrong"), language_loss=pl.lit(1.5),
    )  # fmt: skip
    _, found = measure_arms(rows, ["main"], "main", seed=1)
    assert found["sft"]["proxy_win"] == {"prompts": {"value": 0.5}}
    assert found["start"]["kl"] == {"prompts": {"value": 0.0}}
    assert ("win" in found["sft"], "truth_gained" in found["main_step_1"]) == (has_truth,) * 2
    assert found["main_step_1"]["proxy_gained"]["prompts"]["value"] == 0
    assert "proxy_gained" not in found["main_end"]


def test_a_sets_number_over_trainings_has_its_own_error_and_theirs():
    sets = np.array([[0.2, 0.15, 0.25], [0.3, 0.25, 0.35], [0.4, 0.35, 0.45]])
    found = spread_of_sets(sets)["seeds"]
    half = np.hypot(0.05, 4.3026527 * 0.1 / np.sqrt(3))
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (0.3, 0.3 - half, 0.3 + half)
    )
    assert spread_of_sets(sets[:1]) == {}


def scored(margins, prompts):
    n = len(margins)
    pairs = pl.DataFrame(
        {"prompt_id": prompts, "purpose": ["held_out"] * n, "better": range(n),
         "worse": range(n, 2 * n), "is_tied": [False] * n, "ceiling": [0.8] * n}
    )  # fmt: skip
    rows = pl.DataFrame({"tokens": [[1]] * (2 * n), "kind": ["wrong"] * (2 * n)})
    return pair_scores(pairs, np.array([*margins, *[0.0] * n]), rows)


def test_accuracy_counts_a_tie_as_one_half_and_its_interval_is_of_prompts():
    pairs = scored([1.0, -1.0, 0.0, 2.0], ["a", "a", "b", "c"])
    found = clustered(pairs, "right", seed=1)
    assert found["value"] == pytest.approx(2.5 / 4) and found["prompts"] == 3
    # Forty copies of one prompt's pairs tell no more than the prompts do.
    many = scored([1.0, -1.0] * 40, [f"{i // 20}" for i in range(80)])
    once = scored([1.0, -1.0] * 4, [f"{i // 2}" for i in range(8)])
    ends = [clustered(pairs, "right", 1) for pairs in (many, once)]
    assert [f["low"] for f in ends] == pytest.approx([ends[0]["low"]] * 2)


def test_an_accuracy_stays_between_0_and_1_and_is_not_certain():
    right = scored([1.0] * 26, [f"{i // 2}" for i in range(26)])
    found = clustered(right, "right", seed=1)
    assert (found["value"], found["high"]) == (1, 1) and 0.7 < found["low"] < 0.8  # 13 prompts
    one_wrong = scored([1.0] * 8 + [-1.0] * 3, ["a"] * 8 + list("bcc"))
    found = clustered(one_wrong, "right", seed=1)
    assert 0 <= found["low"] < found["value"] < found["high"] <= 1


def test_an_accuracy_over_trainings_is_for_other_prompts_and_other_trainings():
    rng = np.random.default_rng(5)
    prompts = [f"{i // 3}" for i in range(120)]
    first, second = (scored(rng.normal(0.3, 1, 120), prompts) for _ in range(2))
    # One and the same training three times: nothing but the prompts varies.
    same = measure_trainings([first] * 3, seed=1)
    alone = clustered(first, "right", seed=1)
    assert same["accuracy"]["all"] == pytest.approx(alone | {"ceiling": 0.8})
    calibration, _ = measure_calibration(first, seed=1)
    assert same["brier"] == pytest.approx(calibration["brier"])
    assert same["calibration_error"] == pytest.approx(calibration["calibration_error"])
    # Trainings that differ by more than prompts explain widen it beyond that of the mean.
    worse = first.with_columns(right=pl.col("right") * 0, margin=-pl.col("margin").abs())
    apart = measure_trainings([first, worse], seed=1)["accuracy"]["all"]
    assert apart["value"] == pytest.approx(alone["value"] / 2)
    assert apart["high"] - apart["low"] > 0.9  # Student's t of two trainings
    both = measure_trainings([first, second], seed=1)["accuracy"]["all"]
    shares = [clustered(each, "right", 1)["value"] for each in (first, second)]
    assert both["value"] == pytest.approx(np.mean(shares)) and both["prompts"] == 40
    assert measure_trainings([first], seed=1) == {}


def test_a_part_with_other_prompts_in_each_training_is_a_mean_of_its_ratios():
    first = scored([1.0, -1.0, 2.0, 1.0], list("aabc"))
    second = scored([1.0, 1.0], list("cd"))
    found = over_both([first, second], "right", seed=1)
    assert found["value"] == pytest.approx((0.75 + 1) / 2) and found["prompts"] == 4
    assert 0 <= found["low"] < found["value"] < found["high"] <= 1
    few = over_both([first.head(2), second.head(0).vstack(first.head(2))], "right", seed=1)
    assert few == {"value": 0.5, "pairs": 2, "prompts": 1}  # of one prompt nothing varies


def test_calibration_is_brier_and_error_by_hand():
    margin = np.log(3)  # says 0.75
    pairs = scored([margin, margin, margin, -margin], list("abcd"))
    numbers, points = measure_calibration(pairs, seed=1)
    brier, error = numbers["brier"], numbers["calibration_error"]
    assert brier["value"] == pytest.approx((3 * 0.0625 + 0.5625) / 4)
    # Of four pairs, each its own bin: three are 0.25 better than said, one is 0.75 worse.
    assert error["value"] == pytest.approx((3 * 0.25 + 0.75) / 4)
    assert brier["low"] < brier["value"] < brier["high"] and brier["prompts"] == 4
    assert sum(point["pairs"] for point in points) == 4
    assert all(point["said"] == pytest.approx(0.75) for point in points)


def test_readmes_tables_say_where_the_truth_turns_and_what_equal_distance_gives():
    turn = {"trainings": 5, "turn": 4, "value": 1.25}
    fit = {"a": 1.0, "b": 0.5, "residual_sd": 0.125, "turning_point": turn}
    ends = {"value": 0.5, "low": 0.25, "high": 0.75}
    values = {"d": 2.0, "rl": 1.5, "rl_beside_best": 1.75, "best_of": 1.25}
    equal = {name: {"value": value} for name, value in values.items()}
    compared = {
        "best_of": {"a": 2.0, "b": 0.25, "turning_point": {"trainings": 5, "turn": 0}},
        "main": {"peak_step": 12, "fit": fit, "at_equal_kl": equal | {"rl_minus_best_of": ends}},
    }
    accuracy = {"all": ends | {"pairs": 1200, "ceiling": 0.8}}
    alone = {"trainings": {"17": {"accuracy": accuracy, "calibration": {}}}, "over_trainings": {}}
    names = ("truth", "proxy", "kl", "wrong", "win", "language_loss")
    wide = {"value": 0.5, "low": 0.0, "high": 1.0}
    summaries = {"main_end": {name: {"prompts": ends, "seeds": wide} for name in names}}
    summaries |= {"base": {name: {"prompts": ends} for name in names[:5]}}
    summaries["base"]["win"] = {"prompts": {"value": 0.5}}
    summaries["main_step_4"] = {
        "d_gained": {"prompts": ends, "seeds": wide}, "truth_gained": {"prompts": ends},
    }  # fmt: skip
    points = [Point("start", "1", 0, 0.0, 0.5, 1.0), Point("start", "2", 0, 0.0, 0.5, 1.0)]
    points += [Point("main", "1", 4, 1.0, 1.5, 2.0), Point("main", "2", 4, 3.0, 1.5, 0.5)]
    tables = make_tables(points, "main", summaries, compared, alone)
    in_ends, in_wide = "0.500 (0.250 to 0.750)", "0.500 (0.000 to 1.000)"
    assert tables["answers"][1:] == [
        ["main end", *[in_wide] * 6],
        ["base", *[in_ends] * 4, "0.500", ""],
    ]
    assert tables["steps"][1:] == [["4", in_wide, "", in_ends, "1 of 2"]]  # truth: +1 and -0.5
    assert tables["turn"][1:] == [
        ["best-of-n, d (a - b d)", "2.00", "0.25", "", "none seen", "0 of 5", ""],
        [
            "main, d (a - b log d)",
            "1.00",
            "0.50",
            "0.125",
            "1.250 (of the 4 that turn)",
            "4 of 5",
            "12",
        ],
    ]
    (row,) = tables["equal"][1:]
    assert row == ["main", "distance, d = 2.00", "1.500", "", "", "1.750", "1.250",
                   "0.500 (0.250 to 0.750)"]  # fmt: skip
    (row,) = tables["reward_model"][1:]
    assert row == ["all", "1,200", "0.500", in_ends, "0.800"]
    several = alone | {"over_trainings": {"accuracy": {"all": accuracy["all"] | wide}}}
    (row,) = make_tables([], "main", {}, {}, several)["reward_model"][1:]
    assert row == ["all", "1,200", "0.500", in_wide, "0.800"]
    assert (
        make_tables([], "main", {}, {}, {"note": "nothing"})["reward_model"]
        == tables["reward_model"][:1]
    )
