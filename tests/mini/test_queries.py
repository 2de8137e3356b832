"""The mini corpus: its shape, its two sides, its negatives, and the errors of its topics file."""

import copy
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import tables
from genlab.core.program import InputError
from genlab.mini import queries as mini_queries
from genlab.mini import topics as mini_topics
from genlab.mini.queries import make_plain_text, make_queries
from genlab.mini.topics import QUESTION_WORDS
from tests.project_copy import ROOT

TOPICS = ROOT / "genlab/mini/topics.yaml"
LAKE_VARN = 0xBEB2568BB35EE9CA  # printf 'lake/varn' | b2sum -l 64


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """900 train and 300 validation rows of the world of default size."""
    return pl.concat(make_queries(TOPICS, 900, 300, seed=7))


@pytest.fixture(scope="module")
def world() -> mini_queries.World:
    return mini_queries.make_world(mini_topics.read_topics(TOPICS), mini_queries.DEFAULT_NAMES)


@pytest.fixture(scope="module")
def plain_text() -> list[str]:
    return make_plain_text(TOPICS, 3000, seed=7)


def list_texts(rows: pl.DataFrame) -> list[str]:
    return rows["passages"].explode().struct.field("text").to_list()


def entities_in(texts: list[str], world: mini_queries.World) -> set[str]:
    """Return the full names of all entities met in `texts`, found by the text alone."""
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, world.names)) + r")\b")
    return {name for text in texts for name in pattern.findall(text)}


def names_of(world: mini_queries.World, is_validation: bool) -> set[str]:
    return {
        name
        for name, side in zip(world.names, world.is_validation, strict=True)
        if side == is_validation
    }


def small_topics() -> dict:
    """Two topics with four attributes each, in the shape of the YAML file."""

    def attribute(noun: str) -> dict:
        return {
            "values": "10 to 90 by 10 meters",
            "question": f"how {noun} is {{e}}",
            "statement": f"{{e}} is {noun} by {{v}}",
            "details": [f"some {noun} remark about {{e}}", f"one more {noun} remark"],
        }

    def topic(name: str) -> dict:
        return {
            "entity": f"{name} {{name}}",
            "short": f"the {name}",
            "attributes": {noun: attribute(noun) for noun in ("deep", "wide", "old", "warm")},
        }

    return {"topics": {"lake": topic("lake"), "pond": topic("pond")}, "values": {"hue": ["a", "b"]}}


def write_topics(folder: Path, content: object) -> Path:
    path = folder / "topics.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


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
    facts = mini_queries.list_facts(world, "train")[:500]
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


def test_facts_are_asked_in_at_least_five_general_forms():
    own, general = "{q}", set(mini_topics.QUERIES) - {"{q}"}
    assert own in mini_topics.QUERIES and len(general) >= 5
    assert len(set(mini_topics.OPENINGS)) >= 5


def test_at_default_size_the_vocabulary_stays_below_6000_words(rows, plain_text):
    texts = [*list_texts(rows), *rows["query"], *plain_text]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    assert 2500 < len(words) < 6000


def test_there_are_at_least_20_topics_of_six_attributes(world):
    assert len(world.topics) >= 20
    assert all(len(topic.attributes) == 6 for topic in world.topics)


# Negatives


def test_an_answerable_row_has_four_negatives_of_its_attribute_and_three_of_its_entity(world):
    for split in ("train", "validation"):
        asked = mini_queries.list_facts(world, split)[:300]
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


def test_the_side_of_an_entity_is_a_blake2b_hash_of_topic_and_name():
    assert mini_queries.hash_text("lake/varn") == LAKE_VARN
    assert mini_queries.belongs_to_validation("lake", "varn") == (LAKE_VARN % 6 == 0)


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
    facts = mini_queries.list_facts(world, "train").tolist()
    told = Counter(make_plain_text(TOPICS, 2 * len(facts), seed=0))
    assert told == dict.fromkeys(facts, 2)


def test_a_sixth_of_the_entities_is_for_validation():
    world = mini_queries.make_world(mini_topics.read_topics(TOPICS), 200)
    # 4,400 entities: standard deviation 0.0056
    assert abs(world.is_validation.mean() - 1 / 6) < 0.02


def test_validation_asks_no_fact_twice_while_there_are_facts_left(world):
    n_facts = len(mini_queries.list_facts(world, "validation"))
    queries = mini_queries.make_split(world, "validation", n_facts, seed=0)
    assert pl.concat(queries)["query"].n_unique() == n_facts


def test_a_larger_world_keeps_the_names_values_and_sides_of_a_smaller_one():
    topics = mini_topics.read_topics(TOPICS)
    facts = []
    for n_names in (24, 60):
        world = mini_queries.make_world(topics, n_names)
        keys = [
            (world.names[entity], attribute, bool(world.is_validation[entity]))
            for entity, attribute in zip(world.entity_of_fact, world.attribute_of_fact, strict=True)
        ]
        facts.append(set(zip(keys, world.values, strict=True)))
    assert facts[0] < facts[1]


def test_another_topic_leaves_the_facts_of_the_others_alone(tmp_path):
    content = small_topics()
    before = mini_queries.make_world(mini_topics.read_topics(write_topics(tmp_path, content)), 24)
    bog = copy.deepcopy(content["topics"]["lake"]) | {"entity": "bog {name}"}
    content["topics"] = {"bog": bog} | content["topics"]
    after = mini_queries.make_world(mini_topics.read_topics(write_topics(tmp_path, content)), 24)
    assert after.values[-len(before.values) :] == before.values
    assert (after.is_validation[-len(before.names) :] == before.is_validation).all()


