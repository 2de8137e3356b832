"""The audit: what each number says of texts whose rows are written down by hand."""

import json
import math

import numpy as np
import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

from genlab.core.params import flatten
from genlab.core.tables import read_table, write_table
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.ranking import audit
from genlab.ranking.lengths import LENGTH_SCHEMA
from genlab.statistics import correlation
from stages import audit as stage
from stages import generate
from tests.tiny_models import WORDS, save_base

RNG = np.random.default_rng(6)


def length_rows(texts, ranker="r", stop="honoured"):
    """Return LENGTH_SCHEMA rows of {query: {max_len: (n_tokens, finished, score, location)}}."""
    lengths = list(next(iter(texts.values())))
    rows = [
        {"query_id": query, "ranker": ranker, "stop": stop, "max_len": length, "n_unread": 0}
        | dict(zip(("n_tokens", "finished", "score", "location"), of_text[length], strict=True))
        for length in lengths
        for query, of_text in texts.items()
    ]
    return pl.DataFrame(rows, schema=LENGTH_SCHEMA).with_columns(sample=pl.lit(0, pl.Int64))


# Query a: 25 tokens, best at 10. Query b: 12 tokens, best whole. Query c: no token at all.
HONOURED = {
    "a": {10: (10, False, 0.9, 1.0), 20: (20, False, 0.5, 3.0), 30: (25, True, 0.5, 3.0)},
    "b": {10: (10, False, 0.1, 9.0), 20: (12, True, 0.6, 2.0), 30: (12, True, 0.6, 2.0)},
    "c": {10: (0, True, 0.0, 10.0), 20: (0, True, 0.0, 10.0), 30: (0, True, 0.0, 10.0)},
}


def test_the_best_prefix_is_the_shortest_of_the_highest_score():
    found = audit.best_prefixes(length_rows(HONOURED))
    assert found.rows() == [
        ("a", "r", 25, True, 3.0, 10, 1.0),
        ("b", "r", 12, True, 2.0, 12, 2.0),
        ("c", "r", 0, True, 10.0, 0, 10.0),
    ]


def test_best_prefixes_are_found_for_each_ranker_on_its_own():
    other = {
        query: {n: (t, f, -score, place) for n, (t, f, score, place) in of_text.items()}
        for query, of_text in HONOURED.items()
    }
    both = pl.concat([length_rows(HONOURED), length_rows(other, ranker="s")])
    found = audit.best_prefixes(both)
    assert found["ranker"].to_list() == ["r"] * 3 + ["s"] * 3
    assert found["best_prefix_tokens"].to_list() == [10, 12, 0, 20, 10, 0]


def test_places_lost_are_counted_from_the_best_prefix_and_from_the_best_fixed_length():
    rows = length_rows(HONOURED)
    found = audit.audit_prefixes(audit.best_prefixes(rows), rows, seed=1)
    difference = found.pop("best_fixed_places_lost")
    assert found == pytest.approx(
        {
            "whole_loc": 15 / 3,
            "best_prefix_loc": 13 / 3,
            "best_prefix_places_lost": 2 / 3,
            "best_prefix_share": (10 / 25 + 1 + 1) / 3,
            "best_prefix_shorter_rate": 1 / 3,
            # Mean places 20/3, 5, 5: the shorter of the two best lengths.
            "best_fixed_len": 20,
            # b's best length is 20, so a is measured at 20 and c too; that of a and c is 10: b.
            "best_fixed_loc": (3 + 9 + 10) / 3,
        }
    )
    assert difference["value"] == pytest.approx((15 - 22) / 3)
    assert difference["low"] <= -7 / 3 <= difference["high"]


def test_noise_has_better_prefixes_but_no_better_fixed_length():
    scores = RNG.normal(size=(20, 400))
    places = 6 - scores
    texts = {
        f"q{i}": {10 * k: (10 * k, False, scores[k - 1, i], places[k - 1, i]) for k in range(1, 21)}
        for i in range(400)
    }
    rows = length_rows(texts)
    found = audit.audit_prefixes(audit.best_prefixes(rows), rows, seed=1)
    # The largest of 20 normal numbers is 1.87 on average.
    assert found["best_prefix_places_lost"] == pytest.approx(1.87, abs=0.15)
    assert found["best_fixed_places_lost"]["low"] < 0 < found["best_fixed_places_lost"]["high"]


