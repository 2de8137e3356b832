"""Probes: texts with known content in the generated text's slot, to see what a ranker rewards.

Every probe makes a text for each evaluated query, and the text is placed among each ranker's
candidate scores. probe_measures.py computes the places gained or lost.

There are two slots. In the first, query words are added to a random passage of another query, which
is ranked among all real passages: without these words its place is near the last. In the second, a
part of a selected passage (its lead sentence, its first tokens) replaces that passage
(`with_answer_in_slot`), as beside the whole passage it could only tie or lose. A part's fdaro is
about the other selected passages, and counts the queries that have one. Its list has one passage
fewer, so its chance is `chance_selected`.

score.legacy is ignored: a probe's place is always in the real lists, by genlab's convention.

Probes that differ in one thing are paired by query: they share the random passage and words.
"""

import re
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.core.tables import CLUSTERS
from genlab.models.token_texts import cut_texts
from genlab.ranking import places
from genlab.ranking.candidates import with_answer_in_slot
from genlab.text.normal_form import key_expression, words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SCHEMA = pl.Schema(
    {
        "query_id": pl.String(),
        "sample": pl.Int64(),  # 0: there is one text; as in the tables of generated texts
        **CLUSTERS,
        "ranker": pl.String(),
        "probe": pl.String(),
        "score": pl.Float32(),
        "n_candidates": pl.Int64(),
        "answerable": pl.Boolean(),
        **dict.fromkeys(places.METRICS.values(), pl.Float64()),
    }
)

# Probe -> its text for each query; None where the query has no such text.
Texts = dict[str, list[str | None]]

POSITIONS = {"start": "query_repeated_1", "middle": "query_in_middle", "end": "query_at_end"}
WORD_PROBES = [
    "random_passage",
    "random_words",
    "query_shuffled",
    "query_repeated_1",
    "query_and_random_words",
    "keywords_stuffed",
    "query_alone",
    "lead_sentence",
    "selected_passage",
]

# A full stop after a word of one or two letters is mostly an abbreviation's: "Dr.", "the U.S.".
# Marks that end nothing but sentences need no blank after them, as in Chinese, nor words by blanks.
SENTENCE_END = re.compile(
    r"(?:(?<!\b[^\W\d])(?<!\b[^\W\d][^\W\d])\.|[!?؟…])[.!?؟…\"'”’)\]]*(?=\s)"
    r"|(?P<sure>[。！？।۔]+[\"'”’)\]」』）]*)"
)
SENTENCE_WORDS = 3  # "1. Wash it." and "Note. Wash it." do not end at their first full stop


def check_doses(key: str, doses: list[int]) -> None:
    """Raise InputError, naming the params key, if a dose is given twice."""
    if twice := [dose for dose in sorted(set(doses)) if doses.count(dose) > 1]:
        raise InputError(f"{key} has {twice[0]} twice; give each number once")


def make_texts(
    queries: pl.DataFrame,
    random_passages: list[str],
    tokenizer: "PreTrainedTokenizerBase",
    repeats: list[int],
    cut_tokens: list[int],
    seed: int,
) -> tuple[Texts, dict[str, dict[str, float]]]:
    """Return every probe's texts, and of selected passages' parts mean_tokens and cut_share.

    random_passages: one for each query. A query's texts depend on (seed, query_id) and on the words
    of the evaluated passages, not on the queries' order. Probes on selected passages are left out
    if there is no selected passage.
    """
    vocabulary = count_vocabulary(queries)
    rows = [
        combine(query_id, query, passage, vocabulary, repeats, seed)
        for query_id, query, passage in zip(
            queries["query_id"], queries["query"], random_passages, strict=True
        )
    ]
    texts: Texts = {probe: [row[probe] for row in rows] for probe in rows[0]}
    answers = find_answers(queries)
    if all(answer is None for answer in answers):
        return texts, {}
    parts, sizes = parts_of_answers(answers, tokenizer, cut_tokens)
    return texts | parts, sizes


