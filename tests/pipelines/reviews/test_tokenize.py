"""pipelines.reviews: a prompt is the same wherever it is written; broken templates are refused."""

import json

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from genlab.core.tables import write_table
from pipelines.reviews.asked_reviews import draw_requests
from pipelines.reviews.review_prompts import check_template, write_prompt
from pipelines.reviews.schemas import KEYWORD_SCHEMA
from pipelines.reviews.stages import tokenize
from tests.tiny_t5 import TEXTS, make_tokenizer

TEMPLATE = "<рубрики>: {rubrics} | <оценка>: {rating} | <ключевые слова>: {keywords}"


def make_reviews(n: int = 30) -> pl.DataFrame:
    """Return reviews of all ratings in turn, a third of them in each split."""
    rows = [
        {
            "review_id": f"r{i}",
            "organisation": "",
            "rubrics": ["кафе", "баня"],
            "rating": 1 + i % 5,
            "text": TEXTS[i],
            "split": ("train", "validation", "test")[i // 5 % 3],
            "keywords": ["борщ", "зал"],
        }
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=KEYWORD_SCHEMA)


@pytest.fixture
def run(tmp_path):
    """Return a function that runs tokenize; it returns the result and its counts."""
    write_table(tmp_path / "enrich.parquet", [make_reviews()], KEYWORD_SCHEMA)
    make_tokenizer().save_pretrained(tmp_path / "base")

    def encode_with(
        template=TEMPLATE, max_prompt_tokens=200, max_text_tokens=200, max_unknown_share=0.2
    ):
        words = [tmp_path / "enrich.parquet", tmp_path / "base", tmp_path / "tokenize"]
        words += ["--metrics", tmp_path / "metrics.json", "--template", template]
        words += ["--max_prompt_tokens", max_prompt_tokens, "--max_text_tokens", max_text_tokens]
        words += ["--max_unknown_share", max_unknown_share]
        result = CliRunner().invoke(tokenize.app, [*map(str, words)], catch_exceptions=False)
        if result.exit_code:
            return result, None
        return result, json.loads((tmp_path / "metrics.json").read_text())["splits"]

    return encode_with


def read_split(folder, split):
    from datasets import Dataset

    return Dataset.from_file(str(folder / "tokenize" / f"{split}.arrow")).to_list()


def test_a_prompt_is_the_template_filled_in():
    assert write_prompt(TEMPLATE, ["Кафе", "Бар"], 5, ["борщ", "зал"]) == (
        "<рубрики>: Кафе, Бар | <оценка>: 5 | <ключевые слова>: борщ, зал"
    )
    assert write_prompt("{{{rating}}} {keywords}{rubrics}", ["{x}"], 1, []) == "{1} {x}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{rubrics} {rating}", r"must have \{keywords\} once, not 0 times"),
        ("{rubrics} {rating} {rating} {keywords}", r"must have \{rating\} once, not 2 times"),
        ("{rubrics} {rating} {keywords} {town}", r"\{town\} stands for nothing"),
        ("{rubrics} {rating} {keywords} {}", r"\{\} stands for nothing"),
        ("{rubrics} {rating} {keywords", "written twice"),
        ("{rubrics} {rating} {keywords}}", "written twice"),
        ("{rubrics!x} {rating} {keywords}", "stand alone"),
        ("{rubrics} {rating:q} {keywords}", "stand alone"),
        ("{rubrics} {rating:{town}} {keywords}", "stand alone"),
    ],
)
def test_a_broken_template_is_refused(template, message):
    with pytest.raises(typer.BadParameter, match=message):
        check_template(template)


def test_the_stage_refuses_a_broken_template_naming_its_option(run, tmp_path):
    result, _ = run(template="{rubrics} {rating}")
    assert result.exit_code == 2 and "--template" in result.output
    assert not (tmp_path / "tokenize").exists()


def test_what_is_trained_on_and_what_is_asked_for_are_one_prompt(run, tmp_path):
    run()
    tokenizer = make_tokenizer()
    orders = draw_requests(tmp_path / "tokenize" / "test.arrow", make_reviews(), 1, seed=1)
    prompts = {row["rating"]: row for row in orders.to_dicts()}
    for row in read_split(tmp_path, "train"):
        rating = row["rating"]
        expected = f"<рубрики>: кафе, баня | <оценка>: {rating} | <ключевые слова>: борщ, зал"
        assert row["prompt"] == prompts[rating]["prompt"] == expected
        assert row["input_ids"] == prompts[rating]["input_ids"] == tokenizer(expected)["input_ids"]
        text = TEXTS[int(row["review_id"][1:])]
        assert row["labels"] == tokenizer(text)["input_ids"]


