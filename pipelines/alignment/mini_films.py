"""The mini corpus: English film reviews of two moods, made here from a vocabulary.

The vocabulary is a file of words and sentences (mini_films.yaml). A pleased viewer mostly praises
and a displeased one mostly complains, but each says a few things of the other mood and some of
none. So a text's mood can mostly be told, and texts of every degree give a reward something to tell
apart.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import polars as pl

from genlab.core.program import InputError
from genlab.mini.vocabulary import check_forms, check_parts, check_texts, read_vocabulary
from pipelines.alignment.schemas import divide, frames_of

MOODS = ("good", "bad")
# Ours: a sentence's mood, in a review of the first or of the second.
SENTENCE_SHARES = {"own": 0.62, "other": 0.13, "neutral": 0.25}
OPENING_SHARE, CLOSING_SHARE = 0.7, 0.6
MIN_SENTENCES, MAX_SENTENCES = 1, 4  # between opening and closing
MOST_DRAFTS = 1000  # before the vocabulary counts as used up
LISTS = ("genre", "aspect", "person", "place", "companion", "degree", "hero", "task")
MOOD_LISTS = ("adjective", "verb", "noun")
TITLE_PARTS = ("first", "second")
# Lists of sentences: of either mood, and of one.
ANY_MOOD = ("openings", "neutral")
OF_A_MOOD = ("sentences", "closings")


def make_reviews(
    path: Path, n_texts: int, validation_share: float, seed: int
) -> Iterator[pl.DataFrame]:
    """Yield `n_texts` different reviews in batches, half of each mood; the same for the same seed.

    Raises InputError for a mistake in the vocabulary at `path`, or if it has not so many reviews.
    """
    if n_texts < 2:
        raise InputError(f"corpus.n_texts={n_texts}: the mini corpus has at least two, one a mood")
    world = read_world(path)
    rng = Random(seed)
    seen: set[str] = set()
    rows = []
    for number in range(n_texts):
        mood = MOODS[number % 2]
        drafts = (write_review(world, mood, rng) for _ in range(MOST_DRAFTS))
        text = next((draft for draft in drafts if draft not in seen), None)
        if text is None:
            raise InputError(f"{path}: too few words for {n_texts} different reviews; add some")
        seen.add(text)
        text_id = f"film-{number:06}"
        rows.append((text_id, "", text, mood == "good", *divide(text_id, validation_share)))
    yield from frames_of(rows)


def write_review(world: dict, mood: str, rng: Random) -> str:
    """Return one review: perhaps an opening, some sentences, perhaps a closing."""
    other = MOODS[1 - MOODS.index(mood)]
    kinds = {"own": mood, "other": other, "neutral": "neutral"}
    sentences = []
    if rng.random() < OPENING_SHARE:
        sentences.append(fill(rng.choice(world["openings"]), world, mood, rng))
    for _ in range(rng.randint(MIN_SENTENCES, MAX_SENTENCES)):
        kind = kinds[rng.choices(list(SENTENCE_SHARES), list(SENTENCE_SHARES.values()))[0]]
        forms = world["neutral"] if kind == "neutral" else world[kind]["sentences"]
        sentences.append(fill(rng.choice(forms), world, kind, rng))
    if rng.random() < CLOSING_SHARE:
        sentences.append(fill(rng.choice(world[mood]["closings"]), world, mood, rng))
    return " ".join(dict.fromkeys(sentences))  # nobody says the very same twice


def fill(sentence: str, world: dict, mood: str, rng: Random) -> str:
    """Return the sentence with a word in every place; `mood` decides between good and bad ones."""

    def word(place: re.Match) -> str:
        name = place[1]
        if name == "title":
            first, second = (rng.choice(world["titles"][part]) for part in TITLE_PARTS)
            return f"the {first} {second}"
        return rng.choice(world[mood][name] if name in MOOD_LISTS else world[name])

    return re.sub(r"\{(\w+)\}", word, sentence)


def read_world(path: Path) -> dict:
    """Return the vocabulary; raise InputError naming the list or sentence that is wrong."""
    world = read_vocabulary(path)
    check_parts(world, f"{path}: top level", ("titles", *LISTS, *ANY_MOOD, *MOODS))
    check_parts(world["titles"], f"{path}: titles", TITLE_PARTS)
    for part in TITLE_PARTS:
        check_texts(world["titles"][part], f"{path}: titles, {part}")
    for name in LISTS:
        check_texts(world[name], f"{path}: {name}")
    for name in ANY_MOOD:
        check_forms(world[name], f"{path}: {name}", may_use=(*LISTS, "title"))
    for mood in MOODS:
        check_parts(world[mood], f"{path}: {mood}", (*MOOD_LISTS, *OF_A_MOOD))
        for name in MOOD_LISTS:
            check_texts(world[mood][name], f"{path}: {mood}, {name}")
        for name in OF_A_MOOD:
            known = (*LISTS, *MOOD_LISTS, "title")
            check_forms(world[mood][name], f"{path}: {mood}, {name}", may_use=known)
    return world
