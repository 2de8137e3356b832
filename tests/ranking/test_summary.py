"""Scoring: cuts by token count, one call of the ranker, and numbers with their references."""

import json
from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.models.token_texts import check_blanks, check_lengths, cut_texts, decode_texts
from genlab.ranking import places
from genlab.ranking.candidates import SCHEMA, read_candidates, score_candidates
from genlab.ranking.lengths import (
    LENGTH_SCHEMA,
    curve_lengths,
    cut_at_lengths,
    length_curve,
    place_cuts,
    unique_pairs,
)
from genlab.ranking.rankers import Ranker, RankerKind, finite_relevance, none_unread
from genlab.ranking.summary import place_histogram, summarize_with_references, table_of
from genlab.statistics.intervals import bootstrap_interval
from stages import generate, lengths, score
from tests.option_words import option_words
from tests.tiny_models import WORDS, make_tokenizer
from tests.tiny_rankers import constant, shared_words

RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(400)


@pytest.fixture(scope="module")
def generated(tokenizer):
    """Twelve texts of 0 to 11 tokens; those of an even number of tokens are finished."""
    return pl.DataFrame(
        [
            {
                "query_id": f"q{number}",
                "sample": 0,
                "query": f"{WORDS[number]} tower",
                "prompt": f"{WORDS[number]} tower\n",
                "tokens": [tokenizer(WORDS[(number + k) % 14])["input_ids"][0] for k in range(n)],
                "finished": n % 2 == 0,
            }
            for number, n in enumerate(RNG.permutation(12).tolist())
        ],
        schema=generate.SAMPLES,
    )


@pytest.fixture(scope="module")
def forced(generated, tokenizer):
    """The same texts driven on to 11 tokens, past an end-of-text where they were finished."""
    further = [tokenizer(word)["input_ids"][0] for word in WORDS]
    return generated.with_columns(
        tokens=pl.Series(
            [
                [*row, *[tokenizer.eos_token_id] * finished, *further][:11]
                for row, finished in zip(
                    generated["tokens"].to_list(), generated["finished"], strict=True
                )
            ],
            dtype=pl.List(pl.Int32),
        )
    )


@pytest.fixture(scope="module")
def queries(generated):
    """The same queries with 2 to 10 passages each; every third query is unanswerable."""
    return pl.DataFrame(
        [
            {
                "query_id": query_id,
                "query": query,
                "passages": [
                    {
                        "text": " ".join(RNG.choice(WORDS, 5)),
                        "is_selected": number % 3 > 0 and k == 1,
                    }
                    for k in range(2 + number % 9)
                ],
                "split": "validation",
            }
            for number, (query_id, query) in enumerate(
                generated.select("query_id", "query").iter_rows()
            )
        ],
        schema=QUERY_SCHEMA,
    )


@pytest.mark.parametrize(("max_len", "cap", "num_beams"), [(50, 300, 1), (300, 300, 1), (9, 9, 4)])
def test_lengths_up_to_the_cap_and_beams_at_the_cap_can_be_cut(max_len, cap, num_beams):
    check_lengths(max_len, cap, num_beams)


def test_a_length_above_the_cap_says_what_to_raise():
    with pytest.raises(InputError, match=r"gen\.max_len=301 .* gen\.cap=300 .* raise gen\.cap"):
        check_lengths(301, 300, 1)


def test_a_beam_cut_short_says_what_to_set():
    with pytest.raises(
        InputError, match=r"gen\.num_beams=4 needs gen\.max_len=50 equal to gen\.cap=300"
    ):
        check_lengths(50, 300, 4)


def test_texts_are_cut_by_new_tokens_and_the_prompt_does_not_count(tokenizer):
    tokens = [tokenizer(text)["input_ids"] for text in ("red river bridge", "old")]
    assert [len(row) for row in tokens] == [3, 1]
    table = pl.DataFrame({"prompt": ["a long prompt\n", "q\n"], "tokens": tokens})
    cut = partial(cut_texts, table, tokenizer)
    assert cut(2, strip_query=True) == ["red river", "old"]
    assert cut(9, strip_query=True) == ["red river bridge", "old"]
    assert cut(2, strip_query=False) == ["a long prompt\n red river", "q\n old"]
    assert cut(1, strip_query=False) == ["a long prompt\n red", "q\n old"]


