"""The topics file of the mini corpus: what it gives, and the errors of a file of the user's."""

import re

import pytest

from genlab.core.program import InputError
from genlab.mini.queries import make_queries
from genlab.mini.topics import OPENINGS, QUERIES, list_values, read_topics
from tests.project_copy import ROOT
from tests.tiny_topics import small_topics, write_topics


def test_there_are_at_least_20_topics_of_six_attributes():
    own = read_topics(ROOT / "genlab/mini/topics.yaml")
    assert len(own) >= 20
    assert all(len(topic.attributes) == 6 for topic in own)


def test_facts_are_asked_in_at_least_five_general_forms():
    own, general = "{q}", set(QUERIES) - {"{q}"}
    assert own in QUERIES and len(general) >= 5
    assert len(set(OPENINGS)) >= 5


def test_two_lists_under_one_name_are_crossed(tmp_path):
    content = small_topics()
    content["values"]["person"] = {"first": ["anna", "john"], "last": ["adams", "baker"]}
    content["topics"]["lake"]["attributes"]["deep"]["values"] = "person"
    topics = read_topics(write_topics(tmp_path, content))
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
    assert list_values(spec, {"hue": ["a", "b"]}, "here") == expected


ATTRIBUTE_MISTAKES = [
    ("question", None, "question is missing"),
    ("statement", "{e} is deep", "does not hold {v}"),
    ("statement", "{e} is {v} {x}", "holds {x}"),
    ("statement", "{e} is {v}, which is deep", "question word which"),
    ("statement", "{e} IS {v}", "lower case"),
    ("question", "how deep is it", "does not hold {e}"),
    ("question", "how deep is {e", "is no form"),
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
        read_topics(path)
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
    (lambda c: c["values"].update(hue={}), "values, hue: must be a list"),
    (lambda c: c["values"].update({7: ["a"]}), "values: the key 7 is not text"),
]


@pytest.mark.parametrize(("spoil", "message"), TOPIC_MISTAKES)
def test_a_mistake_in_a_topic_is_told_with_file_and_place(tmp_path, spoil, message):
    content = small_topics()
    spoil(content)
    path = write_topics(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_topics(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "top level: must be a mapping"),
        ("- lake", "top level: must be a mapping"),
        ("topics:\n  lake: {}\n  lake: {}\n", "line 3: lake occurs twice"),
        ("topics:\n  lake:\n    statement: {e} is {v}\n", "needs quotes"),
        ("a: &a {b: *a}", "an alias stands in itself"),
        ("!!python/object/apply:os.getcwd []", "not YAML in UTF-8"),
    ],
)
def test_a_file_that_is_not_a_yaml_mapping_is_refused(tmp_path, text, message):
    path = tmp_path / "topics.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        read_topics(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        next(make_queries(tmp_path / "none.yaml", 1, 1, seed=0))
