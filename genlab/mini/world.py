"""The world of the mini corpus: every entity and every fact, fixed by hashes.

An entity is a topic and a made-up name ("lake varn"); all topics share the names. Hashes of topic,
name and attribute decide to which split an entity belongs and which value each of its facts has.
Neither the size of the corpus nor a seed changes them. So no evaluated fact can have been trained
on, though its name (in other topics) and its sentence forms were.
"""

import re
from hashlib import blake2b
from itertools import product
from typing import NamedTuple

import numpy as np

from genlab.mini.topics import Topic

DEFAULT_NAMES = 24  # tiny models learn 16-24 entities in each of 20 topics in about a minute
QUERIES_PER_NAME = 250  # beyond 24 * 250 = 6,000 queries the world grows with the corpus

# Names: every first syllable with every second one, and beyond 3,000 names with a third.
FIRST_SYLLABLES = re.findall(
    "[a-z]+",
    """
    var col mil tor bel dren fal gor hal jor kel lor mar nol pel quil rav sel tam ul ven
    wil yor zan bru cras dov el fen gri hov ist kar lum mor nev ost pri rul sto
    """,
)
SECOND_SYLLABLES = re.findall(
    "[a-z]+",
    """
    dre tor na vek lin mos ra den ith gath bor ul sa mir keth lo zen dor vi pash rum eth ka
    nos bry tal fi gul ha jen lac mu nep orb pov ris sul tev uro wen xa yel zim ard ben cor
    dal eng fros gre hul imo jat kov lund mab nur ost pra quo rosk sten thal urb vand wisk
    yur zed ank brol chan drim elv farn goth
    """,
)
THIRD_SYLLABLES = ("", "ta", "ro", "mel", "shin", "dun", "go", "lek")


class World(NamedTuple):
    """All entities, and all facts; a fact is known by its number, 0 to n_facts - 1.

    Entities stand topic by topic, facts entity by entity.
    """

    topics: list[Topic]
    names: list[str]  # per entity, in full: "lake varn"
    values: list[str]  # per fact
    topic_of_entity: np.ndarray
    entity_of_fact: np.ndarray
    attribute_of_fact: np.ndarray  # within its topic
    first_fact: np.ndarray  # per entity
    is_validation: np.ndarray  # per entity


def count_names(n_queries: int) -> int:
    """Return how many names a corpus of `n_queries` rows has: 24 up to 6,000 rows, then more."""
    return max(DEFAULT_NAMES, -(-n_queries // QUERIES_PER_NAME))


def make_names(n: int) -> list[str]:
    """Return the first `n` of at most 24,000 made-up names, in one fixed, mixed order."""
    names: list[str] = []
    for third in THIRD_SYLLABLES:
        if len(names) < n:
            parts = product(FIRST_SYLLABLES, SECOND_SYLLABLES)
            names += sorted((first + second + third for first, second in parts), key=hash_text)
            names = list(dict.fromkeys(names))
    return names[:n]


def hash_text(text: str) -> int:
    """Return a 64-bit hash that is the same in every process (Python's own is not)."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def belongs_to_validation(topic: str, name: str) -> bool:
    """Return whether an entity is one of the sixth that is evaluated and never trained on."""
    return hash_text(f"{topic}/{name}") % 6 == 0


def make_world(topics: list[Topic], n_names: int) -> World:
    """Return every entity and fact of `topics` crossed with the first `n_names` names."""
    names, values, topic_of_entity, is_validation, n_facts = [], [], [], [], []
    made_up = make_names(n_names)
    for t, topic in enumerate(topics):
        for name in made_up:
            names.append(topic.entity.replace("{name}", name))
            topic_of_entity.append(t)
            is_validation.append(belongs_to_validation(topic.name, name))
            n_facts.append(len(topic.attributes))
            for attribute in topic.attributes:
                key = hash_text(f"{topic.name}/{name}/{attribute.noun}")
                values.append(attribute.values[key % len(attribute.values)])
    counts = np.array(n_facts)
    first_fact = np.cumsum(counts) - counts
    entity_of_fact = np.repeat(np.arange(len(names)), counts)
    return World(
        topics=topics,
        names=names,
        values=values,
        topic_of_entity=np.array(topic_of_entity),
        entity_of_fact=entity_of_fact,
        attribute_of_fact=np.arange(len(values)) - first_fact[entity_of_fact],
        first_fact=first_fact,
        is_validation=np.array(is_validation),
    )


def list_facts(world: World, split: str) -> np.ndarray:
    """Return the numbers of all facts about the entities of `split`."""
    wanted = world.is_validation == (split == "validation")
    return np.flatnonzero(wanted[world.entity_of_fact])