def test_a_cut_in_the_middle_of_a_word_or_of_a_character_is_kept_as_it_is(tokenizer):
    tokens = tokenizer("zé")["input_ids"]
    assert len(tokens) == 4  # space, z, and the two bytes of é
    table = pl.DataFrame({"prompt": ["q\n"], "tokens": [tokens]})
    assert cut_texts(table, tokenizer, 3, strip_query=True) == ["z\N{REPLACEMENT CHARACTER}"]
    assert cut_texts(table, tokenizer, 4, strip_query=True) == ["zé"]


def test_a_text_of_no_tokens_is_empty_or_its_prompt(tokenizer):
    table = pl.DataFrame(
        {"prompt": ["q\n"], "tokens": [[]]},
        schema={"prompt": pl.String, "tokens": pl.List(pl.Int32)},
    )
    assert cut_texts(table, tokenizer, 5, strip_query=True) == [""]
    assert cut_texts(table, tokenizer, 5, strip_query=False) == ["q"]


def test_blank_texts_are_counted_out_loud_and_refused_above_their_share(capsys):
    check_blanks(["a", " \n", "b", "c"], 0.25)
    assert capsys.readouterr().out == "1 of 4 generated texts are blank\n"
    check_blanks(["a", "b"], 0.0)
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match=r"2 of 3 .* blank, and score.max_blank_share allows 0.5"):
        check_blanks(["a", "", ""], 0.5)


def test_texts_on_both_sides_of_an_end_of_text_are_not_glued(tokenizer):
    [end], river, old = ([tokenizer.eos_token_id], *map(tokenizer.encode, ("red river", "old")))
    rows = [[*river, end, *old], [*river, end, end, *old, end], [end, *old], [end], []]
    for row in rows:
        assert "endoftext" not in decode_texts(tokenizer, [row])[0]
    words = [text.split() for text in decode_texts(tokenizer, rows)]
    assert words == [["red", "river", "old"], ["red", "river", "old"], ["old"], [], []]
    # Without a space before it, the next text would go on the last word.
    letters = tokenizer.convert_tokens_to_ids(["z", "y"])
    assert decode_texts(tokenizer, [[letters[0], end, letters[1]]]) == ["z\ny"]
    assert tokenizer.batch_decode(rows[:1])[0] != decode_texts(tokenizer, rows[:1])[0]


def test_candidates_come_in_the_order_of_the_generated_texts(tmp_path, queries, generated):
    scored = score_candidates(queries, shared_words, seed=1)
    write_table(tmp_path / "r.parquet", [scored.reverse()], SCHEMA)
    assert read_candidates(tmp_path / "r.parquet", generated).equals(scored)
    few = read_candidates(tmp_path / "r.parquet", generated[[5, 2]])
    assert few["query_id"].to_list() == ["q5", "q2"]


def test_a_query_that_was_never_scored_is_named(tmp_path, queries, generated):
    scored = score_candidates(queries, shared_words, seed=1)
    write_table(tmp_path / "r.parquet", [scored[:9]], SCHEMA)
    with pytest.raises(InputError, match=r"no candidate scores for query q9 and 2 more"):
        read_candidates(tmp_path / "r.parquet", generated)


@pytest.mark.parametrize(
    ("step", "cap", "forced_cap", "num_beams", "honoured", "forced"),
    [
        (10, 30, 30, 1, [10, 20, 30], [10, 20, 30]),
        (10, 25, 25, 1, [10, 20, 25], [10, 20, 25]),
        (50, 25, 25, 1, [25], [25]),
        # Both caps are a length of the longer texts, so that the two can be compared there.
        (10, 30, 15, 1, [10, 15, 20, 30], [10, 15]),
        (10, 15, 30, 1, [10, 15], [10, 15, 20, 30]),
        (10, 30, 30, 4, [30], [30]),
        (10, 30, 20, 4, [30], [20]),
    ],
)
def test_the_curve_has_a_point_every_step_and_one_at_each_cap(
    step, cap, forced_cap, num_beams, honoured, forced
):
    expected = {"honoured": honoured, "forced": forced}
    assert curve_lengths(step, cap, forced_cap, num_beams) == expected