def parts_of_answers(
    answers: list[str | None], tokenizer: "PreTrainedTokenizerBase", cut_tokens: list[int]
) -> tuple[Texts, dict[str, dict[str, float]]]:
    """Return the probes made of the selected passages, whole and in part, and their sizes.

    answers: a query's selected passage, or None; at least one is a text.
    """
    found = [answer for answer in answers if answer is not None]

    def as_rows(shortened: list[str]) -> list[str | None]:
        following = iter(shortened)
        return [None if answer is None else next(following) for answer in answers]

    leads = [lead_sentence(answer) for answer in found]
    texts: Texts = {"selected_passage": answers, "lead_sentence": as_rows(leads)}
    tokens = tokenizer(found, add_special_tokens=False, verbose=False)["input_ids"]
    n_tokens = np.array([len(ids) for ids in tokens])
    table = pl.DataFrame({"tokens": tokens}, schema={"tokens": pl.List(pl.Int32)})
    n_shortened = sum(lead != answer for lead, answer in zip(leads, found, strict=True))
    sizes = {
        "selected_passage": {"mean_tokens": float(n_tokens.mean())},
        "lead_sentence": {"cut_share": n_shortened / len(found)},
    }
    for length in sorted(cut_tokens):
        cut = cut_texts(table, tokenizer, length, strip_query=True)
        # Nothing cut: the passage itself, which a tokenizer may not give back to the letter.
        whole = n_tokens <= length
        texts[f"selected_cut_{length}"] = as_rows(
            [found[i] if whole[i] else cut[i] for i in range(len(found))]
        )
        sizes[f"selected_cut_{length}"] = {
            "mean_tokens": float(np.minimum(n_tokens, length).mean()),
            "cut_share": float((~whole).mean()),
        }
    return texts, sizes


@dataclass(frozen=True)
class Vocabulary:
    """The words of the evaluated passages in normalized form, and how many passages hold each."""

    words: list[str]
    n_passages: np.ndarray  # int64, as long
    number: dict[str, int]  # word -> its place in both


def count_vocabulary(queries: pl.DataFrame) -> Vocabulary:
    """Count in how many of the queries' passages each word occurs."""
    counted = (
        queries.select(pl.col("passages").explode().struct.field("text"))
        .select(word=key_expression(pl.col("text")).str.split(" ").list.unique())
        .explode("word")
        .filter(pl.col("word") != "")
        .group_by("word")
        .len()
        .sort("word")
    )
    held = counted["word"].to_list()
    return Vocabulary(
        held, counted["len"].cast(pl.Int64).to_numpy(), {w: i for i, w in enumerate(held)}
    )


