"""Each option of a stage arrives where it acts. Training's are in test_train.py."""

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genlab.core.chosen import write_chosen
from genlab.core.seeds import order_of
from genlab.core.tables import write_table
from pipelines.alignment import fetched_models
from pipelines.alignment.schemas import TEXT_SCHEMA
from pipelines.alignment.stages import fetch, generate, pairs, reward, sample, score
from tests.handed_on import invoke, noted, run_until_there, stopped_at, taken_by_source
from tests.option_words import option_words
from tests.tiny_models import TEXTS

DECODING = {
    "cap": 21,
    "temperature": 0.7,
    "top_k": 22,
    "top_p": 0.83,
    "num_beams": 1,
    "repetition_penalty": 1.9,
    "seed": 23,
}


def in_order(prompts: list[str]) -> list[str]:
    """Return prompts as they are taken: some of them are the first of this order."""
    return sorted(prompts, key=order_of)


@pytest.fixture
def corpus(tmp_path) -> Path:
    rows = [
        (f"t{i}", f"prompt {i}", text, i % 2 == 0, ("train", "validation")[i % 3 == 0],
         ("reward", "held_out")[i % 4 < 2])
        for i, text in enumerate(TEXTS[:24])
    ]  # fmt: skip
    write_table(
        tmp_path / "c.parquet", [pl.DataFrame(rows, TEXT_SCHEMA, orient="row")], TEXT_SCHEMA
    )
    return tmp_path / "c.parquet"


