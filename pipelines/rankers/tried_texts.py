"""The run's collections on the play page: a text is altered as by probes and placed by rankers.

What is where, and every value, is read from the command lines that DVC has run: those of the stages
alter and probe, as their own programs parse them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from genlab.core.commands import group_from, stage_options
from genlab.core.progress import counted_by, progress
from genlab.core.stand_ins import shown_name
from genlab.playground.playable import (
    KEPT,
    REPEATED,
    Judge,
    Playable,
    check_outputs,
    check_scored,
    front_buttons,
    shuffle_words,
)
from genlab.ranking.candidates import evaluated_queries, passages_of_others, read_candidates
from genlab.ranking.probes import Vocabulary, count_vocabulary, insert, join, lead_sentence
from genlab.ranking.rankers import Ranker
from genlab.sources.ranker_folders import read_json
from genlab.web.bodies import Refused
from pipelines.rankers.altered_texts import (
    Alterations,
    Names,
    altered_queries,
    change_all_numbers,
    find_names,
    foreign_words,
    random_words,
    shuffled_query,
    swap_a_name,
    wrong_passage,
)
from pipelines.rankers.english import INJECTION, negate, paraphrase, stress
from pipelines.rankers.named_assets import ranker_of

# Alteration -> what its button says. Repeats of the query are named by their number.
BUTTONS = {
    "query_in_middle": "query in the middle",
    "query_at_end": "query at the end",
    "query_shuffled": "query in front, its words shuffled",
    "query_and_random_words": "query and random words in front",
    "with_random_words": "random words in front",
    "with_foreign_words": "German words in front",
    "with_injection": "“highly relevant” in front",
    "twice": "twice",
    "hidden": "behind a passage that does not answer",
    "words_shuffled": "shuffle its words",
    "first_sentence": "its first sentence",
    "paraphrased": "in other words",
    "negated": "put “not” into it",
    "with_word": "put “indeed” there",
    "numbers_changed": "change its numbers",
    "name_swapped": "swap its first name",
    "other_name_swapped": "swap its last name",
    "cut_words": "cut to words",
}
# What a text must have to be altered so.
LACKING = {
    "hidden": "all passages of this query answer it",
    "paraphrased": "none of its words has another in pipelines/rankers/english.py",
    "negated": "the rules find no statement in it that can be negated",
    "with_word": "the rules find no statement in it that can be negated",
    "numbers_changed": "it has no number",
    "name_swapped": "it has no two names that the query lacks and another can stand for",
    "other_name_swapped": "it has no two names that the query lacks and another can stand for",
}


@dataclass(frozen=True)
class Known:
    """What the buttons need to know of a collection."""

    queries: pl.DataFrame  # query_id, query, passages
    vocabulary: Vocabulary
    names: Names
    how: Alterations


def load_collections() -> dict[str, Playable]:
    """Return the run's collections by name; raise InputError if the run is not whole."""
    commands = stage_options(("alter", "probe"))
    alter, probe = (instances(commands, stage) for stage in ("alter", "probe"))
    check_outputs(outputs_needed(alter, probe))
    loaded: dict[str, Ranker] = {}
    collections = {}
    told = f"loading {len(alter)} collections and {len(probe)} rankers"
    with progress(told), counted_by(lambda n: None):
        for name, options in alter.items():
            queries = evaluated_queries(options["collection"], 0)
            judges = load_judges(name, queries, probe, loaded)
            collections[name] = as_playable(queries, judges, options)
    return collections


def instances(commands: dict[str, dict[str, Any]], stage: str) -> dict[str, dict[str, Any]]:
    """Return the options of a foreach's instances by their names."""
    begun = f"{stage}@"
    return {
        name.removeprefix(begun): each for name, each in commands.items() if name.startswith(begun)
    }


def outputs_needed(alter: dict[str, dict], probe: dict[str, dict]) -> list[Path]:
    """Return the files and folders that the page reads."""
    needed = [options["collection"] for options in alter.values()]
    for options in probe.values():
        needed.append(options["ranker"])
        needed += [options["counts"] / name for name in alter]
        needed += [options["candidates_folder"] / f"{name}.parquet" for name in alter]
    return needed


