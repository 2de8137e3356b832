"""Altered passages: their texts, their slots, what is asked of which ranker, and their places."""

import numpy as np
import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.core.progress import counted_by
from genlab.core.tables import QUERY_SCHEMA
from genlab.ranking.candidates import passages_of_others, score_candidates
from pipelines.rankers import remembered
from pipelines.rankers.altered_texts import SCHEMA as SCHEMA_OF_TEXTS
from pipelines.rankers.altered_texts import Alterations, alter, check_alterations, sizes
from pipelines.rankers.drawn_units import drawn
from pipelines.rankers.examples import find_examples
from pipelines.rankers.probing import SCHEMA, Kind, find_kind, place_texts, score_texts
from pipelines.rankers.summary import count_drawn, headline_rows, ladder, measure

HOW = Alterations(n_queries=0, repeats=[1, 2, 8], cut_words=[3, 50], seed=4)


def queries_of(n: int = 8) -> pl.DataFrame:
    """Return n queries; the last has no selected passage. Passage 1 is on topic, 2 is not."""
    return pl.DataFrame(
        [
            {
                "query_id": f"q{i}",
                "query": f"how deep lake{i}",
                "passages": [
                    {
                        "text": f"the lake{i} is {i}5 m deep near Lima{'x' * i} in Peru{'x' * i}. "
                        "Truly so.",
                        "is_selected": i < n - 1,
                    },
                    {"text": f"how to swim in lake{i} with many boats", "is_selected": False},
                    {"text": f"a recipe of {i} eggs and flour", "is_selected": False},
                ],
                "split": "validation",
            }
            for i in range(n)
        ],
        schema=QUERY_SCHEMA,
    )


def shared_words(queries: list[str], texts: list[str]) -> np.ndarray:
    """Return the share of a text's words that the query has: no order, no symmetry."""
    shares = [
        sum(word in query.split() for word in text.split()) / (len(text.split()) or 1)
        for query, text in zip(queries, texts, strict=True)
    ]
    return np.array(shares, dtype=np.float32)


def first_word(queries: list[str], texts: list[str]) -> np.ndarray:
    """Return 1 where a text begins as its query does, and a bit for length: order counts."""
    starts = [q.split()[0] == (t.split() or [""])[0] for q, t in zip(queries, texts, strict=True)]
    lengths = np.array([len(text) / 1000 for text in texts])
    return (np.array(starts) + lengths).astype(np.float32)


def overlap(queries: list[str], texts: list[str]) -> np.ndarray:
    """Return Jaccard's overlap of words: symmetric."""
    pairs = [(set(q.split()), set(t.split())) for q, t in zip(queries, texts, strict=True)]
    return np.array([len(a & b) / (len(a | b) or 1) for a, b in pairs], dtype=np.float32)


@pytest.fixture(scope="module")
def texts() -> pl.DataFrame:
    return alter("lakes", queries_of(), 5, HOW)


def text_of(texts: pl.DataFrame, query_id: str) -> dict[str, str]:
    own = texts.filter(pl.col("query_id") == query_id)
    return dict(own.select("probe", "text").iter_rows())


def test_every_slot_has_its_baseline_and_what_differs_in_one_thing(texts):
    found = text_of(texts, "q3")
    random = found["random_passage"]
    answer, wrong = found["answer_passage"], found["wrong_passage"]
    assert random == passages_of_others(queries_of(), 5)[3] and "lake3" not in random
    assert answer == "the lake3 is 35 m deep near Limaxxx in Peruxxx. Truly so."
    assert wrong == "how to swim in lake3 with many boats"  # it has more of the query than eggs
    assert found["query_repeated_2"] == f"how deep lake3 how deep lake3 {random}"
    assert found["query_at_end"] == f"{random} how deep lake3"
    assert sorted(found["query_shuffled"].split()) == sorted(f"how deep lake3 {random}".split())
    assert found["query_shuffled"] != found["query_repeated_1"]
    assert found["wrong_with_query"] == f"how deep lake3 {wrong}"
    noise = found["answer_with_random_words"].removesuffix(f" {answer}").split()
    assert len(noise) == 3 and not {"how", "deep", "lake3"} & set(noise)
    assert found["random_with_random_words"] == f"{' '.join(noise)} {random}"
    assert found["answer_twice"] == f"{answer} {answer}"
    assert found["answer_cut_3"] == "the lake3 is" and "answer_cut_50" not in found
    assert found["answer_first_sentence"] == "the lake3 is 35 m deep near Limaxxx in Peruxxx."
    assert found["answer_hidden"] == f"{wrong} {answer}"
    negated, stressed = (answer.replace("is", f"is {word}", 1) for word in ("not", "indeed"))
    assert (found["answer_negated"], found["answer_with_word"]) == (negated, stressed)
    swapped, other = found["answer_name_swapped"], found["answer_other_name_swapped"]
    [new] = set(swapped.split()) - set(answer.split())
    assert new.rstrip("x") == "Lima" and swapped == answer.replace("Limaxxx", new)
    assert other == answer.replace("Peruxxx", f"{new}")
    assert "answer_paraphrased" not in found  # nothing of the list is in it
    at = dict(texts.filter(pl.col("query_id") == "q3").select("slot", "at").unique().iter_rows())
    assert at == {"random": -1, "wrong": 1, "answer": 0}


