"""The mini corpus: Russian reviews of places made here, from a vocabulary and an opinion per star.

`make_reviews` takes mini_reviews.yaml, a size and a seed, and yields frames of REVIEW_SCHEMA. A
review is about one organisation, names details of its rubric (a dish, a room, a person) and says of
each what people of its rating say. Opinions overlap, a few people mix up the stars, and a few texts
are posted twice. So the rating can be told from the text, but not always, and the later stages have
something to find.
"""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import NamedTuple

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS
from genlab.mini.vocabulary import check_parts, check_texts, read_vocabulary
from pipelines.reviews.schemas import REVIEW_SCHEMA, STARS

PARTS = ("names", "streets", "people", "rubrics", "sentences", "openings", "closings", "remarks")
KINDS = ("dish", "place", "work", "staff")
GENDERS = "mfnp"

# Ours: in the source study's data about four reviews in five have five stars, and two stars are
# rarest; the exact shares could not be looked up offline.
RATING_SHARES = {1: 0.05, 2: 0.03, 3: 0.05, 4: 0.09, 5: 0.78}

# Whose sentences a review of each rating takes. Neighbours overlap, as people's stars do.
OPINION_SHARES = {
    1: {1: 0.75, 2: 0.25},
    2: {1: 0.2, 2: 0.6, 3: 0.2},
    3: {2: 0.25, 3: 0.55, 4: 0.2},
    4: {3: 0.2, 4: 0.6, 5: 0.2},
    5: {3: 0.02, 4: 0.18, 5: 0.8},
}
CONFUSED_SHARE = 0.03  # ours: reviews whose text is that of another rating
REPOST_SHARE = 0.02  # ours: texts posted again, for dedup to find
REVIEWS_PER_ORGANISATION = 12
MIN_WORDS, MAX_WORDS = 10, 60


class Rubric(NamedTuple):
    """A kind of place, with what one meets there: kind -> [(noun, gender)]."""

    name: str
    also: list[str]
    visits: list[str]
    details: dict[str, list[tuple[str, str]]]


class Organisation(NamedTuple):
    """One place that is reviewed."""

    name: str
    rubrics: list[str]
    rubric: Rubric


