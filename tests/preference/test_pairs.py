"""Pairs: every strategy by hand, what is skipped and counted, and what leaves none."""

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.preference.pairs import Strategy, choose_pairs, draw_candidates, measure_pairs


def texts(rewards, prompts=None, names=None, lengths=None, finished=None):
    n = len(rewards)
    lengths = lengths or [3] * n
    return pl.DataFrame(
        {
            "text_id": [f"t{i}" for i in range(n)],
            "prompt": prompts or [""] * n,
            "text": names or [f"text {i}" for i in range(n)],
            "tokens": [[1] * length for length in lengths],
            "finished": finished or [True] * n,
            "reward": pl.Series(rewards, dtype=pl.Float32),
        }
    )


def choose(table, strategy, n=100, margin=1.0, threshold=0.5, seed=1):
    pairs, fates = choose_pairs(table, Strategy(strategy), n, margin, threshold, seed)
    return sorted(map(tuple, pairs.tolist())), {k: v for k, v in fates.items() if v}


def test_all_pairs_of_a_prompt_are_drawn_once_and_none_across_prompts():
    prompts = pl.Series(["a", "b", "a", "b", "a", "c"])
    found = {frozenset(pair) for pair in draw_candidates(prompts, 1000, seed=1).tolist()}
    assert found == {frozenset(pair) for pair in ((0, 2), (0, 4), (2, 4), (1, 3))}
    assert len(draw_candidates(prompts, 1000, seed=1)) == 4


def test_the_same_seed_draws_the_same_pairs_and_another_others():
    prompts = pl.Series([""] * 50)
    first = draw_candidates(prompts, 20, seed=1).tolist()
    assert first == draw_candidates(prompts, 20, seed=1).tolist()
    assert first != draw_candidates(prompts, 20, seed=2).tolist()


def test_of_two_texts_the_one_with_the_higher_reward_wins():
    assert choose(texts([1.0, 2.0]), "random") == ([(1, 0)], {})


def test_equal_rewards_are_skipped_and_counted():
    assert choose(texts([1.0, 1.0, 2.0]), "random") == ([(2, 0), (2, 1)], {"equal_reward": 1})


def test_the_same_text_twice_is_no_pair_whatever_its_reward():
    table = texts([1.0, 1.1, 2.0], names=["a", "a", "b"])
    assert choose(table, "random") == ([(2, 0), (2, 1)], {"same_text": 1})


def test_margin_takes_rewards_that_are_more_than_it_apart():
    assert choose(texts([0.0, 1.0, 2.5]), "margin") == ([(2, 0), (2, 1)], {"margin": 1})


def test_threshold_takes_one_below_and_one_above():
    found = choose(texts([0.0, 0.5, 0.6, 3.0]), "threshold")
    assert found == ([(2, 0), (3, 0)], {"threshold": 4})  # 0.5 itself is on neither side


def test_no_more_pairs_than_were_asked_for():
    pairs, fates = choose(texts([float(i) for i in range(30)]), "random", n=7)
    assert len(pairs) == 7 and not fates


@pytest.mark.parametrize(
    ("rewards", "strategy", "message"),
    [
        ([1.0, 1.5, 1.9], "margin", r"strategy margin of 1.0 leaves no pair of the 3.*margin: 3"),
        ([1.0, 1.5, 1.9], "threshold", r"threshold of 0.5 leaves no pair.*between 1.000 and 1.900"),
        ([1.0, 1.0], "random", r"equal_reward: 1\)"),
    ],
)
def test_a_strategy_that_leaves_no_pair_says_why(rewards, strategy, message):
    with pytest.raises(InputError, match=message):
        choose(texts(rewards), strategy)


def test_one_text_a_prompt_makes_no_pair():
    with pytest.raises(InputError, match=r"no prompt has two texts.*sample.n_texts"):
        choose(texts([1.0, 2.0], prompts=["a", "b"]), "random")


def test_the_bias_towards_long_texts_is_measured():
    """Winners of 5, 5 and 2 tokens over losers of 3, 2 and 2: +2, +3, 0; two of two unequal."""
    table = texts([3.0, 1.0, 2.0, 0.0], lengths=[5, 3, 2, 2], finished=[True, False, True, True])
    measured = measure_pairs(table, pl.DataFrame([(0, 1), (0, 2), (2, 3)], orient="row").to_numpy())
    assert measured == {
        "pairs": 3,
        "mean_gap": pytest.approx(5 / 3),
        "texts_used": 4,
        "length_bias": pytest.approx(5 / 3),
        "longer_wins": 1.0,
        "duplicate_winners": pytest.approx(1 / 3),
        "without_end": pytest.approx(1 / 6),
    }