def test_a_query_without_an_answer_is_not_altered_and_all_without_is_an_error(texts):
    assert texts["query_id"].n_unique() == 7
    assert sizes(texts)["answer_cut_3"] == {"n_queries": 7, "share": 1, "mean_words": 3.0}
    few = alter("lakes", queries_of(), 5, Alterations(2, [1], [3], 4))
    assert few["query_id"].unique(maintain_order=True).to_list() == ["q0", "q1"]
    unanswered = pl.concat([queries_of(n).tail(1) for n in (3, 4)])
    with pytest.raises(InputError, match=r"collections\.lakes: no query has a selected and an un"):
        alter("lakes", unanswered, 5, HOW)


def test_doses_must_differ_and_have_one_copy():
    with pytest.raises(InputError, match=r"alter\.repeats has 2 twice"):
        check_alterations([1, 2, 2], [10])
    with pytest.raises(InputError, match=r"alter\.repeats lacks 1"):
        check_alterations([2, 4], [10])


def test_what_a_ranker_cannot_tell_apart_is_not_asked_of_it(texts):
    def unasked(relevance) -> set[str]:
        asked = find_kind(relevance, texts).asked(texts)
        return set(texts["probe"]) - set(asked["probe"])

    order = {"query_shuffled", "query_in_middle", "query_at_end"}
    meaning = {"answer_negated", "answer_with_word"}
    meaning |= {"answer_name_swapped", "answer_other_name_swapped"}
    assert unasked(shared_words) == order | meaning
    assert unasked(overlap) == order | {"query_alone"}
    assert unasked(first_word) == set()


def test_who_counts_the_querys_words_is_asked_about_numbers_that_the_query_has():
    rows = [
        (query_id, query, probe, "answer", 0, text)
        for query_id, query, texts in (
            ("a", "world cup 1990", ("the cup of 1990", "the cup of 1962")),
            ("b", "who won the cup", ("the cup of 1990", "the cup of 1962")),
        )
        for probe, text in zip(("answer_passage", "answer_numbers_changed"), texts, strict=True)
    ]
    texts = pl.DataFrame(rows, schema=SCHEMA_OF_TEXTS, orient="row")
    counter = Kind(reads_order=False, is_symmetric=False, reads_other_words=False)
    numbers = pl.col("probe") == "answer_numbers_changed"
    assert counter.asked(texts).filter(numbers)["query_id"].to_list() == ["a"]
    reader = Kind(reads_order=True, is_symmetric=False, reads_other_words=True)
    assert reader.asked(texts).equals(texts)


@pytest.fixture(scope="module")
def placed(texts, tmp_path_factory) -> pl.DataFrame:
    queries = queries_of()
    candidates = score_candidates(queries, shared_words, 5)
    asked = []

    def counting(queries: list[str], texts: list[str]) -> np.ndarray:
        asked.extend(zip(queries, texts, strict=True))
        return shared_words(queries, texts)

    memory = tmp_path_factory.mktemp("memory")
    scored = score_texts(counting, texts, queries, candidates, memory)
    assert len(asked) == len(set(asked))
    known = {text for row in queries["passages"].to_list() for text in (p["text"] for p in row)}
    assert not known & {text for _, text in asked}  # nothing is scored twice
    n_asked = len(asked)
    assert score_texts(counting, texts, queries, candidates, memory).equals(scored)
    assert len(asked) == n_asked  # all was remembered
    expected = shared_words(texts["query"].to_list(), texts["text"].to_list())
    assert np.array_equal(scored["score"].to_numpy(), expected)
    names = {"judge": "lakes words", "collection": "lakes", "ranker": "words"}
    rows = place_texts(scored, candidates).with_columns(
        pl.lit(value).alias(name) for name, value in names.items()
    )
    return rows.match_to_schema(SCHEMA, extra_columns="ignore")


