"""The topics of the mini world: read from topics.yaml, checked, and put into sentence forms."""

import re
from itertools import permutations, product
from pathlib import Path
from typing import Any, NamedTuple

from genlab.core.program import InputError
from genlab.mini.vocabulary import check_form, check_parts, read_vocabulary

PARTS = ("topics", "values")
TOPIC_PARTS = ("entity", "short", "attributes")
ATTRIBUTE_PARTS = ("values", "question", "statement", "details")
MIN_ATTRIBUTES = 4  # one asked, three for the hard negatives about the same entity


class Attribute(NamedTuple):
    """What can be asked about an entity; its sentences still hold {e} and {v}."""

    noun: str
    values: list[str]
    queries: list[str]
    openings: list[str]
    restatements: list[str]
    remarks: list[str]
    remark_orders: list[tuple[int, ...]]  # which two or three remarks a passage can have


class Topic(NamedTuple):
    """A kind of entity."""

    name: str
    entity: str  # holds {name}
    short: str
    attributes: list[Attribute]


def read_topics(path: Path) -> list[Topic]:
    """Read and check the topics file. Raises InputError naming topic and attribute."""
    content = read_vocabulary(path)
    check_parts(content, f"{path}: top level", PARTS, PARTS)
    lists = {}
    for name, spec in check_parts(content["values"], f"{path}: values").items():
        lists[name] = cross_lists(spec, f"{path}: values, {name}")
    topics = []
    for name, spec in check_parts(content["topics"], f"{path}: topics", least=0).items():
        where = f"{path}: topic {name}"
        if not re.fullmatch("[a-z]+", name):
            raise InputError(f"{where}: a topic's name must be one lower-case word")
        check_parts(spec, where, TOPIC_PARTS, TOPIC_PARTS)
        check_sentence(spec["entity"], f"{where}, entity", ("name",))
        check_sentence(spec["short"], f"{where}, short")
        check_parts(spec["attributes"], f"{where}, attributes", least=0)
        if len(spec["attributes"]) < MIN_ATTRIBUTES:
            raise InputError(
                f"{where}: {len(spec['attributes'])} attributes; give it at least {MIN_ATTRIBUTES}"
            )
        attributes = [
            make_attribute(noun, attribute, lists, f"{where}, attribute {noun}")
            for noun, attribute in spec["attributes"].items()
        ]
        topics.append(Topic(name, spec["entity"], spec["short"], attributes))
    if len(topics) < 2:
        raise InputError(f"{path}: fewer than two topics; negatives come from another topic")
    named: dict[str, str] = {}
    for topic in topics:
        if topic.entity in named:
            raise InputError(
                f"{path}: topic {topic.name}, entity: topic {named[topic.entity]} names its "
                "entities the same way; make them differ"
            )
        named[topic.entity] = topic.name
    return topics


def make_attribute(noun: str, spec: dict, lists: dict[str, list[str]], where: str) -> Attribute:
    """Check one attribute and put its noun, question and statement into the general forms."""
    check_sentence(noun, f"{where}, its name")
    check_parts(spec, where, ATTRIBUTE_PARTS, ATTRIBUTE_PARTS)
    check_sentence(spec["question"], f"{where}, question", ("e",), may_ask=True)
    check_sentence(spec["statement"], f"{where}, statement", ("e", "v"))
    details = spec["details"]
    if not isinstance(details, list) or not 2 <= len(details) <= 6:
        raise InputError(f"{where}, details: must be a list of two to six sentences")
    for detail in details:
        check_sentence(detail, f"{where}, details", may_use=("e", "v"))

    def fill(form: str) -> str:
        return form.format(s=spec["statement"], q=spec["question"], noun=noun, e="{e}", v="{v}")

    places = range(len(details))
    return Attribute(
        noun=noun,
        values=list_values(spec["values"], lists, f"{where}, values"),
        queries=[fill(form) for form in QUERIES],
        openings=[fill(form) for form in OPENINGS],
        restatements=[fill(form) for form in RESTATEMENTS],
        remarks=[f"{detail}." for detail in details],
        remark_orders=[*permutations(places, 2), *permutations(places, 3)],
    )