def test_names_grow_with_the_corpus_from_6000_queries_on():
    assert [mini_queries.count_names(n) for n in (0, 6000, 6001, 800_000)] == [24, 24, 25, 3200]


def test_names_are_different_words_that_no_sentence_uses():
    names = mini_queries.make_names(24_000)
    assert len(set(names)) == 24_000
    assert mini_queries.make_names(3200) == names[:3200]
    forms = mini_topics.QUERIES + mini_topics.OPENINGS + mini_topics.RESTATEMENTS
    sentences = TOPICS.read_text(encoding="utf-8") + " ".join(forms)
    assert not set(names) & set(re.findall("[a-z]+", sentences))


# The topics file


def test_two_lists_under_one_name_are_crossed(tmp_path):
    content = small_topics()
    content["values"]["person"] = {"first": ["anna", "john"], "last": ["adams", "baker"]}
    content["topics"]["lake"]["attributes"]["deep"]["values"] = "person"
    topics = mini_topics.read_topics(write_topics(tmp_path, content))
    expected = ["anna adams", "anna baker", "john adams", "john baker"]
    assert topics[0].attributes[0].values == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("10 to 40 by 10 meters", ["10 meters", "20 meters", "30 meters", "40 meters"]),
        ("1998 to 2000", ["1998", "1999", "2000"]),
        ("2 to 3 dollars a meter", ["2 dollars a meter", "3 dollars a meter"]),
        (["red", "blue"], ["red", "blue"]),
        ("hue", ["a", "b"]),
    ],
)
def test_values_are_a_range_a_list_or_the_name_of_a_list(spec, expected):
    assert mini_topics.list_values(spec, {"hue": ["a", "b"]}, "here") == expected


ATTRIBUTE_MISTAKES = [
    ("question", None, "question is missing"),
    ("statement", "{e} is deep", "does not hold {v}"),
    ("statement", "{e} is {v} {x}", "holds {x}"),
    ("statement", "{e} is {v}, which is deep", "question word which"),
    ("statement", "{e} IS {v}", "lower case"),
    ("question", "how deep is it", "does not hold {e}"),
    ("question", "how deep is {e", "does not hold {e}"),
    ("details", ["only one"], "two to six"),
    ("details", ["one", 2], "not text"),
    ("details", ["why not", "two"], "question word why"),
    ("details", ["how about {name}", "two"], "holds {name}"),
    ("values", "shade", "'shade' is neither a range"),
    ("values", "9 to 9", "2 to 10,000 numbers"),
    ("values", "1 to 9 by 0 meters", "2 to 10,000 numbers"),
    ("values", "0 to 99999999999", "2 to 10,000 numbers"),
    ("values", ["a", "a"], "two different values"),
    ("values", [1, 2], "not text"),
    ("colour", "red", "unknown key colour"),
]


@pytest.mark.parametrize(("key", "value", "message"), ATTRIBUTE_MISTAKES)
def test_a_mistake_in_an_attribute_is_told_with_file_topic_and_attribute(
    tmp_path, key, value, message
):
    content = small_topics()
    content["topics"]["pond"]["attributes"]["old"][key] = value
    path = write_topics(tmp_path, content)
    with pytest.raises(InputError) as caught:
        mini_topics.read_topics(path)
    assert str(caught.value).startswith(f"{path}: topic pond, attribute old")
    assert message in str(caught.value)


TOPIC_MISTAKES = [
    (lambda c: c["topics"]["pond"].pop("short"), "topic pond: short is missing"),
    (lambda c: c["topics"]["pond"].update(entity="pond"), "topic pond, entity: 'pond' does not"),
    (lambda c: c["topics"]["pond"].update(entity="lake {name}"), "topic lake names its"),
    (lambda c: c["topics"]["pond"]["attributes"].pop("old"), "topic pond: 3 attributes"),
    (lambda c: c["topics"]["pond"].update(attributes=["old"]), "topic pond, attributes: must be"),
    (lambda c: c["topics"]["pond"]["attributes"].update(old=3), "attribute old: must be a mapping"),
    (lambda c: c["topics"].update({"big pond": {}}), "topic big pond: a topic's name must be one"),
    (lambda c: c["topics"].update({"bog": None}), "topic bog: must be a mapping"),
    (lambda c: c["topics"].pop("pond"), "fewer than two topics"),
    (lambda c: c.update(topics=["lake"]), "topics: must be a mapping"),
    (lambda c: c.pop("values"), "values is missing"),
    (lambda c: c["values"].update(hue="red"), "values, hue: must be a list"),
]


@pytest.mark.parametrize(("spoil", "message"), TOPIC_MISTAKES)
def test_a_mistake_in_a_topic_is_told_with_file_and_place(tmp_path, spoil, message):
    content = small_topics()
    spoil(content)
    path = write_topics(tmp_path, content)
    with pytest.raises(InputError) as caught:
        mini_topics.read_topics(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "top level: must be a mapping"),
        ("- lake", "top level: must be a mapping"),
        ("topics:\n  lake: {}\n  lake: {}\n", "line 3: lake is given twice"),
        ("topics:\n  lake:\n    statement: {e} is {v}\n", "needs quotes"),
        ("a: &a {b: *a}", "topics is missing"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_a_file_that_is_not_a_yaml_mapping_is_refused(tmp_path, text, message):
    path = tmp_path / "topics.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        mini_topics.read_topics(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        next(make_queries(tmp_path / "none.yaml", 1, 1, seed=0))
