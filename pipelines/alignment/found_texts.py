"""Texts and their moods in a file, a folder or zip archives, as they are found.

A mood is in the path, as in the data sets of NLTK, of Pang and Lee, and in the Large Movie Review
Dataset: a folder `pos` or `neg` has one text per file, a file that ends in `.pos` or `.neg` one
text per line. Or it stands beside the text: CSV, TSV, JSON and Parquet with columns text and label,
and lines of a label and a text.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from genlab.core.program import InputError
from genlab.sources.archives import MAX_MEMBER_BYTES, member_names, read_members
from genlab.sources.csv_text import csv_rows
from genlab.sources.decoding import Encoding, decode
from genlab.sources.file_text import is_hidden, opened, recognise_start, text_lines
from genlab.sources.json_text import array_rows
from genlab.sources.text_files import (
    PACKED_ENDING,
    check_text,
    data_extension,
    line_rows,
    parquet_rows,
    shown,
)

MOODS = {"pos": True, "neg": False}
# A table's labels, in small letters.
LABELS = {"pos": True, "positive": True, "1": True, "1.0": True, "true": True}
LABELS |= {"neg": False, "negative": False, "0": False, "0.0": False, "false": False}
NO_LABELS = ("", "none", "unsup", "null")
# Alone no label, as of the Hub's unlabelled splits; beside 1 alone, negative.
MINUS_ONES = ("-1", "-1.0")
TEXT_NAMES = ("text", "review", "sentence")
LABEL_NAMES = ("label", "sentiment")
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt")
LABEL_LINE = re.compile(rf"({'|'.join(LABELS)})[\t ,;:]\s*(.*)", re.IGNORECASE)
MAX_TEXT_BYTES = 1 << 20  # ours: a novel has as many; guards against rubbish

# (id, text, is it positive; None: not labelled)
FoundText = tuple[str, str, bool | None]


def find_texts(path: Path, encoding: Encoding, files: Counter) -> Iterator[FoundText]:
    """Yield the texts of all files under `path` that tell a mood; count and name the other files.

    Only the path below `path` tells a mood. Raises InputError for what cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct corpus.path")
    there = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    unread: list[str] = []
    for file in there:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        if is_hidden(name) and file != path:
            files["hidden"] += 1
        elif file.suffix.lower() == ".zip":
            yield from texts_in_archive(file, encoding, files, unread)
        elif (mood := mood_of(name)) is not None:
            files["read"] += 1
            yield from texts_in(name, whole_file(file), mood, encoding, str(file))
        elif rows := table_rows(file, encoding, is_alone=file == path):
            files["read"] += 1
            yield from texts_of_rows(name, rows)
        else:
            unread.append(name)
    files["unread"] += len(unread)
    if unread:
        names = ", ".join(unread[:10]) + ", ..." * (len(unread) > 10)
        print(f"not read, as nothing tells a mood: {len(unread)} ({names})", file=sys.stderr)


def whole_file(file: Path) -> bytes:
    """Return the bytes of a file, unpacked; raise InputError for one too long to be of texts."""
    with opened(file) as stream:
        content = stream.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise InputError(f"{file}: more than {MAX_MEMBER_BYTES} bytes; give it in parts")
    return content


def texts_in_archive(
    file: Path, encoding: Encoding, files: Counter, unread: list[str]
) -> Iterator[FoundText]:
    """Yield the texts of a zip archive whose members' paths tell a mood."""
    names = member_names(file)
    wanted = []
    for name in names:
        if is_hidden(name):
            files["hidden"] += 1
        elif mood_of(name) is None:
            unread.append(f"{file.name}/{name}")
        else:
            wanted.append(name)
    files["read"] += len(wanted)
    for name, content in read_members(file, wanted):
        mood = mood_of(name)
        assert mood is not None  # by the choice above
        yield from texts_in(f"{file.stem}/{name}", content, mood, encoding, f"{file}, {name}")


def mood_of(name: str) -> bool | None:
    """Return whether a file's path says positive; None if it says nothing."""
    path = PurePosixPath(PACKED_ENDING.sub("", name.lower()))
    suffix = path.suffix.removeprefix(".")
    return MOODS.get(suffix, next((MOODS[part] for part in path.parts[:-1] if part in MOODS), None))


def texts_in(
    name: str, content: bytes, is_positive: bool, encoding: Encoding, place: str
) -> Iterator[FoundText]:
    """Yield a file's texts: one, or one per line if its ending is the mood."""
    text = decode(place, content, encoding)
    if PurePosixPath(PACKED_ENDING.sub("", name.lower())).suffix.removeprefix(".") in MOODS:
        for number, line in enumerate(text.removesuffix("\n").split("\n")):
            yield f"{name}-{number}", line, is_positive
    else:
        yield name, text, is_positive