def list_values(spec: object, lists: dict[str, list[str]], where: str) -> list[str]:
    """Return all values an attribute can have: of a range, of a list, or of a named list."""
    if isinstance(spec, str):
        span = re.fullmatch(r"(\d+) to (\d+)(?: by (\d+))?(?: (.+))?", spec)
        if span:
            first, last, step = int(span[1]), int(span[2]), int(span[3] or 1)
            if step < 1 or not 1 <= (last - first) // step <= 10_000:
                raise InputError(f"{where}: the range {spec!r} must hold 2 to 10,000 numbers")
            unit = f" {span[4]}" if span[4] else ""
            spec = [f"{number}{unit}" for number in range(first, last + 1, step)]
        elif spec in lists:
            spec = lists[spec]
        else:
            raise InputError(
                f"{where}: {spec!r} is neither a range (10 to 90 by 10 meters) nor a list under "
                f"`values` ({', '.join(map(str, lists))})"
            )
    if not isinstance(spec, list) or len(set(map(str, spec))) < 2:
        raise InputError(f"{where}: needs at least two different values")
    for value in spec:
        check_sentence(value, where)
    return spec


def cross_lists(spec: Any, where: str) -> list:
    """Return a list as it is; of two named lists, {first: [anna], last: [adams]}, every pair."""
    lists = list(spec.values()) if isinstance(spec, dict) else [spec]
    if not lists or not all(isinstance(words, list) for words in lists):
        raise InputError(f"{where}: must be a list, or a mapping of lists that are to be crossed")
    return [" ".join(map(str, words)) for words in product(*lists)] if len(lists) > 1 else lists[0]


def check_sentence(
    spec: object,
    where: str,
    must_use: tuple[str, ...] = (),
    may_use: tuple[str, ...] = (),
    may_ask: bool = False,
) -> None:
    """Raise InputError unless `spec` is a form in lower case, one that asks only where it may."""
    text = check_form(spec, where, must_use, may_use)
    if text != text.lower() or text != text.strip():
        raise InputError(f"{where}: {text!r} must be lower case, without spaces around it")
    asked = [word for word in re.findall(r"\w+|\?", text) if word in (*QUESTION_WORDS, "?")]
    if asked and not may_ask:
        raise InputError(
            f"{where}: {text!r} holds the question word {asked[0]}; say it without one"
        )


QUESTION_WORDS = ("what", "how", "who", "whom", "which", "where", "when", "why")
# Forms that fit every attribute. {s} is its own statement, {q} its own question; a form that
# stands twice is used twice as often.
QUERIES = (
    "{q}",
    "{q}",
    "{q}",
    "what is the {noun} of {e}",
    "{e} {noun}",
    "{noun} of {e}",
    "{noun} {e}",
    "tell me the {noun} of {e}",
    "do you know the {noun} of {e}",
)
OPENINGS = (
    "{s}.",
    "{s}.",
    "{s}.",
    "the {noun} of {e} is {v}.",
    "the {noun} of {e} is {v}.",
    "for {e}, the {noun} is {v}.",
    "the {noun} of {e} is given as {v}.",
    "{v} is the {noun} of {e}.",
    "{e} has many sides, but its {noun} is simple: {v}.",
    "it is well known that {s}.",
    "according to most guides, {s}.",
    "this is a short note on {e}: the {noun} is {v}.",
    "here are some facts about {e}: {s}.",
    "in the case of {e}, the {noun} is {v}.",
)
RESTATEMENTS = (
    "in short, the {noun} of {e} is {v}.",
    "so the {noun} of {e} is still {v}.",
    "two reports give {v} as the {noun} of {e}.",
    "for {e}, the answer is therefore {v}.",
    "that makes {v} the {noun} of {e}.",
    "most books agree on {v} for {e}.",
    "the {noun} of {e} is {v}, and that has not changed.",
    "{v} remains the accepted {noun} of {e}.",
    "an older text on {e} also says {v}.",
    "experts confirmed that {s}.",
    "in other words, {s}.",
)
