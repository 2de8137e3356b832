"""This pipeline's prose and comments: tests/numbers_said.py."""

import pytest
import yaml

from tests.numbers_said import Pipeline, check_said

RLHF = Pipeline("pipelines/rlhf")
PARAMS = RLHF.params()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            r"ours: (\d+) texts to measure the language-model loss on",
            lambda: PARAMS["corpus"]["n_texts"] * PARAMS["corpus"]["validation_share"],
        ),
        (
            r"ours: ([\d,]+) weights, a step",
            lambda: round(RLHF.metrics("fetch/base")["parameters"], -4),
        ),
        (
            r"n_head: \d+ ours: (\d+) dimensions a head",
            lambda: PARAMS["base"]["n_embd"] / PARAMS["base"]["n_head"],
        ),
        (
            r"ours: ([\d,]+) answers; the first of the held-out prompts",
            lambda: PARAMS["gen"]["n_best"] * PARAMS["gen"]["n_best_prompts"],
        ),
    ],
)
def test_the_comments_of_params_say_what_is_so(pattern, expected):
    check_said(RLHF.folder / "params.yaml", pattern, [f"{expected():,.0f}"])


def test_the_results_say_how_many_answers_best_of_n_had_and_how_many_trainings_were_made():
    results = RLHF.folder / "RESULTS.md"
    check_said(results, r"generation of (\d+) answers a prompt", [f"{PARAMS['gen']['n_best']}"])
    assert PARAMS["arms"]["main"]["n_seeds"] == PARAMS["reward"]["n_seeds"] == 5  # "Five trainings"


def test_truth_turns_at_the_step_that_the_results_name_while_the_proxy_goes_on_rising():
    points = RLHF.metrics("overoptimisation")
    trainings = {point["seed"] for point in points if point["arm"] == "main: truth"}
    assert len(trainings) == 5
    # In the order of the steps that were kept, the start first.
    truth, proxy = (
        [
            [p["gain"] for p in points if (p["arm"], p["seed"]) == (f"main: {name}", seed)]
            for seed in trainings
        ]
        for name in ("truth", "proxy")
    )
    mean_truth, mean_proxy = (
        [sum(gains) / 5 for gains in zip(*each, strict=True)] for each in (truth, proxy)
    )
    best = mean_truth.index(max(mean_truth))
    below = sum(gains[-1] < 0 for gains in truth)
    pattern = (
        r"Truth rises to step (\d+), is lower at every step after it and lowest at the last, below "
        r"its start in (\w+) of five"
    )
    words = ["none", "one", "two", "three", "four", "five"]
    step = RLHF.params()["rl"]["snapshots"][best - 1]
    check_said(RLHF.folder / "RESULTS.md", pattern, [str(step), words[below]])
    assert max(mean_truth[best + 1 :]) < mean_truth[best]
    assert mean_truth[-1] == min(mean_truth)
    assert mean_proxy[best:] == sorted(mean_proxy[best:])
    arms = RLHF.metrics("score_details")["arms"]
    peaks = [
        f"{arms[f'{arm}_{when}']['truth']['prompts']['value']:.2f}"
        for arm in ("grpo", "ptx")
        for when in ("peak", "end")
    ]
    pattern = r"turn, too: from ([\d.]+) to ([\d.]+) and from ([\d.]+) to ([\d.]+) of truth"
    check_said(RLHF.folder / "RESULTS.md", pattern, peaks)


def test_the_policy_that_is_handed_on_is_of_the_step_that_other_prompts_chose():
    """A step chosen by the prompts whose scores the card has would look better than it is."""
    peak = RLHF.metrics("score_details")["policies"]["main"]["peak_step"]
    text = (RLHF.folder / "dvc.yaml").read_text(encoding="utf-8")
    handed_on = yaml.safe_load(text)["artifacts"]["rl"]
    assert handed_on["path"] == f"data/rl/main/{PARAMS['reward']['seed']}/{peak}"
    assert handed_on["meta"]["scores"] == [f"arms.main_step_{peak}"]


def test_the_readme_shows_the_picture_and_what_stands_in_for_ppo():
    readme = RLHF.folder / "README.md"
    check_said(readme, r"!\[[^\]]+\]\((metrics/\S+\.svg)\)", ["metrics/overoptimisation.svg"])
    assert (RLHF.folder / "metrics/overoptimisation.svg").is_file()
    stand_in = sorted({arm["algorithm"].upper() for arm in PARAMS["arms"].values()}, reverse=True)
    check_said(readme, r"no PPO any more, so (\w+) \(without a penalty on KL\) and (\w+)", stand_in)
    assert {arm["beta"] for arm in PARAMS["arms"].values() if arm["algorithm"] == "rloo"} == {0.0}


def test_the_results_say_what_ptx_keeps():
    arms = RLHF.metrics("score_details")["arms"]
    values = [
        arms[arm]["language_loss"].get("seeds", arms[arm]["language_loss"]["prompts"])["value"]
        for arm in ("ptx_end", "main_end", "start")
    ]
    pattern = (
        r"ends at ([\d.]+) nats a token with it, and without ptx, in the mean of five, at ([\d.]+) "
        r"\(start: ([\d.]+)\)"
    )
    check_said(RLHF.folder / "RESULTS.md", pattern, [f"{value:.2f}" for value in values])
