"""The topics of the mini world: read from topics.yaml, checked, and put into sentence forms."""

import re
from itertools import permutations, product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from genlab.core.program import InputError

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
    content = read_yaml(path)
    check_keys(content, ("topics", "values"), f"{path}: top level")
    lists = {}
    for name, spec in check_mapping(content["values"], f"{path}: values").items():
        lists[name] = cross_lists(spec, f"{path}: values, {name}")
    topics = []
    for name, spec in check_mapping(content["topics"], f"{path}: topics").items():
        where = f"{path}: topic {name}"
        if not re.fullmatch("[a-z]+", str(name)):
            raise InputError(f"{where}: a topic's name must be one lower-case word")
        check_keys(spec, ("entity", "short", "attributes"), where)
        check_text(spec["entity"], ("{name}",), f"{where}, entity")
        check_text(spec["short"], (), f"{where}, short")
        n_attributes = len(check_mapping(spec["attributes"], f"{where}, attributes"))
        if n_attributes < MIN_ATTRIBUTES:
            raise InputError(
                f"{where}: {n_attributes} attributes; give it at least {MIN_ATTRIBUTES}"
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


def read_yaml(path: Path) -> Any:
    """Return a YAML file's content. Raises InputError for broken YAML and for a key given twice.

    PyYAML would silently keep the last of two equal keys, so a copied topic could hide another.
    """
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        waiting, visited = [root], set()
        while waiting:
            node = waiting.pop()
            # An alias can lead back to a node that was visited.
            if isinstance(node, yaml.MappingNode) and id(node) not in visited:
                visited.add(id(node))
                seen = set()
                for key, value in node.value:
                    if str(key.value) in seen:
                        raise InputError(
                            f"{path}: line {key.start_mark.line + 1}: {key.value} is given twice"
                        )
                    seen.add(str(key.value))
                    waiting.append(value)
        return loader.construct_document(root) if root else None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a file of topics") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not valid YAML: {error}; text that starts with {{ needs quotes"
        ) from None


def make_attribute(noun: str, spec: dict, lists: dict[str, list[str]], where: str) -> Attribute:
    """Check one attribute and put its noun, question and statement into the general forms."""
    check_text(noun, (), f"{where}, its name")
    check_keys(spec, ("values", "question", "statement", "details"), where)
    check_text(spec["question"], ("{e}",), f"{where}, question", may_ask=True)
    check_text(spec["statement"], ("{e}", "{v}"), f"{where}, statement")
    details = spec["details"]
    if not isinstance(details, list) or not 2 <= len(details) <= 6:
        raise InputError(f"{where}, details: must be a list of two to six sentences")
    for detail in details:
        check_text(detail, (), f"{where}, details", may_use=("{e}", "{v}"))

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
        check_text(value, (), where)
    return spec


def cross_lists(spec: Any, where: str) -> list:
    """Return a list as it is; of two named lists, {first: [anna], last: [adams]}, every pair."""
    lists = list(spec.values()) if isinstance(spec, dict) else [spec]
    if not lists or not all(isinstance(words, list) for words in lists):
        raise InputError(f"{where}: must be a list, or a mapping of lists that are to be crossed")
    return [" ".join(map(str, words)) for words in product(*lists)] if len(lists) > 1 else lists[0]


def check_mapping(spec: Any, where: str) -> dict:
    """Return `spec`. Raises InputError unless it is a mapping."""
    if not isinstance(spec, dict):
        raise InputError(f"{where}: must be a mapping (lines of `key: value`)")
    return spec


def check_keys(spec: Any, keys: tuple[str, ...], where: str) -> None:
    """Raise InputError unless `spec` is a mapping with exactly `keys`, none of them empty."""
    check_mapping(spec, where)
    for key in keys:
        if not spec.get(key):
            raise InputError(f"{where}: {key} is missing; add it")
    for key in spec:
        if key not in keys:
            raise InputError(f"{where}: unknown key {key}; the keys are {', '.join(keys)}")


def check_text(
    text: object,
    must_use: tuple[str, ...],
    where: str,
    may_use: tuple[str, ...] = (),
    may_ask: bool = False,
) -> None:
    """Raise InputError unless `text` is lower-case text with the right {placeholders}."""
    if not isinstance(text, str):
        raise InputError(f"{where}: {text!r} is not text; put it in quotes")
    if text != text.lower() or text != text.strip():
        raise InputError(f"{where}: {text!r} must be lower case, without spaces around it")
    for placeholder in must_use:
        if placeholder not in text:
            raise InputError(f"{where}: {text!r} does not hold {placeholder}; add it")
    for used in re.findall(r"\{[^}]*\}?|\}", text):
        if used not in must_use + may_use:
            raise InputError(f"{where}: {text!r} holds {used}, which has no meaning here")
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