def combine(
    query_id: str, query: str, passage: str, vocabulary: Vocabulary, repeats: list[int], seed: int
) -> dict[str, str]:
    """Return each probe's text of one query and one random passage."""
    query_words, n_words = query.split(), len(passage.split())

    def draw(what: str, n: int) -> np.ndarray:
        return random_stream(seed, f"{query_id} {what}", n)

    noise = " ".join(draw_words(vocabulary, query, draw("words", len(query_words))))
    keywords = rarer_half(vocabulary, query)
    gaps = (draw("gaps", len(keywords)) * (n_words + 1)).astype(int)
    shuffled = " ".join(shuffle(query_words, draw("order", len(query_words))))
    return {
        "random_passage": passage,
        # Once is always there: it is the query at the start, beside the middle and the end.
        **{f"query_repeated_{k}": join(*[query] * k, passage) for k in sorted({1, *repeats})},
        "query_in_middle": insert(passage, [query], [n_words // 2]),
        "query_at_end": join(passage, query),
        "query_shuffled": join(shuffled, passage),
        "random_words": join(noise, passage),
        "query_and_random_words": join(query, noise, passage),
        "keywords_stuffed": insert(passage, keywords, gaps.tolist()),
        "query_alone": query,
    }


def join(*texts: str) -> str:
    """Return the texts, those that are not empty, with a blank between."""
    return " ".join(text for text in texts if text)


def insert(text: str, inserted: list[str], gaps: list[int]) -> str:
    """Return `text` with inserted[i] before its word number gaps[i] (from 0; last: at the end)."""
    held = text.split()
    for gap, piece in sorted(zip(gaps, inserted, strict=True), reverse=True):
        held.insert(gap, piece)
    return " ".join(held)


def shuffle(items: list[str], uniforms: np.ndarray) -> list[str]:
    """Return the items in random order, different from the given order if that is possible."""
    shuffled = [items[i] for i in np.argsort(uniforms)]
    return shuffled[1:] + shuffled[:1] if shuffled == items else shuffled


def draw_words(vocabulary: Vocabulary, query: str, uniforms: np.ndarray) -> list[str]:
    """Return a word per uniform number, drawn by frequency, none of them in the query.

    So they are as common as a passage's words: rare words would be a stronger dose than a query's.
    """
    weights = vocabulary.n_passages.copy()
    weights[[vocabulary.number[w] for w in set(words(query)) if w in vocabulary.number]] = 0
    ends = np.cumsum(weights)
    if not weights.any():
        raise InputError(
            f"query {query!r}: no evaluated passage holds a word that is not in it, so there is no "
            "random word to draw; raise gen.n_queries"
        )
    return [vocabulary.words[i] for i in np.searchsorted(ends, uniforms * ends[-1], side="right")]


def rarer_half(vocabulary: Vocabulary, query: str) -> list[str]:
    """Return the half (rounded up) of the query's different words that fewest passages hold.

    "what", "the" and "of" go, in any language and without a list of stop words or a threshold.
    """
    different = list(dict.fromkeys(words(query)))

    def n_passages(word: str) -> int:
        return vocabulary.n_passages[vocabulary.number[word]] if word in vocabulary.number else 0

    return sorted(different, key=n_passages)[: ceil(len(different) / 2)]


def find_answers(queries: pl.DataFrame) -> list[str | None]:
    """Return each query's first selected passage; None as in `with_answer_in_slot`."""
    return [
        next((p["text"] for p in passages if p["is_selected"]), None) if len(passages) > 1 else None
        for passages in queries["passages"].to_list()
    ]


def lead_sentence(text: str) -> str:
    """Return `text` up to the first mark that ends a sentence.

    If the mark may also be something else (an abbreviation), the sentence must have three words.
    """
    for end in SENTENCE_END.finditer(text):
        if end["sure"] or len(text[: end.end()].split()) >= SENTENCE_WORDS:
            return text[: end.end()]
    return text


def scored_pairs(queries: pl.DataFrame, random_passages: list[str]) -> list[tuple[str, str]]:
    """Return the (query, text) pairs that candidate scores hold: real passages, random ones."""
    passages = queries.select("query", "passages").explode("passages").unnest("passages")
    return [
        *passages.select("query", "text").iter_rows(),
        *zip(queries["query"], random_passages, strict=True),
    ]


def candidate_scores(candidates: pl.DataFrame) -> list[float]:
    """Return the scores of `scored_pairs`, in its order, from one ranker's candidate rows."""
    return [*candidates["candidate_scores"].explode(), *candidates["floor_score"]]


def unscored_pairs(
    queries: pl.DataFrame, texts: Texts, scored: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the distinct (query, text) pairs of all probes that have no score yet."""
    asked = dict.fromkeys(
        (query, text)
        for column in texts.values()
        for query, text in zip(queries["query"], column, strict=True)
        if text is not None
    )
    known = set(scored)
    return [pair for pair in asked if pair not in known]


def place_probes(
    queries: pl.DataFrame,
    texts: Texts,
    candidates: pl.DataFrame,
    scores: dict[tuple[str, str], float],
) -> pl.DataFrame:
    """Return `ranking.place`'s rows, with a column `probe`, of every text of one ranker.

    candidates: its candidate rows in the order of the queries; scores: of each (query, text).
    """
    beside = ["query_id", "candidate_scores", "candidate_selected"]
    lists = candidates.select(beside)
    lists_without_answer = with_answer_in_slot(candidates).select(beside)
    frames = []
    for probe, column in texts.items():
        of_answer = is_of_answer(probe)
        frames.append(
            pl.DataFrame(
                {
                    "query_id": queries["query_id"],
                    **{name: queries[name] for name in CLUSTERS},
                    "score": [
                        None if text is None else scores[query, text]
                        for query, text in zip(queries["query"], column, strict=True)
                    ],
                },
                schema_overrides={"score": pl.Float32},
            )
            .drop_nulls("score")
            .join(
                lists_without_answer if of_answer else lists,
                on="query_id",
                how="left",
                maintain_order="left",
            )
            .with_columns(probe=pl.lit(probe), of_answer=pl.lit(of_answer))
        )
    # A query stays answerable when its answer is the text that is placed.
    return places.place(pl.concat(frames)).with_columns(
        answerable=pl.col("answerable") | pl.col("of_answer"), sample=pl.lit(0, pl.Int64)
    )


def is_of_answer(probe: str) -> bool:
    """Return whether a probe's texts are parts of the selected passage, in its slot."""
    return probe == "lead_sentence" or probe.startswith("selected_")
