"""Texts as frames of TEXT_SCHEMA: made here, from files and archives, a Hub data set, or queries.

Those of files and the Hub lose markup, mistaken encodings and invisible characters by the same
rules, are cut to whole sentences, and are drawn by seed if not all are wanted: files may be sorted.
The flagship's queries have no mood; each is a prompt.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.core.seeds import draw
from genlab.core.tables import BATCH_ROWS, read_batches
from genlab.sources.decoding import Encoding
from genlab.sources.hub import load_dataset
from genlab.sources.text_files import class_names
from genlab.text.rules import TextRules, clean_texts, plain_text
from pipelines.alignment import mini_films
from pipelines.alignment.found_texts import (
    MINUS_ONES,
    FoundText,
    find_texts,
    label_of,
    named_label,
    word_of,
)
from pipelines.alignment.schemas import TEXT_SCHEMA, divide, frames_of


class CorpusSource(StrEnum):
    """The source of the texts."""

    mini = "mini"
    hub = "hub"
    file = "file"
    queries = "queries"  # the flagship's


@dataclass(frozen=True)
class CorpusOrigin:
    """Where the texts come from; the fields are params of `corpus`."""

    source: Annotated[CorpusSource, Option()]
    path: Annotated[Path, Option(help="mini: the vocabulary; file, queries: the user's")]
    hub_id: Annotated[str, Option()]
    revision: Annotated[str, Option(help="hub: commit that is downloaded")]


@dataclass(frozen=True)
class Reading:
    """How texts are read, cut and drawn; the fields are params of `corpus`."""

    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")]
    strip_markup: Annotated[bool, Option(help="hub, file: HTML tags out, entities decoded")]
    repair_encoding: Annotated[bool, Option(help="hub, file: UTF-8 read as another encoding")]
    n_texts: Annotated[
        int, Option(min=0, help="0: all there are; mini: at least 2; not of queries")
    ]
    max_words: Annotated[int, Option(min=1, help="a longer text is cut to its first sentences")]
    validation_share: Annotated[float, Option(min=0.0, max=1.0)]
    seed: Annotated[int, Option(min=0)]

    @property
    def rules(self) -> TextRules:
        """How a text is made plain."""
        return plain_text(strip_markup=self.strip_markup, repair_encoding=self.repair_encoding)


def fetch_texts(
    origin: CorpusOrigin, reading: Reading, dropped: Counter, files: Counter
) -> Iterator[pl.DataFrame]:
    """Return frames of TEXT_SCHEMA, not read yet; count drops by reason, and files.

    Raises InputError for whatever the user can mend.
    """
    if origin.source is CorpusSource.mini:
        share, seed = reading.validation_share, reading.seed
        return mini_films.make_reviews(origin.path, reading.n_texts, share, seed)
    if origin.source is CorpusSource.queries:
        return read_queries(origin.path)
    if origin.source is CorpusSource.hub:
        return read_hub_texts(origin.hub_id, origin.revision, reading, dropped)
    return read_text_files(origin.path, reading, dropped, files)


def read_text_files(
    path: Path, reading: Reading, dropped: Counter, files: Counter
) -> Iterator[pl.DataFrame]:
    """Yield the texts of a file, a zip archive or a folder of both; count drops and files."""
    check_n_texts(reading.n_texts)
    by_mood = take_texts(find_texts(path, reading.encoding, files), reading, dropped)
    if (n_long := dropped["first_sentence_too_long"]) and not (by_mood[True] and by_mood[False]):
        raise InputError(
            f"{path}: {len(by_mood[True])} positive and {len(by_mood[False])} negative texts are "
            f"left, and some of both are needed: {n_long} have a first sentence of more than "
            f"corpus.max_words={reading.max_words} words; set it higher"
        )
    if not by_mood[True] or not by_mood[False]:
        raise InputError(
            f"{path}: {len(by_mood[True])} positive and {len(by_mood[False])} negative texts, and "
            "some of both are needed; expected folders pos and neg, or files *.pos and *.neg, "
            "also in zip archives; or columns text and label"
        )
    yield from frames_of(drawn(by_mood, reading, dropped))


def check_n_texts(n_texts: int) -> None:
    """Raise InputError for a number of texts that cannot be of both moods."""
    if n_texts == 1:
        raise InputError("corpus.n_texts=1: one text cannot be of both moods; set at least 2, or 0")


def take_texts(
    found: Iterator[FoundText], reading: Reading, dropped: Counter
) -> dict[bool, list[tuple[str, str]]]:
    """Return {is positive: [(id, text)]}, each text once and plain; count the others by reason.

    A text of more than max_words is cut to its first whole sentences, so that the policy can learn
    where texts end. A text that occurs with both labels is left out.
    """
    by_mood: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    seen: dict[str, bool] = {}
    both: set[str] = set()
    rules = reading.rules
    while batch := list(islice(found, BATCH_ROWS)):
        texts = clean_texts(pl.Series("text", [text for _, text, _ in batch]), rules)
        for (text_id, _, is_positive), plain in zip(batch, texts, strict=True):
            text = first_sentences(plain, reading.max_words)
            reason = "empty" if not plain else "first_sentence_too_long" if not text else None
            if is_positive is None:
                reason = "no_label"
            elif reason is None and text in seen:
                reason = "duplicate" if seen[text] == is_positive else "both_labels"
                both |= {text} if reason == "both_labels" else set()
            if reason or is_positive is None:
                dropped[reason] += 1
                continue
            seen[text] = is_positive
            by_mood[is_positive].append((text_id, text))
    if both:
        dropped["both_labels"] += len(both)  # those that came first
    return {mood: [row for row in rows if row[1] not in both] for mood, rows in by_mood.items()}


def drawn(
    by_mood: dict[bool, list[tuple[str, str]]], reading: Reading, dropped: Counter
) -> list[tuple]:
    """Return rows of TEXT_SCHEMA: half of n_texts of either mood (0: all), drawn by seed."""
    wanted = reading.n_texts // 2 if reading.n_texts else max(map(len, by_mood.values()))
    dropped["beyond_n_texts"] += sum(max(0, len(texts) - wanted) for texts in by_mood.values())
    return [
        (text_id, "", text, is_positive, *divide(text_id, reading.validation_share))
        for is_positive, texts in by_mood.items()
        for text_id, text in draw(texts, wanted, reading.seed)
    ]


def first_sentences(text: str, max_words: int) -> str:
    """Return the leading sentences that have at most `max_words` words; "" if the first has more.

    A sentence ends at a line's end or behind . ! or ? with a space after it.
    """
    kept: list[str] = []
    for sentence in re.split(r"\n+|(?<=[.!?])\s+", text):
        words = sentence.split()
        if len(kept) + len(words) > max_words:
            break
        kept += words
    return " ".join(kept)


def read_hub_texts(
    hub_id: str, revision: str, reading: Reading, dropped: Counter
) -> Iterator[pl.DataFrame]:
    """Yield the labelled texts of a Hub data set with columns text and label (0 negative, 1).

    Where the data set says which of its classes is positive, in words, that counts.
    Raises InputError for a label that is neither, nor -1 for none.
    """
    check_n_texts(reading.n_texts)
    dataset, _ = load_dataset(
        hub_id,
        "",
        revision,
        ["train"],
        asked=f"corpus.hub_id={hub_id} at {revision}",
        instead="use corpus.source=file with corpus.path=FILE",
    )
    rows = dataset["train"]
    if missing := {"text", "label"} - set(rows.column_names):
        raise InputError(
            f"corpus.hub_id={hub_id}: it has no column {' and '.join(sorted(missing))}"
        )
    names = class_names(rows, "label")
    found = (
        (
            f"hub-{number:06}",
            row["text"] or "",
            hub_label(f"{hub_id}, row {number}", named_label(row["label"], names)),
        )
        for number, row in enumerate(rows)
    )
    by_mood = take_texts(found, reading, dropped)
    if not by_mood[True] or not by_mood[False]:
        raise InputError(f"corpus.hub_id={hub_id}: it has no texts of both labels, 0 and 1")
    yield from frames_of(drawn(by_mood, reading, dropped))


def hub_label(place: str, label: object) -> bool | None:
    """Return whether a label of the Hub's is positive; None for -1 or null, which say none."""
    return None if word_of(label) in MINUS_ONES else label_of(place, label)


def read_queries(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the flagship's queries as prompts, each with the first passage that answers it.

    Queries that no passage answers are left out. The queries' own split is kept.
    """
    for batch in read_batches(path):
        if not {"query_id", "query", "passages", "split"} <= set(batch.columns):
            raise InputError(f"{path}: not a table of queries; give the flagship's dedup.parquet")
        answers = pl.col("passages").list.filter(pl.element().struct.field("is_selected"))
        yield (
            batch.with_columns(answer=answers.list.first())
            .filter(pl.col("answer").is_not_null())
            .select(
                text_id="query_id",
                prompt="query",
                text=pl.col("answer").struct.field("text"),
                is_positive=pl.lit(None, pl.Boolean),
                split="split",
                half=pl.lit("reward"),
            )
            .match_to_schema(TEXT_SCHEMA)
        )
