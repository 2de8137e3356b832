"""The world of the mini corpus: fixed by hashes, whatever its size."""

import copy
import re

from genlab.mini.topics import OPENINGS, QUERIES, RESTATEMENTS, read_topics
from genlab.mini.world import belongs_to_validation, count_names, hash_text, make_names, make_world
from tests.project_copy import ROOT
from tests.tiny_topics import small_topics, write_topics

TOPICS = ROOT / "genlab/mini/topics.yaml"
LAKE_VARN = 0xBEB2568BB35EE9CA  # printf 'lake/varn' | b2sum -l 64


def test_the_side_of_an_entity_is_a_blake2b_hash_of_topic_and_name():
    assert hash_text("lake/varn") == LAKE_VARN
    assert belongs_to_validation("lake", "varn") == (LAKE_VARN % 6 == 0)


def test_a_sixth_of_the_entities_is_for_validation():
    world = make_world(read_topics(TOPICS), 200)
    # 4,400 entities: standard deviation 0.0056
    assert abs(world.is_validation.mean() - 1 / 6) < 0.02


def test_a_larger_world_keeps_the_names_values_and_sides_of_a_smaller_one():
    topics = read_topics(TOPICS)
    facts = []
    for n_names in (24, 60):
        world = make_world(topics, n_names)
        keys = [
            (world.names[entity], attribute, bool(world.is_validation[entity]))
            for entity, attribute in zip(world.entity_of_fact, world.attribute_of_fact, strict=True)
        ]
        facts.append(set(zip(keys, world.values, strict=True)))
    assert facts[0] < facts[1]


def test_another_topic_leaves_the_facts_of_the_others_alone(tmp_path):
    content = small_topics()
    before = make_world(read_topics(write_topics(tmp_path, content)), 24)
    bog = copy.deepcopy(content["topics"]["lake"]) | {"entity": "bog {name}"}
    content["topics"] = {"bog": bog} | content["topics"]
    after = make_world(read_topics(write_topics(tmp_path, content)), 24)
    assert after.values[-len(before.values) :] == before.values
    assert (after.is_validation[-len(before.names) :] == before.is_validation).all()


def test_names_grow_with_the_corpus_from_6000_queries_on():
    assert [count_names(n) for n in (0, 6000, 6001, 800_000)] == [24, 24, 25, 3200]


def test_names_are_different_words_that_no_sentence_uses():
    names = make_names(24_000)
    assert len(set(names)) == 24_000
    assert make_names(3200) == names[:3200]
    forms = QUERIES + OPENINGS + RESTATEMENTS
    sentences = TOPICS.read_text(encoding="utf-8") + " ".join(forms)
    assert not set(names) & set(re.findall("[a-z]+", sentences))
