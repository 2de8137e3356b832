"""The small world: words, facts about people, a toy language, and sentences made of them.

Tasks and crawl share it, as real tasks share the web with what a model was pretrained on. Facts are
drawn by hashes, so that neither sizes nor seeds change them.
"""

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from genlab.core.program import InputError
from genlab.core.yaml_text import load_yaml
from genlab.mini.world import hash_text, make_names

# How many pages of the crawl state a fact: a quarter of the people each.
TIMES_SEEN = (1, 4, 16, 64)


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
    """Return the world of a YAML file; raise InputError if it is none."""
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
        return World(**content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise InputError(
            f"{path}: not the words of a world ({error}); see mini_world.yaml"
        ) from None


def value_of_fact(world: World, person: str, relation: str) -> str:
    """Return what a person's relation is."""
    values = world.relations[relation]["values"]
    return values[hash_text(f"{relation}/{person}") % len(values)]


def times_seen(world: World, person: str) -> int:
    """Return on how many pages each fact about a person stands."""
    return TIMES_SEEN[world.people.index(person) % len(TIMES_SEEN)]


def is_asked_in_training(world: World, person: str) -> bool:
    """Say whether closed-book questions about a person are trained on: of half of the people."""
    return world.people.index(person) // len(TIMES_SEEN) % 2 == 0


def toy_words(world: World) -> dict[str, str]:
    """Return the toy language: a made-up word for each noun, and for each word of size."""
    words = [*world.nouns(), *(word for word, _ in world.describing("size"))]
    return dict(zip(words, made_up_words(len(words)), strict=True))


@cache
def made_up_words(n: int) -> list[str]:
    return make_names(n)


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