def table_rows(file: Path, encoding: Encoding, is_alone: bool) -> Iterator[tuple[str, Any]] | None:
    """Return the rows of a file of texts with labels; None for a file that is no such table.

    A row is an object, or (label, text). A file that was given by its own name must be one.
    """
    if not is_alone and (data_extension(file) not in TABLES or not file.stat().st_size):
        return None
    is_parquet, start = recognise_start(file, "texts and labels", encoding)
    if is_parquet:
        return parquet_rows(file, text_and_label)
    if start.startswith("["):
        return array_rows(file, encoding)
    if start.startswith("{"):
        return line_rows(file, encoding)
    first = next(line for line in re.split(r"[\r\n]+", start) if line.strip())
    if LABEL_LINE.fullmatch(first):
        return labelled_lines(file, encoding)
    lower = first.lower()
    if first.startswith("sep=") or any(name in lower for name in LABEL_NAMES):
        return csv_rows(file, encoding)
    if data_extension(file) == ".txt" and not is_alone:
        return None
    raise InputError(
        f"{file}: neither its path nor its first line tells a mood; expected a header with columns "
        "text and label, lines of a label (pos, neg, 1 or 0) and a text, JSON Lines with both, or "
        "folders pos and neg"
    )


def labelled_lines(file: Path, encoding: Encoding) -> Iterator[tuple[str, Any]]:
    """Yield (label, text) of each line with its place."""
    for place, line in text_lines(file, encoding):
        found = LABEL_LINE.fullmatch(line)
        if not found:
            raise InputError(
                f"{place}: it does not begin with a label (pos, neg, 1 or 0) as the first line "
                "does; correct it"
            )
        yield place, {"label": found[1], "text": found[2]}


def text_and_label(place: str, there: Sequence[str]) -> tuple[str, str]:
    """Return the names of the columns of text and label; raise InputError if one is not there."""
    lower = {name.strip().lower(): name for name in there}
    found = [
        next((lower[name] for name in names if name in lower), None)
        for names in (TEXT_NAMES, LABEL_NAMES)
    ]
    text, label = found
    if text is None or label is None:
        missing = [
            name for name, there_is in zip(("text", "label"), found, strict=True) if not there_is
        ]
        has = ", ".join(shown(name) for name in there[:10])
        raise InputError(f"{place}: no column {' and '.join(missing)} (there: {has}); name them so")
    return text, label


def texts_of_rows(name: str, rows: Iterator[tuple[str, Any]]) -> Iterator[FoundText]:
    """Yield the texts of a table's rows; the label of one may be missing.

    Those with -1 come last: only the other labels tell what it means.
    """
    columns = None
    counts: Counter = Counter()
    minus_ones: list[tuple[str, str]] = []
    for number, (place, row) in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f"{place}: {shown(row)} where an object with text and label belongs")
        columns = columns or text_and_label(place, list(row))
        text, label = (row.get(column) for column in columns)
        check_text(place, columns[0], text, MAX_TEXT_BYTES)
        word = word_of(label)
        counts[word] += 1
        if word in MINUS_ONES:
            minus_ones.append((f"{name}-{number}", str(text)))
        else:
            yield f"{name}-{number}", str(text), label_of(place, label)
    if minus_ones:
        mood = mood_of_minus_one(name, counts)
        yield from ((text_id, text, mood) for text_id, text in minus_ones)


def mood_of_minus_one(name: str, counts: Counter) -> bool | None:
    """Return what -1 says among a table's labels {word: texts}, and print what each is taken for.

    With 1 alone it is negative, and alone it is no label. Beside 0 nobody can tell: 0 is negative
    and -1 no label, or 0 neutral and -1 negative. That raises InputError.
    """
    said = ", ".join(f"{word or 'empty'} ({n})" for word, n in sorted(counts.items()))
    if {"0", "0.0"} & counts.keys():
        raise InputError(
            f"{name}: the labels are {said}; with both -1 and 0, 0 may be negative or neutral. "
            "Write pos and neg, and leave the label empty where there is none or it is neutral"
        )
    is_negative = all(word in (*MINUS_ONES, *NO_LABELS, "1", "1.0") for word in counts)
    is_negative = is_negative and bool({"1", "1.0"} & counts.keys())
    mood = False if is_negative else None
    taken = {True: "positive", False: "negative", None: "no label"}
    moods = {word: mood if word in MINUS_ONES else LABELS.get(word) for word in counts}
    each = (
        f"{word or 'empty'} as {taken[moods[word]]} ({counts[word]})" for word in sorted(counts)
    )
    print(f"{name}: labels are read so: {', '.join(each)}", file=sys.stderr)
    return mood


def word_of(label: Any) -> str:
    """Return a label in small letters, "" for null."""
    return "" if label is None else str(label)[:40].strip().lower()


def label_of(place: str, value: Any) -> bool | None:
    """Return whether a label is positive, None for one that says there is none."""
    word = word_of(value)
    if word in NO_LABELS:
        return None
    if word not in LABELS:
        raise InputError(
            f"{place}: label {shown(value)} is none of 0, 1, pos, neg, positive, negative; map "
            "your labels to them"
        )
    return LABELS[word]