def test_a_text_at_a_length_has_its_tokens_and_is_finished_where_its_end_fits(tokenizer):
    end, red = tokenizer.eos_token_id, tokenizer.encode("red")[0]
    honoured = pl.DataFrame(
        [
            {"query_id": "a", "query": "q", "prompt": "q\n", "tokens": [red] * 3, "finished": True},
            {
                "query_id": "b",
                "query": "r",
                "prompt": "r\n",
                "tokens": [red] * 5,
                "finished": False,
            },
            {"query_id": "c", "query": "s", "prompt": "s\n", "tokens": [], "finished": True},
        ],
        schema=generate.SAMPLES,
    ).with_columns(sample=0)
    forced = honoured.with_columns(
        tokens=pl.Series(
            [[red, red, red, end, red], [red] * 5, [end, red, red, end, end]],
            dtype=pl.List(pl.Int32),
        )
    )
    columns = ["query_id", "max_len", "n_tokens", "finished", "text"]
    cut = cut_at_lengths(honoured, tokenizer, "honoured", [3, 4, 5], True, {end})
    assert cut["stop"].unique().to_list() == ["honoured"]
    assert cut.select(columns).rows() == [
        ("a", 3, 3, False, "red red red"),
        ("b", 3, 3, False, "red red red"),
        ("c", 3, 0, True, ""),
        ("a", 4, 3, True, "red red red"),
        ("b", 4, 4, False, "red red red red"),
        ("c", 4, 0, True, ""),
        ("a", 5, 3, True, "red red red"),
        ("b", 5, 5, False, "red red red red red"),
        ("c", 5, 0, True, ""),
    ]
    cut = cut_at_lengths(forced, tokenizer, "forced", [3, 5], True, {end})
    assert cut.select(columns).rows() == [
        ("a", 3, 3, False, "red red red"),
        ("b", 3, 3, False, "red red red"),
        ("c", 3, 3, True, "red red"),
        ("a", 5, 5, True, "red red red\n red"),
        ("b", 5, 5, False, "red red red red red"),
        ("c", 5, 5, True, "red red"),
    ]


def test_only_an_end_of_text_ends_a_text_not_any_special_token(generated, tokenizer):
    row = generated.head(1).with_columns(
        tokens=pl.Series([[7, 8, tokenizer.eos_token_id, 9]], dtype=pl.List(pl.Int32)),
        finished=pl.Series([True]),
    )
    cut = cut_at_lengths(row, tokenizer, "forced", [3, 4], True, {9})
    assert cut["finished"].to_list() == [False, True]


@pytest.mark.parametrize("strip_query", [True, False])
def test_every_length_at_once_equals_every_length_alone(
    generated, forced, queries, tokenizer, strip_query
):
    def n_unread(texts):
        return np.array([max(0, len(text.split()) - 6) for text in texts], dtype=np.int32)

    at = [2, 4, 7, 11]
    candidates = score_candidates(queries, shared_words, seed=1)
    tables = {"honoured": generated, "forced": forced}
    cuts = pl.concat(
        cut_at_lengths(table, tokenizer, stop, at, strip_query, {tokenizer.eos_token_id})
        for stop, table in tables.items()
    )
    asked, written, at_pair = unique_pairs(cuts)
    relevance = shared_words(asked, written)[at_pair]
    rows = place_cuts(
        cuts, candidates, "words", relevance, n_unread(written)[at_pair], legacy=False
    )
    assert rows.schema == LENGTH_SCHEMA
    assert rows.height == 2 * 4 * 12
    for stop, table in tables.items():
        for length in at:
            texts = cut_texts(table, tokenizer, length, strip_query)
            scores = shared_words(table["query"].to_list(), texts)
            alone = places.place(candidates.with_columns(score=pl.Series(scores)))
            found = rows.filter(pl.col("stop") == stop, pl.col("max_len") == length)
            assert found["n_unread"].to_list() == n_unread(texts).tolist()
            for column in ("query_id", "score", "n_candidates", "answerable", "location", "fdaro"):
                assert found[column].to_list() == alone[column].to_list()
    pairs = list(zip(asked, written, strict=True))
    assert len(pairs) == len(set(pairs)) < cuts.height
    assert set(pairs) == set(cuts.select("query", "text").iter_rows())


def test_the_curve_has_a_point_for_every_ranker_stop_and_length_that_there_is():
    # Two queries, places 1 and 3 or 2 and 2, honoured at 2 and 4, forced at 2 alone.
    rows = pl.DataFrame(
        [
            {"query_id": query, "ranker": "r", "stop": stop, "max_len": length}
            | {"location": location, "top_1": float(location == 1), "n_candidates": 10}
            for stop, length, locations in (
                ("honoured", 2, (1.0, 3.0)),
                ("honoured", 4, (2.0, 2.0)),
                ("forced", 2, (4.0, 4.0)),
            )
            for query, location in zip("ab", locations, strict=True)
        ]
    )
    keys = ("stop", "max_len", "average_loc", "low", "high", "top_1")
    # Of places 1 to 11: one of two queries elsewhere leaves room for 98.742 %, none for 84.189 %.
    expected = [
        {"ranker": "r", **dict(zip(keys, values, strict=True)), "chance": 6.0, "n_queries": 2}
        for values in (
            ("honoured", 2, 2.0, 1.0, 1 + 0.98742 * 10, 0.5),
            ("honoured", 4, 2.0, 2 - 0.84189, 2 + 0.84189 * 9, 0.0),
            ("forced", 2, 4.0, 4 - 0.84189 * 3, 4 + 0.84189 * 7, 0.0),
        )
    ]
    for point, known in zip(length_curve(rows, seed=1), expected, strict=True):
        assert {key: value for key, value in point.items() if key not in ("low", "high")} == {
            key: value for key, value in known.items() if key not in ("low", "high")
        }
        assert (point["low"], point["high"]) == pytest.approx(
            (known["low"], known["high"]), abs=1e-3
        )


