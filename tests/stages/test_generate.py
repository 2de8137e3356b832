"""The generate stage: one row a query, from the chosen model, and nothing when it cannot."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.models.decoding import Decoding
from genlab.models.decoding import generate as decode
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.prompts import encode_prompts
from stages import generate
from tests.option_words import option_words
from tests.query_tables import write_queries
from tests.tiny_models import WORDS, save_base

OPTIONS = {
    "model": "tuned",
    "cap": 12,
    "n_samples": 1,
    "n_queries": 0,
    "temperature": 0.8,
    "top_k": 50,
    "top_p": 1.0,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "batch_size": 4,
    "dtype": "float32",
    "seed": 9,
    "ignore_eos": False,
}
ASKED = [f"{first} {second}" for first, second in zip(WORDS, WORDS[4:], strict=False)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two models, one of them called tuned, and ten validation queries."""
    folder = tmp_path_factory.mktemp("generate")
    for name, seed in (("base", 1), ("tuned", 2)):
        save_base(folder / name, seed=seed, n_embd=16)
    write_asked(folder / "queries.parquet", ASKED)
    return folder


def write_asked(path, queries):
    """Write each query in both splits: t0, v0, t1, ..."""
    asked = [(split, query) for query in queries for split in ("train", "validation")]
    ids = [f"{split[0]}{number // 2}" for number, (split, _) in enumerate(asked)]
    write_queries(path, [(*each, [("a passage",)]) for each in asked], ids)


@pytest.fixture
def run(folder, tmp_path):
    """Return a function that runs the stage and returns its rows and metrics."""

    def run_with(queries=folder / "queries.parquet", **options):
        words = [str(queries), str(folder / "tuned"), str(folder / "base")]
        words += [str(tmp_path / "generated.parquet"), "--metrics", str(tmp_path / "metrics.json")]
        words += option_words(OPTIONS | options)
        result = CliRunner().invoke(generate.app, words, catch_exceptions=False)
        if result.exit_code:
            return result
        metrics = json.loads((tmp_path / "metrics.json").read_text())
        return read_table(tmp_path / "generated.parquet"), metrics

    return run_with


@pytest.mark.parametrize("name", ["tuned", "base"])
def test_every_validation_query_gets_the_chosen_models_tokens(folder, run, name):
    rows, _ = run(model=name)
    model, tokenizer = load_causal_model(folder / name).eval(), load_tokenizer(folder / name)
    decoding = Decoding(12, 0.8, 50, 1.0, 1, 1.0, 9)
    ids = [f"v{number}" for number in range(10)]
    prompts = encode_prompts(tokenizer, ASKED)
    tokens, finished = decode(model, prompts, ids, decoding, {tokenizer.eos_token_id}, 1)
    assert rows.schema == generate.SAMPLES
    assert rows["query_id"].to_list() == ids
    assert rows["query"].to_list() == ASKED
    assert rows["prompt"].to_list() == [f"{query}\n" for query in ASKED]
    assert rows["tokens"].to_list() == tokens
    assert rows["finished"].to_list() == finished


def test_bfloat16_texts_are_those_of_the_model_in_bfloat16(folder, run):
    import torch

    rows, _ = run(dtype="bfloat16", temperature=0.0)
    model, tokenizer = load_causal_model(folder / "tuned").eval(), load_tokenizer(folder / "tuned")
    prompts = encode_prompts(tokenizer, ASKED)
    decoding = Decoding(12, 0.0, 50, 1.0, 1, 1.0, 9)
    arguments = prompts, ASKED, decoding, {tokenizer.eos_token_id}, 4
    rough = decode(model.to(torch.bfloat16), *arguments)[0]
    assert rows["tokens"].to_list() == rough


def test_the_two_models_write_different_texts(run):
    tuned, base = run()[0], run(model="base")[0]
    assert not tuned["tokens"].equals(base["tokens"])


def test_metrics_count_the_rows(run):
    rows, metrics = run(cap=100, temperature=4.0, top_k=0)
    assert 0 < sum(rows["finished"]) < 10
    assert metrics == {
        "queries": 10,
        "finished_rate": sum(rows["finished"]) / 10,
        "mean_new_tokens": sum(map(len, rows["tokens"])) / 10,
    }