def test_a_single_query_has_no_fair_best_length():
    rows = length_rows({"a": HONOURED["a"]})
    found = audit.audit_prefixes(audit.best_prefixes(rows), rows, seed=1)
    assert set(found) == {
        "whole_loc",
        "best_prefix_loc",
        "best_prefix_places_lost",
        "best_prefix_share",
        "best_prefix_shorter_rate",
    }


def test_honoured_and_forced_are_compared_on_the_same_queries_at_the_longest_common_length():
    forced = {
        "a": {10: (10, False, 0.9, 1.0), 20: (20, False, 0.5, 3.0)},
        "b": {10: (10, False, 0.1, 9.0), 20: (20, True, 0.2, 8.0)},
    }
    rows = pl.concat([length_rows(HONOURED), length_rows(forced, stop="forced")])
    found = audit.compare_stops(rows, seed=1)
    assert found == {
        "honoured_loc": 2.5,
        "forced_loc": 5.5,
        # Of two values one differs: Clopper and Pearson's upper end is sqrt(0.975), 6 times that.
        "forced_minus_honoured": {"value": 3.0, "low": 0.0, "high": pytest.approx(5.92453)},
        "forced_len": 20,
        "n_forced": 2,
    }


def test_copies_of_a_query_in_its_topic_tell_the_audit_no_more_than_one():
    rng = np.random.default_rng(4)
    texts = {
        f"q{i:02}": {n: (n, True, rng.random(), float(rng.integers(1, 11))) for n in (10, 20)}
        for i in range(16)
    }
    rows = pl.concat([length_rows(texts), length_rows(texts, stop="forced")])
    is_forced = pl.col("stop") == "forced"
    rows = rows.with_columns(
        location=pl.when(is_forced).then(11 - pl.col("location")).otherwise(pl.col("location")),
        n_candidates=10,
        topic=pl.col("query_id"),
    )
    parts = rows.partition_by("stop", "max_len", maintain_order=True)
    # Twice each pair of neighbours, so that both halves of the queries stay what they are.
    twice = pl.concat(
        own.with_columns(query_id=pl.format("{} {}", "query_id", pl.lit(copy)))
        for own in parts
        for copy in "ab"
    )
    found = []
    for each in (rows, twice):
        of_texts = audit.best_prefixes(each.filter(stop="honoured"))
        losses = of_texts["query_id"].str.slice(1, 2).cast(pl.Float64) % 5
        found.append(audit.audit_ranker(of_texts.with_columns(mean_loss=losses), each, seed=1))
    one, two = found
    assert (one["n_correlated"], two["n_correlated"], one["n_topics"]) == (16, 32, 16)
    for name in ("best_fixed_places_lost", "forced_minus_honoured", "loss_correlation"):
        assert two[name] == pytest.approx(one[name], abs=1e-9), name


def test_shares_of_texts_that_all_agree_are_as_unsure_as_their_topics_are_few():
    honoured = pl.DataFrame({"finished": [True] * 60, "tokens": [[1, 2]] * 60})
    texts = pl.DataFrame({"holds_query": [False] * 60, "asks_again": [False] * 60})
    by_topic = honoured.with_columns(topic=pl.Series([f"t{i % 12}" for i in range(60)]))
    plain = audit.summarize_texts(honoured, texts, seed=1)["texts"]
    assert plain["finished_rate"]["low"] == pytest.approx(0.9398, abs=1e-4)  # Wilson's of 60
    found = audit.summarize_texts(by_topic, texts, seed=1)
    # Clopper and Pearson's of 12 topics: 0.025 ** (1 / 12).
    ends = {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 12)), "high": 1.0}
    assert found["texts"]["finished_rate"] == ends
    assert found["forced_texts"]["asks_again_rate"]["high"] == pytest.approx(1 - 0.025 ** (1 / 12))
    assert found["texts"]["n_topics"] == found["forced_texts"]["n_topics"] == 12


def test_beams_of_different_caps_are_not_compared():
    honoured = length_rows({"a": {30: (25, True, 0.5, 3.0)}})
    forced = length_rows({"a": {20: (20, False, 0.5, 3.0)}}, stop="forced")
    assert audit.compare_stops(pl.concat([honoured, forced]), seed=1) == {}


