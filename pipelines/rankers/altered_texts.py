"""Altered passages: texts of known parts for three slots in a query's list of real passages.

random: a random passage of another query stands beside all the real ones; its natural place is
near the last. wrong: a passage of the query's own that does not answer, in its own slot. answer: a
selected passage, in its own slot; beside the whole a part could only tie or lose. Each slot has its
baseline, the passage as it is. All probes of a query share its random, its wrong and its selected
passage and its random words, so probes that differ in one thing are paired. A query whose text an
alteration leaves as it is has none.

A wrong answer has its control, in which as much is altered and nothing made wrong: "indeed" stands
where "not" stands; the same foreign name stands for the passage's last name instead of its first,
the likelier answer.

Lengths are words between blanks. The rules of english.py are for English texts.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.ranking.candidates import passages_of_others
from genlab.ranking.probes import (
    Vocabulary,
    check_doses,
    count_vocabulary,
    draw_words,
    insert,
    join,
    lead_sentence,
    shuffle,
)
from genlab.text.normal_form import words as normal_words
from pipelines.rankers.english import (
    FOREIGN_WORDS,
    INJECTION,
    change_numbers,
    negate,
    paraphrase,
    stress,
    swap_names,
    unasked_names,
)

SCHEMA = pl.Schema(
    {
        "query_id": pl.String,
        "query": pl.String,
        "probe": pl.String,
        "slot": pl.String,
        "at": pl.Int64,  # the passage of the query that the text replaces; -1: none
        "text": pl.String,
    }
)

BASELINES = {"random": "random_passage", "wrong": "wrong_passage", "answer": "answer_passage"}
# They differ from query_repeated_1 in the order of words alone.
ORDER_PROBES = ("query_shuffled", "query_in_middle", "query_at_end")
# No text is nearer to a query than itself, for a ranker that measures both in one way.
SYMMETRY_PROBES = ("query_alone",)
# They differ from each other in words that the query lacks.
MEANING_PROBES = (
    *("answer_negated", "answer_with_word"),
    *("answer_name_swapped", "answer_other_name_swapped"),
)
NUMBERS_PROBE = "answer_numbers_changed"


@dataclass(frozen=True)
class Names:
    """What may replace a name in an answer, and which words are not names."""

    common: frozenset[str]  # words that passages have in small letters, too
    by_question: dict[str, list[str]]  # first word of a query -> names in answers to such queries


@dataclass(frozen=True)
class Alterations:
    """How passages are altered; a group of options."""

    n_queries: Annotated[int, Option(min=0, help="answerable queries a collection; 0: all")]
    repeats: Annotated[
        list[int], Option(min=1, max=1000, help="times the query stands before a passage")
    ]
    cut_words: Annotated[list[int], Option(min=1, help="words left of a selected passage")]
    seed: Annotated[int, Option(min=0, help="of random words, orders, places and numbers")]


def check_alterations(repeats: list[int], cut_words: list[int]) -> None:
    """Raise InputError for a dose that is given twice, or none to compare the others with."""
    check_doses("alter.repeats", repeats)
    check_doses("alter.cut_words", cut_words)
    if 1 not in repeats:
        raise InputError("alter.repeats lacks 1; the other doses are compared with one copy")


def check_arms(repeats: list[int], cut_words: list[int], arms: dict[str, dict]) -> None:
    """Raise InputError for a dose that an arm of claims.yaml is about, and that is not made."""
    asked = [str(arm.get("where", {}).get("probe")) for arm in arms.values()]
    for key, prefix, doses in (
        ("alter.repeats", "query_repeated_", repeats),
        ("alter.cut_words", "answer_cut_", cut_words),
    ):
        named = {probe.removeprefix(prefix) for probe in asked if probe.startswith(prefix)}
        if missing := sorted({int(dose) for dose in named} - set(doses)):
            raise InputError(
                f"{key} lacks {', '.join(map(str, missing))}, which claims.yaml asks about; add "
                "what lacks, or take its claims and arms out"
            )


def alter(name: str, queries: pl.DataFrame, random_seed: int, how: Alterations) -> pl.DataFrame:
    """Return SCHEMA rows: every probe's text for the first answerable queries of a collection.

    A query is taken if it has a selected and an unselected passage. random_seed: that of the
    random passages that score_candidates has scored. Raises InputError if no query is taken.
    """
    random_passages = passages_of_others(queries, random_seed)
    taken = altered_queries(queries.with_columns(random=random_passages), how.n_queries)
    if taken.is_empty():
        raise InputError(
            f"collections.{name}: no query has a selected and an unselected passage, so there is "
            "nothing to alter; negatives: mined finds unselected ones"
        )
    vocabulary, names = count_vocabulary(queries), find_names(queries, taken)
    rows = []
    for row in taken.iter_rows(named=True):
        for probe, slot, at, text in texts_of(row, vocabulary, names, how):
            if text is not None:
                rows.append((row["query_id"], row["query"], probe, slot, at, text))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def altered_queries(queries: pl.DataFrame, n_queries: int) -> pl.DataFrame:
    """Return the first n_queries (0: all) that have a selected and an unselected passage."""
    selected = pl.col("passages").list.eval(pl.element().struct.field("is_selected"))
    taken = queries.filter(selected.list.any(), ~selected.list.all())
    return taken.head(n_queries) if n_queries else taken


def nearest(query: str, passages: list[dict], places: list[int], uniforms: np.ndarray) -> int:
    """Return which of the places holds the most different words of the query; of equals, one drawn.

    It is on topic, whatever else a list holds.
    """
    asked = set(normal_words(query))
    shared = [len(asked & set(normal_words(passages[i]["text"]))) for i in places]
    best = [i for i, n in zip(places, shared, strict=True) if n == max(shared)]
    return best[int(uniforms[0] * len(best))]


def first_answer(passages: list[dict]) -> str:
    """Return the first selected passage."""
    return next(passage["text"] for passage in passages if passage["is_selected"])


def find_names(queries: pl.DataFrame, taken: pl.DataFrame) -> Names:
    """Return the names of the taken queries' answers by the queries' first words: who, where, when.

    Of each answer its first name counts, which is put into another's place.
    """
    passages = queries["passages"].explode().struct.field("text")
    small = passages.str.extract_all(r"\b[a-z]+\b").explode().drop_nulls().unique()
    common = frozenset(small.to_list())
    found: dict[str, set[str]] = {}
    for query, own in taken.select("query", "passages").iter_rows():
        found.setdefault(question_word(query), set()).update(
            unasked_names(first_answer(own), query, common)[:1]
        )
    return Names(common, {word: sorted(names) for word, names in found.items()})


def question_word(query: str) -> str:
    """Return a query's first word."""
    return query.split()[0].casefold()