def test_copies_of_a_query_in_its_topic_tell_the_curve_no_more_than_one():
    rows = pl.DataFrame(
        [
            {"query_id": f"q{i}", "ranker": "r", "stop": "honoured", "max_len": length}
            | {"location": float((i * length) % 7 + 1), "top_1": 0.0, "n_candidates": 10}
            for length in (2, 4)
            for i in range(12)
        ]
    ).with_columns(topic=pl.col("query_id"))
    copied = [
        own.with_columns(query_id=pl.format("{} {}", "query_id", pl.lit(copy)))
        for own in rows.partition_by("max_len", maintain_order=True)
        for copy in range(4)
    ]
    for one, four in zip(length_curve(rows, 1), length_curve(pl.concat(copied), 1), strict=True):
        assert (one.pop("n_queries"), four.pop("n_queries")) == (12, 48)
        assert four == pytest.approx(one, abs=1e-9) and one["n_topics"] == 12


def placed(queries, relevance, scores, legacy=False):
    candidates = score_candidates(queries, relevance, seed=1)
    return places.place(candidates.with_columns(score=scores), legacy=legacy), candidates


@pytest.mark.parametrize("legacy", [False, True])
def test_the_histogram_counts_every_text_of_every_ranker(queries, legacy):
    rows = {
        name: placed(queries, shared_words, RNG.uniform(0, 2, 12).astype(np.float32), legacy)[0]
        for name in ("one", "two")
    }
    points = place_histogram(rows)
    for name, frame in rows.items():
        own = [point for point in points if point["ranker"] == name]
        assert [point["place"] for point in own] == list(range(1, 12))  # ten passages and the text
        assert sum(point["texts"] for point in own) == 12
        assert own[0]["texts"] == (frame["location"] < 2).sum()


@settings(max_examples=20)
@given(st.lists(st.floats(-1, 3, width=32), min_size=12, max_size=12), st.booleans())
def test_every_value_lies_in_its_interval(queries, scores, legacy):
    rows, candidates = placed(queries, shared_words, pl.Series(scores, dtype=pl.Float32), legacy)
    headline, beside = summarize_with_references(rows, candidates, legacy, seed=1)
    assert set(beside) == set(places.METRICS)
    assert headline["n_queries"] == 12 and headline["n_answerable"] == 8
    for metric, numbers in beside.items():
        of_lists = {"value", "low", "high", "chance", "floor"}
        ceiling = set() if metric.startswith("fdaro") else {"ceiling"}
        assert set(numbers) == {*of_lists, *ceiling, "all"} and set(numbers["all"]) == of_lists
        assert numbers["all"]["value"] == headline[metric]
        for each in (numbers, numbers["all"]):
            assert each["low"] - 1e-9 <= each["value"] <= each["high"] + 1e-9


def in_its_order(candidates, rows):
    return rows.select("query_id").join(
        candidates, on="query_id", how="left", maintain_order="left"
    )


def test_an_interval_of_few_topics_is_wider_than_one_of_as_many_queries(queries):
    rows, candidates = placed(queries, shared_words, RNG.uniform(0, 2, 12).astype(np.float32))
    by_topic = rows.sort("location").with_columns(topic=pl.Series(list("aaabbbcccddd")))
    headline, beside = summarize_with_references(
        by_topic, in_its_order(candidates, by_topic), False, seed=1
    )
    alone, plain = summarize_with_references(rows, candidates, False, seed=1)
    assert headline["n_topics"] == 4 and "n_topics" not in alone
    for of_lists in (lambda numbers: numbers, lambda numbers: numbers["all"]):
        wide, narrow = (of_lists(each["average_loc"]) for each in (beside, plain))
        assert wide["value"] == pytest.approx(narrow["value"])
        assert wide["low"] < narrow["low"] and wide["high"] > narrow["high"]


