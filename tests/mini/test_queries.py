"""The mini corpus: its shape, its two sides and its negatives."""

import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import tables
from genlab.mini import queries as mini_queries
from genlab.mini.queries import make_plain_text, make_queries
from genlab.mini.topics import QUESTION_WORDS, read_topics
from genlab.mini.world import DEFAULT_NAMES, World, list_facts, make_world
from tests.project_copy import ROOT

TOPICS = ROOT / "genlab/mini/topics.yaml"


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """900 train and 300 validation rows of the world of default size."""
    return pl.concat(make_queries(TOPICS, 900, 300, seed=7))


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(read_topics(TOPICS), DEFAULT_NAMES)


@pytest.fixture(scope="module")
def plain_text() -> list[str]:
    return make_plain_text(TOPICS, 3000, seed=7)


def list_texts(rows: pl.DataFrame) -> list[str]:
    return rows["passages"].explode().struct.field("text").to_list()


def entities_in(texts: list[str], world: World) -> set[str]:
    """Return the full names of all entities met in `texts`, found by the text alone."""
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, world.names)) + r")\b")
    return {name for text in texts for name in pattern.findall(text)}


def names_of(world: World, is_validation: bool) -> set[str]:
    return {
        name
        for name, side in zip(world.names, world.is_validation, strict=True)
        if side == is_validation
    }


# What comes out