def test_unread_shares_are_those_of_the_whole_texts():
    rows = pl.concat(
        [length_rows(HONOURED), length_rows({"a": {30: (30, True, 0.5, 3.0)}}, stop="forced")]
    )
    at_30 = pl.col("max_len") == 30
    unread = (
        pl.when(at_30 & (pl.col("stop") == "forced"))
        .then(40)  # of a tokenizer that cuts finer: not more than all
        .when(at_30 & (pl.col("query_id") == "a"))
        .then(5)
        .otherwise(0)
    )
    assert audit.measure_unread(rows.with_columns(n_unread=unread)) == pytest.approx(
        {
            "unread_share": (5 / 25 + 0 + 0) / 3,
            "unread_rate": 1 / 3,
            "forced_unread_share": 1.0,
            "forced_unread_rate": 1.0,
        }
    )


@pytest.mark.parametrize("n_values", [3, 1000])  # many ties, and few
def test_the_rank_correlation_is_scipys(n_values):
    a = RNG.integers(0, n_values, 60)
    b = a + RNG.integers(0, n_values, 60)
    value, low, high = correlation.correlate_ranks(a, b, seed=1, n_resamples=500)
    assert value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert -1 <= low < value < high <= 1


def test_a_resample_is_ranked_like_the_values_it_repeats():
    a, b = RNG.integers(0, 5, 30), RNG.normal(size=30)
    counts = RNG.multinomial(30, np.full(30, 1 / 30), 4)
    found = correlation.correlate_counted(a, b, counts.astype(float))
    for row, value in zip(counts, found, strict=True):
        assert value == pytest.approx(stats.spearmanr(a.repeat(row), b.repeat(row)).statistic)


def test_the_interval_is_that_of_scipys_bootstrap():
    a = RNG.normal(size=80)
    b = a + RNG.normal(size=80)
    _, low, high = correlation.correlate_ranks(a, b, seed=1)
    other = stats.bootstrap(
        (a, b),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert (low, high) == pytest.approx((other.low, other.high), abs=0.03)


@pytest.mark.parametrize(("a", "b"), [([1, 2, 3], [4, 4, 4]), ([1], [2]), ([], [])])
def test_a_correlation_with_what_does_not_vary_is_not_defined(a, b):
    assert np.isnan(correlation.correlate_ranks(np.array(a), np.array(b), seed=1)).all()


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("is white. where is the lake\nthe lake is", False),  # eight words: a statement's line
        ("it is white.\nwhere is the lake\nthe lake is", True),
        ("where is the lake\n", True),
        ("where is the lake", False),  # a prompt ends in a line break
        ("the lake is white.\nit is deep.\n", False),
        ("\n\n", False),
        ("", False),
    ],
)
def test_a_query_inside_a_text_is_a_short_line_that_is_no_statement(text, holds):
    assert audit.holds_query(text, max_words=5) is holds


@pytest.mark.parametrize(
    ("tokens", "after"), [([5, 0, 6, 0, 7], [6, 0, 7]), ([5, 6], []), ([5, 0], []), ([], [])]
)
def test_what_stands_after_the_first_end_of_text(tokens, after):
    assert audit.after_end(tokens, {0, 9}) == after


def test_the_curve_tells_cut_texts_from_finished_ones(monkeypatch):
    monkeypatch.setattr(audit, "FEWEST_TEXTS", 2)
    two = pl.concat([length_rows(HONOURED), length_rows(HONOURED, ranker="s")])
    two = two.with_columns(n_candidates=pl.lit(10))
    # At 10 one text has finished, at 20 one is cut and at 30 none: too few for a mean.
    assert audit.split_curve(two) == [
        {"ranker": ranker, "texts": texts, "max_len": length, "average_loc": place}
        | {"n": n, "chance": 6.0}
        for ranker in "rs"
        for texts, length, place, n in (
            ("cut", 10, 5.0, 2),
            ("finished", 20, 6.0, 2),
            ("finished", 30, 5.0, 3),
        )
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base") / "base", n_embd=16)


@pytest.fixture
def run(tmp_path, base):
    """Return a function that runs the stage on texts and returns rows, metrics and curve.

    texts: {query id: (honoured tokens, finished, forced tokens)}; scores and places are random.
    """

    def run_with(texts):
        honoured = pl.DataFrame(
            [
                {"query_id": query, "sample": 0, "query": "old tower", "prompt": "old tower\n"}
                | {"tokens": tokens, "finished": finished}
                for query, (tokens, finished, _) in texts.items()
            ],
            schema=generate.SAMPLES,
        )
        forced = honoured.with_columns(
            tokens=pl.Series([of_text[2] for of_text in texts.values()], dtype=pl.List(pl.Int32))
        )
        rng = np.random.default_rng(3)
        rows = [
            length_rows(
                {
                    query: {
                        n: (min(n, len(tokens)), len(tokens) < n, rng.random(), rng.integers(1, 9))
                        for n in (4, 20)
                    }
                    for query, tokens in zip(texts, table["tokens"], strict=True)
                },
                ranker,
                stop,
            )
            for ranker in ("r", "s")
            for stop, table in (("honoured", honoured), ("forced", forced))
        ]
        write_table(tmp_path / "honoured.parquet", [honoured], generate.SAMPLES)
        write_table(tmp_path / "forced.parquet", [forced], generate.SAMPLES)
        write_table(tmp_path / "lengths.parquet", rows, LENGTH_SCHEMA)
        words = [str(tmp_path / f"{name}.parquet") for name in ("honoured", "forced", "lengths")]
        words += [str(base), str(tmp_path / "audit.parquet"), "--metrics", str(tmp_path / "m.json")]
        words += ["--curve", str(tmp_path / "c.json"), "--batch_size", "4", "--seed", "1"]
        CliRunner().invoke(stage.app, words, catch_exceptions=False)
        metrics, curve = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "mc")
        return read_table(tmp_path / "audit.parquet"), metrics, curve

    return run_with