def test_references_are_the_floor_texts_and_the_selected_passages(queries):
    rows, candidates = placed(queries, shared_words, np.zeros(12, np.float32))
    _, beside = summarize_with_references(rows, candidates, False, seed=1)

    def mean_place(scores, lists):
        return np.mean(
            [
                1 + sum(c > s for c in cs) + sum(c == s for c in cs) / 2
                for s, cs in zip(scores, lists, strict=True)
            ]
        )

    lists = candidates["candidate_scores"].to_list()
    answerable = [i for i in range(12) if i % 3]
    floor = candidates["floor_score"].to_list()
    whole = beside["average_loc"]["all"]
    assert whole["floor"] == pytest.approx(mean_place(floor, lists))
    assert whole["value"] == pytest.approx(mean_place([0.0] * 12, lists))
    assert whole["chance"] == pytest.approx(np.mean([len(scores) for scores in lists]) / 2 + 1)
    # One row, one set of lists: the selected passage, second in its list, is out of it.
    without = [lists[i][:1] + lists[i][2:] for i in answerable]
    n_left = np.array([len(scores) for scores in without])
    expected = {
        "value": mean_place([0.0] * 8, without),
        "floor": mean_place([floor[i] for i in answerable], without),
        "ceiling": mean_place([lists[i][1] for i in answerable], without),
        "chance": np.mean(n_left) / 2 + 1,
    }
    for name, value in expected.items():
        assert beside["average_loc"][name] == pytest.approx(value), name
    assert beside["top_1"]["chance"] == pytest.approx(np.mean(1 / (n_left + 1)))


def test_without_any_selected_passage_there_is_no_ceiling(queries):
    none_selected = queries.with_columns(
        pl.col("passages").list.eval(
            pl.struct(pl.element().struct.field("text"), pl.lit(False).alias("is_selected"))
        )
    )
    rows, candidates = placed(none_selected, shared_words, np.zeros(12, np.float32))
    headline, beside = summarize_with_references(rows, candidates, False, seed=1)
    assert headline["n_answerable"] == 0
    assert "fdaro" not in headline and "fdaro" not in beside
    assert set(beside["average_loc"]) == {"value", "low", "high", "chance", "floor", "all"}
    assert all(len(line) <= 100 for line in table_of({"r": beside}).splitlines())


@pytest.fixture
def made_up_rankers(monkeypatch):
    """Let the score programs load and rate with rankers named after functions, in this process."""
    from genlab.ranking import panel, rankers
    from genlab.ranking.panel import rate

    functions = {
        "flat": constant,
        "words": shared_words,
        "broken": lambda queries, texts: np.full(len(texts), np.nan, dtype=np.float32),
    }

    def load_ranker(folder, batch_size):
        relevance = partial(finite_relevance, folder.name, functions[folder.name])
        return Ranker(folder.name, RankerKind.bm25, relevance, none_unread)

    def rate_here(folders, batch_size, queries, texts):
        return {name: rate(folder, batch_size, queries, texts) for name, folder in folders.items()}

    for module in (rankers, panel):
        monkeypatch.setattr(module, "load_ranker", load_ranker)
    for program in (score, lengths):  # made-up rankers are known in this process alone
        monkeypatch.setattr(program, "rate_texts", rate_here)


@pytest.fixture
def stage(tmp_path, monkeypatch, made_up_rankers, queries, generated, forced, tokenizer):
    """Return the folder of a run, and functions that run candidates, texts and lengths in it."""
    write_table(tmp_path / "queries.parquet", [queries], QUERY_SCHEMA)
    write_table(tmp_path / "generated.parquet", [generated], generate.SAMPLES)
    write_table(tmp_path / "forced.parquet", [forced], generate.SAMPLES)
    tokenizer.save_pretrained(tmp_path / "base")
    ends = GenerationConfig(eos_token_id=tokenizer.eos_token_id)
    ends.save_pretrained(tmp_path / "base")
    monkeypatch.chdir(tmp_path)

    def run(app, *words, rankers=(), **options):
        words = [*words, *(f"--rankers={name}" for name in rankers), *option_words(options)]
        return CliRunner().invoke(app, words, catch_exceptions=False)

    def run_candidates(name):
        return run(
            score.app, "candidates", "queries.parquet", f"rankers/{name}",
            f"candidates/{name}.parquet", metrics="quality.json", n_queries=0, batch_size=8, seed=1,
        )  # fmt: skip

    def run_texts(*names, **options):
        values = {
            "metrics": "score.json", "details": "details.json", "histogram": "histogram.json",
            "max_len": 11, "cap": 11, "num_beams": 1, "max_blank_share": 0.5,
            "strip_query": True, "legacy": False, "batch_size": 8, "seed": 1,
        }  # fmt: skip
        return run(
            score.app, "texts", "generated.parquet", "base", "rankers", "candidates",
            "score.parquet", rankers=names, **(values | options),
        )  # fmt: skip

    def run_lengths(*names, **options):
        values = {
            "curve": "lengths.json", "cap": 11, "forced_cap": 11, "num_beams": 1, "step": 4,
            "strip_query": True, "legacy": False, "batch_size": 8, "seed": 1,
        }  # fmt: skip
        return run(
            lengths.app, "generated.parquet", "forced.parquet", "base", "rankers", "candidates",
            "lengths.parquet", rankers=names, **(values | options),
        )  # fmt: skip

    return tmp_path, run_candidates, run_texts, run_lengths