@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}])
def test_batch_size_and_number_of_queries_change_no_text(run, options):
    rows, _ = run(**options)
    assert run(batch_size=32, **options)[0].equals(rows)
    few = run(n_queries=5, **options)[0]
    assert few.height == 5 and few.equals(rows.filter(pl.col("query_id").is_in(few["query_id"])))


def test_samples_of_a_query_are_texts_of_their_own_and_the_first_is_what_one_alone_is(run):
    options = {"temperature": 2.0, "top_k": 0}
    alone, (rows, metrics) = run(**options)[0], run(n_samples=3, **options)
    assert rows.select("query_id", "sample").rows() == [
        (f"v{number}", sample) for number in range(10) for sample in range(3)
    ]
    assert rows.filter(sample=0).equals(alone)
    assert rows.n_unique("tokens") == 30
    assert run(n_samples=3, batch_size=32, **options)[0].equals(rows)
    assert run(n_samples=2, **options)[0].equals(rows.filter(pl.col("sample") < 2))
    assert metrics["queries"] == 10


@pytest.mark.parametrize(
    ("options", "said"),
    [({"temperature": 0.0}, "temperature=0"), ({"num_beams": 3}, "num_beams=3")],
)
def test_several_texts_that_would_be_one_are_refused(run, tmp_path, options, said):
    with pytest.raises(InputError, match=rf"gen\.n_samples=2 with gen\.{said}.*be the same"):
        run(n_samples=2, **options)
    assert list(tmp_path.iterdir()) == []


def test_entity_and_topic_of_a_query_are_its_texts_and_null_where_not_known(folder, run, tmp_path):
    assert run()[0]["topic"].null_count() == 10
    queries = read_table(folder / "queries.parquet").with_columns(topic=pl.lit("dog"))
    write_table(tmp_path / "q.parquet", [queries], QUERY_SCHEMA)
    rows = run(tmp_path / "q.parquet", n_samples=2)[0]
    assert rows["topic"].to_list() == ["dog"] * 20 and rows["entity"].null_count() == 20


def test_a_shorter_cap_gives_the_beginning_of_the_longer_text(run):
    long, short = run(cap=30)[0], run(cap=10)[0]
    assert short["tokens"].to_list() == [row[:10] for row in long["tokens"].to_list()]
    assert short["finished"].to_list() == [
        finished and len(row) < 10
        for finished, row in zip(long["finished"], long["tokens"].to_list(), strict=True)
    ]


def test_texts_driven_on_fill_the_cap_and_keep_their_end_of_text(folder, run):
    end = load_tokenizer(folder / "tuned").eos_token_id
    options = {"cap": 100, "temperature": 4.0, "top_k": 0}
    stopped, _ = run(**options)
    driven, metrics = run(ignore_eos=True, **options)
    assert driven.schema == generate.SAMPLES
    assert driven.drop("tokens").equals(stopped.drop("tokens"))
    for short, finished, long in zip(
        stopped["tokens"], stopped["finished"], driven["tokens"].to_list(), strict=True
    ):
        assert len(long) == 100
        assert long[: len(short) + 1] == [*short, end][:100] if finished else long == [*short]
    assert metrics["mean_new_tokens"] == 100
    assert 0 < metrics["finished_rate"] == stopped["finished"].mean() < 1


def test_a_shorter_forced_cap_gives_the_beginning_too(run):
    long, short = run(cap=30, ignore_eos=True)[0], run(cap=10, ignore_eos=True)[0]
    assert short["tokens"].to_list() == [row[:10] for row in long["tokens"].to_list()]


def test_beams_are_written_like_any_text(run):
    rows, _ = run(num_beams=3, cap=6)
    assert rows.height == 10
    assert rows["tokens"].list.len().max() <= 6


def test_a_query_too_long_for_the_model_is_named_and_nothing_is_written(run, tmp_path):
    write_asked(tmp_path / "queries.parquet", [*ASKED, "tower " * 120])
    with pytest.raises(InputError, match=r"prompt v10: its [0-9]+ tokens.*gen\.cap=12"):
        run(tmp_path / "queries.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["queries.parquet"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("model", "tunde"), ("cap", 0), ("temperature", -1), ("top_p", 1.5), ("num_beams", "two")],
)
def test_a_misspelt_or_out_of_range_option_is_refused(run, tmp_path, option, value):
    result = run(**{option: value})
    assert result.exit_code == 2
    assert option.replace("_", "-") in result.output.replace("_", "-")
    assert list(tmp_path.iterdir()) == []
