"""This pipeline's prose and comments: tests/numbers_said.py."""

from functools import cache
from math import ceil

import polars as pl
import pytest

from pipelines.reviews.keywords import Rules as KeywordRules
from pipelines.reviews.keywords import weigh_keywords
from pipelines.reviews.mini_reviews import make_reviews
from pipelines.reviews.review_prompts import write_prompt
from pipelines.reviews.review_rules import Rules as CleaningRules
from pipelines.reviews.review_rules import clean_batch
from tests.numbers_said import Pipeline, check_said

REVIEWS = Pipeline("pipelines/reviews")
PARAMS = REVIEWS.params()


@cache
def reviews() -> pl.DataFrame:
    corpus = PARAMS["corpus"]
    path = REVIEWS.folder / corpus["path"]
    return pl.concat(make_reviews(path, corpus["n_reviews"], corpus["seed"]))


@cache
def n_tokens() -> dict[str, list[int]]:
    """Return how many tokens prompts and texts have by the base's tokenizer, with their ends.

    Of all cleaned reviews: those that dedup drops are copies of others, more or less.
    """
    from genlab.models.loading import load_tokenizer

    template = PARAMS["prompt"]["template"]
    tokenizer = load_tokenizer(REVIEWS.folder / PARAMS["base"]["path"])
    cleaned, _, _ = clean_batch(reviews(), CleaningRules(**PARAMS["clean"]))
    names = KeywordRules.__dataclass_fields__
    rules = KeywordRules(**{name: PARAMS["enrich"][name] for name in names})
    keywords, _ = weigh_keywords(cleaned["text"].to_list(), [True] * cleaned.height, rules)
    asked = zip(cleaned["rubrics"], cleaned["rating"], keywords, strict=True)
    sides = {
        "prompts": [write_prompt(template, *each) for each in asked],
        "texts": cleaned["text"].to_list(),
    }
    return {
        name: [len(ids) for ids in tokenizer(side)["input_ids"]] for name, side in sides.items()
    }


def words() -> pl.Series:
    return reviews()["text"].str.split(" ").list.len()


def split(name: str) -> dict:
    return REVIEWS.metrics("dedup")["splits"][name]


def steps(n_rows: int) -> str:
    return f"{ceil(n_rows / PARAMS['train']['batch_size'])}"


def mean_tokens() -> float:
    splits = REVIEWS.metrics("tokenize")["splits"].values()
    return sum(each["text_tokens"] for each in splits) / sum(each["rows"] for each in splits)


def gain() -> float:
    rating = REVIEWS.metrics("classify")["rating"]
    return rating["balanced"]["value"] - 1 / rating["classes"]


def parameters() -> float:
    return REVIEWS.metrics("fetch/base")["model"]["parameters"] / 1e6


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(\d+) test reviews of two stars", lambda: [f"{split('test')['stars_2']}"]),
        (
            r"validation_share: [\d.]+ ours: (\d+) reviews of two stars",
            lambda: [f"{split('validation')['stars_2']}"],
        ),
        (
            r"batch_size: \d+ ours: (\d+) steps\n",
            lambda: [f"{ceil(PARAMS['base']['n_pages'] / PARAMS['base']['batch_size'])}"],
        ),
        (r"d_model: \d+ ours: ([\d.]+) M parameters", lambda: [f"{parameters():.1f}"]),
        (r"ours: (\d+) steps an epoch", lambda: [steps(split("train")["reviews"])]),
        (r"the longest mini prompt has (\d+)", lambda: [f"{max(n_tokens()['prompts'])}"]),
        (
            r"mini reviews have (\d+) tokens on average, (\d+) at most",
            lambda: [f"{mean_tokens():.0f}", f"{max(n_tokens()['texts'])}"],
        ),
        (r"mini ratings have ([\d.]+), rubrics more", lambda: [f"{gain():.2f}"]),
        (
            r"batch_size: \d+ ours: (\d+) beams at a time",
            lambda: [f"{PARAMS['gen']['batch_size'] * PARAMS['gen']['num_beams']}"],
        ),
    ],
)
def test_a_number_in_a_comment_of_params_is_what_it_says(pattern, expected):
    check_said(REVIEWS.folder / "params.yaml", pattern, expected())


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            r"(\d,\d+) made-up reviews, a T5 of ([\d.]+) M parameters",
            lambda: [f"{PARAMS['corpus']['n_reviews']:,}", f"{parameters():.1f}"],
        ),
        (
            r"made-up reviews are short \((\d+) to (\d+) words\)",
            lambda: [f"{words().min()}", f"{words().max()}"],
        ),
        (
            r"every arm, (\d+) test reviews of each rating",
            lambda: [f"{PARAMS['gen']['n_per_rating']}"],
        ),
    ],
)
def test_a_number_in_the_results_is_what_it_says(pattern, expected):
    check_said(REVIEWS.folder / "RESULTS.md", pattern, expected())


def test_epochs_of_low_ratings_have_as_many_steps_as_params_say():
    """Once at lora_low_ratings, whose other arm refers to it."""
    train = split("train")
    expected = [steps(train["stars_1"] + train["stars_2"])]
    check_said(REVIEWS.folder / "params.yaml", r"ours: epochs of (\d+) steps", expected)