def test_a_constant_ranker_gives_the_values_of_chance(stage, queries):
    folder, run_candidates, run_texts, run_lengths = stage
    run_candidates("flat")
    run_texts("flat")
    found = json.loads((folder / "score.json").read_text())["flat"]
    details = json.loads((folder / "details.json").read_text())["flat"]
    n = queries["passages"].list.len().to_numpy()
    answerable = np.arange(12) % 3 > 0
    expected = {
        "average_loc": ((n + 2) / 2).mean(),
        "average_rel_loc": ((n + 2) / (2 * (n + 1))).mean(),
        **{f"top_{k}": np.minimum(k / (n + 1), 1).mean() for k in (1, 3, 5)},
        "fdaro": 0.5,  # one selected passage each
        "fdaro_any": 0.5,
    }
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(value)
        whole = details[metric]["all"]
        assert whole["chance"] == whole["floor"] == pytest.approx(value)
    assert details["average_loc"]["ceiling"] == pytest.approx(((n[answerable] + 1) / 2).mean())
    assert found["n_queries"] == 12 and found["n_answerable"] == 8 and found["unread_rate"] == 0
    run_lengths("flat")
    points = json.loads((folder / "lengths.json").read_text())
    assert [(point["stop"], point["max_len"]) for point in points] == [
        (stop, length) for stop in ("honoured", "forced") for length in (4, 8, 11)
    ]
    for point in points:
        assert point["average_loc"] == pytest.approx(expected["average_loc"])


def test_every_number_can_be_computed_from_the_rows(stage):
    folder, run_candidates, run_texts, _ = stage
    for name in ("flat", "words"):
        run_candidates(name)
    run_texts("flat", "words", max_len=5)
    rows = read_table(folder / "score.parquet")
    found = json.loads((folder / "score.json").read_text())
    assert set(found) == {"flat", "words", "texts"}
    assert rows.height == 24
    for name in ("flat", "words"):
        of_ranker = rows.filter(pl.col("ranker") == name)
        for metric, column in places.METRICS.items():
            assert found[name][metric] == pytest.approx(of_ranker[column].mean())
    assert found["words"]["average_loc"] != found["flat"]["average_loc"]


def test_the_curve_has_the_numbers_that_score_has_at_that_length(stage):
    folder, run_candidates, run_texts, run_lengths = stage
    run_candidates("words")
    run_lengths("words")
    points = json.loads((folder / "lengths.json").read_text())
    for point in (point for point in points if point["stop"] == "honoured"):
        run_texts("words", max_len=point["max_len"])
        found = json.loads((folder / "score.json").read_text())["words"]
        details = json.loads((folder / "details.json").read_text())["words"]["average_loc"]["all"]
        assert point["average_loc"] == pytest.approx(found["average_loc"])
        assert point["top_1"] == pytest.approx(found["top_1"])
        assert point["low"] == pytest.approx(details["low"])
        assert point["high"] == pytest.approx(details["high"])
        assert point["chance"] == pytest.approx(details["chance"])


def test_the_curve_can_be_computed_from_the_rows(stage, generated):
    folder, run_candidates, _, run_lengths = stage
    for name in ("flat", "words"):
        run_candidates(name)
    run_lengths("words", "flat")
    rows = read_table(folder / "lengths.parquet")
    assert rows.schema == LENGTH_SCHEMA
    assert rows.height == 2 * 2 * 3 * 12
    assert rows["query_id"].head(12).to_list() == generated["query_id"].to_list()
    points = json.loads((folder / "lengths.json").read_text())
    assert len(points) == 2 * 2 * 3
    for point in points:
        at = rows.filter(
            pl.col("ranker") == point["ranker"],
            pl.col("stop") == point["stop"],
            pl.col("max_len") == point["max_len"],
        )
        assert point["average_loc"] == pytest.approx(at["location"].mean())
        assert point["low"] <= point["average_loc"] <= point["high"]


