"""pipelines.reviews.stages.dedup: what counts as a copy, and what no two splits may share."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table, write_table
from genlab.text.normal_form import key_expression
from pipelines.reviews import mini_reviews
from pipelines.reviews.mini_reviews import make_reviews
from pipelines.reviews.review_splits import Rules, check_any_left, check_rules, split_reviews
from pipelines.reviews.schemas import REVIEW_SCHEMA
from pipelines.reviews.stages import dedup
from tests.shingle_sets import jaccard, shingle_set

RULES = Rules(
    threshold=0.9,
    split_threshold=0.7,
    validation_share=0.1,
    test_share=0.2,
    shingle_chars=5,
    pad_ends=False,
    num_perm=128,
    seed=17,
)
LONG = (
    "Заказывали солянку и сырники на веранде, всё было вкусно и подали быстро"
    ", а официант Марина объяснила нам всё меню и помогла выбрать вино к ужину"
)


def table(*rows: tuple[str, str], rating: int = 5) -> pl.DataFrame:
    """Return reviews from (organisation, text)."""
    columns = {"review_id": [str(n) for n in range(len(rows))]}
    columns["organisation"] = [organisation for organisation, _ in rows]
    columns["rubrics"] = [["Кафе"]] * len(rows)
    columns["rating"] = [rating] * len(rows)
    columns["text"] = [text for _, text in rows]
    return pl.DataFrame(columns, schema=REVIEW_SCHEMA)


@pytest.fixture(scope="module")
def mini() -> pl.DataFrame:
    path = Path(mini_reviews.__file__).with_name("mini_reviews.yaml")
    reviews = pl.concat(make_reviews(path, 4000, seed=17))
    return reviews.with_columns(split_reviews(reviews, RULES))


def test_the_first_of_equal_texts_stays_and_the_reason_tells_where_the_copy_was():
    reviews = table(("А", "Было вкусно!"), ("Б", "было вкусно"), ("А", "Было, вкусно"))
    fates = split_reviews(reviews, replace(RULES, validation_share=0, test_share=0))["fate"]
    assert fates.to_list() == [None, "same_text", "same_organisation_and_text"]


def test_a_long_text_with_one_word_more_is_a_near_duplicate_and_at_threshold_1_it_is_none():
    rules = replace(RULES, validation_share=0, test_share=0)
    reviews = table(("А", LONG), ("Б", LONG + " да"), ("В", "Совсем о другом, ничего общего"))
    assert split_reviews(reviews, rules)["fate"].to_list() == [None, "near_duplicate", None]
    exact = replace(rules, threshold=1, split_threshold=1)
    assert split_reviews(reviews, exact)["fate"].null_count() == 3


def test_what_is_alike_across_two_splits_leaves_the_larger_one():
    """Similarity of the two: below 0.9, above 0.7; one organisation each, so two splits."""
    rules = replace(RULES, validation_share=0, test_share=0.5)
    reviews = table(("А", LONG), ("Б", LONG + " просто супер, придём ещё"))
    fates = split_reviews(reviews, rules)
    assert sorted(fates["split"]) == ["test", "train"]
    assert dict(fates.select("split", "fate").iter_rows()) == {
        "train": "near_other_split",
        "test": None,
    }


def test_no_organisation_is_in_two_splits(mini):
    kept = mini.filter(pl.col("fate").is_null())
    assert kept.group_by("organisation").agg(pl.col("split").n_unique())["split"].max() == 1


def test_every_rating_has_its_share_of_every_split(mini):
    kept = mini.filter(pl.col("fate").is_null())
    for _, rows in kept.group_by("rating"):
        shares = dict(rows["split"].value_counts(normalize=True).iter_rows())
        assert shares["test"] == pytest.approx(0.2, abs=0.02)
        assert shares["validation"] == pytest.approx(0.1, abs=0.02)


def test_no_two_reviews_of_different_splits_are_alike(mini):
    """Against all pairs, not those that hashing proposes."""
    kept = mini.filter(pl.col("fate").is_null(), pl.col("organisation").hash(1) % 8 == 0)
    shingles = [
        (split, shingle_set(key, RULES.shingles))
        for split, key in kept.select("split", key_expression(pl.col("text"))).iter_rows()
    ]
    test = [each for split, each in shingles if split == "test"]
    others = [each for split, each in shingles if split != "test"]
    assert test and others
    assert max(jaccard(one, other) for one in test[:60] for other in others) < 0.7


def test_reviews_of_an_unknown_organisation_are_dealt_one_by_one():
    reviews = table(*(("", f"Отзыв номер {n} про место {n * 37}") for n in range(100)))
    rules = replace(RULES, threshold=1, split_threshold=1)
    splits = dict(split_reviews(reviews, rules)["split"].value_counts().iter_rows())
    assert splits == {"train": 70, "validation": 10, "test": 20}


def test_the_split_of_an_organisation_depends_on_the_seed_not_on_the_order_of_rows():
    rows = [(f"Место {n}", f"Отзыв номер {n} про место {n * 37}") for n in range(40)]
    rules = replace(RULES, threshold=1, split_threshold=1)

    def deal(rows, rules):
        reviews = table(*rows)
        dealt = reviews.with_columns(split_reviews(reviews, rules))
        return dict(dealt.select("organisation", "split").iter_rows())

    assert deal(rows, rules) == deal(rows[::-1], rules)
    assert deal(rows, rules) != deal(rows, replace(rules, seed=18))


def test_shares_that_leave_nothing_and_a_split_threshold_above_the_other_are_errors():
    with pytest.raises(InputError, match=r"test_share=0.5 leave nothing to train on"):
        check_rules(replace(RULES, validation_share=0.5, test_share=0.5))
    with pytest.raises(InputError, match=r"dedup.split_threshold=0.95 is above dedup.threshold"):
        check_rules(replace(RULES, split_threshold=0.95))


def test_a_split_without_reviews_is_an_error_unless_it_is_to_have_none():
    sizes = {"train": 5, "validation": 0, "test": 1}
    with pytest.raises(InputError, match="no review for split validation; give more"):
        check_any_left("a.parquet", sizes, RULES)
    check_any_left("a.parquet", sizes, replace(RULES, validation_share=0))


def test_the_command_counts_rows_in_as_rows_out_and_dropped(tmp_path):
    rows = [(f"Место {n}", f"Отзыв номер {n} про место {n * 37}") for n in range(10)]
    write_table(tmp_path / "in.parquet", [table(*rows, rows[0])], REVIEW_SCHEMA)
    options = RULES.__dict__ | {"threshold": 1.0, "split_threshold": 1.0}
    arguments = [
        str(tmp_path / "in.parquet"),
        str(tmp_path / "out.parquet"),
        f"--metrics={tmp_path / 'dedup.json'}",
        *(f"--{name}={value}" for name, value in options.items() if name != "pad_ends"),
        "--no-pad_ends",
    ]
    result = CliRunner().invoke(dedup.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    counts = json.loads((tmp_path / "dedup.json").read_text())
    flow = counts["reviews"]
    assert (flow["in"], flow["out"]) == (11, 10)
    assert flow["dropped"] == {
        "same_organisation_and_text": 1,
        "same_text": 0,
        "near_duplicate": 0,
        "near_other_split": 0,
    }
    sizes = {split: group["reviews"] for split, group in counts["splits"].items()}
    assert sizes == {"train": 7, "validation": 1, "test": 2}
    assert counts["splits"]["test"]["stars_5"] == 2
    assert read_table(tmp_path / "out.parquet")["review_id"].to_list() == [
        str(n) for n in range(10)
    ]