def load_judges(
    collection: str, queries: pl.DataFrame, probe: dict[str, dict], loaded: dict[str, Ranker]
) -> list[Judge]:
    """Return the rankers of one collection; `loaded` keeps those that serve others, too."""
    real = {
        name: read_candidates(options["candidates_folder"] / f"{collection}.parquet", queries)
        for name, options in probe.items()
    }
    check_scored(queries, real)
    judges = []
    for name, options in probe.items():
        folder, counts = options["ranker"], options["counts"] / collection
        loaded[name] = ranker_of(folder, counts, options["batch_size"], loaded.get(name), KEPT)
        label = shown_name(name, read_json(folder / "ranker.json"))
        judges.append(Judge(label, loaded[name], real[name]))
    return judges


def as_playable(queries: pl.DataFrame, judges: list[Judge], options: dict[str, Any]) -> Playable:
    """Return what the page may ask about a collection; options: of its stage alter."""
    how = group_from(Alterations, options)
    taken = altered_queries(queries, how.n_queries)
    known = Known(queries, count_vocabulary(queries), find_names(queries, taken), how)
    texts = passages_of_others(queries, options["score_seed"])
    return Playable(
        queries,
        dict(zip(queries["query_id"], texts, strict=True)),
        "a passage of another query, as in the probes",
        judges,
        front_buttons(sorted(how.repeats)) | BUTTONS,
        partial(alter_text, known),
    )


def alter_text(known: Known, number: int, text: str, name: str, n: int, draw: int) -> str:
    """Return `text`, of query `number`, as the button `name` alters it; see Playable.

    With draw 0 it is the text of the stage alter. Raises Refused where the text lacks what is
    altered, and InputError where the stage would.
    """
    row, seed = known.queries.row(number, named=True), known.how.seed + draw
    if name.startswith(REPEATED):
        return join(*[row["query"]] * int(name.removeprefix(REPEATED)), text)
    if name == "cut_words":
        return " ".join(text.split()[:n])
    altered = ways_to_alter(known, row, text, seed)[name]()
    if altered is None:
        raise Refused(f"the text stays as it is: {LACKING[name]}")
    return altered


def ways_to_alter(
    known: Known, row: dict[str, Any], text: str, seed: int
) -> dict[str, Callable[[], str | None]]:
    """Return what makes each of the texts, None where the text lacks what is altered."""
    query_id, query = row["query_id"], row["query"]

    def noise() -> str:
        return random_words(known.vocabulary, seed, query_id, query)

    def swapped(which: int) -> str | None:
        found = swap_a_name(text, query, known.names, seed, query_id)
        return found[which] if found else None

    def hidden() -> str | None:
        at = wrong_passage(seed, query_id, query, row["passages"])
        return None if at is None else join(row["passages"][at]["text"], text)

    return {
        "query_in_middle": lambda: insert(text, [query], [len(text.split()) // 2]),
        "query_at_end": lambda: join(text, query),
        "query_shuffled": lambda: join(shuffled_query(seed, query_id, query), text),
        "query_and_random_words": lambda: join(query, noise(), text),
        "with_random_words": lambda: join(noise(), text),
        "with_foreign_words": lambda: join(foreign_words(seed, query_id, query), text),
        "with_injection": lambda: join(INJECTION, text),
        "twice": lambda: join(text, text),
        "hidden": hidden,
        "words_shuffled": lambda: shuffle_words(text, query_id, seed),
        "first_sentence": lambda: lead_sentence(text),
        "paraphrased": lambda: paraphrase(text),
        "negated": lambda: negate(text),
        "with_word": lambda: stress(text),
        "numbers_changed": lambda: change_all_numbers(text, seed, query_id),
        "name_swapped": lambda: swapped(0),
        "other_name_swapped": lambda: swapped(1),
    }
