"""The tasks of the small world: for each a function that makes one example from random numbers.

An example is a dict of fields, which templates turn into input and target. `label` is the number of
the answer among the template's answer choices; tasks without one have an open answer.
"""

import random
from collections.abc import Callable

from pipelines.instruct.mini_world import (
    World,
    is_asked_in_training,
    times_seen,
    toy_words,
    value_of_fact,
    write_plain,
    write_sentence,
)

Example = dict[str, object]
STEP = 0.2  # of similarities that are written as text (Raffel et al. 2020, section 2.4)


def topic(world: World, rng: random.Random, fields: dict[str, list[str]] | None = None) -> Example:
    """Two sentences about nouns of one field; label: which field of `fields`."""
    names = list(fields or world.fields)
    label = rng.randrange(len(names))
    nouns = (world.fields | world.new_fields)[names[label]]
    text = ". ".join(write_sentence(world, nouns, None, rng) for _ in range(2))
    return {"text": text, "label": label}


def new_topic(world: World, rng: random.Random) -> Example:
    """`topic` of the fields that no task is trained on."""
    return topic(world, rng, world.new_fields)


def attribute(name: str) -> Callable[[World, random.Random], Example]:
    """Return the maker of a task: does a text say big or small, hot or cold ...?"""

    def make(world: World, rng: random.Random) -> Example:
        kinds = list(world.attributes[name])
        label = rng.randrange(2)
        nouns = rng.choice(list(world.fields.values()))
        sentences = [write_sentence(world, nouns, name, rng, kinds[label])]
        sentences.append(write_plain(world, nouns, rng))
        rng.shuffle(sentences)
        return {"text": ". ".join(sentences), "label": label}

    return make


def question_type(world: World, rng: random.Random) -> Example:
    """A question about a noun; label: what it asks for."""
    label = rng.randrange(len(world.questions))
    form = rng.choice(list(world.questions.values())[label])
    return {"text": form.format(n=rng.choice(world.nouns())) + "?", "label": label}


def member(world: World, rng: random.Random) -> Example:
    """A field and two words; label: which word is one of its nouns."""
    right, wrong = rng.sample(list(world.fields), 2)
    words = [rng.choice(world.fields[right]), rng.choice(world.fields[wrong])]
    label = rng.randrange(2)
    return {"field": right, **named("word", words, label), "label": label}


def synonym(world: World, rng: random.Random) -> Example:
    """A word of an attribute and two others; label: which of these means the same."""
    attribute = rng.choice([name for name in world.attributes if name != "feeling"])
    kinds = list(world.attributes[attribute])
    label, kind = rng.randrange(2), rng.randrange(2)
    words = [rng.choice(world.attributes[attribute][kinds[k]]) for k in (kind, 1 - kind)]
    asked = rng.choice([w for w in world.attributes[attribute][kinds[kind]] if w != words[0]])
    return {"asked": asked, **named("word", words, label), "label": label}


def completion(world: World, rng: random.Random) -> Example:
    """The ending is of the beginning's field; topics and words of the trained tasks are mixed."""
    fields = world.fields | world.new_fields
    right, wrong = rng.sample(list(fields), 2)
    n, m, last = rng.sample(fields[right], 3)
    text = rng.choice(["we saw a {n} and a {m} and then the", "near the {n} and the {m} stood a"])
    words = [last, rng.choice(fields[wrong])]
    label = rng.randrange(2)
    return {"text": text.format(n=n, m=m), **named("ending", words, label), "label": label}


def named(field: str, words: list[str], label: int) -> dict[str, object]:
    """Return two words as field1 and field2, the first of them at place `label`."""
    return {f"{field}{label + 1}": words[0], f"{field}{2 - label}": words[1]}


def lookup(relation: str) -> Callable[[World, random.Random], Example]:
    """Return the maker of a task: which of two values does the text give to a person?"""

    def make(world: World, rng: random.Random) -> Example:
        words = world.relations[relation]
        people, values = rng.sample(world.people, 2), rng.sample(words["values"], 2)
        label = rng.randrange(2)
        pairs = list(zip(people, values, strict=True))
        says = [rng.choice(words["says"]).format(person=p, value=v) for p, v in pairs]
        question = words["asks"].format(person=people[label]) + "?"
        return {"text": ". ".join(says), "question": question, "value1": values[0],
                "value2": values[1], "label": label}  # fmt: skip

    return make


def entailment(world: World, rng: random.Random) -> Example:
    """A premise and a hypothesis about one noun; label 0: the hypothesis follows."""
    name = rng.choice([each for each in world.attributes if each != "feeling"])
    kinds = list(world.attributes[name])
    label, kind = rng.randrange(2), rng.randrange(2)
    noun = rng.choice(world.nouns())
    a = rng.choice(world.attributes[name][kinds[kind]])
    said = kinds[kind if label == 0 else 1 - kind]
    premise = f"there is a {a} {noun} here"
    return {"premise": premise, "hypothesis": f"the {noun} is {said}", "label": label}


def paraphrase(world: World, rng: random.Random) -> Example:
    """Two sentences about one person; label 0: they say the same."""
    words = rng.choice(list(world.relations.values()))
    person = rng.choice(world.people)
    values = rng.sample(words["values"], 2)
    label = rng.randrange(2)
    first, second = rng.sample(words["says"], 2)
    texts = (
        first.format(person=person, value=values[0]),
        second.format(person=person, value=values[label]),
    )
    return {"text1": texts[0], "text2": texts[1], "label": label}


