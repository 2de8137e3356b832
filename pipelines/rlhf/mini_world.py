"""The mini world: prompts, answers of known kinds, and plain text, made from a vocabulary.

A prompt asks for some members of a category ("name two fruits"). An answer of a kind is helpful
(just what was asked), wrong (it reads well, but members are of another category, named twice, too
many or too few), rude, a refusal, or empty. The base model's texts have all kinds; demonstrations
are helpful ones only. The hidden rule in hidden_rule.py says how good any text is as an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from genlab.core.program import InputError
from genlab.mini.vocabulary import check_forms, check_parts, check_texts, read_vocabulary
from pipelines.rlhf.purposes import Wanted
from pipelines.rlhf.schemas import PURPOSES

SPARE = 1.3  # prompts made for each that is wanted; near-duplicates go
KINDS = ("helpful", "wrong", "rude", "refusal", "empty")
# Ours: kinds of the answers in the base model's texts. Half of them look right and are not.
BASE_SHARES = {"helpful": 0.25, "wrong": 0.40, "rude": 0.15, "refusal": 0.10, "empty": 0.10}
COURTESY_SHARE = 0.3  # ours: of the helpful and the wrong answers
LISTS = ["numbers", "names", "doings", "places", "reasons", "courtesies", "rude", "rude_words"]
LISTS += ["refusals", "refusal_words"]
FORMS = {
    "prompts": {"name", "doing", "place", "asked", "reason"},
    "answers": {"items"},
    "facts": {"category", "items", "name", "doing", "place"},
    "small_talk": {"name", "doing", "place", "other", "other_doing", "other_place"},
}
MUST_USE = {"prompts": ("asked",), "answers": ("items",)}
PAIRED = ("names", "doings", "places")  # two different ones are drawn for a form
MOST_IN_A_FACT = 4  # members
MOST_DRAFTS = 1000  # before the vocabulary counts as used up


@dataclass(frozen=True)
class World:
    """The vocabulary: categories with their members, and lists of words and forms by name."""

    categories: dict[str, list[str]]
    lists: dict[str, list[str]]


@dataclass(frozen=True)
class Asked:
    """What a prompt asks for: `n` members of a category."""

    category: str
    n: int


def read_world(path: Path) -> World:
    """Return the vocabulary; raise InputError naming the list or form that is wrong."""
    content = read_vocabulary(path)
    parts = ("categories", *LISTS, *FORMS)
    check_parts(content, f"{path}: top level", parts, parts)
    categories = check_parts(content["categories"], f"{path}: categories", least=2)
    lists = {name: content[name] for name in (*LISTS, *FORMS)}
    for name in LISTS:
        check_texts(lists[name], f"{path}: {name}", least=2 if name in PAIRED else 1)
    for name, known in FORMS.items():
        must_use = MUST_USE.get(name, ())
        check_forms(lists[name], f"{path}: {name}", must_use, sorted(known - {*must_use}))
    for name, words in categories.items():
        check_texts(words, f"{path}: categories, {name}")
    members = [word for words in categories.values() for word in words]
    if twice := {word for word in members if members.count(word) > 1}:
        raise InputError(
            f"{path}: {min(twice)} is a member twice, of one category or two; keep one of them"
        )
    needed = max(len(lists["numbers"]) + 1, MOST_IN_A_FACT)
    for name, words in categories.items():
        if len(words) < needed:
            raise InputError(
                f"{path}: {name} has {len(words)} members; at least {needed} are needed"
            )
    return World(categories, lists)


def make_mini(path: Path, wanted: Wanted, n_texts: int, seed: int) -> tuple[list[tuple], list[str]]:
    """Return the mini world's rows of PROMPT_SCHEMA without purpose, and its plain texts."""
    world, rng = read_world(path), Random(seed)
    rows: list[tuple] = [
        (
            f"prompt-{number:06}",
            prompt,
            write_answer(world, asked, "helpful", rng, common=False),
            asked.category,
            asked.n,
            [],
        )
        for number, (prompt, asked) in enumerate(make_prompts(world, n_drawn(wanted), rng))
    ]
    return rows, make_texts(world, n_texts, Random(seed + 1))


def n_drawn(wanted: Wanted) -> int:
    """Return how many prompts are drawn."""
    return round(SPARE * sum(map(wanted.of, PURPOSES)))


