"""What alignment did: rows whose means are the metrics, and their intervals."""

from math import log

import numpy as np
import polars as pl
import pytest

from pipelines.alignment.metrics import (
    cut_rows,
    front,
    headline,
    measure_model,
    reward_histogram,
    summarize_arm,
    table_of,
)


def rows_of(tokens, prompt="", finished=None):
    n = len(tokens)
    return pl.DataFrame(
        {
            "text_id": [f"t{i}" for i in range(n)],
            "arm": "main",
            "seed": 17,
            "prompt": prompt,
            "text": [" ".join(map(str, row)) for row in tokens],
            "tokens": tokens,
            "finished": finished or [True] * n,
            "divergence": [[0.5] * len(row) for row in tokens],
            "surprisal": [[log(2)] * len(row) for row in tokens],
        },
        schema_overrides={"divergence": pl.List(pl.Float64), "surprisal": pl.List(pl.Float64)},
    )


def measured(tokens, reward, **options):
    values = np.array(reward, np.float32)
    rated = {"reward": pl.Series(values), "held_out_reward": pl.Series(-values)}
    return measure_model(rows_of(tokens, **options).with_columns(**rated))


def test_a_text_of_max_len_tokens_was_cut_and_one_less_ended_by_itself():
    cut = cut_rows(rows_of([[1, 2], [1, 2, 3], [1]], finished=[True, True, False]), max_len=2)
    assert cut["tokens"].to_list() == [[1, 2], [1, 2], [1]]
    assert cut["finished"].to_list() == [False, False, False]
    assert cut["divergence"].list.len().to_list() == [2, 2, 1]
    assert cut_rows(rows_of([[1, 2]]), max_len=3)["finished"].to_list() == [True]


def test_the_tail_is_counted_below_zero_and_below_minus_one():
    model = measured([[1, 2], [3], [4], [5]], [2.0, -0.5, -1.0, -3.0])
    assert model["below_zero"].mean() == 0.75 and model["below_minus_one"].mean() == 0.25
    assert model["reward"].mean() == pytest.approx(-0.625)
    assert model["held_out_reward"].mean() == pytest.approx(0.625)


def test_kl_and_surprisal_are_per_token_and_the_perplexity_is_of_the_whole_set():
    model = measured([[1, 2, 3, 4], [5]], [1.0, 2.0])
    assert model["divergence"].mean() == pytest.approx(0.5)
    summary = summarize_arm(model, {"distinct_1": 0.5}, seed=1)
    assert headline(summary)["perplexity"] == pytest.approx(2.0)
    assert headline(summary)["token_entropy"] == pytest.approx(log(5))


def test_copies_of_the_query_are_counted_where_there_is_one():
    model = measured([[7, 8], [8, 7]], [1.0, 2.0], prompt="7 8")
    assert model["query_copied"].to_list() == [1.0, 0.0]
    assert model["prompt"].to_list() == ["7 8"] * 2
    without = measured([[7, 8]], [1.0])
    assert without["query_copied"].to_list() == without["prompt"].to_list() == [None]
    assert "query_copied" not in summarize_arm(measured([[7], [8]], [1.0, 2.0]), {}, seed=1)


def test_texts_of_one_prompt_are_drawn_together():
    rewards = [float(i // 4) for i in range(40)]  # four equal texts of each of ten prompts
    model = measured([[i, 1] for i in range(40)], rewards, prompt="a")
    prompts = model.with_columns(prompt=pl.Series([f"p{i // 4}" for i in range(40)]))
    alone = summarize_arm(model.with_columns(prompt=pl.lit(None, pl.String)), {}, seed=1)
    together = summarize_arm(prompts, {}, seed=1)
    ten = summarize_arm(model[::4].with_columns(prompt=pl.lit(None, pl.String)), {}, seed=1)
    ends = together["reward"]["texts"]
    assert ends == pytest.approx(ten["reward"]["texts"])
    assert ends["high"] - ends["low"] > 1.8 * np.ptp(list(alone["reward"]["texts"].values()))


def test_an_arm_has_the_interval_of_its_texts_and_of_the_set_a_value_alone():
    tokens = [[i % 5, 1] for i in range(60)]
    found = summarize_arm(measured(tokens, [i % 3 for i in range(60)]), {"distinct_1": 0.1}, seed=1)
    texts = found["reward"]["texts"]
    assert texts["value"] == pytest.approx(1.0) and 0.7 < texts["low"] < texts["high"] < 1.3
    assert found["distinct_1"] == {"texts": {"value": 0.1}}
    assert headline(found)["reward"] == pytest.approx(1.0)
    assert front({"main": found}) == [
        {"arm": "main", "reward": pytest.approx(1.0), "token_entropy": pytest.approx(
            headline(found)["token_entropy"])}
    ]  # fmt: skip


def test_the_terminal_gets_every_number_with_its_interval():
    names = ("reward", "below_zero", "held_out_reward", "token_entropy", "divergence")
    numbers = {name: {"texts": {"value": 0.5, "low": 0.25, "high": 0.75}} for name in names}
    shown = table_of({"before": numbers})
    assert shown.count("0.500 [0.250, 0.750]") == len(names)
    assert max(map(len, shown.splitlines())) <= 80


def test_the_histogram_has_the_same_bins_for_all_arms_and_shares_that_add_up():
    points = reward_histogram({"before": np.array([0.0, 1.0]), "after": np.array([4.0])}, n_bins=4)
    before, after = points[:4], points[4:]
    assert [p["reward"] for p in before] == [p["reward"] for p in after] == [0.5, 1.5, 2.5, 3.5]
    assert [p["share"] for p in before] == [0.5, 0.5, 0, 0]
    assert [p["share"] for p in after] == [0, 0, 0, 1]