def test_rows_that_are_cut_keep_their_end_and_are_counted(run, tmp_path):
    _, whole = run()
    n_tokens = [len(row["labels"]) for row in read_split(tmp_path, "train")]
    assert whole["train"]["prompts_cut"] == whole["train"]["texts_cut"] == 0
    assert whole["train"]["text_tokens"] == sum(n_tokens)
    most = max(n_tokens) - 1
    _, counts = run(max_prompt_tokens=8, max_text_tokens=most, max_unknown_share=1.0)
    rows = read_split(tmp_path, "train")
    assert counts["train"]["rows"] == counts["train"]["prompts_cut"] == 10
    assert counts["train"]["texts_cut"] == sum(n > most for n in n_tokens) > 0
    for row in rows:
        assert len(row["input_ids"]) == 8 and row["input_ids"][-1] == row["labels"][-1] == 1
        assert len(row["labels"]) <= most


@pytest.mark.parametrize("ends", [0, 1, 2])
def test_both_sides_end_in_one_end_of_text_whatever_the_tokenizer_does(run, tmp_path, ends):
    from tokenizers.processors import TemplateProcessing

    tokenizer, whole = make_tokenizer(), make_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=" ".join(["$A"] + ["</s>"] * ends), special_tokens=[("</s>", 1)]
    )
    tokenizer.save_pretrained(tmp_path / "base")
    run()
    for row in read_split(tmp_path, "train"):
        assert row["input_ids"] == whole(row["prompt"])["input_ids"]
        assert row["labels"][-1] == 1 and row["labels"].count(1) == 1


def test_an_end_of_text_in_a_review_is_text_and_unknown_tokens_are_counted(run, tmp_path):
    reviews = make_reviews().with_columns(text=pl.lit("борщ </s> зал"))
    write_table(tmp_path / "enrich.parquet", [reviews], KEYWORD_SCHEMA)
    _, counts = run(max_unknown_share=0.9)
    [row, *_] = read_split(tmp_path, "train")
    assert row["labels"].count(1) == 1 and row["labels"][-1] == 1
    rows = read_split(tmp_path, "train")
    unknown = sum((row["input_ids"] + row["labels"]).count(2) for row in rows)
    assert counts["train"]["unknown_tokens"] == unknown > 0


def test_a_tokenizer_of_another_alphabet_is_refused(run, tmp_path):
    from genlab.core.program import InputError
    from genlab.mini.t5 import train_tokenizer

    train_tokenizer(["red stone", "blue river"] * 9, 300).save_pretrained(tmp_path / "base")
    with pytest.raises(InputError, match=r"train: \d+.* of its tokens are unknown .*_share=0.2"):
        run()
    assert not (tmp_path / "tokenize").exists()


# ---- orders


@pytest.fixture
def encoded(run, tmp_path):
    run()
    return tmp_path / "tokenize" / "test.arrow"


def test_equally_many_of_every_rating_are_asked_for_whatever_the_rows_order(encoded):
    orders = draw_requests(encoded, make_reviews(), 2, seed=1)
    assert sorted(orders["rating"]) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert orders["review_id"].n_unique() == 10
    assert orders.equals(draw_requests(encoded, make_reviews().reverse(), 2, seed=1))
    one = [set(draw_requests(encoded, make_reviews(), 1, seed)["review_id"]) for seed in range(6)]
    assert len(set(map(frozenset, one))) > 1


def test_too_few_reviews_of_a_rating_are_an_error_naming_it(encoded):
    from genlab.core.program import InputError

    with pytest.raises(InputError, match=r"only 2 test reviews are rated \d; set gen.n_per_rating"):
        draw_requests(encoded, make_reviews(), 3, seed=1)
    only_train = make_reviews(1).with_columns(rating=pl.lit(6, pl.Int8))
    rare = pl.concat([make_reviews(), only_train])
    with pytest.raises(InputError, match=r"only 0 test reviews are rated 6; set gen.n_per_rating"):
        draw_requests(encoded, rare, 2, seed=1)


def test_reviews_that_are_not_those_encoded_are_an_error(encoded):
    from genlab.core.program import InputError

    with pytest.raises(InputError, match="of other reviews"):
        draw_requests(encoded, make_reviews(10), 1, seed=1)