def draw(seed: int, query_id: str, what: str, n: int) -> np.ndarray:
    """Return float64[n] in [0, 1) for something that is drawn for a query."""
    return random_stream(seed, f"{query_id} {what}", n)


def random_words(vocabulary: Vocabulary, seed: int, query_id: str, query: str) -> str:
    """Return as many words as the query has, none of them its own."""
    uniforms = draw(seed, query_id, "words", len(query.split()))
    return " ".join(draw_words(vocabulary, query, uniforms))


def foreign_words(seed: int, query_id: str, query: str) -> str:
    """Return as many German words as the query has words."""
    uniforms = draw(seed, query_id, "foreign", len(query.split()))
    return " ".join(FOREIGN_WORDS[int(u * len(FOREIGN_WORDS))] for u in uniforms)


def shuffled_query(seed: int, query_id: str, query: str) -> str:
    """Return the query's words in another order."""
    words = query.split()
    return " ".join(shuffle(words, draw(seed, query_id, "order", len(words))))


def wrong_passage(seed: int, query_id: str, query: str, passages: list[dict]) -> int | None:
    """Return the number of the passage on the topic that does not answer; None if all answer."""
    unselected = [i for i, passage in enumerate(passages) if not passage["is_selected"]]
    if not unselected:
        return None
    return nearest(query, passages, unselected, draw(seed, query_id, "wrong", len(unselected)))


def change_all_numbers(text: str, seed: int, query_id: str) -> str | None:
    """Return the text with other numbers; None if it has none."""
    return change_numbers(text, draw(seed, query_id, "numbers", 64))