def test_a_probing_that_was_interrupted_goes_on_and_more_queries_cost_only_themselves(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(remembered, "QUERIES_AT_A_TIME", 2)
    pairs = pl.DataFrame(
        [(f"q{i}", f"text {k} q{i}") for i in range(5) for k in range(3)],
        schema=["query", "text"],
        orient="row",
    )
    asked = []

    def stopping(queries: list[str], texts: list[str]) -> np.ndarray:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(texts)
        return shared_words(queries, texts)

    with pytest.raises(KeyboardInterrupt):
        remembered.score_pairs(stopping, pairs, tmp_path)
    asked.clear()
    heard = []
    with counted_by(heard.append):
        scores = remembered.score_pairs(stopping, pairs, tmp_path)
    assert sum(heard) == 15  # what was remembered is done, too
    assert asked == [pairs["text"].to_list()[12:]]
    expected = shared_words(pairs["query"].to_list(), pairs["text"].to_list())
    assert np.array_equal(scores, expected)


def test_a_text_stands_in_its_slot(placed):
    own = placed.filter(pl.col("query_id") == "q3")
    at = {row["probe"]: (row["location"], row["n_candidates"]) for row in own.to_dicts()}
    # Shares of words: the answer 2 of 9, the passage on topic 2 of 8, that of eggs none.
    assert at["answer_passage"] == (2.0, 2)
    assert at["wrong_passage"] == (1.0, 2)
    assert at["random_passage"][1] == 3 and at["random_passage"][0] >= 3
    assert at["answer_cut_3"] == (1.0, 2)  # 1 of 3 is more
    assert at["query_alone"] == (1.0, 3)


def test_gains_and_ladders_are_made_of_these_places(placed):
    doses, probes = measure(placed, seed=1)
    by_probe = dict(placed.group_by("probe").agg(pl.col("location").mean()).iter_rows())
    for probe in ("wrong_with_query", "answer_cut_3", "query_repeated_8"):
        assert np.isclose(probes[probe]["average_loc"]["value"], by_probe[probe])
    gain = by_probe["answer_passage"] - by_probe["answer_cut_3"]
    assert np.isclose(probes["answer_cut_3"]["gain"]["value"], gain)
    assert "gain" not in probes["answer_passage"]
    first = by_probe["random_passage"] - by_probe["query_repeated_1"]
    assert np.isclose(doses["gained_by_first"]["value"], first)
    rungs = ladder("lakes words", placed, probes)
    assert [rung["average_loc"] for rung in rungs] == sorted(by_probe.values())
    assert {rung["slot"]: rung["chance"] for rung in rungs} == {
        "random": 2.5,
        "wrong": 2.0,
        "answer": 2.0,
    }


def test_intervals_draw_the_topics_of_queries_that_have_some(placed):
    # Two queries of a topic that are alike tell no more than one.
    twins = placed.with_columns(pl.format("{} again", "query_id").alias("query_id"))
    both = pl.concat([placed, twins]).with_columns(topic=pl.col("query_id").str.head(2))
    assert count_drawn(placed) == {"n_queries": 7}
    assert count_drawn(both) == {"n_queries": 14, "n_topics": 7}
    of_single, of_topics = measure(placed, seed=1), measure(both, seed=1)
    for found, expected in zip(ends_in(of_topics), ends_in(of_single), strict=True):
        assert found == pytest.approx(expected)
    without = measure(placed.with_columns(topic=pl.lit(None, pl.String)), seed=1)
    assert without == of_single
    assert drawn(count_drawn(both)) == "7 topics" and drawn(count_drawn(placed)) == "7 queries"


def ends_in(measured: tuple[dict, dict[str, dict]]) -> list[dict]:
    """Return every number of `measure` that has an interval."""
    doses, probes = measured
    numbers = [each for found in probes.values() for each in found.values()]
    return [*doses.values(), *(each for each in numbers if isinstance(each, dict))]


def test_rows_hold_the_quality_of_all_queries_and_the_place_of_those_altered(placed):
    candidates = score_candidates(queries_of(), shared_words, 5)
    topics = queries_of().select("query_id", "entity", topic=pl.lit("lakes"))
    rows = headline_rows("lakes words", candidates, placed, topics)
    assert rows["topic"].to_list() == ["lakes"] * 8 and rows["entity"].null_count() == 8
    assert rows["query_id"].to_list() == [f"q{i}" for i in range(8)]
    assert rows["reciprocal_rank"].null_count() == 1 == rows["location"].null_count()
    assert rows["reciprocal_rank"][3] == 0.5


def test_three_examples_of_each_probe_from_the_most_gained_to_the_most_lost(placed, texts):
    header, *rows = find_examples(placed, texts)
    assert header == ["probe", "query", "text", "place before", "place after"]
    own = [row for row in rows if row[0] == "answer_cut_3"]
    assert 1 <= len(own) <= 3
    gains = [float(row[3]) - float(row[4]) for row in own]
    assert gains == sorted(gains, reverse=True)
    assert all("lake" in row[1] and row[2].startswith("the lake") for row in own)
    assert not [row for row in rows if row[0].endswith("_passage")]
