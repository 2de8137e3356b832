"""The mini corpus: MS MARCO-shaped queries made here, from a table of facts and sentence forms.

`make_queries` makes the query table of a corpus from a topics file, sizes and a seed;
`make_plain_text` makes plain passages to pretrain a base model on. The world of facts is fixed
(genlab/mini/world.py): the seed only chooses what is asked and how it is worded.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from genlab.core.tables import BATCH_ROWS
from genlab.mini.topics import Attribute, Topic, read_topics
from genlab.mini.world import DEFAULT_NAMES, World, count_names, list_facts, make_world

PASSAGES = 10
MIN_POOL = 5  # entities per topic to draw from: one asked, four for the negatives of its kind
TWO_SELECTED_SHARE = 0.05  # of the answerable rows


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


def make_plain_text(topics_path: Path, n_passages: int, seed: int) -> list[str]:
    """Return passages about train entities only, every fact equally often, and no query.

    The world has DEFAULT_NAMES, as that of a corpus of few queries has. `seed` >= 0.
    Raises InputError for a mistake in `topics_path`.
    """
    world = make_world(read_topics(topics_path), DEFAULT_NAMES)
    rng = np.random.default_rng([seed, 2])
    order = rng.permutation(list_facts(world, "train"))
    return word_passages(world, np.resize(order, n_passages), rng)


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
    entities = world.entity_of_fact[asked]
    topics = [world.topics[t] for t in world.topic_of_entity[entities]]
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
            "entity": [world.names[entity] for entity in entities],
            "topic": [topic.name for topic in topics],
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
