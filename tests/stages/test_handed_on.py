"""Each option of a stage arrives where it acts. Training's are in test_train.py."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.models import loading
from genlab.passages.corpora import Limits
from genlab.ranking import summary
from stages import audit, clean, dedup, fetch, generate, leakage, lengths, probe, report, score
from stages import tokenize as tokenize_stage
from tests.handed_on import Arrived, invoke, noted, run_until_there, stopped_at, taken_by_source
from tests.option_words import option_words
from tests.query_tables import table

ROWS = [
    ("train", "how deep is the lake", [("Ninety metres deep.",), "A lake lies there."]),
    ("validation", "how long is the river", [("Ninety miles long.",), "A river runs there."]),
    ("validation", "how old is the tower", [("Ninety years old.",), "A tower stands there."]),
    ("validation", "how tall is the tower", [("Ninety feet tall.",), "A tower stood there."]),
]


@pytest.fixture
def queries(tmp_path) -> Path:
    write_table(tmp_path / "q.parquet", [table(*ROWS)], QUERY_SCHEMA)
    return tmp_path / "q.parquet"


def asked(path: Path, n: int) -> pl.DataFrame:
    return read_table(path).filter(split="validation").head(n)


CLEAN = {"repair_encoding": True, "strip_markup": False, "strip_citations": True}
CLEAN |= {"lower_case": False, "drop_javascript_lines": True, "drop_lorem_ipsum": False}
CLEAN |= {"require_terminal_punctuation": True, "drop_curly_brackets": False}
NUMBERS = {"min_line_words": 2, "min_query_words": 3, "max_query_words": 44}
NUMBERS |= {"min_passage_words": 4, "max_passage_words": 99, "min_new_words": 5}


@pytest.mark.parametrize("flip", [False, True])
def test_every_rule_of_cleaning_arrives(queries, tmp_path, monkeypatch, flip):
    """Each switch once on and once off, so that none is taken for another or for its default."""
    options = {name: value != flip for name, value in CLEAN.items()} | NUMBERS
    options |= {"unicode_form": ("NFC", "NFKC")[flip]}
    notes = stopped_at(monkeypatch, clean, "clean_batch")
    words = [queries, tmp_path / "out", "--metrics", tmp_path / "m", *option_words(options)]
    run_until_there(lambda: invoke(clean.app, words))
    assert asdict(notes[0]["rules"]) | asdict(notes[0]["bounds"]) == options


DEDUP = {
    "query_threshold": 0.91,
    "passage_threshold": 0.82,
    "drop_leaked_answers": False,
    "shingle_chars": 6,
    "pad_ends": False,
    "num_perm": 97,
    "seed": 18,
}


def test_every_rule_of_dedup_arrives_and_its_hashing(queries, tmp_path, monkeypatch):
    from genlab.passages import duplicates

    words = [queries, tmp_path / "out", "--metrics", tmp_path / "m", *option_words(DEDUP)]
    rules = noted(monkeypatch, dedup, "find_query_fates")
    hashed = noted(monkeypatch, duplicates.minhash, "hash_bands")
    signed = noted(monkeypatch, duplicates.minhash, "sign")
    compared = noted(monkeypatch, duplicates.minhash, "keep_similar")
    invoke(dedup.app, words)
    assert asdict(rules[0]["rules"]) == DEDUP
    # Queries, the validation answers, the training answers.
    assert [each["threshold"] for each in hashed] == [0.91, 0.82, 0.82]
    assert {(each["num_perm"], each["seed"]) for each in hashed} == {(97, 18)}
    assert {each["threshold"] for each in compared} == {0.91, 0.82}
    for each in (*hashed, *signed, *compared):
        assert (each["shingles"].chars, each["shingles"].pad_ends) == (6, False)


def test_every_option_of_find_leaks_arrives(queries, tmp_path, monkeypatch):
    options = {"query_threshold": 0.71, "passage_threshold": 0.62, "shingle_chars": 6}
    options |= {"pad_ends": True, "num_perm": 97, "seed": 18, "n_queries": 2}
    notes = stopped_at(monkeypatch, leakage, "find_leaks")
    words = ["find", queries, tmp_path / "out", "--metrics", tmp_path / "m"]
    run_until_there(lambda: invoke(leakage.app, words + option_words(options)))
    assert (notes[0]["query_threshold"], notes[0]["passage_threshold"]) == (0.71, 0.62)
    hashing = notes[0]["hashing"]
    assert (hashing["num_perm"], hashing["seed"], notes[0]["asked"].height) == (97, 18, 2)
    assert (hashing["shingles"].chars, hashing["shingles"].pad_ends) == (6, True)
    compared = stopped_at(monkeypatch, leakage, "compare_halves")
    monkeypatch.setattr(leakage, "check_same_queries", lambda leaks, rows: None)
    words = ["compare", queries, queries, "--metrics", tmp_path / "m", "--seed", 28]
    run_until_there(lambda: invoke(leakage.app, words))
    assert compared[0]["seed"] == 28


@pytest.mark.parametrize("packed", [False, True])
def test_every_option_of_tokenize_arrives(queries, tmp_path, monkeypatch, packed):
    from tests.tiny_models import make_tokenizer

    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: make_tokenizer())
    worker = "pack" if packed else "make_rows"
    notes = noted(monkeypatch, tokenize_stage, worker)
    schemas = noted(monkeypatch, tokenize_stage, "block_schema")
    unknown = stopped_at(monkeypatch, tokenize_stage, "check_unknown")
    words = [queries, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    options = {"block_size": 31, "packed": packed, "body_loss": not packed}
    options |= {"max_unknown_share": 0.3}
    run_until_there(lambda: invoke(tokenize_stage.app, words + option_words(options)))
    assert {each["block_size"] for each in notes} == {31}
    assert [each["block_size"] for each in schemas] == [31] * packed
    assert packed or {each["body_loss"] for each in notes} == {True}
    assert 0.3 in unknown[0].values()


DECODING = {"cap": 21, "temperature": 0.7, "top_k": 22, "top_p": 0.83, "num_beams": 1}
DECODING |= {"repetition_penalty": 1.9, "seed": 23}


@pytest.mark.parametrize(
    ("model", "ignore_eos", "dtype"), [("tuned", False, "bfloat16"), ("base", True, "float32")]
)
def test_every_option_of_generate_arrives(queries, tmp_path, monkeypatch, model, ignore_eos, dtype):
    loaded = noted(monkeypatch, generate, "load_for_inference", ("tokenizer", "network"))
    monkeypatch.setattr(generate, "encode_prompts", lambda tokenizer, texts: [[1]] * len(texts))
    monkeypatch.setattr(generate, "end_tokens", lambda network, tokenizer: {0})
    notes = stopped_at(monkeypatch, generate, "generate")
    words = [queries, tmp_path / "tuned", tmp_path / "base", tmp_path / "out"]
    words += ["--metrics", tmp_path / "m"]
    options = DECODING | {"model": model, "dtype": dtype, "ignore_eos": ignore_eos}
    options |= {"n_queries": 2, "batch_size": 9, "n_samples": 3}
    run_until_there(lambda: invoke(generate.app, words + option_words(options)))
    assert list(loaded[0].values())[:2] == [tmp_path / model, dtype]
    assert asdict(notes[0]["decoding"]) == DECODING | {"ignore_eos": ignore_eos}
    assert (notes[0]["batch_size"], notes[0]["samples"]) == (9, [0, 1, 2] * 2)


def test_every_option_of_score_candidates_arrives(queries, tmp_path, monkeypatch):
    from genlab.ranking import rankers

    class Judge:
        name, relevance = "judge", None

    loaded = noted(monkeypatch, rankers, "load_ranker", Judge())
    notes = stopped_at(monkeypatch, score, "score_candidates")
    words = ["candidates", queries, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    words += option_words({"n_queries": 2, "batch_size": 9, "seed": 29})
    run_until_there(lambda: invoke(score.app, words))
    assert (loaded[0]["batch_size"], notes[0]["queries"].height, notes[0]["seed"]) == (9, 2, 29)


GENERATED = pl.DataFrame(
    {"query_id": ["q1", "q2"], "query": ["a", "b"], "prompt": ["a", "b"], "tokens": [[1, 2]] * 2,
     "finished": [True] * 2, "sample": [0, 0], "entity": ["e", "f"], "topic": ["t", "t"]}
)  # fmt: skip


@pytest.mark.parametrize("is_on", [False, True])
def test_every_option_of_score_arrives(tmp_path, monkeypatch, is_on):
    GENERATED.write_parquet(tmp_path / "generated.parquet")
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    lengths_ = noted(monkeypatch, score, "check_lengths", True)
    cut = noted(monkeypatch, score, "cut_texts", ["a", "b"])
    blank = noted(monkeypatch, score, "check_blanks")
    real = noted(monkeypatch, score, "read_all_candidates", {"kind": pl.DataFrame({"a": [1, 2]})})
    ratings = {"kind": (np.zeros(2), np.zeros(2))}
    rated = noted(monkeypatch, score, "rate_texts", ratings)
    placed = noted(monkeypatch, summary.places, "place", pl.DataFrame({"a": [1]}))
    summed = stopped_at(monkeypatch, summary, "summarize_with_references")
    words = ["texts", tmp_path / "generated.parquet"]
    words += [tmp_path / name for name in ("base", "rankers", "candidates", "out")]
    words += option_words({name: tmp_path / name for name in ("metrics", "details", "histogram")})
    options = {"max_len": 11, "cap": 12, "num_beams": 2, "max_blank_share": 0.6, "batch_size": 9}
    options |= {"seed": 29, "strip_query": is_on, "legacy": not is_on}
    words += ["--rankers", "kind", "--rankers", "strict", *option_words(options)]
    run_until_there(lambda: invoke(score.app, words))
    assert [lengths_[0][name] for name in ("max_len", "cap", "num_beams")] == [11, 12, 2]
    # Blanks are looked for without the query, whatever is ranked.
    assert [(each["max_len"], each["strip_query"]) for each in cut] == [(11, True), (11, is_on)]
    assert list(blank[0].values())[1] == 0.6
    assert real[0]["rankers"] == ["kind", "strict"] == list(rated[0]["folders"])
    assert rated[0]["batch_size"] == 9
    assert (placed[0]["legacy"], summed[0]["legacy"]) == (not is_on, not is_on)
    assert summed[0]["seed"] == 29


@pytest.mark.parametrize("is_on", [False, True])
def test_every_option_of_lengths_arrives(tmp_path, monkeypatch, is_on):
    GENERATED.write_parquet(tmp_path / "generated.parquet")
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    monkeypatch.setattr(lengths, "end_tokens_in", lambda base, tokenizer: {0})
    at = noted(monkeypatch, lengths, "curve_lengths", {"honoured": [5], "forced": [6]})
    cut = noted(monkeypatch, lengths, "cut_at_lengths", pl.DataFrame({"a": [1]}))
    real = noted(monkeypatch, lengths, "read_all_candidates", {"kind": pl.DataFrame()})
    pairs = (["a"], ["b"], np.zeros(1, dtype=int))
    monkeypatch.setattr(lengths, "unique_pairs", lambda cuts: pairs)
    rated = noted(monkeypatch, lengths, "rate_texts", {"kind": (np.zeros(1), np.zeros(1))})
    placed = noted(monkeypatch, lengths, "place_cuts", pl.DataFrame({"a": [1]}))
    monkeypatch.setattr(lengths, "write_table", lambda *arguments: None)
    drawn = stopped_at(monkeypatch, lengths, "length_curve")
    words = [tmp_path / "generated.parquet"] * 2
    words += [tmp_path / name for name in ("base", "rankers", "candidates", "out")]
    options = {"curve": tmp_path / "c", "cap": 12, "forced_cap": 13, "num_beams": 2, "step": 4}
    options |= {"batch_size": 9, "seed": 30, "strip_query": is_on, "legacy": not is_on}
    words += ["--rankers", "kind", *option_words(options)]
    run_until_there(lambda: invoke(lengths.app, words))
    assert at[0] == {"step": 4, "cap": 12, "forced_cap": 13, "num_beams": 2}
    assert [(each["stop"], each["lengths"], each["strip_query"]) for each in cut] == [
        ("honoured", [5], is_on),
        ("forced", [6], is_on),
    ]
    assert (real[0]["rankers"], list(rated[0]["folders"])) == (["kind"], ["kind"])
    assert (rated[0]["batch_size"], placed[0]["legacy"], drawn[0]["seed"]) == (9, not is_on, 30)


def test_every_option_of_probe_arrives(queries, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: "tokenizer")
    real = noted(monkeypatch, probe, "read_all_candidates", {"kind": "real"})
    random = noted(monkeypatch, probe, "passages_of_others")
    texts = noted(monkeypatch, probe.probes, "make_texts", ({}, {}))
    monkeypatch.setattr(probe.probes, "unscored_pairs", lambda *each: [("a", "b")])
    monkeypatch.setattr(probe.probes, "candidate_scores", lambda real: [0.0] * 99)
    monkeypatch.setattr(probe.probes, "scored_pairs", lambda *each: [(i, i) for i in range(99)])
    monkeypatch.setattr(probe.probes, "place_probes", lambda *each: "placed")
    rated = noted(monkeypatch, probe, "rate_texts", {"kind": (np.zeros(1), np.zeros(1))})
    measured = stopped_at(monkeypatch, probe.probe_measures, "measure_probes")
    words = [queries, *(tmp_path / name for name in ("base", "rankers", "candidates", "out"))]
    plots = ("metrics", "details", "repeats_plot", "positions_plot", "words_plot", "cuts_plot")
    words += option_words({name: tmp_path / name for name in plots})
    words += ["--rankers", "kind", "--repeats", 1, "--repeats", 3, "--cut_tokens", 5]
    words += option_words({"n_queries": 2, "score_seed": 31, "batch_size": 9, "seed": 32})
    run_until_there(lambda: invoke(probe.app, words))
    assert (random[0]["seed"], random[0]["queries"].height) == (31, 2)
    assert [texts[0][name] for name in ("repeats", "cut_tokens", "seed")] == [[1, 3], [5], 32]
    assert (real[0]["rankers"], rated[0]["batch_size"]) == (["kind"], 9)
    assert (measured[0]["repeats"], measured[0]["seed"]) == ([1, 3], 32)


def test_every_option_of_audit_arrives(tmp_path, monkeypatch):
    GENERATED.write_parquet(tmp_path / "g.parquet")
    rows = pl.DataFrame(
        {"query_id": ["q1"], "sample": [0], "ranker": ["kind"], "stop": ["honoured"]}
    )
    rows.write_parquet(tmp_path / "l.parquet")

    class Tokenizer:
        bos_token_id, eos_token_id = 7, 0

    monkeypatch.setattr(audit, "load_for_inference", lambda folder: (Tokenizer(), "model"))
    monkeypatch.setattr(audit, "decode_texts", lambda tokenizer, rows: ["a"] * len(rows))
    monkeypatch.setattr(audit, "end_tokens", lambda model, tokenizer: {0})
    read = noted(monkeypatch, audit, "token_losses", [np.ones(2)] * 2)
    placed = pl.DataFrame({"query_id": ["q1"], "ranker": ["kind"]})
    monkeypatch.setattr(audit.audit, "describe_texts", lambda *each: placed.drop("ranker"))
    monkeypatch.setattr(audit.audit, "best_prefixes", lambda rows: placed)
    monkeypatch.setattr(audit.audit, "split_curve", lambda rows: [])
    monkeypatch.setattr(audit.audit, "summarize_texts", lambda *each: {"texts": {}})
    monkeypatch.setattr(audit, "SCHEMA", pl.Schema(placed.schema))
    ranked = stopped_at(monkeypatch, audit.audit, "audit_ranker")
    words = [tmp_path / "g.parquet", tmp_path / "g.parquet", tmp_path / "l.parquet", tmp_path]
    words += [tmp_path / "out", "--metrics", tmp_path / "m", "--curve", tmp_path / "c"]
    words += option_words({"batch_size": 9, "seed": 33})
    run_until_there(lambda: invoke(audit.app, words))
    assert (read[0]["batch_size"], read[0]["rows"][0], ranked[0]["seed"]) == (9, [7, 1, 2], 33)


def test_the_number_of_queries_on_the_page_arrives(queries, tmp_path, monkeypatch):
    notes = stopped_at(monkeypatch, report, "make_payload")
    monkeypatch.setattr(report, "read_metrics", lambda folder, names: {})
    params = tmp_path / "params.yaml"
    params.write_text("", encoding="utf-8")
    words = [queries, tmp_path, queries, tmp_path, params, tmp_path / "out"]
    words += ["--receipt", tmp_path / "r", "--examples", tmp_path / "e"]
    words += ["--picture", tmp_path / "s", "--plots_library", tmp_path / "p", "--n_queries", 34]
    run_until_there(lambda: invoke(report.app, words))
    assert 34 in [value for value in notes[0].values() if isinstance(value, int)]


ORIGIN = {"path": "here", "hub_id": "some/thing", "revision": "c0ffee"}


def test_every_option_of_the_corpus_arrives_at_its_source(tmp_path, monkeypatch):
    from genlab.mini import queries as mini
    from genlab.passages import corpora

    options = ORIGIN | {"format": "labelled", "encoding": "windows-1251", "hub_name": "v9"}
    options |= {"n_train": 41, "n_validation": 42, "validation_share": 0.3}
    options |= {"max_text_bytes": 999, "seed": 35, "negatives": "given", "n_negatives": 43}
    words = ["corpus", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    words += option_words(options)
    workers = {
        "mini": (mini, "make_queries"),
        "hub": (corpora, "read_hub_corpus"),
        "file": (corpora, "read_file_corpus"),
    }
    found = taken_by_source(monkeypatch, fetch.app, words, workers)
    assert found["mini"] == [Path("here"), 41, 42, 35]
    limits = Limits(n_train=41, n_validation=42, seed=35)
    assert found["hub"] == ["some/thing", "v9", "c0ffee", limits, 999]
    *given, files, n_negatives, train_too = found["file"]
    assert given == [Path("here"), "labelled", limits, 0.3, 999, "windows-1251"]
    assert (files, n_negatives, train_too) == ({}, 43, False)


BASE = {"vocab_size": 301, "n_layer": 3, "n_embd": 24, "n_head": 6, "n_positions": 65}
BASE |= {"epochs": 4, "batch_size": 5, "learning_rate": 0.0123, "max_offset": 2}
BASE |= {"embedding_learning_rate": 0.0456, "seed": 25}


def test_every_option_of_the_base_arrives_at_its_source(tmp_path, monkeypatch):
    from genlab.sources import model_folders

    words = ["base", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    given = {"n_passages": 36, "tokenizer_path": "words", "path": "theirs", "made_from": "here"}
    words += option_words(ORIGIN | BASE | given)
    made = stopped_at(monkeypatch, fetch, "make_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    out = tmp_path / "out"
    assert list(made[0].values())[:4] == [Path("here"), Path("words"), out, 36]
    assert asdict(made[0]["sizes"]) == BASE
    loaded = stopped_at(monkeypatch, model_folders, "download_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    assert list(loaded[0].values())[:4] == ["some/thing", "c0ffee", Path("words"), out]
    copied = stopped_at(monkeypatch, model_folders, "copy_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert list(copied[0].values())[:3] == [Path("theirs"), Path("words"), out]


def test_the_mini_bases_sizes_and_both_rates_arrive_at_the_model_and_the_optimizers(monkeypatch):
    from genlab.mini import gpt2, training
    from tests.tiny_models import TEXTS, make_tokenizer

    sizes = gpt2.Sizes(**BASE)
    rates = stopped_at(monkeypatch, training, "two_optimizers")
    batched = noted(monkeypatch, training, "length_bucketed_batches")
    run_until_there(lambda: gpt2.pretrain(TEXTS[:20], make_tokenizer(), sizes))
    assert (rates[0]["learning_rate"], rates[0]["embedding_learning_rate"]) == (0.0123, 0.0456)
    assert [each["batch_size"] for each in batched] == [5] * 4
    config = rates[0]["model"].config
    assert {name: getattr(config, name) for name in list(BASE)[1:5]} == {
        name: BASE[name] for name in list(BASE)[1:5]
    }


def test_every_option_of_a_ranker_arrives(tmp_path, monkeypatch):
    from genlab.mini import ranker_folders, rankers

    words = ["ranker", tmp_path / "out", "--metrics", tmp_path / "m", "--manifest", tmp_path / "n"]
    recipe = {"max_queries": 37, "dim": 38, "epochs": 6, "seed": 39}
    words += option_words(ORIGIN | recipe)
    read = noted(monkeypatch, rankers, "read_training_pairs", "pairs")
    for kind, worker in (
        ("sentence_transformer", "make_sentence_transformer"),
        ("tensorflow_hub", "make_tensorflow_hub"),
    ):
        notes = stopped_at(monkeypatch, rankers, worker)
        run_until_there(lambda k=kind: invoke(fetch.app, [*words, "--source", "mini", "--kind", k]))
        assert list(read.pop().values()) == [Path("here"), 37, 39]
        assert asdict(notes[0]["recipe"]) == recipe
    words += ["--kind", "cross_encoder"]
    loaded = stopped_at(monkeypatch, ranker_folders, "download_model")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    assert list(loaded[0].values())[:3] == ["cross_encoder", "some/thing", "c0ffee"]
    copied = stopped_at(monkeypatch, ranker_folders, "copy_model")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert list(copied[0].values())[:2] == ["cross_encoder", Path("here")]


def test_a_program_that_gets_past_is_no_pass(monkeypatch):
    """The tests above rest on it."""
    with pytest.raises(AssertionError, match="never came"):
        run_until_there(lambda: None)
    with pytest.raises(Arrived):
        stopped_at(monkeypatch, fetch, "fetch_ranker")
        fetch.fetch_ranker(None, None, None, None)