def test_every_text_has_its_loss_after_an_end_of_text_and_its_lines_read(run, base):
    import torch

    tokenizer, model = load_tokenizer(base), load_causal_model(base).eval()
    end = tokenizer.eos_token_id
    said, asks = tokenizer.encode("the red stone"), tokenizer.encode("old river\n")
    texts = {
        "a": (said, True, [*said, end, *asks]),
        "b": ([*asks, *said], False, [*asks, *said]),
        "c": ([], True, [end, *said]),
    }
    rows, metrics, curve = run(texts)
    assert rows.schema == stage.SCHEMA
    assert rows["query_id"].to_list() == ["a", "b", "c"] * 2
    for query, ranker in (("a", 0), ("b", 1)):
        ids = torch.tensor([[end, *texts[query][0]]])
        with torch.inference_mode():
            loss = float(model(ids, labels=ids).loss)
        row = rows.filter(pl.col("query_id") == query).row(ranker, named=True)
        assert row["mean_loss"] == pytest.approx(loss, rel=1e-5)
        assert row["perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)
    assert rows["mean_loss"][2] is None and rows["perplexity"][2] is None
    assert rows["holds_query"].to_list()[:3] == [False, True, False]
    assert rows["asks_again"].to_list()[:3] == [True, None, False]
    n = [len(texts[query][0]) for query in "ab"]
    losses = rows["mean_loss"].to_list()
    assert metrics["texts"]["perplexity"] == pytest.approx(
        math.exp((n[0] * losses[0] + n[1] * losses[1]) / sum(n))
    )
    assert metrics["texts"]["finished_rate"]["value"] == pytest.approx(2 / 3)
    assert metrics["texts"]["finished_rate"]["low"] == pytest.approx(0.2077, abs=1e-4)  # Wilson's
    assert metrics["texts"]["holds_query_rate"]["value"] == pytest.approx(1 / 3)
    assert metrics["texts"]["mean_new_tokens"] == pytest.approx(sum(n) / 3)
    assert metrics["forced_texts"]["asks_again_rate"]["value"] == 0.5
    assert metrics["forced_texts"]["n_past_end"] == 2
    assert metrics["r"]["n_correlated"] == 2
    assert curve == []  # too few texts for a mean


def test_texts_without_end_without_tokens_or_without_company_give_finite_numbers(run):
    word = [40, 41, 42, 43, 44, 45, 46, 47]
    for texts in (
        {query: (word, False, word) for query in "abc"},
        {query: ([], True, [0] * 8) for query in "abc"},
        {"a": (word[:3], True, [*word[:3], 0, *word[:4]])},
    ):
        _, metrics, _ = run(texts)
        for numbers in metrics.values():
            assert all(map(math.isfinite, flatten(numbers, lists=True).values()))
        assert metrics["texts"]["n_texts"] == len(texts)
        assert {"whole_loc", "forced_loc", "unread_share"} <= set(metrics["r"])
    assert "loss_correlation" not in metrics["r"]


def test_the_same_input_gives_the_same_bytes(run, tmp_path):
    texts = {word: ([40, 41, 42], True, [40, 41, 42, 0, 43, 44, 45, 46]) for word in WORDS}
    written = []
    for _ in range(2):
        run(texts)
        written.append([(tmp_path / name).read_bytes() for name in ("audit.parquet", "m.json")])
    assert written[0] == written[1]
