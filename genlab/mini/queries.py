"""The mini corpus: MS MARCO-shaped queries made here, from a table of facts and sentence forms.

In: a file of topics (mini_topics.yaml), sizes and a seed. Out: frames of tables.QUERY_SCHEMA, and
plain passages to pretrain a base model on.

The world is fixed. An entity is a topic and a made-up name ("lake varn"); all topics share the
names. Hashes of topic, name and attribute decide which split an entity belongs to and the value of
each of its facts, whatever the size or the seed: no evaluated fact can ever have been trained on,
though its name (in other topics) and its sentence forms were. The seed only chooses what is asked
and how it is worded.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from itertools import permutations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import yaml

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS

PASSAGES = 10
DEFAULT_NAMES = 24  # tiny models learn 16-24 entities in each of 20 topics in about a minute
QUERIES_PER_NAME = 250  # beyond 24 * 250 = 6,000 queries the world grows with the corpus
MIN_ATTRIBUTES = 4  # one asked, three for the hard negatives about the same entity
MIN_POOL = 5  # entities per topic to draw from: one asked, four for the negatives of its kind

# Every place in a row of ten has a kind; an answerable row and an unanswerable one.
SELECTED, SAME_ATTRIBUTE, SAME_ENTITY, OTHER_TOPIC = range(4)
TWO_SELECTED_SHARE = 0.05  # of the answerable rows

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


def make_queries(
    topics_path: Path, n_train: int, n_validation: int, seed: int
) -> Iterator[pl.DataFrame]:
    """Yield `n_train` rows of split train, then `n_validation` of split validation, in batches.

    One row in three has no selected passage. A query_id reads "validation-17-lake": split, row,
    topic. Validation asks no fact twice while there are facts left. `seed` >= 0.
    Raises InputError for a mistake in `topics_path`.
    """
    world = make_world(read_topics(topics_path), count_names(n_train + n_validation))
    yield from make_split(world, "train", n_train, seed)
    yield from make_split(world, "validation", n_validation, seed)


def make_plain_text(
    topics_path: Path, n_passages: int, seed: int, n_names: int = DEFAULT_NAMES
) -> list[str]:
    """Return passages about train entities only, every fact equally often, and no query.

    `n_names` is the size of the world; `count_names(n_train + n_validation)` is a corpus's own.
    `seed` >= 0. Raises InputError for a mistake in `topics_path`.
    """
    world = make_world(read_topics(topics_path), n_names)
    rng = np.random.default_rng([seed, 2])
    order = rng.permutation(list_facts(world, "train"))
    return word_passages(world, np.resize(order, n_passages), rng)


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
    """Say whether an entity is one of the sixth that is evaluated and never trained on."""
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


def make_split(world: World, split: str, n_rows: int, seed: int) -> Iterator[pl.DataFrame]:
    """Yield the rows of one split in batches of a multiple of three rows."""
    split_number = ("train", "validation").index(split)
    pools = make_pools(world, split)
    order = np.random.default_rng([seed, split_number]).permutation(list_facts(world, split))
    batch_rows = BATCH_ROWS - BATCH_ROWS % 3
    for start in range(0, n_rows, batch_rows):
        rng = np.random.default_rng([seed, split_number, start])
        rows = np.arange(start, min(start + batch_rows, n_rows))
        asked = order[rows % len(order)]
        facts, selected = draw_passages(world, pools, asked, rng)
        yield make_frame(world, split, rows, asked, facts, selected, rng)


def make_pools(world: World, split: str) -> list[np.ndarray]:
    """Return per topic the entities that its passages in `split` are about.

    Train draws on train entities alone. Validation draws on its own; where a topic has too few of
    them for four negatives of one kind, train entities fill up.
    """
    pools = []
    for t in range(len(world.topics)):
        of_topic = world.topic_of_entity == t
        own = np.flatnonzero(of_topic & (world.is_validation == (split == "validation")))
        if split == "validation" and len(own) < MIN_POOL:
            others = np.flatnonzero(of_topic & ~world.is_validation)
            own = np.concatenate([own, others[: MIN_POOL - len(own)]])
        pools.append(own)
    return pools


def draw_passages(
    world: World, pools: list[np.ndarray], asked: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the facts int [n, 10] that each row's passages state, and which are selected [n, 10].

    In every three rows, one (drawn) is unanswerable.
    """
    n = len(asked)
    entity = world.entity_of_fact[asked]
    topic = world.topic_of_entity[entity]
    attribute = world.attribute_of_fact[asked]
    n_attributes = np.array([len(t.attributes) for t in world.topics])
    pool_size = np.array([len(pool) for pool in pools])
    pool_start = np.cumsum(pool_size) - pool_size
    pooled = np.concatenate(pools)
    place_in_pool = np.zeros(len(world.names), dtype=np.int64)
    place_in_pool[pooled] = np.arange(len(pooled)) - np.repeat(pool_start, pool_size)

    size = pool_size[topic][:, None]
    place = (place_in_pool[entity][:, None] + draw_offsets(size, 4, rng)) % size
    same_kind = pooled[pool_start[topic][:, None] + place]
    same_attribute = world.first_fact[same_kind] + attribute[:, None]

    size = n_attributes[topic][:, None]
    other = (attribute[:, None] + draw_offsets(size, 3, rng)) % size
    same_entity = world.first_fact[entity][:, None] + other

    offset = rng.integers(1, len(pools), size=(n, 3))
    topics = (topic[:, None] + offset) % len(pools)
    entities = pooled[pool_start[topics] + draw_below(pool_size[topics], rng)]
    other_topic = world.first_fact[entities] + draw_below(n_attributes[topics], rng)

    facts = np.hstack([asked[:, None], same_attribute, same_entity, other_topic[:, :2]])
    selected = np.zeros((n, PASSAGES), dtype=bool)
    drawn = np.repeat(rng.integers(3, size=-(-n // 3)), 3)[:n]
    answerable = np.arange(n) % 3 != drawn
    selected[:, 0] = answerable
    facts[:, 0] = np.where(answerable, asked, other_topic[:, 2])
    twice = answerable & (rng.random(n) < TWO_SELECTED_SHARE)
    selected[:, -1] = twice
    facts[:, -1] = np.where(twice, asked, facts[:, -1])
    shuffle = rng.random((n, PASSAGES)).argsort(axis=1)
    return np.take_along_axis(facts, shuffle, 1), np.take_along_axis(selected, shuffle, 1)


def draw_below(limits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a whole number from 0 to limit - 1 for each limit."""
    return (rng.random(limits.shape) * limits).astype(np.int64)


def draw_offsets(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return int [n, count]: `count` different numbers from 1 to size - 1 for each of sizes [n, 1].

    One from each of `count` equal stretches of a circle, the circle turned by chance: every number
    is equally likely, with no table of all numbers per row. Needs size > count.
    """
    around = sizes - 1
    edges = np.arange(count + 1) * around // count
    picks = edges[:, :-1] + draw_below(np.diff(edges, axis=1), rng)
    return 1 + (picks + draw_below(around, rng)) % around


def make_frame(
    world: World,
    split: str,
    rows: np.ndarray,
    asked: np.ndarray,
    facts: np.ndarray,
    selected: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Put facts into words: one frame of tables.QUERY_SCHEMA."""
    topics = [world.topics[t] for t in world.topic_of_entity[world.entity_of_fact[asked]]]
    texts = pa.array(word_passages(world, facts.ravel(), rng), pa.large_string())
    passages = pa.StructArray.from_arrays(
        [texts, pa.array(selected.ravel())], names=["text", "is_selected"]
    )
    offsets = pa.array(np.arange(len(rows) + 1) * PASSAGES, pa.int64())
    ids = [f"{split}-{row}-{topic.name}" for row, topic in zip(rows, topics, strict=True)]
    return pl.DataFrame(
        {
            "query_id": ids,
            "query": word_queries(world, asked, rng),
            "passages": pl.from_arrow(pa.LargeListArray.from_arrays(offsets, passages)),
            "split": [split] * len(rows),
        }
    )


def word_queries(world: World, facts: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Return one query per fact, in a wording drawn by chance."""
    queries = []
    for attribute, _, name, _, form in walk_facts(world, facts, rng):
        wordings = attribute.queries
        queries.append(wordings[form % len(wordings)].replace("{e}", name))
    return queries


def word_passages(world: World, facts: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Return one passage per fact: an opening that states it, remarks, and the fact once more.

    Four or five sentences, some 45 words. The first two or three mentions name the entity in full,
    later ones by its topic's short name.
    """
    passages = []
    for attribute, topic, name, value, form in walk_facts(world, facts, rng):
        form, mentions = divmod(form, 2)
        form, opening = divmod(form, len(attribute.openings))
        form, again = divmod(form, len(attribute.restatements))
        form, order = divmod(form, len(attribute.remark_orders))
        sentences = [attribute.remarks[remark] for remark in attribute.remark_orders[order]]
        sentences.insert(form % (len(sentences) + 1), attribute.restatements[again])
        text = " ".join((attribute.openings[opening], *sentences))
        text = text.replace("{e}", name, 2 + mentions).replace("{e}", topic.short)
        passages.append(text.replace("{v}", value))
    return passages


def walk_facts(
    world: World, facts: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[Attribute, Topic, str, str, int]]:
    """Yield per fact its attribute, topic, entity name, value and a number to draw a wording by."""
    entities = world.entity_of_fact[facts]
    columns = (
        facts.tolist(),
        entities.tolist(),
        world.topic_of_entity[entities].tolist(),
        world.attribute_of_fact[facts].tolist(),
        rng.integers(2**31, size=len(facts)).tolist(),
    )
    for fact, entity, t, a, form in zip(*columns, strict=True):
        topic = world.topics[t]
        yield topic.attributes[a], topic, world.names[entity], world.values[fact], form


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
                f"`values` ({', '.join(lists)})"
            )
    if not isinstance(spec, list) or len(set(map(str, spec))) < 2:
        raise InputError(f"{where}: needs at least two different values")
    for value in spec:
        check_text(value, (), where)
    return spec


def cross_lists(spec: Any, where: str) -> list:
    """Return a list as it is; of two named lists, {first: [anna], last: [adams]}, every pair."""
    lists = list(spec.values()) if isinstance(spec, dict) else [spec]
    if not all(isinstance(words, list) for words in lists):
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
