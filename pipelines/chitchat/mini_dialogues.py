"""Russian dialogues that are made here: no network, nobody's words, and effects that can show.

The vocabulary lies beside (mini_dialogues.yaml). A dialogue has two to eight turns. Its blocks are
facts, which one speaker names and asks for two turns later, and small talk. Two kinds of duplicates
are planted for dedup to find: dialogues that begin with the line of an earlier one, and replies
that repeat their input, word for word or nearly.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS
from genlab.mini.vocabulary import check_parts, check_texts, read_vocabulary
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA

# Ours: enough of each for its effect to be measured on a few hundred replies.
FACT_SHARE = 0.75  # of blocks
SAME_START_SHARE = 0.05
ECHO_SHARE = 0.08  # of replies
CLOSING_SHARE = 0.25
MAX_TURNS = 8
WORLD_PARTS = ("greetings", "closings", "facts", "topics")
TOPIC_PARTS = ("ask", "answer")
FACT_PARTS = ("say", "between", "ask", "answer", "values")


def make_dialogues(path: Path, n_dialogues: int, seed: int) -> Iterator[pl.DataFrame]:
    """Yield `n_dialogues` dialogues in batches; the same for the same arguments.

    Raises InputError for a mistake in the vocabulary at `path`.
    """
    world, rng = read_world(path), Random(seed)
    starts: list[str] = []
    rows: list[dict] = []
    for number in range(n_dialogues):
        turns = write_dialogue(world, rng)
        if starts and rng.random() < SAME_START_SHARE:
            turns[0] = rng.choice(starts)
        else:
            starts.append(turns[0])
        rows.append({"dialogue_id": f"mini-{number}", "turns": add_echo(turns, rng)})
        if len(rows) == BATCH_ROWS or number == n_dialogues - 1:
            yield pl.DataFrame(rows, schema=DIALOGUE_SCHEMA)
            rows = []


def write_dialogue(world: dict, rng: Random) -> list[str]:
    """Return the turns of one dialogue, without planted duplicates."""
    turns: list[str] = []
    for _ in range(rng.choice((1, 1, 2))):
        if rng.random() < FACT_SHARE:
            turns += write_fact(world["facts"][rng.choice(list(world["facts"]))], rng)
        else:
            topic = world["topics"][rng.choice(list(world["topics"]))]
            for _ in range(rng.choice((1, 2))):
                turns += [rng.choice(topic["ask"]) + "?", rng.choice(topic["answer"]) + "."]
    turns[0] = f"{rng.choice(world['greetings'])}, {turns[0]}"
    if len(turns) < MAX_TURNS - 1 and rng.random() < CLOSING_SHARE:
        turns += [rng.choice(world["closings"]) + "!" for _ in range(2)]
    return turns[:MAX_TURNS]


def write_fact(fact: dict, rng: Random) -> list[str]:
    """Return four turns: a fact, what the other says to it, the question for it, the answer."""
    value = rng.choice(fact["values"])
    said, between, asked, answered = (rng.choice(fact[part]) for part in FACT_PARTS[:4])
    return [
        said.replace("_", value) + ".",
        between.replace("_", value) + ".",
        asked + "?",
        answered.replace("_", value) + ".",
    ]


def add_echo(turns: list[str], rng: Random) -> list[str]:
    """Return the turns, now and then with one that repeats the one before it in its place."""
    turns = list(turns)
    for number in range(1, len(turns)):
        if rng.random() < ECHO_SHARE:
            said = turns[number - 1]
            turns[number] = said if rng.random() < 0.5 else said.rstrip(".?!") + "!"
    return turns


def plain_texts(path: Path, n_dialogues: int, seed: int) -> list[str]:
    """Return dialogues as plain text, a line a turn, without planted duplicates.

    What a base model is pretrained on: the language, and that names come again. It never sees a
    speaker's token.
    """
    world, rng = read_world(path), Random(seed)
    return ["\n".join(write_dialogue(world, rng)) for _ in range(n_dialogues)]


def read_world(path: Path) -> dict:
    """Return the vocabulary; raise InputError for broken YAML or a part that is not there."""
    world = read_vocabulary(path)
    check_parts(world, f"{path}: top level", WORLD_PARTS)
    for part in ("greetings", "closings"):
        check_texts(world[part], f"{path}: {part}")
    for group, parts in (("facts", FACT_PARTS), ("topics", TOPIC_PARTS)):
        for name, entry in check_parts(world[group], f"{path}: {group}").items():
            check_parts(entry, f"{path}: {group}, {name}", parts)
            for part in parts:
                where = f"{path}: {group}, {name}, {part}"
                texts = check_texts(entry[part], where)
                if group == "facts" and part in ("say", "answer"):
                    check_values(texts, where)
    return world


def check_values(texts: list[str], where: str) -> None:
    """Raise InputError for a sentence that does not name its fact."""
    for text in texts:
        if "_" not in text:
            raise InputError(f"{where}: '{text}' names no value; write _")