def test_every_option_of_sample_arrives_with_prompts_of_the_train_split(
    corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(sample, "load_for_inference", lambda folder: ("tokenizer", "model"))
    monkeypatch.setattr(sample, "count_unknown", lambda tokenizer, texts: (0, 9))
    limit = noted(monkeypatch, sample, "check_unknown")
    notes = stopped_at(monkeypatch, sample, "write_texts")
    words = [corpus, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += option_words(DECODING | {"n_texts": 31, "n_prompts": 3, "batch_size": 9})
    words += ["--max_unknown_share", "0.07"]
    run_until_there(lambda: invoke(sample.app, words))
    assert list(limit[0].values())[:3] == [0, 9, 0.07]
    assert notes[0] == {
        "model": "model",
        "tokenizer": "tokenizer",
        "prompts": in_order([f"prompt {i}" for i in range(24) if i % 3])[:3],
        "n_texts": 31,
        "decoding": notes[0]["decoding"],
        "batch_size": 9,
    }
    assert asdict(notes[0]["decoding"]) == DECODING | {"ignore_eos": False}


def test_every_option_of_generate_arrives_with_prompts_of_the_validation_split(
    corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(generate, "load_for_inference", lambda folder: ("tokenizer", folder))
    monkeypatch.setattr(generate, "check_same_tokenizer", lambda *folders: None)
    found = noted(monkeypatch, generate, "find_models", {"main": Path("m")})
    rows = pl.DataFrame({"prompt_tokens": [[1]], "tokens": [[2]]})
    written = noted(monkeypatch, generate, "write_texts", rows)
    apart = stopped_at(monkeypatch, generate, "token_divergences")
    words = [corpus, tmp_path, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += ["--curves", tmp_path / "c.json", "--arms", "main", "--arms", "slic"]
    words += option_words(DECODING | {"n_texts": 31, "batch_size": 40, "train_seed": 77})
    run_until_there(lambda: invoke(generate.app, words))
    assert list(found[0].values())[1] == ["main", "slic"]
    assert asdict(written[0]["decoding"]) == DECODING | {"ignore_eos": False}
    assert (written[0]["n_texts"], written[0]["batch_size"]) == (31, 40)
    assert written[0]["prompts"] == in_order([f"prompt {i}" for i in range(0, 24, 3)])
    assert list(apart[0].values())[-1] == 5  # 40 / 8: the scores of two models are held


PAIRS = {"strategy": "margin", "n_pairs": 33, "margin": 0.7, "threshold": 0.3, "seed": 24}


def test_every_option_of_pairs_arrives(corpus, tmp_path, monkeypatch):
    notes = stopped_at(monkeypatch, pairs, "choose_pairs")
    write_chosen(tmp_path / "choose", {"pairs": {"random": True}})
    words = [corpus, tmp_path / "out", "--metrics", tmp_path / "m", *option_words(PAIRS)]
    words += ["--chosen", tmp_path / "choose/pairs/random.json"]
    run_until_there(lambda: invoke(pairs.app, words))
    assert {name: notes[0][name] for name in PAIRS} == PAIRS


def test_the_batch_size_of_reward_arrives(corpus, tmp_path, monkeypatch):
    notes = stopped_at(monkeypatch, reward, "load_reward")
    words = [corpus, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m", "--batch_size", 9]
    run_until_there(lambda: invoke(reward.app, words))
    assert notes[0] == {"folder": tmp_path, "batch_size": 9}


def test_every_option_of_score_arrives(tmp_path, monkeypatch):
    from genlab.models import loading

    generated = pl.DataFrame({"arm": ["before", "main", "slic"], "prompt": "", "tokens": [[1]] * 3})
    generated.write_parquet(tmp_path / "generated.parquet")
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    monkeypatch.setattr(score, "check_two_models", lambda one, other: None)
    lengths = noted(monkeypatch, score, "check_lengths", True)
    cut = noted(monkeypatch, score, "cut_texts", ["a", "b", ""])
    blank = noted(monkeypatch, score, "check_blanks")
    rated = noted(monkeypatch, score, "load_reward", lambda prompts, texts: np.zeros(3))
    shortened = noted(monkeypatch, score.measures, "cut_rows")
    measured = stopped_at(monkeypatch, score.measures, "measure_arms")
    names = ["base", "reward", "held_out", "rows", "arms"]
    words = [tmp_path / "generated.parquet", *(tmp_path / name for name in names)]
    words += option_words({name: tmp_path / name for name in ("metrics", "details", "histogram")})
    options = {"front": tmp_path / "front", "arm": "slic", "max_len": 11, "cap": 12}
    options |= {"num_beams": 2, "max_blank_share": 0.4, "batch_size": 9, "seed": 25}
    monkeypatch.setattr(score.measures, "cut_rows", lambda rows, n: shortened.append(n) or rows)
    run_until_there(lambda: invoke(score.app, words + option_words(options)))
    assert [lengths[0][name] for name in ("max_len", "cap", "num_beams")] == [11, 12, 2]
    assert (cut[0]["max_len"], shortened, measured[0]["seed"]) == (11, [11], 25)
    assert list(blank[0].values())[1] == 0.4
    assert [(each["folder"].name, each["batch_size"]) for each in rated] == [
        ("reward", 9),
        ("held_out", 9),
    ]


CORPUS = {
    "path": "here",
    "encoding": "windows-1251",
    "hub_id": "some/films",
    "revision": "c0ffee",
    "n_texts": 31,
    "strip_markup": True,
    "repair_encoding": False,
    "max_words": 32,
    "validation_share": 0.3,
    "seed": 26,
}


def test_every_option_of_the_corpus_arrives_at_its_source(tmp_path, monkeypatch):
    from genlab.text.rules import plain_text
    from pipelines.alignment import labelled_texts, mini_films

    words = ["corpus", tmp_path / "out", "--metrics", tmp_path / "m", *option_words(CORPUS)]
    workers = {
        "mini": (mini_films, "make_reviews"),
        "hub": (labelled_texts, "read_hub_texts"),
        "file": (labelled_texts, "read_text_files"),
        "queries": (labelled_texts, "read_queries"),
    }
    found = taken_by_source(monkeypatch, fetch.app, words, workers)
    names = [each.name for each in fields(labelled_texts.Reading)]
    reading = labelled_texts.Reading(**{name: CORPUS[name] for name in names})
    assert reading.rules == plain_text(strip_markup=True, repair_encoding=False)
    assert found["mini"] == [Path("here"), 31, 0.3, 26]
    assert found["hub"][:3] == ["some/films", "c0ffee", reading]
    assert found["file"][:2] == [Path("here"), reading]
    assert found["queries"] == [Path("here")]


BASE = {"vocab_size": 301, "n_layer": 3, "n_embd": 24, "n_head": 6, "n_positions": 65}
BASE |= {"epochs": 4, "batch_size": 5, "learning_rate": 0.0123, "max_offset": 2}
BASE |= {"embedding_learning_rate": 0.0456, "seed": 25}


def test_every_option_of_the_base_arrives_at_its_source(corpus, tmp_path, monkeypatch):
    from genlab.sources import model_folders

    words = ["base", tmp_path / "out", "--metrics", tmp_path / "m"]
    origin = {"path": "theirs", "made_from": corpus, "hub_id": "some/gpt2", "revision": "c0ffee"}
    words += option_words(origin | BASE)
    cut = noted(monkeypatch, fetched_models, "train_tokenizer")
    made = stopped_at(monkeypatch, fetched_models, "write_pretrained")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert cut[0]["vocab_size"] == 301 and asdict(made[0]["sizes"]) == BASE
    assert cut[0]["texts"] == [text for i, text in enumerate(TEXTS[:24]) if i % 3]  # train's
    loaded = stopped_at(monkeypatch, model_folders, "download_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    assert list(loaded[0].values())[:4] == ["some/gpt2", "c0ffee", None, tmp_path / "out"]
    copied = stopped_at(monkeypatch, model_folders, "copy_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert list(copied[0].values())[:3] == [Path("theirs"), None, tmp_path / "out"]


REWARD = {"vocab_size": 302, "hidden_size": 40, "max_tokens": 66, "epochs": 3, "batch_size": 7}
REWARD |= {"learning_rate": 0.0031, "seed": 27}
ORIGIN = {"hub_id": "some/bert", "revision": "c0ffee", "positive_label": "glad"}


def test_every_option_of_the_reward_model_arrives(corpus, tmp_path, monkeypatch):
    words = ["reward_model", corpus, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += option_words(ORIGIN | REWARD | {"path": corpus, "min_accuracy": 0.61})
    made = stopped_at(monkeypatch, fetched_models, "make_classifier")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert asdict(made[0]["recipe"]) == REWARD
    trained = [(i, t) for i, t in enumerate(TEXTS[:24]) if i % 3]
    assert made[0]["texts"] == [text for i, text in trained if i % 4 >= 2]
    brought = stopped_at(monkeypatch, fetched_models, "fetch_reward")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    origin = brought[0]["origin"]
    assert {name: getattr(origin, name) for name in ORIGIN} == ORIGIN
    assert (origin.path, origin.source) == (corpus, "hub")
    monkeypatch.setattr(fetched_models, "fetch_reward", lambda *arguments: None)
    measured = stopped_at(monkeypatch, fetched_models, "validate")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    assert measured[0]["min_accuracy"] == 0.61


def test_every_option_of_the_held_out_reward_arrives(corpus, tmp_path, monkeypatch):
    words = ["held_out_reward", corpus, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += option_words(ORIGIN | {"path": corpus, "min_texts": 4, "inverse_penalty": 2.5})
    words += option_words({"min_accuracy": 0.62})
    from genlab.preference import rewards

    made = stopped_at(monkeypatch, rewards, "make_bag_of_words")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert (made[0]["min_texts"], made[0]["inverse_penalty"]) == (4, 2.5)
    trained = [(i, t) for i, t in enumerate(TEXTS[:24]) if i % 3]
    assert made[0]["texts"] == [text for i, text in trained if i % 4 < 2]
    brought = stopped_at(monkeypatch, fetched_models, "fetch_reward")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert (brought[0]["origin"].path, brought[0]["group"]) == (corpus, "held_out_reward")
    monkeypatch.setattr(fetched_models, "fetch_reward", lambda *arguments: None)
    measured = stopped_at(monkeypatch, fetched_models, "validate")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert measured[0]["min_accuracy"] == 0.62