def test_forced_texts_of_queries_that_were_not_generated_are_left_out(stage, generated, forced):
    folder, run_candidates, _, run_lengths = stage
    run_candidates("words")
    run_lengths("words")
    whole = read_table(folder / "lengths.parquet")
    write_table(folder / "generated.parquet", [generated[2:5]], generate.SAMPLES)
    run_lengths("words")
    part = read_table(folder / "lengths.parquet")
    assert part.equals(whole.filter(pl.col("query_id").is_in(["q2", "q3", "q4"])))
    write_table(folder / "forced.parquet", [forced[6:]], generate.SAMPLES)
    with pytest.raises(InputError, match=r"forced\.parquet: no query of generated\.parquet"):
        run_lengths("words")


def test_fewer_and_shorter_forced_texts_leave_the_other_rows_as_they_are(stage, forced):
    folder, run_candidates, _, run_lengths = stage
    run_candidates("words")
    run_lengths("words")
    whole = read_table(folder / "lengths.parquet")
    short = forced.head(4).with_columns(pl.col("tokens").list.head(8))
    write_table(folder / "forced.parquet", [short], generate.SAMPLES)
    run_lengths("words", forced_cap=8)
    part = read_table(folder / "lengths.parquet")
    kept = (pl.col("stop") == "honoured") | (
        pl.col("query_id").is_in(short["query_id"].implode()) & (pl.col("max_len") <= 8)
    )
    assert part.equals(whole.filter(kept))


def test_a_beam_is_ranked_at_its_caps_alone(stage):
    folder, run_candidates, _, run_lengths = stage
    run_candidates("words")
    run_lengths("words", num_beams=3)
    rows = read_table(folder / "lengths.parquet")
    assert rows["max_len"].unique().to_list() == [11]
    points = json.loads((folder / "lengths.json").read_text())
    assert [point["stop"] for point in points] == ["honoured", "forced"]


def test_lengths_of_a_query_that_was_never_scored_names_it_once(stage, queries):
    folder, _, _, run_lengths = stage
    scored = score_candidates(queries, shared_words, seed=1)
    write_table(folder / "candidates" / "words.parquet", [scored[:9]], SCHEMA)
    with pytest.raises(InputError, match=r"no candidate scores for query q9 and 2 more"):
        run_lengths("words")
    assert not (folder / "lengths.json").exists() and not (folder / "lengths.parquet").exists()


@pytest.mark.parametrize("max_len", [1, 4, 11])
def test_text_measures_are_those_of_a_generation_that_stops_at_max_len(stage, generated, max_len):
    folder, run_candidates, run_texts, _ = stage
    run_candidates("flat")
    run_texts("flat", max_len=max_len)
    found = json.loads((folder / "score.json").read_text())["texts"]
    n_tokens = generated["tokens"].list.len().to_list()
    # Generated with this cap, the end-of-text of a text of n tokens would be token n + 1.
    finished = [n + 1 <= max_len and n % 2 == 0 for n in n_tokens]
    assert found["finished_rate"] == sum(finished) / 12
    assert found["mean_new_tokens"] == sum(min(n, max_len) for n in n_tokens) / 12


def test_a_kept_query_is_echoed_by_every_text_and_a_stripped_one_is_not(stage):
    folder, run_candidates, run_texts, _ = stage
    run_candidates("words")
    echo, place = {}, {}
    for strip_query in (True, False):
        run_texts("words", strip_query=strip_query)
        found = json.loads((folder / "score.json").read_text())
        echo[strip_query] = found["texts"]["query_echo_rate"]
        place[strip_query] = found["words"]["average_loc"]
    assert echo[False] == 1.0 > echo[True]
    assert place[False] < place[True]


def test_scores_that_are_not_numbers_are_refused_naming_ranker_and_query(stage):
    folder, run_candidates, run_texts, run_lengths = stage
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match=r"ranker broken: .* NaN or infinite, the first for query"):
        run_candidates("broken")
    assert [path for path in sorted(folder.rglob("*")) if path.name.endswith("partial")] == []
    run_candidates("words")
    (folder / "candidates" / "words.parquet").rename(folder / "candidates" / "broken.parquet")
    for run in (run_texts, run_lengths):
        with pytest.raises(InputError, match=r"ranker broken: [0-9]+ of"):
            run("broken")
    made = [folder / "candidates", folder / "quality.json"]
    assert sorted(folder.iterdir()) == sorted([*before, *made])