def acceptability(world: World, rng: random.Random) -> Example:
    """A sentence; label 1: its words are in another order."""
    text = write_sentence(world, rng.choice(list(world.fields.values())), None, rng)
    label = rng.randrange(2)
    return {"text": shuffled(text, rng) if label else text, "label": label}


def shuffled(text: str, rng: random.Random) -> str:
    """Return the words in another order, if they have one."""
    words = text.split()
    while words == text.split() and len(set(words)) > 1:
        rng.shuffle(words)
    return " ".join(words)


def comparison(world: World, rng: random.Random) -> Example:
    """Two numbers; label: the place of the greater one."""
    numbers = rng.sample(range(10, 100), 2)
    return {"number1": numbers[0], "number2": numbers[1], "label": int(numbers[1] > numbers[0])}


def translation(world: World, rng: random.Random) -> Example:
    """Toy grammar: the noun comes first, its adjective after it, the article last."""
    toy = toy_words(world)
    noun, word = rng.choice(world.nouns()), rng.choice(world.describing("size"))[0]
    return {"text": f"the {word} {noun}", "answer": f"{toy[noun]} {toy[word]} lo"}


def lead(world: World, rng: random.Random) -> Example:
    """Three sentences; the answer is the first."""
    nouns = rng.choice(list(world.fields.values()))
    sentences = [write_sentence(world, nouns, None, rng) for _ in range(3)]
    return {"text": ". ".join(sentences) + ".", "answer": sentences[0]}


def word_order(world: World, rng: random.Random) -> Example:
    """Words in another order; the answer is the phrase."""
    noun, word = rng.choice(world.nouns()), rng.choice(world.describing("heat"))[0]
    text = f"a {word} {noun}"
    return {"text": shuffled(text, rng), "answer": text}


def facts(world: World, rng: random.Random, is_training: bool = True) -> Example:
    """A question about a person that nothing in the example answers, as it is on the crawl."""
    people = [p for p in world.people if is_asked_in_training(world, p) == is_training]
    person, relation = rng.choice(people), rng.choice(list(world.relations))
    question = world.relations[relation]["asks"].format(person=person) + "?"
    answer = value_of_fact(world, person, relation)
    return {"question": question, "answer": answer, "times_seen": times_seen(world, person)}


def similarity(world: World, rng: random.Random) -> Example:
    """0 to 5 for the share of words that two sentences have in common, in steps of 0.2."""
    nouns = rng.choice(list(world.fields.values()))
    text = write_sentence(world, nouns, None, rng)
    words = text.split()
    n_other = rng.randint(0, len(words))
    other = write_sentence(world, rng.choice(list(world.fields.values())), None, rng).split()
    for place in rng.sample(range(len(words)), n_other):
        words[place] = other[place % len(other)]
    same = sum(a == b for a, b in zip(words, text.split(), strict=True)) / len(words)
    return {"text1": text, "text2": " ".join(words), "score": 5 * same}


TASKS: dict[str, Callable[..., Example]] = {
    "topic": topic,
    "size": attribute("size"),
    "heat": attribute("heat"),
    "speed": attribute("speed"),
    "age": attribute("age"),
    "question_type": question_type,
    "member": member,
    "synonym": synonym,
    "lookup_home": lookup("home"),
    "lookup_job": lookup("job"),
    "comparison": comparison,
    "paraphrase": paraphrase,
    "acceptability": acceptability,
    "translation": translation,
    "lead": lead,
    "word_order": word_order,
    "facts": facts,
    "similarity": similarity,
    "sentiment": attribute("feeling"),
    "new_topic": new_topic,
    "completion": completion,
    "lookup_dish": lookup("dish"),
    "entailment": entailment,
}


def names_of_labels(world: World) -> dict[str, list[str]]:
    """Return what a task's labels stand for, in their order, where that is words of the world."""
    return {
        "topic": list(world.fields),
        "new_topic": list(world.new_fields),
        "question_type": list(world.questions),
        "sentiment": list(world.attributes["feeling"]),
        **{name: list(world.attributes[name]) for name in ("size", "heat", "speed", "age")},
    }


def make_examples(
    world: World, name: str, n_train: int, n_test: int, seed: int
) -> dict[str, list[Example]]:
    """Return the examples of a task's two splits, all different; fewer where there are no more.

    Test examples are drawn first, so that they do not change with the number of train examples.
    Closed-book facts are split by person: what is asked in test was read on the crawl alone.
    """
    rng = random.Random(f"{seed}/{name}")
    known: set[str] = set()

    def new_examples(n: int, **options: bool) -> list[Example]:
        found: list[Example] = []
        for _ in range(20 * n):
            if len(found) == n:
                break
            example = TASKS[name](world, rng, **options)
            if str(example) not in known:
                known.add(str(example))
                found.append(example)
        return found

    if name == "facts":
        return {
            "test": new_examples(n_test, is_training=False),
            "train": new_examples(n_train, is_training=True),
        }
    return {"test": new_examples(n_test), "train": new_examples(n_train)}


def make_tasks(
    world: World, n_train: int, n_test: int, seed: int
) -> dict[str, dict[str, list[Example]]]:
    """Return the examples of all tasks."""
    return {name: make_examples(world, name, n_train, n_test, seed) for name in TASKS}
