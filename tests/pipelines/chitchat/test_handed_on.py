"""Each option of a stage arrives where it acts, and two of a kind are not taken for each other."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genlab.core.chosen import write_chosen
from genlab.core.tables import write_arrow, write_table
from pipelines.chitchat import arm_training, base_model, dialogue_splits, metrics, reply_reading
from pipelines.chitchat.chat_inputs import Layout, Separator, Special
from pipelines.chitchat.preprocessing import SCHEMA, preprocess_data_for_model
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA, GENERATE_SCHEMA, READ_SCHEMA, SPLIT_SCHEMA
from pipelines.chitchat.stages import clean, dedup, fetch, generate, read, score, tokenize, train
from tests.handed_on import invoke, noted, run_until_there, stopped_at, taken_by_source
from tests.option_words import option_words
from tests.tiny_models import make_tokenizer

SPECIAL = Special(0, 1, (2, 3))

CORPUS = {
    "path": "here",
    "hub_id": "some/talk",
    "revision": "c0ffee",
    "format": "dashes",
    "encoding": "windows-1251",
    "column": "said",
    "bad_rows": "drop",
    "max_text_bytes": 999,
    "n_dialogues": 31,
    "seed": 24,
}


def test_every_option_of_the_corpus_arrives_at_its_source(tmp_path, monkeypatch):
    from pipelines.chitchat import dialogue_files, mini_dialogues

    words = ["corpus", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    workers = {
        "mini": (mini_dialogues, "make_dialogues"),
        "hub": (dialogue_files, "read_hub_dialogues"),
        "file": (dialogue_files, "read_dialogue_files"),
    }
    found = taken_by_source(monkeypatch, fetch.app, words + option_words(CORPUS), workers)
    assert found["mini"] == [Path("here"), 31, 24]
    *hub, bad = found["hub"]
    reading = dialogue_files.Reading("dashes", "windows-1251", "said", 999, 31, 24)
    assert hub == ["some/talk", "c0ffee", reading] and bad.are_dropped
    *file, bad, files, messages = found["file"]
    assert file == [Path("here"), reading]
    assert bad.are_dropped and files == messages == {} and files is not messages


SIZES = {"vocab_size": 401, "n_layer": 3, "n_embd": 24, "n_head": 6, "n_positions": 65}
SIZES |= {"epochs": 4, "batch_size": 5, "learning_rate": 0.0123, "max_offset": 2}
SIZES |= {"embedding_learning_rate": 0.0456, "seed": 25}


def test_every_option_of_the_base_arrives_at_its_source(tmp_path, monkeypatch):
    words = ["base", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    origin = {"path": "theirs", "made_from": "here", "hub_id": "some/gpt2", "revision": "c0ffee"}
    words += option_words(origin | SIZES | {"n_dialogues": 123})
    texts = noted(monkeypatch, base_model, "plain_texts", ["text"])
    cut = noted(monkeypatch, base_model, "train_tokenizer", "tokenizer")
    made = stopped_at(monkeypatch, base_model, "pretrain")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert list(texts[0].values()) == [Path("here"), 123, 25]
    assert cut[0]["vocab_size"] == 401
    assert asdict(made[0]["sizes"]) == SIZES
    copied = stopped_at(monkeypatch, base_model, "fetch_folder")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    assert list(copied[0].values())[:4] == ["hub", Path("theirs"), "some/gpt2", "c0ffee"]


CLEAN = {"strip_markup": True, "repair_encoding": False, "lower_case": True, "fold_yo": False}
CLEAN |= {"strip_dashes": True, "max_chars": 499}


@pytest.mark.parametrize("flip", [False, True])
def test_every_rule_of_clean_arrives(tmp_path, monkeypatch, flip):
    """Each switch once on and once off, so that none is taken for another or for its default."""
    options = {name: value != flip if value is True or value is False else value + flip
               for name, value in CLEAN.items()}  # fmt: skip
    table = pl.DataFrame({"dialogue_id": ["d"], "turns": [["a", "b"]]}, DIALOGUE_SCHEMA)
    write_table(tmp_path / "in", [table], DIALOGUE_SCHEMA)
    notes = stopped_at(monkeypatch, clean, "clean_batch")
    words = [tmp_path / "in", tmp_path / "out", "--metrics", tmp_path / "m"]
    run_until_there(lambda: invoke(clean.app, words + option_words(options)))
    assert asdict(notes[0]["rules"]) == options


DEDUP = {
    "same_first_line": True,
    "echoes": False,
    "near_duplicates": True,
    "echo_threshold": 0.61,
    "threshold": 0.82,
    "validation_share": 0.23,
    "test_share": 0.34,
    "shingle_chars": 6,
    "pad_ends": True,
    "num_perm": 97,
    "seed": 18,
}


@pytest.mark.parametrize("flip", [False, True])
def test_every_rule_of_dedup_arrives(tmp_path, monkeypatch, flip):
    options = {n: v != flip if isinstance(v, bool) else v for n, v in DEDUP.items()}
    turns = [[f"как дела {i} {chr(1072 + i) * 9}", "хорошо"] for i in range(30)]
    table = pl.DataFrame({"dialogue_id": list(map(str, range(30))), "turns": turns})
    write_table(tmp_path / "in", [table.cast(dict(DIALOGUE_SCHEMA))], DIALOGUE_SCHEMA)
    notes = noted(monkeypatch, dedup, "split_dialogues")
    hashed = noted(monkeypatch, dialogue_splits.minhash, "hash_bands")
    compared = noted(monkeypatch, dialogue_splits.minhash, "keep_similar")
    echoes = noted(monkeypatch, dialogue_splits, "is_echo")
    words = [tmp_path / "in", tmp_path / "out", "--metrics", tmp_path / "m"]
    invoke(dedup.app, words + option_words(options))
    assert asdict(notes[0]["rules"]) == options
    assert [note["threshold"] for note in echoes] == [0.61]
    assert {note["threshold"] for note in compared} == {0.82}
    found = {(note["threshold"], note["num_perm"], note["seed"]) for note in hashed}
    assert found == {(0.82, 97, 18)}
    assert {tuple(vars(note["shingles"]).values()) for note in hashed} == {(6, not flip)}


def write_dialogues(path: Path) -> Path:
    """Write a dialogue of three turns for every split; its replies are the second and third."""
    rows = [
        (split, ["The red tower", "near the old sea", "The tower"], split, [False, True, True])
        for split in ("train", "validation", "test")
    ]
    write_table(path, [pl.DataFrame(rows, SPLIT_SCHEMA, orient="row")], SPLIT_SCHEMA)
    return path


@pytest.mark.parametrize("first_replies", [True, False])
def test_every_option_of_tokenize_arrives(tmp_path, monkeypatch, first_replies):
    from genlab.models import loading

    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    counts = {"rows": 1, "unknown_tokens": 2, "tokens": 9}
    encoded = noted(monkeypatch, tokenize, "preprocess_data_for_model", counts)
    limit = noted(monkeypatch, tokenize, "check_unknown", True)
    asked = {"history_turns": 2, "max_turn_tokens": 17, "first_replies": first_replies}
    words = [tmp_path / "in", tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += option_words(asked | {"pickle": not first_replies, "max_unknown_share": 0.37})
    invoke(tokenize.app, words)
    for note in encoded:
        assert {name: note[name] for name in asked} == asked
    endings = {note["dest"].suffix for note in encoded}
    assert endings == ({".arrow"} if first_replies else {".arrow", ".pkl"})
    assert {tuple(note.values())[:3] for note in limit} == {(2, 9, 0.37)}


@pytest.mark.parametrize(("first_replies", "numbers"), [(True, ["1", "2"]), (False, ["2"])])
def test_replies_without_a_history_are_rows_if_they_are_asked_for(tmp_path, first_replies, numbers):
    counts = preprocess_data_for_model(
        write_dialogues(tmp_path / "in.parquet"),
        tmp_path / "out.arrow",
        make_tokenizer(),
        history_turns=1,
        first_replies=first_replies,
        split="test",
    )
    rows = pl.read_ipc_stream(tmp_path / "out.arrow")
    assert rows["reply_id"].to_list() == [f"test/{number}" for number in numbers]
    assert (counts["rows"], counts["first_replies"]) == (len(numbers), 1)


LAYOUT = {"history_turns": 2, "separator": "end", "token_types": False, "attention_mask": True}
RECIPE = {"epochs": 2.0, "learning_rate": 0.0031, "lr_scheduler_type": "linear"}
RECIPE |= {"warmup_steps": 3, "weight_decay": 0.2, "batch_size": 7}
RECIPE |= {"gradient_accumulation_steps": 2, "early_stopping_patience": 4, "save_steps": 5}
RECIPE |= {"seed": 27}


class Model:
    """What the collation asks of a model: whether it is trained just now."""

    training = True


@pytest.mark.parametrize("reply_loss_only", [True, False])
def test_every_option_of_train_arrives_and_its_rates_are_not_swapped(
    tmp_path, monkeypatch, reply_loss_only
):
    import torch

    from genlab.models import loading

    model = Model()
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    monkeypatch.setattr(loading, "load_causal_model", lambda folder: model)
    monkeypatch.setattr(train, "special_of", lambda tokenizer: SPECIAL)
    monkeypatch.setattr(train, "resumable_folder", lambda *names: nullcontext(tmp_path))
    torch.manual_seed(0)
    dropped = noted(monkeypatch, train, "set_dropout", True)
    rows = noted(monkeypatch, train, "read_rows", ["row"])
    noted(monkeypatch, train, "check_rows_fit", True)
    rates = noted(monkeypatch, train, "adamw_of_two_rates", "optimizer")
    trained = stopped_at(monkeypatch, train, "train_resumably")
    write_chosen(tmp_path / "choose", {"arms": {"main": True}})
    words = [tmp_path / "tokens", tmp_path / "base", tmp_path / "out", "--metrics", tmp_path / "m"]
    words += ["--curve", tmp_path / "c", "--chosen", tmp_path / "choose/arms/main.json"]
    options = {"tokenize_history_turns": 4, "n_dialogues": 55, "dropout": 0.35}
    options |= {"embedding_learning_rate": 0.0087}
    layout = LAYOUT | {"reply_loss_only": reply_loss_only}
    run_until_there(lambda: invoke(train.app, words + option_words(options | layout | RECIPE)))
    assert torch.initial_seed() == 27
    assert dropped == [{"model": model, "dropout": 0.35}]
    assert [(note["split"], note.get("n_dialogues", 0)) for note in rows] == [
        ("train", 55),
        ("validation", 0),
    ]
    assert asdict(rows[0]["layout"]) == layout
    assert list(rates[0].values()) == [model, 0.0031, 0.0087, 0.2]
    assert asdict(trained[0]["recipe"]) == RECIPE
    assert trained[0]["optimizer"] == "optimizer"

    row = {"input_ids": [0, 5, 6, 1], "token_type_ids": [2, 2, 3, 3], "n_prompt": 2}
    replies = [-100, -100, 6, 1]
    collate = trained[0]["data_collator"]
    assert collate([row])["labels"].tolist() == [replies if reply_loss_only else [0, 5, 6, 1]]
    model.training = False  # the curves of all arms are of replies
    assert collate([row])["labels"].tolist() == [replies]


def test_rows_of_n_dialogues_are_as_many_as_asked(tmp_path):
    rows = [(f"{d}/{n}", d, [], [5], [6], 1) for d in "abc" for n in (1, 2)]
    write_arrow(tmp_path / "train.arrow", rows, SCHEMA)
    layout = Layout(0, Separator.end, False, False, True)
    found = [len(arm_training.read_rows(tmp_path, "train", layout, SPECIAL, n)) for n in (0, 1, 2)]
    assert found == [6, 2, 4]


def test_every_option_of_generate_arrives(tmp_path, monkeypatch):
    from genlab.models import loading

    monkeypatch.setattr(loading, "load_for_inference", lambda folder: (folder.name, "model"))
    row = ("d/1", "d", [], [5], [6], 1)
    write_arrow(tmp_path / "test.arrow", [row], SCHEMA)
    said = pl.DataFrame({"tokens": [[1]], "finished": [True], "text": ["t"]})
    monkeypatch.setattr(generate, "read_table", lambda path: "dialogues")
    names = ["reply_id", "dialogue_id", "history", "input", "reference"]
    texts = pl.DataFrame([("d/1", "d", [], "i", "r")], names, orient="row")
    noted(monkeypatch, generate, "texts_of", texts)
    chosen = noted(monkeypatch, generate, "choose_replies")
    notes = noted(monkeypatch, generate, "write_replies", said)
    decoding = {"cap": 21, "temperature": 0.7, "top_k": 22, "top_p": 0.83, "num_beams": 3}
    decoding |= {"repetition_penalty": 1.9, "seed": 23}
    words = [tmp_path, tmp_path / "d", tmp_path / "base", tmp_path / "models", tmp_path / "out"]
    words += ["--metrics", tmp_path / "m", "--arms", "other", "--arms", "main"]
    monkeypatch.setattr(generate, "write_table", lambda *arguments: None)
    words += option_words(decoding | {"n_replies": 31, "batch_size": 9})
    invoke(generate.app, words)
    assert chosen[0]["n_replies"] == 31
    assert [note["tokenizer"] for note in notes] == ["other", "main"]
    for note in notes:
        assert asdict(note["decoding"]) == decoding | {"ignore_eos": False}
        assert note["batch_size"] == 9


@pytest.mark.parametrize(("count_end", "nats"), [(True, 7.0), (False, 3.0)])
def test_every_option_of_read_arrives_and_ends_count_if_asked(
    tmp_path, monkeypatch, count_end, nats
):
    from genlab.models import loading

    write_arrow(tmp_path / "test.arrow", [("d/1", "d", [], [5], [6, 7], 9)], SCHEMA)
    monkeypatch.setattr(loading, "load_for_inference", lambda folder: (folder.name, folder.name))
    monkeypatch.setattr(
        read, "load_layout", lambda folder: Layout(0, Separator.end, False, False, True)
    )
    monkeypatch.setattr(read, "special_of", lambda tokenizer: SPECIAL)
    losses = [np.array([1.0, 2.0, 4.0])]  # the last is the end's
    notes = noted(monkeypatch, reply_reading, "reply_losses", losses)
    words = [tmp_path, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += ["--arms", "other", "--arms", "main"]
    invoke(read.app, words + option_words({"count_end": count_end, "batch_size": 9}))
    assert [(note["model"], note["batch_size"]) for note in notes] == [("other", 9), ("main", 9)]
    rows = pl.read_parquet(tmp_path / "out")
    assert rows["arm"].to_list() == ["other", "main"]
    assert rows["nats"].to_list() == [nats] * 2
    assert rows["n_tokens"].to_list() == [2 + count_end] * 2


def test_every_option_of_score_arrives(tmp_path, monkeypatch):
    from genlab.models import loading

    said = [(arm, "d/1", "d", [], "i", "r", [1, 2, 3], True, "") for arm in ("main", "other")]
    tables = {
        "read": pl.DataFrame(schema=READ_SCHEMA),
        "generated": pl.DataFrame(said, GENERATE_SCHEMA, orient="row"),
    }
    monkeypatch.setattr(score, "read_table", lambda path: tables[path.name])
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    monkeypatch.setattr(score, "read_curve", lambda path: [{"split": "validation", "loss": 1.0}])
    lengths = noted(monkeypatch, score, "check_lengths", True)
    cut = noted(monkeypatch, score, "decode_texts", ["a", ""])
    blank = noted(monkeypatch, score, "check_blanks", True)
    measured = noted(monkeypatch, score, "measure_texts", {"measured": None})
    rows = pl.DataFrame({"arm": ["main", "other"], "history": "true"})
    noted(monkeypatch, score, "join_rows", rows)
    summed = noted(monkeypatch, score, "summarize", {"summary": {}})
    noted(monkeypatch, score, "headline_of", {"a": 1})
    noted(monkeypatch, score, "tables_of", {"replies": []})
    noted(monkeypatch, score, "markdown_table", "table")
    shown = noted(monkeypatch, score, "conversations_of", [["row"]])
    written = noted(monkeypatch, score, "write_table", True)
    words = [tmp_path / name for name in ("read", "generated", "base", "curves", "out")]
    outputs = ("arms_output", "metrics", "details", "tables", "curves")
    words += option_words({name: tmp_path / f"of_{name}" for name in outputs})
    options = {"max_len": 2, "cap": 12, "num_beams": 3, "arm": "other", "echo_threshold": 0.61}
    options |= {"n_generic": 6, "distinct_sample": 77, "n_conversations": 5}
    invoke(score.app, words + option_words(options | {"max_blank_share": 0.8, "seed": 29}))
    assert list(lengths[0].values()) == [2, 12, 3]
    assert list(cut[0].values())[1] == [[1, 2], [1, 2]]
    assert list(blank[0].values())[1] == 0.8
    assert (measured[0]["echo_threshold"], measured[0]["n_generic"]) == (0.61, 6)
    assert (summed[0]["n_sample"], summed[0]["seed"]) == (77, 29)
    assert shown[0]["n"] == 5
    assert [table["arm"].to_list() for [table] in (list(note.values())[1] for note in written)] == [
        ["other"],
        ["main", "other"],
    ]


def test_what_counts_as_an_echo_of_a_reply_is_told_by_the_threshold(monkeypatch):
    row = ("a", "d/1", "d", [], "как тебя зовут", "как меня зовут", [1], True, "как меня зовут")
    said = pl.DataFrame([row], GENERATE_SCHEMA, orient="row")
    noted(monkeypatch, metrics, "overlaps", {"bleu": [0.0]})
    # 11 of 21 shingles are shared (test_sources.py).
    found = [metrics.measure_texts(said, share, 1)["a"]["echo"].to_list() for share in (0.5, 0.6)]
    assert found == [[1.0], [0.0]]
