"""A made crawl: pages with addresses, most of them worth reading, some of what C4's rules drop.

Good pages are about one field, say in passing what its words mean, and state facts about people: a
fact as often as `times_seen` says. The rest has menus, scripts, placeholders, copies and pages that
are too short.
"""

import random
from collections.abc import Iterator

from pipelines.instruct.mini_world import World, times_seen, value_of_fact, write_sentence

BAD_LINES = [
    "home | news | contact | about us",
    "please turn on javascript to read this page.",
    "we use cookies. read our privacy policy here.",
    "read more ...",
    "lorem ipsum dolor sit amet.",
    "if (page) { show it to every reader now.",
    "this darn page will not load again today.",
    "short line.",
]


def make_crawl(
    world: World, n_pages: int, bad_share: float, seed: int
) -> Iterator[tuple[str, str]]:
    """Yield (url, text) of `n_pages` pages; about `bad_share` of them are bad."""
    rng = random.Random(seed)
    facts = facts_to_state(world, rng)
    fields = world.fields | world.new_fields
    before = "a page of nothing."
    good_numbers = [number for number in range(n_pages) if rng.random() >= bad_share]
    # Facts are spread over the good pages, each on as many as it is to be seen on.
    spread: dict[int, list[str]] = {}
    for fact in facts:
        spread.setdefault(rng.choice(good_numbers), []).append(fact)
    good = set(good_numbers)
    for number in range(n_pages):
        field = rng.choice(list(fields))
        url = f"http://www.{field}{number % 97}.example/{field}/{number}?utm_source=feed"
        text = "\n".join(good_lines(world, field, spread.get(number, []), rng))
        if number not in good:
            text = spoiled(text, before, rng)
        yield url, text
        before = text


def facts_to_state(world: World, rng: random.Random) -> list[str]:
    """Return the sentences that state facts, each as often as its person's facts are seen."""
    sentences = []
    for person in world.people:
        for relation, words in world.relations.items():
            value = value_of_fact(world, person, relation)
            for _ in range(times_seen(world, person)):
                form = rng.choice(words["says"])
                sentences.append(form.format(person=person, value=value))
    return sentences


def good_lines(world: World, field: str, facts: list[str], rng: random.Random) -> list[str]:
    """Return the lines of a page: two to three sentences each, all of one field."""
    nouns = (world.fields | world.new_fields)[field]
    sentences = [write_sentence(world, nouns, None, rng) for _ in range(rng.randint(2, 3))]
    n, m = rng.sample(nouns, 2)
    sentences.append(rng.choice(world.about).format(f=field, n=n, m=m))
    for _ in range(2):
        attribute = rng.choice(list(world.attributes))
        a, w = rng.choice(world.describing(attribute))
        sentences.append(rng.choice(world.summing_up).format(n=rng.choice(nouns), a=a, w=w))
    rng.shuffle(sentences)
    sentences += facts
    if rng.random() < 0.3:
        sentences.append(told_twice(world, rng))
    lines = []
    while sentences:
        n_now = rng.randint(2, 3)
        lines.append(" ".join(f"{sentence}." for sentence in sentences[:n_now]))
        sentences = sentences[n_now:]
    return lines


def told_twice(world: World, rng: random.Random) -> str:
    """Return something about somebody of a story, told in both forms: no fact of the world.

    Names of stories have a surname that is drawn anew, so nothing can be remembered of them.
    """
    person = f"{rng.choice(world.people)} {rng.choice(['smith', 'jones', 'brown', 'green'])}"
    words = rng.choice(list(world.relations.values()))
    value = rng.choice(words["values"])
    first, second = rng.sample(words["says"], 2)
    return ". ".join(form.format(person=person, value=value) for form in (first, second))


def spoiled(text: str, before: str, rng: random.Random) -> str:
    """Return a page as the web has it: with lines that are none, cut short, or seen before."""
    lines = text.split("\n")
    kind = rng.randrange(4)
    if kind == 0:
        return "\n".join([rng.choice(BAD_LINES), *lines, rng.choice(BAD_LINES)])
    if kind == 1:
        return lines[0].split(".")[0] + "."
    if kind == 2:
        return before
    return "\n".join(line.rstrip(".") for line in lines)
