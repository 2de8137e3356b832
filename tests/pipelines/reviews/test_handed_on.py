"""Each option of a stage arrives where it acts; train's and score's in their own tests."""

from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from genlab.core.tables import write_table
from pipelines.reviews.schemas import KEYWORD_SCHEMA
from pipelines.reviews.stages import classify, clean, dedup, enrich, fetch, generate
from tests.handed_on import Arrived, invoke, noted, run_until_there, stopped_at, taken_by_source
from tests.option_words import option_words
from tests.pipelines.reviews.tiny_reviews import OPTIONS, make_table, run_classify

DECODING = {
    "cap": 21,
    "temperature": 0.7,
    "top_k": 22,
    "top_p": 0.83,
    "num_beams": 3,
    "repetition_penalty": 1.9,
    "seed": 23,
}


@pytest.fixture
def reviews(tmp_path) -> Path:
    path = tmp_path / "reviews.parquet"
    write_table(path, [make_table(30)], KEYWORD_SCHEMA)
    return path


CLEAN = {
    "strip_markup": True,
    "repair_encoding": True,
    "marks_to_words": True,
    "drop_dates": False,
    "drop_number_words": True,
    "fold_yo": False,
    "drop_other_characters": True,
    "lower_case": False,
    "min_words": 4,
    "max_chars": 499,
}
DEDUP = {
    "threshold": 0.91,
    "split_threshold": 0.72,
    "validation_share": 0.13,
    "test_share": 0.24,
    "shingle_chars": 6,
    "pad_ends": True,
    "num_perm": 97,
    "seed": 18,
}


@pytest.mark.parametrize("flip", [False, True])
def test_every_rule_of_cleaning_arrives(reviews, tmp_path, monkeypatch, flip):
    """Each switch once on and once off, so that none is taken for another or for its default."""
    options = {n: v != flip if isinstance(v, bool) else v + flip for n, v in CLEAN.items()}
    notes = stopped_at(monkeypatch, clean, "clean_batch")
    words = [reviews, tmp_path / "out.parquet", "--metrics", tmp_path / "m.json"]
    run_until_there(lambda: invoke(clean.app, [*words, *option_words(options)]))
    assert asdict(notes[0]["rules"]) == options


def test_every_rule_of_dedup_arrives_and_its_hashing(reviews, tmp_path, monkeypatch):
    from pipelines.reviews import review_splits

    rules = stopped_at(monkeypatch, dedup, "split_reviews")
    words = [reviews, tmp_path / "out.parquet", "--metrics", tmp_path / "m.json"]
    words += option_words(DEDUP)
    run_until_there(lambda: invoke(dedup.app, words))
    assert asdict(rules[0]["rules"]) == DEDUP
    monkeypatch.undo()
    of_copies = noted(monkeypatch, review_splits.minhash, "hash_bands")
    compared = noted(monkeypatch, review_splits.minhash, "keep_similar")
    review_splits.split_reviews(make_table(30), rules[0]["rules"])
    assert [each["threshold"] for each in of_copies] == [0.91, 0.72]
    for each in of_copies:
        assert (each["num_perm"], each["seed"]) == (97, 18)
        assert (each["shingles"].chars, each["shingles"].pad_ends) == (6, True)
    assert [(each["threshold"], each["shingles"].chars) for each in compared] == [
        (0.91, 6),
        (0.72, 6),
    ]


ENRICH = {
    "max_keywords": 4,
    "min_chars": 5,
    "min_reviews": 6,
    "min_reviews_unknown": 7,
    "dictionary_forms": False,
}


def test_every_option_of_enrich_arrives_at_the_words_and_at_the_model(
    reviews, tmp_path, monkeypatch
):
    model = {"separator": "/", "batch_size": 8, "max_new_tokens": 9}
    words = [reviews, tmp_path / "model", tmp_path / "out.parquet", "--metrics", tmp_path / "m"]
    words += option_words(ENRICH | model)
    weighed = stopped_at(monkeypatch, enrich, "weigh_keywords")
    run_until_there(lambda: invoke(enrich.app, words))
    assert asdict(weighed[0]["rules"]) == ENRICH
    is_train = (make_table(30)["split"] == "train").to_list()
    assert (
        next(v for v in weighed[0].values() if isinstance(v, list) and v[0] in (0, 1)) == is_train
    )

    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    asked = noted(monkeypatch, enrich, "write_keywords", [["зал"]])
    tidied = stopped_at(monkeypatch, enrich, "tidy_keywords")
    run_until_there(lambda: invoke(enrich.app, words))
    assert {name: asked[0][name] for name in model} == model
    assert asdict(tidied[0]["rules"]) == ENRICH


def test_every_option_of_classify_arrives(tmp_path, monkeypatch):
    numbers = {"max_reviews": 50, "min_rubric_reviews": 3, "word_ngrams": 3, "char_ngrams": 4}
    numbers |= {"min_texts": 5, "max_features": 77, "inverse_penalty": 2.5, "min_gain": -0.9}
    fluency = {"vocab_size": 401, "n_layer": 3, "n_embd": 20, "n_head": 5, "n_positions": 65}
    fluency |= {"epochs": 6, "learning_rate": 0.021, "embedding_learning_rate": 0.0087}
    options = numbers | {f"fluency.{name}": value for name, value in fluency.items()}
    options |= {"fluency.train_batch_size": 15, "batch_size": 63, "seed": 19}
    assert set(options) == set(OPTIONS)
    made = noted(monkeypatch, classify, "copy_or_make_model", {"train_loss": 1.0})
    taken = noted(monkeypatch, classify, "take")
    rubrics = noted(monkeypatch, classify, "common_rubrics")
    trained = noted(monkeypatch, classify, "train_classifier")
    gains = noted(monkeypatch, classify, "check_gain", True)
    measured = stopped_at(monkeypatch, classify, "measure_fluency")
    with pytest.raises(Arrived):
        run_classify(tmp_path, make_table(200), **options)
    sizes = asdict(made[0]["sizes"])
    assert sizes == fluency | {"batch_size": 15, "max_offset": 0, "seed": 19}
    assert {(each["n"], each["seed"]) for each in taken} == {(50, 19)}
    assert [each["table"]["split"].unique().to_list() for each in taken] == [["train"], ["test"]]
    assert rubrics[0]["min_reviews"] == 3
    for each in trained:
        seen = asdict(each["features"])
        assert {name: seen[name] for name in list(numbers)[2:6]} == {
            name: numbers[name] for name in list(numbers)[2:6]
        }
        assert each["inverse_penalty"] == 2.5
    assert {each["min_gain"] for each in gains} == {-0.9}
    assert measured[0]["batch_size"] == 63