def make_prompts(world: World, n: int, rng: Random) -> list[tuple[str, Asked]]:
    """Return `n` different prompts with what they ask for; InputError if there are not so many."""
    seen: dict[str, Asked] = {}
    while len(seen) < n:
        for _ in range(MOST_DRAFTS):
            text, asked = write_prompt(world, rng)
            if text not in seen:
                seen[text] = asked
                break
        else:
            raise InputError(f"corpus.path: too few words for {n} different prompts; add some")
    return list(seen.items())


def write_prompt(world: World, rng: Random) -> tuple[str, Asked]:
    """Return a prompt and what it asks for."""
    asked = Asked(rng.choice(list(world.categories)), rng.randint(1, len(world.lists["numbers"])))
    words = f"{world.lists['numbers'][asked.n - 1]} {asked.category}"
    return fill(rng.choice(world.lists["prompts"]), world, rng, asked=words), asked


def write_answer(world: World, asked: Asked, kind: str, rng: Random, common: bool) -> str:
    """Return an answer of a kind. common: members as the base's texts name them, the first most."""
    if kind == "empty":
        return ""
    if kind in ("rude", "refusal"):
        return rng.choice(world.lists["rude" if kind == "rude" else "refusals"])
    items = draw_members(world.categories[asked.category], asked.n, rng, common)
    if kind == "wrong":
        items = spoil(world, asked, items, rng, common)
    text = fill(rng.choice(world.lists["answers"]), world, rng, items=joined(items))
    if rng.random() < COURTESY_SHARE:
        text += " " + rng.choice(world.lists["courtesies"])
    return text


def spoil(world: World, asked: Asked, items: list[str], rng: Random, common: bool) -> list[str]:
    """Return an answer's members with a mistake: one strange, repeated, too many or missing."""
    others = [name for name in world.categories if name != asked.category]
    strange = draw_members(world.categories[rng.choice(others)], 1, rng, common)
    at = rng.randrange(len(items))
    spoilt: list[Callable[[], list[str]]] = [
        lambda: items[:at] + strange + items[at + 1 :],
        lambda: [*items, items[at]],
        lambda: [*items, *strange],
        lambda: items[:at] + items[at + 1 :] if len(items) > 1 else strange,
    ]
    return rng.choice(spoilt)()


def draw_members(members: list[str], n: int, rng: Random, common: bool) -> list[str]:
    """Return `n` different members, any as likely, or (common) the k-th with weight 1 / k."""
    left, drawn = list(members), []
    for _ in range(n):
        weights = [1 / (members.index(word) + 1) if common else 1.0 for word in left]
        drawn.append(rng.choices(left, weights)[0])
        left.remove(drawn[-1])
    return drawn


def joined(items: list[str]) -> str:
    """Return "plum , pear and fig"."""
    return " and ".join(filter(None, [" , ".join(items[:-1]), items[-1]])) if items else "nothing"


def make_texts(world: World, n: int, rng: Random) -> list[str]:
    """Return `n` texts for the base model: two fifths facts and talk, the rest answers.

    Answers stand below a prompt, and are of all kinds: what is found on the net.
    """
    texts = []
    for _ in range(n):
        draw = rng.random()
        if draw < 0.25:
            category = rng.choice(list(world.categories))
            n_items = rng.randint(1, MOST_IN_A_FACT)
            items = draw_members(world.categories[category], n_items, rng, common=True)
            form = rng.choice(world.lists["facts"])
            texts.append(fill(form, world, rng, category=category, items=joined(items)))
        elif draw < 0.4:
            texts.append(fill(rng.choice(world.lists["small_talk"]), world, rng))
        else:
            prompt, asked = write_prompt(world, rng)
            kind = rng.choices(list(BASE_SHARES), list(BASE_SHARES.values()))[0]
            answer = write_answer(world, asked, kind, rng, common=True)
            texts.append(f"{prompt}\n {answer}" if answer else f"{prompt}\n")
    return texts


def fill(form: str, world: World, rng: Random, **given: str) -> str:
    """Return a form with a word in every place."""
    name, other = rng.sample(world.lists["names"], 2)
    doing, other_doing = rng.sample(world.lists["doings"], 2)
    place, other_place = rng.sample(world.lists["places"], 2)
    words = {"name": name, "doing": doing, "place": place, "other": other, **given}
    words |= {"other_doing": other_doing, "other_place": other_place}
    return form.format(reason=rng.choice(world.lists["reasons"]), **words)