def test_the_same_arguments_give_the_same_bytes_in_another_process():
    program = (
        "import pathlib, sys, polars as pl; from genlab.mini import queries as m;"
        "path = pathlib.Path(sys.argv[1]);"
        "print(pl.concat(m.make_queries(path, 60, 30, seed=3)).write_json());"
        "print(m.make_plain_text(path, 50, seed=3))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, TOPICS],
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = pl.concat(make_queries(TOPICS, 60, 30, seed=3)).write_json()
    assert result.stdout == f"{rows}\n{make_plain_text(TOPICS, 50, seed=3)}\n"


def test_another_seed_words_the_same_world_anew():
    one, two = (pl.concat(make_queries(TOPICS, 90, 30, seed=seed)) for seed in (1, 2))
    assert one["query"].to_list() != two["query"].to_list()
    assert len(set(list_texts(one)) & set(list_texts(two))) < 30  # of 1,200 passages


def test_every_row_has_the_schema_ten_passages_and_an_id_of_split_row_and_topic(rows, world):
    assert rows.schema == tables.QUERY_SCHEMA
    assert rows["passages"].list.len().unique().to_list() == [10]
    assert rows["split"].to_list() == ["train"] * 900 + ["validation"] * 300
    topic_names = {topic.name for topic in world.topics}
    for number, (query_id, split) in enumerate(rows.select("query_id", "split").iter_rows()):
        id_split, id_row, id_topic = query_id.split("-")
        assert id_split == split
        assert int(id_row) == (number if split == "train" else number - 900)
        assert id_topic in topic_names
    assert rows["query_id"].n_unique() == 1200


def test_the_frames_can_be_written_and_read_back(tmp_path):
    frames = list(make_queries(TOPICS, 10, 5, seed=0))
    path = tmp_path / "rows.parquet"
    assert tables.write_table(path, frames, tables.QUERY_SCHEMA) == 15
    assert tables.read_table(path).equals(pl.concat(frames))


def test_batches_stay_small_and_their_rows_go_on_counting(monkeypatch):
    monkeypatch.setattr(mini_queries, "BATCH_ROWS", 100)
    frames = list(make_queries(TOPICS, 250, 0, seed=0))
    assert [frame.height for frame in frames] == [99, 99, 52]
    ids = pl.concat(frames)["query_id"].to_list()
    assert [int(query_id.split("-")[1]) for query_id in ids] == list(range(250))


def test_exactly_one_row_in_three_is_unanswerable(rows):
    selected = rows["passages"].list.eval(pl.element().struct.field("is_selected").sum())
    counts = Counter(selected.explode().to_list())
    assert counts[0] == 1200 / 3
    assert set(counts) == {0, 1, 2}
    # 5 % of 800 answerable rows = 40, standard deviation 6.2
    assert 15 <= counts[2] <= 65


def test_selected_passages_stand_at_every_place(rows):
    places = Counter()
    for passages in rows["passages"].to_list():
        places.update(i for i, passage in enumerate(passages) if passage["is_selected"])
    # about 840 selected passages over ten places, standard deviation 8.7
    assert set(places) == set(range(10)) and min(places.values()) > 45


def test_a_selected_passage_names_the_entity_of_the_query_and_its_value(world):
    facts = list_facts(world, "train")[:500]
    rng = np.random.default_rng(0)
    queries = mini_queries.word_queries(world, facts, rng)
    passages = mini_queries.word_passages(world, facts, rng)
    for fact, query, passage in zip(facts, queries, passages, strict=True):
        name = world.names[world.entity_of_fact[fact]]
        assert name in query
        assert passage.count(world.values[fact]) >= 2
        assert 2 <= len(re.findall(rf"\b{re.escape(name)}\b", passage)) <= 3
        assert "{" not in query + passage


def test_passages_are_four_or_five_lower_case_sentences_of_about_45_words(rows):
    texts = list_texts(rows)
    assert {text.count(". ") + 1 for text in texts} == {4, 5}
    assert all(text.endswith(".") and text == text.lower() for text in texts)
    assert 40 < np.mean([len(text.split()) for text in texts]) < 60
    assert all(query == query.lower() for query in rows["query"])


def test_passages_are_seldom_repeated_word_for_word(rows):
    texts = list_texts(rows)
    assert len(set(texts)) > 0.99 * len(texts)


def test_at_default_size_the_vocabulary_stays_below_6000_words(rows, plain_text):
    texts = [*list_texts(rows), *rows["query"], *plain_text]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    assert 2500 < len(words) < 6000


# Negatives


def test_an_answerable_row_has_four_negatives_of_its_attribute_and_three_of_its_entity(world):
    for split in ("train", "validation"):
        asked = list_facts(world, split)[:300]
        pools = mini_queries.make_pools(world, split)
        facts, selected = mini_queries.draw_passages(world, pools, asked, np.random.default_rng(1))
        entity, topic = world.entity_of_fact, world.topic_of_entity
        for a, row, is_selected in zip(asked, facts, selected, strict=True):
            negatives = row[~is_selected]
            assert (row[is_selected] == a).all()
            assert a not in negatives
            same_entity = negatives[entity[negatives] == entity[a]]
            others = negatives[entity[negatives] != entity[a]]
            same_topic = others[topic[entity[others]] == topic[entity[a]]]
            assert len(set(same_entity)) == len(same_entity) == 3
            assert len(set(same_topic)) == len(same_topic) == 4
            assert (world.attribute_of_fact[same_topic] == world.attribute_of_fact[a]).all()
            assert len(others) - len(same_topic) == 3 - is_selected.sum()


@given(
    size=st.integers(5, 60),
    count=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_offsets_differ_and_never_lead_back_to_the_start(size, count, seed):
    sizes = np.full((20, 1), size)
    offsets = mini_queries.draw_offsets(sizes, count, np.random.default_rng(seed))
    assert offsets.shape == (20, count)
    assert offsets.min() >= 1 and offsets.max() <= size - 1
    assert all(len(set(row)) == count for row in offsets.tolist())


def test_every_offset_is_equally_likely():
    offsets = mini_queries.draw_offsets(np.full((7000, 1), 8), 3, np.random.default_rng(0))
    counts = np.bincount(offsets.ravel(), minlength=8)
    # 21,000 draws of 7 numbers: 3,000 each, standard deviation about 51
    assert counts[0] == 0 and abs(counts[1:] - 3000).max() < 200


def test_topics_with_few_validation_entities_are_filled_up_with_train_entities(world):
    for t, pool in enumerate(mini_queries.make_pools(world, "validation")):
        own = np.flatnonzero(world.is_validation & (world.topic_of_entity == t))
        assert len(pool) == max(len(own), mini_queries.MIN_POOL) == len(set(pool))
        assert set(own) <= set(pool)
        assert (world.topic_of_entity[pool] == t).all()


# Two sides


def test_no_entity_is_on_both_sides_and_validation_asks_only_its_own(rows, world):
    train, validation = rows.filter(split="train"), rows.filter(split="validation")
    met = entities_in([*train["query"], *list_texts(train)], world)
    assert len(met) > 400 and met <= names_of(world, is_validation=False)
    asked = entities_in(validation["query"].to_list(), world)
    assert len(asked) > 60 and asked <= names_of(world, is_validation=True)


def test_plain_text_holds_no_validation_entity(plain_text, world):
    assert entities_in(plain_text, world) == names_of(world, is_validation=False)


def test_plain_text_holds_no_question(plain_text):
    words = Counter(word for text in plain_text for word in re.findall(r"\w+|\?", text))
    assert not {*QUESTION_WORDS, "?"} & set(words)


def test_plain_text_tells_every_train_fact_equally_often(world, monkeypatch):
    monkeypatch.setattr(mini_queries, "word_passages", lambda world, facts, rng: facts.tolist())
    facts = list_facts(world, "train").tolist()
    told = Counter(make_plain_text(TOPICS, 2 * len(facts), seed=0))
    assert told == dict.fromkeys(facts, 2)


def test_validation_asks_no_fact_twice_while_there_are_facts_left(world):
    n_facts = len(list_facts(world, "validation"))
    queries = mini_queries.make_split(world, "validation", n_facts, seed=0)
    assert pl.concat(queries)["query"].n_unique() == n_facts