def swap_a_name(
    text: str, query: str, names: Names, seed: int, query_id: str
) -> tuple[str, str] | None:
    """Return `swap_names` of the text, for a name out of answers to such queries."""
    others = names.by_question.get(question_word(query), [])
    uniform = float(draw(seed, query_id, "name", 1)[0])
    return swap_names(text, query, others, names.common, uniform)


def texts_of(
    row: dict, vocabulary: Vocabulary, names: Names, how: Alterations
) -> list[tuple[str, str, int, str | None]]:
    """Return (probe, slot, at, text or None) of one query."""
    query_id, query, passages, seed = row["query_id"], row["query"], row["passages"], how.seed
    wrong_at = wrong_passage(seed, query_id, query, passages)
    assert wrong_at is not None  # `altered_queries` has seen to it
    answer_at = next(i for i, passage in enumerate(passages) if passage["is_selected"])
    wrong, answer = passages[wrong_at]["text"], passages[answer_at]["text"]
    noise = random_words(vocabulary, seed, query_id, query)
    shuffled = shuffled_query(seed, query_id, query)
    random = of_random(row["random"], query, shuffled, how.repeats)
    own: dict[str, dict[str, str | None]] = {"random": random, "wrong": {}, "answer": {}}
    for slot, passage in (("random", row["random"]), ("wrong", wrong), ("answer", answer)):
        own[slot] |= {
            BASELINES[slot]: passage,
            f"{slot}_with_random_words": join(noise, passage),
        }
        if slot != "random":
            own[slot][f"{slot}_with_query"] = join(query, passage)
        if slot != "wrong":
            own[slot][f"{slot}_twice"] = join(passage, passage)
        if slot != "answer":
            own[slot][f"{slot}_with_injection"] = join(INJECTION, passage)
    own["random"]["random_with_foreign_words"] = join(
        foreign_words(seed, query_id, query), row["random"]
    )
    own["random"]["query_and_random_words"] = join(query, noise, row["random"])
    swapped = swap_a_name(answer, query, names, seed, query_id)
    own["answer"] |= {
        **{f"answer_cut_{n}": cut(answer, n) for n in sorted(how.cut_words)},
        "answer_first_sentence": first_sentence(answer),
        "answer_hidden": join(wrong, answer),
        "answer_paraphrased": paraphrase(answer),
        "answer_negated": negate(answer),
        "answer_with_word": stress(answer),
        NUMBERS_PROBE: change_all_numbers(answer, seed, query_id),
        "answer_name_swapped": swapped[0] if swapped else None,
        "answer_other_name_swapped": swapped[1] if swapped else None,
    }
    at = {"random": -1, "wrong": wrong_at, "answer": answer_at}
    return [
        (probe, slot, at[slot], text)
        for slot, texts in own.items()
        for probe, text in texts.items()
    ]


def of_random(passage: str, query: str, shuffled: str, repeats: list[int]) -> dict:
    """Return the texts that only a random passage has: doses, orders and places of the query."""
    n_words = len(passage.split())
    return {
        **{f"query_repeated_{k}": join(*[query] * k, passage) for k in sorted(repeats)},
        "query_in_middle": insert(passage, [query], [n_words // 2]),
        "query_at_end": join(passage, query),
        "query_shuffled": join(shuffled, passage),
        "query_alone": query,
    }


def cut(text: str, n: int) -> str | None:
    """Return the first n words of a text that has more."""
    words = text.split()
    return " ".join(words[:n]) if len(words) > n else None


def first_sentence(text: str) -> str | None:
    """Return the first sentence of a text that has more."""
    lead = lead_sentence(text)
    return lead if lead != text else None


def sizes(texts: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return by probe how many queries have a text, their share, and its mean number of words."""
    n_queries = texts["query_id"].n_unique()
    counted = texts.group_by("probe", maintain_order=True).agg(
        pl.len(), words=pl.col("text").str.split(" ").list.len().mean()
    )
    return {
        probe: {"n_queries": n, "share": n / n_queries, "mean_words": words}
        for probe, n, words in counted.iter_rows()
    }