def test_every_option_of_generate_arrives_and_only_the_study_decodes_by_them(
    reviews, tmp_path, monkeypatch
):
    monkeypatch.setattr(generate, "load_for_inference", lambda folder, load: (folder.name, None))
    requests = noted(monkeypatch, generate, "draw_requests", make_table(6))
    written = noted(monkeypatch, generate, "write_texts", pl.DataFrame({"review_id": ["r"]}))
    words = [tmp_path, reviews, tmp_path, tmp_path / "out.parquet", "--metrics", tmp_path / "m"]
    words += ["--arms", "full", "--arms", "other", "--n_per_rating", 7, "--batch_size", 8]
    monkeypatch.setattr(generate, "write_table", lambda *arguments: (_ for _ in ()).throw(Arrived))
    monkeypatch.setattr(generate, "GENERATE_SCHEMA", pl.Schema({"review_id": pl.String()}))
    run_until_there(lambda: invoke(generate.app, words + option_words(DECODING)))
    assert list(requests[0].values())[2:] == [7, 23]
    study = DECODING | {"ignore_eos": False}
    greedy = study | {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "num_beams": 1}
    greedy |= {"repetition_penalty": 1.0}
    assert [(each["tokenizer"], asdict(each["decoding"])) for each in written] == [
        (arm, decoding) for arm in ("full", "other") for decoding in (study, greedy)
    ]
    assert {each["batch_size"] for each in written} == {8}


CORPUS = {
    "path": "here",
    "format": "csv",
    "encoding": "windows-1251",
    "hub_id": "some/reviews",
    "revision": "c0ffee",
    "id_column": "a",
    "organisation_column": "b",
    "address_column": "c",
    "rubrics_column": "d",
    "rating_column": "e",
    "text_column": "f",
    "rubric_separator": "|",
    "default_rubric": "g",
    "bad_rows": "drop",
    "n_reviews": 31,
    "max_text_bytes": 999,
    "seed": 24,
}


def test_every_option_of_the_corpus_arrives_at_its_source(tmp_path, monkeypatch):
    from pipelines.reviews import mini_reviews, review_files

    words = ["corpus", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    words += option_words(CORPUS)
    workers = {
        "mini": (mini_reviews, "make_reviews"),
        "hub": (review_files, "read_hub_reviews"),
        "file": (review_files, "read_review_files"),
    }
    found = taken_by_source(monkeypatch, fetch.app, words, workers)
    assert found["mini"] == [Path("here"), 31, 24]
    hub_id, revision, reading, columns, bad = found["hub"]
    assert (hub_id, revision) == ("some/reviews", "c0ffee")
    assert reading == review_files.Reading("csv", "windows-1251", 31, 24)
    assert {name: CORPUS[name] for name in asdict(columns)} == asdict(columns)
    assert bad.are_dropped
    *file, bad, files = found["file"]
    assert file == [Path("here"), reading, columns] and bad.are_dropped and files == {}


BASE = {"vocab_size": 401, "d_model": 24, "num_layers": 3, "num_heads": 6, "epochs": 4}
BASE |= {"batch_size": 5, "learning_rate": 0.0123, "embedding_learning_rate": 0.0456, "seed": 25}


def test_every_option_of_the_base_arrives_at_its_source(tmp_path, monkeypatch):
    from genlab.sources import model_folders
    from pipelines.reviews import mini_pages

    template = "{rubrics} {rating} {keywords} ?"
    words = ["base", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    origin = {
        "path": "theirs",
        "made_from": "here",
        "hub_id": "some/t5",
        "revision": "c0ffee",
        "n_pages": 123,
    }
    words += option_words(origin | BASE | {"template": template})
    made = stopped_at(monkeypatch, mini_pages, "make_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert [made[0][name] for name in ("path", "n_pages", "template", "output")] == [
        Path("here"),
        123,
        template,
        tmp_path / "out",
    ]
    assert asdict(made[0]["sizes"]) == BASE
    loaded = stopped_at(monkeypatch, model_folders, "download_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    assert list(loaded[0].values())[:4] == ["some/t5", "c0ffee", None, tmp_path / "out"]
    copied = stopped_at(monkeypatch, model_folders, "copy_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert list(copied[0].values())[:3] == [Path("theirs"), None, tmp_path / "out"]


def test_two_adam_w_rates_of_the_mini_base_are_not_swapped(monkeypatch):
    from genlab.mini import t5, training
    from tests.tiny_t5 import TEXTS, make_tokenizer

    rates = stopped_at(monkeypatch, training, "two_optimizers")
    run_until_there(lambda: t5.pretrain(TEXTS[:20], make_tokenizer(), t5.Sizes(**BASE)))
    assert (rates[0]["learning_rate"], rates[0]["embedding_learning_rate"]) == (0.0123, 0.0456)