def test_nan_among_candidate_scores_is_refused_naming_the_query(stage):
    folder, run_candidates, run_texts, _ = stage
    run_candidates("words")
    path = folder / "candidates" / "words.parquet"
    scored = read_table(path).with_columns(
        candidate_scores=pl.when(pl.col("query_id") == "q4")
        .then(pl.lit([float("nan")] * 6, dtype=pl.List(pl.Float32)))
        .otherwise("candidate_scores")
    )
    write_table(path, [scored], SCHEMA)
    with pytest.raises(InputError, match=r"q4.*candidate_scores missing, NaN or infinite"):
        run_texts("words")


def test_a_length_above_the_cap_is_refused_before_anything_is_written(stage):
    folder, run_candidates, run_texts, _ = stage
    run_candidates("words")
    with pytest.raises(InputError, match=r"gen\.max_len=12"):
        run_texts("words", max_len=12)
    assert not (folder / "score.json").exists() and not (folder / "score.parquet").exists()


def test_the_printed_table_has_a_line_for_every_metric_within_100_columns(stage):
    _, run_candidates, run_texts, _ = stage
    for name in ("flat", "words"):
        run_candidates(name)
    said, *lines = run_texts("flat", "words").stdout.splitlines()
    assert said == "1 of 12 generated texts are blank"
    assert len(lines) == 3 + 2 * len(places.METRICS)
    assert all(len(line) <= 100 for line in lines)


# ---- several texts of a query


def sampled(generated: pl.DataFrame) -> pl.DataFrame:
    """Return two texts of each query: its own, and the next query's tokens."""
    other = generated.with_columns(sample=1, tokens=generated["tokens"].gather([*range(1, 12), 0]))
    return pl.concat(
        [generated, other.match_to_schema(generate.SAMPLES, integer_cast="upcast")]
    ).sort("query_id", "sample", maintain_order=True)


def test_places_of_several_texts_are_averaged_by_query_before_the_interval(stage, generated):
    folder, run_candidates, run_texts, run_lengths = stage
    run_candidates("words")
    both = sampled(generated)
    for name in ("generated", "forced"):
        write_table(folder / f"{name}.parquet", [both], generate.SAMPLES)
    printed = run_texts("words").stdout
    rows = read_table(folder / "score.parquet")
    assert rows.select("query_id", "sample").rows() == both.select("query_id", "sample").rows()
    found = json.loads((folder / "score.json").read_text())["words"]
    whole = json.loads((folder / "details.json").read_text())["words"]["average_loc"]["all"]
    of_queries = rows["location"].to_numpy().reshape(12, 2)
    assert found["n_queries"] == 12 and found["n_answerable"] == 8
    assert found["average_loc"] == whole["value"] == pytest.approx(of_queries.mean())
    last = rows["n_candidates"].max() + 1.0
    ends = bootstrap_interval(of_queries.mean(axis=1), seed=1, bounds=(1.0, last))
    assert (whole["low"], whole["high"]) == pytest.approx(ends)
    within = of_queries.var(axis=1, ddof=1).mean()
    assert whole["within"] == pytest.approx(within)
    between = max(0.0, of_queries.mean(axis=1).var(ddof=1) - within / 2)
    assert whole["between"] == pytest.approx(between)
    bought = printed[printed.index("between queries") :].splitlines()
    assert bought[2].split()[-4:] == ["k=1", "k=2", "k=4", "k=all"]
    parts = [between + within / k for k in (1, 2, 4, np.inf)]
    widths = [f"{2 * 1.959964 * np.sqrt(each / 12):.3f}" for each in parts]
    assert bought[3].split() == ["words", "average_loc", f"{between:.4f}", f"{within:.4f}", *widths]
    run_lengths("words")
    assert read_table(folder / "lengths.parquet").height == 2 * 3 * 24
    last_point = json.loads((folder / "lengths.json").read_text())[2]
    assert last_point["average_loc"] == pytest.approx(found["average_loc"])
    assert (last_point["low"], last_point["high"]) == pytest.approx(ends)


def test_with_one_text_a_query_the_sample_says_nothing_of_itself(stage):
    folder, run_candidates, run_texts, _ = stage
    run_candidates("words")
    assert "k=" not in run_texts("words").stdout
    assert set(read_table(folder / "score.parquet")["sample"]) == {0}
