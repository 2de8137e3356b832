"""The small world: words, facts about people, a toy language, and sentences made of them.

Tasks and crawl share it, as real tasks share the web with what a model was pretrained on. Facts are
drawn by hashes, so that neither sizes nor seeds change them.
"""

import random
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import cache
from pathlib import Path

from genlab.core.program import InputError
from genlab.mini.vocabulary import (
    check_form,
    check_forms,
    check_parts,
    check_texts,
    read_vocabulary,
)
from genlab.mini.world import hash_text, make_names

# How many pages of the crawl state a fact: a quarter of the people each.
TIMES_SEEN = (1, 4, 16, 64)

# What tasks ask for by name.
ATTRIBUTES = ("size", "heat", "speed", "age", "feeling")
RELATIONS = ("home", "dish", "job")
RELATION_PARTS = ("values", "says", "asks")

made_up_words = cache(make_names)


@dataclass(frozen=True)
class World:
    """Words by kind; what each is for stands in mini_world.yaml."""

    fields: dict[str, list[str]]
    new_fields: dict[str, list[str]]
    attributes: dict[str, dict[str, list[str]]]
    people: list[str]
    relations: dict[str, dict]
    frames: list[str]
    summing_up: list[str]
    about: list[str]
    questions: dict[str, list[str]]

    def nouns(self) -> list[str]:
        """Return the nouns of the trained fields."""
        return [noun for nouns in self.fields.values() for noun in nouns]

    def describing(self, attribute: str) -> list[tuple[str, str]]:
        """Return (word, the word that sums it up) of an attribute."""
        kinds = self.attributes[attribute]
        return [(word, kind) for kind, words in kinds.items() for word in words]

    def salient(self) -> set[str]:
        """Return the words that a page is about: names of fields and kinds, values of facts."""
        kinds = {kind for words in self.attributes.values() for kind in words}
        values = {value for each in self.relations.values() for value in each["values"]}
        return {*self.fields, *self.new_fields, *kinds, *values}


def read_world(path: Path) -> World:
    """Return the world of a YAML file; raise InputError naming the list or sentence that is wrong.

    What is asked of each part is what tasks and crawl draw from it.
    """
    content = read_vocabulary(path)
    parts = [each.name for each in dataclass_fields(World)]
    check_parts(content, f"{path}: top level", parts, parts)
    for part, least in (("fields", 2), ("new_fields", 2), ("questions", 2)):
        for name, words in check_parts(content[part], f"{path}: {part}", least=least).items():
            if part == "questions":
                check_forms(words, f"{path}: {part}, {name}", (), ("n",))
            else:
                check_texts(words, f"{path}: {part}, {name}", least=3)  # of a completion
    for name, kinds in check_parts(
        content["attributes"], f"{path}: attributes", ATTRIBUTES
    ).items():
        where = f"{path}: attributes, {name}"
        if len(check_parts(kinds, where)) != 2:
            raise InputError(f"{where}: {len(kinds)} kinds; give it two, like big and small")
        for kind, words in kinds.items():
            check_texts(words, f"{where}, {kind}", least=2)
    check_people(content["people"], f"{path}: people")
    for name, words in check_parts(content["relations"], f"{path}: relations", RELATIONS).items():
        where = f"{path}: relations, {name}"
        check_parts(words, where, RELATION_PARTS, RELATION_PARTS)
        check_texts(words["values"], f"{where}, values", least=2)
        check_forms(words["says"], f"{where}, says", ("person", "value"), least=2)
        check_form(words["asks"], f"{where}, asks", ("person",))
    check_frames(check_forms(content["frames"], f"{path}: frames", ("n",), ("m", "a")), path)
    check_forms(content["summing_up"], f"{path}: summing_up", (), ("n", "a", "w"))
    check_forms(content["about"], f"{path}: about", (), ("f", "n", "m"))
    return World(**content)


def check_people(people: object, where: str) -> None:
    """Raise InputError unless there are enough different people for questions in test and train."""
    names = check_texts(people, where, least=len(TIMES_SEEN) + 1)
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{where}: {twice[0]} is there twice; take one out")


def check_frames(frames: list[str], path: Path) -> None:
    """Raise InputError if words have no order, or no frame is with or without an attribute."""
    for frame in frames:
        if len(set(frame.split())) < 2:  # acceptability puts the words into another order
            raise InputError(f"{path}: frames: {frame!r} has one word; give it two or more")
    with_word = sum("{a}" in frame for frame in frames)
    if with_word in (0, len(frames)):
        lacking = "without" if with_word else "with"
        raise InputError(f"{path}: frames: none is {lacking} {{a}}; add one")


def value_of_fact(world: World, person: str, relation: str) -> str:
    """Return what a person's relation is."""
    values = world.relations[relation]["values"]
    return values[hash_text(f"{relation}/{person}") % len(values)]


def times_seen(world: World, person: str) -> int:
    """Return on how many pages each fact about a person stands."""
    return TIMES_SEEN[world.people.index(person) % len(TIMES_SEEN)]


def is_asked_in_training(world: World, person: str) -> bool:
    """Return whether closed-book questions about a person are trained on: of half of the people."""
    return world.people.index(person) // len(TIMES_SEEN) % 2 == 0


def toy_words(world: World) -> dict[str, str]:
    """Return the toy language: a made-up word for each noun, and for each word of size."""
    words = [*world.nouns(), *(word for word, _ in world.describing("size"))]
    return dict(zip(words, made_up_words(len(words)), strict=True))


def write_sentence(
    world: World, nouns: list[str], attribute: str | None, rng: random.Random, kind: str = ""
) -> str:
    """Return a sentence about two of the nouns with a word of `attribute` (any: None).

    kind: big, cold ...; the word is then one that says so.
    """
    n, m = rng.sample(nouns, 2)
    attribute = attribute or rng.choice(list(world.attributes))
    kind = kind or rng.choice(list(world.attributes[attribute]))
    a = rng.choice(world.attributes[attribute][kind])
    frames = [frame for frame in world.frames if "{a}" in frame]
    return rng.choice(frames).format(n=n, m=m, a=a)


def write_plain(world: World, nouns: list[str], rng: random.Random) -> str:
    """Return a sentence about two of the nouns without a word of any attribute."""
    n, m = rng.sample(nouns, 2)
    return rng.choice([frame for frame in world.frames if "{a}" not in frame]).format(n=n, m=m)
