"""The flagship's prose and comments: tests/numbers_said.py."""

import re
from functools import cache
from math import sqrt

import polars as pl
import pytest

from tests.numbers_said import Pipeline, check_said
from tests.project_copy import ROOT

FLAGSHIP = Pipeline(".")
PARAMS = FLAGSHIP.params()


@cache
def queries() -> pl.DataFrame:
    from genlab.mini.queries import make_queries

    corpus = PARAMS["corpus"]
    sizes = (corpus["n_train"], corpus["n_validation"], corpus["seed"])
    return pl.concat(make_queries(ROOT / corpus["path"], *sizes))


def longest_query() -> int:
    """Return the most tokens of a query, by the base's own tokenizer."""
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(ROOT / PARAMS["base"]["path"])
    return max(map(len, tokenizer(queries()["query"].to_list())["input_ids"]))


def n_words() -> int:
    texts = queries().explode("passages").unnest("passages")["text"]
    return len(set(re.findall(r"\w+", " ".join(texts).lower())))


def mean_document() -> float:
    train = FLAGSHIP.metrics("tokenize")["splits"]["train"]
    return train["tokens_in"] / train["documents"]


def half_widths() -> set[str]:
    """Return half the widths of the mean places' intervals, to a twentieth of a place."""
    details = FLAGSHIP.metrics("score_details")
    widths = [numbers["average_loc"] for numbers in details.values()]
    return {f"{round((each['high'] - each['low']) * 10) / 20:.2f}" for each in widths}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"the longest mini query has (\d+) tokens", lambda: [f"{longest_query()}"]),
        (r"the mini corpus has (\d,\d00) words", lambda: [f"{round(n_words(), -2):,}"]),
        (r"documents of (\d+) tokens", lambda: [f"{mean_document():.0f}"]),
        (
            r"n_head: \d+ ours: (\d+) dimensions a head",
            lambda: [f"{PARAMS['base']['n_embd'] // PARAMS['base']['n_head']}"],
        ),
        (
            r"standard error ([\d.]+) at 0.9;",
            lambda: [f"{sqrt(0.9 * 0.1 / PARAMS['dedup']['num_perm']):.3f}"],
        ),
        (
            r"n_validation: \d+ ours: intervals of \+-([\d.]+) places",
            lambda: [sorted(half_widths())[-1]],
        ),
        (
            r"alpha: \d+ ours: scale alpha / r = (\d+)",
            lambda: [f"{PARAMS['train']['lora']['alpha'] / PARAMS['train']['lora']['r']:g}"],
        ),
    ],
)
def test_a_number_in_a_comment_of_params_is_what_it_says(pattern, expected):
    check_said(ROOT / "params.yaml", pattern, expected())


def test_the_mini_rankers_are_trained_on_all_answerable_queries():
    """params.yaml says so of max_queries."""
    for name in ("labse", "use"):
        n_train = FLAGSHIP.metrics(f"fetch/{name}")["n_train_queries"]
        answerable = FLAGSHIP.metrics("tokenize")["splits"]["train"]["documents"]
        assert n_train == answerable < PARAMS["rankers"][name]["max_queries"]


def test_a_query_and_the_longest_text_fit_into_the_mini_base():
    """params.yaml says so of n_positions; so must a query and a forced text."""
    base = PARAMS["base"]
    longest = max(PARAMS["gen"]["cap"], PARAMS["forced"]["cap"])
    assert base["max_offset"] + longest < base["n_positions"]