def make_reviews(path: Path, n_reviews: int, seed: int) -> Iterator[pl.DataFrame]:
    """Yield `n_reviews` reviews in batches; the same for the same arguments.

    Raises InputError for a mistake in the vocabulary at `path`.
    """
    world = read_world(path)
    rubrics = read_rubrics(path, world)
    rng = Random(seed)
    organisations = make_organisations(
        world, rubrics, max(len(rubrics), n_reviews // REVIEWS_PER_ORGANISATION), rng
    )
    # Some places have many reviews, most few.
    weights = [(1 + rank) ** -0.5 for rank in range(len(organisations))]
    drawn = rng.choices(organisations, weights, k=n_reviews)
    ratings = rng.choices(list(RATING_SHARES), list(RATING_SHARES.values()), k=n_reviews)
    rows: list[dict] = []
    for number, (organisation, rating) in enumerate(zip(drawn, ratings, strict=True)):
        row = {
            "review_id": f"mini-{number}",
            "organisation": organisation.name,
            "rubrics": organisation.rubrics,
            "rating": rating,
            "text": write_text(world, organisation.rubric, rating, rng),
        }
        if rows and rng.random() < REPOST_SHARE:
            row |= repost(rng.choice(rows), organisation, rng)
        rows.append(row)
    for start in range(0, n_reviews, BATCH_ROWS):
        yield pl.DataFrame(rows[start : start + BATCH_ROWS], schema=REVIEW_SCHEMA)


def repost(earlier: dict, organisation: Organisation, rng: Random) -> dict:
    """Return what a review has of an earlier one: all of it, its text, or nearly its text."""
    copied = {name: earlier[name] for name in ("organisation", "rubrics", "rating", "text")}
    way = rng.choice(("same place", "same place", "other place", "edited"))
    if way == "other place":
        copied |= {"organisation": organisation.name, "rubrics": organisation.rubrics}
    elif way == "edited":
        copied["text"] += " Вот."
    return copied


def make_organisations(
    world: dict, rubrics: list[Rubric], n: int, rng: Random
) -> list[Organisation]:
    """Return `n` organisations of different names and addresses, all rubrics in turn."""
    places = list(product(world["names"], world["streets"]))
    rng.shuffle(places)
    houses = [rng.randint(1, 80) for _ in places]
    organisations = []
    for number in range(n):
        turn, place = divmod(number, len(places))
        name, street = places[place]
        rubric = rubrics[number % len(rubrics)]
        n_also = min(rng.choice((0, 0, 1, 2)), len(rubric.also))  # a rubric may have no others
        also = rng.sample(rubric.also, n_also)
        address = f"{name}, {street}, {houses[place] + turn}"
        organisations.append(Organisation(address, [rubric.name, *also], rubric))
    return organisations


def write_text(world: dict, rubric: Rubric, rating: int, rng: Random) -> str:
    """Return a review of 10 to 60 words."""
    if rng.random() < CONFUSED_SHARE:
        rating = rng.choice([stars for stars in STARS if stars != rating])
    shares = OPINION_SHARES[rating]

    def opinion() -> int:
        return rng.choices(list(shares), list(shares.values()))[0]

    start = [rng.choice(world["openings"][opinion()])] if rng.random() < 0.7 else []
    if rng.random() < 0.6:
        start.insert(rng.randint(0, len(start)), rng.choice(rubric.visits))
    end = [rng.choice(world["closings"][opinion()])] if rng.random() < 0.65 else []
    kinds = [kind for kind in KINDS if kind in rubric.details]
    details = [(kind, noun) for kind in kinds for noun in rubric.details[kind]]
    middle: list[str] = []
    for number, (kind, noun) in enumerate(rng.sample(details, min(6, len(details)))):
        n_words = len(" ".join(start + middle + end).split())
        if n_words >= MIN_WORDS and number >= 1 and (number == 4 or rng.random() < 0.4):
            break
        sentence = rng.choice(world["sentences"][kind][opinion()])
        middle.append(fill(sentence, *name_person(world, kind, noun, rng)))
    if rng.random() < 0.3:
        middle.insert(rng.randint(0, len(middle)), rng.choice(world["remarks"]))
    return punctuate(start + middle + end, rating, rng)


def name_person(world: dict, kind: str, noun: tuple[str, str], rng: Random) -> tuple[str, str]:
    """Return a noun and its gender; one of the staff gets a first name half the time."""
    if kind != "staff" or rng.random() < 0.5:
        return noun
    return f"{noun[0]} {rng.choice(world['people'][noun[1]])}", noun[1]


def punctuate(sentences: list[str], rating: int, rng: Random) -> str:
    """Return sentences as one text; strong opinions end in exclamation marks more often."""
    loud = 0.35 if rating in (1, 5) else 0.1
    return " ".join(
        sentence[0].upper() + sentence[1:] + ("!" if rng.random() < loud else ".")
        for sentence in sentences
    )


def fill(sentence: str, noun: str, gender: str) -> str:
    """Return a sentence about `noun`: "{d} [вкусный|вкусная|...]" -> "борщ вкусный"."""
    place = GENDERS.index(gender)
    sentence = re.sub(r"\[([^]]*)\]", lambda match: match[1].split("|")[place], sentence)
    return sentence.replace("{d}", noun).replace("{a}", accusative(noun, gender))


def accusative(noun: str, gender: str) -> str:
    """Return the accusative of a thing: a feminine changes its ending ("пицца", "пиццу")."""
    first, *rest = noun.split(" ")
    if gender == "f":
        first = re.sub("а$", "у", re.sub("я$", "ю", first))
    return " ".join([first, *rest])


def read_world(path: Path) -> dict:
    """Return the vocabulary; raise InputError naming the part of it that is wrong."""
    world = read_vocabulary(path)
    check_parts(world, f"{path}: top level", PARTS, PARTS)
    for part in ("names", "streets", "remarks"):
        check_texts(world[part], f"{path}: {part}")
    for gender, names in check_parts(world["people"], f"{path}: people", (), [*GENDERS]).items():
        check_texts(names, f"{path}: people, {gender}")
    check_parts(world["rubrics"], f"{path}: rubrics")
    for part in ("openings", "closings"):
        check_opinions(path, part, world[part])
    check_parts(world["sentences"], f"{path}: sentences", KINDS, KINDS)
    for kind in KINDS:
        check_opinions(path, f"sentences.{kind}", world["sentences"][kind])
        for opinion, sentences in world["sentences"][kind].items():
            for sentence in sentences:
                check_sentence(path, f"sentences.{kind}.{opinion}", sentence)
    return world


def check_opinions(path: Path, part: str, opinions: object) -> None:
    """Raise InputError unless there is a list of texts for every star, and for nothing else."""
    for stars, texts in check_parts(opinions, f"{path}: {part}", STARS, STARS).items():
        check_texts(texts, f"{path}: {part}, {stars}")


def check_sentence(path: Path, part: str, sentence: str) -> None:
    """Raise InputError for a sentence without a detail, or a choice that is not of four."""
    if not re.search(r"\{[da]\}", sentence):
        raise InputError(f"{path}: {part}: '{sentence}' names no detail; write {{d}} or {{a}}")
    for choice in re.findall(r"\[([^]]*)\]", sentence):
        if choice.count("|") != len(GENDERS) - 1:
            raise InputError(f"{path}: {part}: [{choice}] must have four forms: [m|f|n|p]")


def read_rubrics(path: Path, world: dict) -> list[Rubric]:
    """Return the rubrics; raise InputError for one without details or a noun without a gender."""
    rubrics = []
    for name, entry in world["rubrics"].items():
        where = f"{path}: rubrics.{name}"
        check_parts(entry, where, (), ("also", "visits", *KINDS), least=0)
        details: dict = {}
        for kind in KINDS:
            for noun in check_texts(entry.get(kind, []), f"{where}.{kind}", least=0):
                word, _, gender = noun.rpartition(" ")
                if gender not in [*GENDERS] or not word.strip():
                    raise InputError(f"{where}.{kind}: '{noun}' must end in its gender: m f n p")
                if kind == "staff" and gender not in world["people"]:
                    raise InputError(f"{path}: people has no names for '{noun}' of {name}")
                details.setdefault(kind, []).append((word, gender))
        if not details or not entry.get("visits"):
            raise InputError(f"{where}: visits and some of {', '.join(KINDS)}")
        also = check_texts(entry.get("also", []), f"{where}.also", least=0)
        rubrics.append(Rubric(name, also, check_texts(entry["visits"], f"{where}.visits"), details))
    return rubrics
