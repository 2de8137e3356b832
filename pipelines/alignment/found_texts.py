"""Read texts with their moods (positive or negative) from a file, a folder or archives.

The mood may be in the path, as in the data sets of NLTK, of Pang and Lee, and in the Large Movie
Review Dataset: a folder `pos` or `neg` has one text per file, or a table with a column of texts; a
file that ends in `.pos` or `.neg` has one text per line. Or the mood stands beside the text: CSV,
TSV, JSON and Parquet with columns text and label, and lines of a label and a text.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from genlab.core.program import InputError
from genlab.sources.archives import (
    MAX_MEMBER_BYTES,
    is_archive,
    member_file,
    member_names,
    member_path,
    read_members,
)
from genlab.sources.csv_text import (
    csv_rows,
    fields_of,
    file_lines,
    said_separator,
    separated_rows,
)
from genlab.sources.decoding import Encoding, decode
from genlab.sources.file_text import (
    HEAD_BYTES,
    foreign_kind,
    is_hidden,
    recognise_start,
    stop,
    text_lines,
    unpacked,
)
from genlab.sources.foreign_files import check_path, files_in
from genlab.sources.json_text import array_rows
from genlab.sources.text_columns import TEXT_NAMES, is_table, only_column, table_texts
from genlab.sources.text_files import (
    PACKED_ENDING,
    check_text,
    data_extension,
    line_rows,
    parquet_classes,
    parquet_rows,
    shown,
    some_of,
)
from genlab.sources.unpacked import PACKED, is_tar, unpacked_folder

MOODS = {"pos": True, "neg": False}
# A table's labels, in small letters.
LABELS = {"pos": True, "positive": True, "1": True, "1.0": True, "true": True}
LABELS |= {"neg": False, "negative": False, "0": False, "0.0": False, "false": False}
NO_LABELS = ("", "none", "unsup", "null", "na", "nan", "<na>")
# Alone no label, as of the Hub's unlabelled splits; beside 1 alone, negative.
MINUS_ONES = ("-1", "-1.0")
LABEL_NAMES = ("label", "sentiment")
LABEL_LINE = re.compile(rf"({'|'.join(LABELS)})[\t ,;:]\s*(.*)", re.IGNORECASE)
# A label, quoted or not, and what separates it from a text that is quoted as in CSV.
QUOTED_LINE = re.compile(rf"(\"?)(?:{'|'.join(LABELS)})\1([,;]) *\"", re.IGNORECASE)
MAX_TEXT_BYTES = 1 << 20  # ours: a novel has as many; guards against rubbish

# (id, text, is it positive; None: not labelled)
FoundText = tuple[str, str, bool | None]


def find_texts(path: Path, encoding: Encoding, files: Counter) -> Iterator[FoundText]:
    """Yield the texts of all files under `path` that have a mood; count and name the other files.

    A mood in the names above `path` does not count. Zips in a folder are read like its subfolders;
    a text that is also unpacked beside its zip counts once. Raises InputError for files that cannot
    be read, a link that leads out of a folder, and a path that is neither file nor folder.
    """
    check_path(path, "corpus.path")
    if is_tar(path):
        with unpacked_folder(path, files, lambda _: True) as (_, top):
            yield from find_texts(top, encoding, files)
        return
    is_folder = path.is_dir()
    there = [path / n for n in files_in(path, str(path), deep=True)] if is_folder else [path]
    unread: list[str] = []
    for file in there:
        name = file.relative_to(path).as_posix() if is_folder else file.name
        mood = mood_of(name)
        if is_hidden(name) and file != path:
            files["hidden"] += 1
        elif is_archive(file) or file.suffix.lower() == ".zip":
            yield from texts_in_archive(file, encoding, files, unread)
        elif mood is not None and not is_table(file):
            files["read"] += 1
            with open(file, "rb") as stream:
                content = whole_content(stream, str(file))
            yield from texts_in(name, content, mood, encoding, str(file))
        elif found := texts_of_table(name, file, mood, encoding, is_alone=file == path):
            files["read"] += 1
            yield from found
        else:
            unread.append(name)
    files["unread"] += len(unread)
    if unread:
        packed = [name for name in unread if name.lower().endswith(PACKED)]
        print(
            f"not read, as nothing tells a mood: {len(unread)} ({some_of(unread)})"
            + f"; unpack what is packed: {some_of(packed)}" * bool(packed),
            file=sys.stderr,
        )


def whole_content(packed: BinaryIO, place: str) -> bytes:
    """Return all bytes of a stream, unpacked; raise InputError if they are too many for texts."""
    with unpacked(packed, place) as stream:
        content = stream.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise InputError(f"{place}: more than {MAX_MEMBER_BYTES} bytes; give it in parts")
    return content


def texts_in_archive(
    file: Path, encoding: Encoding, files: Counter, unread: list[str]
) -> Iterator[FoundText]:
    """Yield the texts of a zip archive's members, as those of a folder's files."""
    wanted = []
    for name in member_names(file):
        if is_hidden(name):
            files["hidden"] += 1
        elif mood_of(name) is None and not may_be_table(member_path(name)):
            unread.append(f"{file.name}/{name}")
        else:
            wanted.append(name)
    for name, packed in read_members(file, wanted):
        text_id, place, mood = f"{file.stem}/{name}", f"{file}, {name}", mood_of(name)
        if mood is not None and not is_table(member_path(name)):
            files["read"] += 1
            content = whole_content(BytesIO(packed), place)
            yield from texts_in(text_id, content, mood, encoding, place)
            continue
        with member_file(file, name, packed) as member:
            if found := texts_of_table(text_id, member, mood, encoding, is_alone=False):
                files["read"] += 1
                yield from found
            else:
                unread.append(f"{file.name}/{name}")


def mood_of(name: str) -> bool | None:
    """Return whether a file's path says positive; None if it says nothing."""
    path = member_path(PACKED_ENDING.sub("", name.lower()))
    suffix = path.suffix.removeprefix(".")
    return MOODS.get(suffix, next((MOODS[part] for part in path.parts[:-1] if part in MOODS), None))


def texts_in(
    name: str, content: bytes, is_positive: bool, encoding: Encoding, place: str
) -> Iterator[FoundText]:
    """Yield a file's texts: one, or one per line if its ending is the mood.

    A web page is a text with markup; a picture, a PDF or the like raises InputError.
    """
    if foreign := foreign_kind(content[:HEAD_BYTES]):
        raise InputError(f"{place}: this is {foreign}, or remove it")
    text = decode(place, content, encoding)
    if member_path(PACKED_ENDING.sub("", name.lower())).suffix.removeprefix(".") in MOODS:
        for number, line in enumerate(text.removesuffix("\n").split("\n")):
            yield f"{name}-{number}", line, is_positive
    else:
        yield name, text, is_positive


def may_be_table(name: PurePath) -> bool:
    """Return whether a file of that name may have texts with labels: a table, or lines of both."""
    return is_table(name) or data_extension(name) == ".txt"


def texts_of_table(
    name: str, file: Path, mood: bool | None, encoding: Encoding, is_alone: bool
) -> Iterator[FoundText] | None:
    """Return the texts of a table's rows, all of the mood that its path tells, if it tells one.

    None for a file that is no table of texts with labels.
    """
    if mood is not None:
        return texts_of_column(name, file, mood, encoding)
    rows = table_rows(file, encoding, is_alone)
    return texts_of_rows(name, rows) if rows else None


def texts_of_column(name: str, file: Path, mood: bool, encoding: Encoding) -> Iterator[FoundText]:
    """Yield the texts of a table's column with one mood for all."""
    for number, (place, text) in enumerate(table_texts(file, encoding)):
        check_text(place, "text", text, MAX_TEXT_BYTES)
        yield f"{name}-{number}", str(text), mood


def table_rows(file: Path, encoding: Encoding, is_alone: bool) -> Iterator[tuple[str, Any]] | None:
    """Return the rows of a file of texts with labels; None for a file that is no such table.

    A row is an object, or (label, text). A file that was given by its own name must be one.
    """
    if not is_alone and not (may_be_table(file) and file.stat().st_size):
        return None
    is_parquet, start = recognise_start(file, "texts and labels", encoding)
    if is_parquet:
        return labelled_parquet(file)
    if start.startswith("["):
        return array_rows(file, encoding)
    if start.startswith("{"):
        return line_rows(file, encoding)
    first = next(line for line in re.split(r"[\r\n]+", start) if line.strip())
    if delimiter := delimiter_of_quoted_lines(file, encoding):
        return quoted_lines(file, encoding, delimiter)
    if LABEL_LINE.fullmatch(first):
        return labelled_lines(file, encoding)
    is_csv = data_extension(file) in (".csv", ".tsv") and len(fields_of(first)) > 1
    if is_csv or said_separator(first) or any(name in first.lower() for name in LABEL_NAMES):
        return csv_rows(file, encoding)
    if data_extension(file) == ".txt" and not is_alone:
        return None
    raise InputError(
        f"{file}: neither its path nor its first line tells a mood; expected a header with columns "
        "text and label, lines of a label (pos, neg, 1 or 0) and a text, JSON Lines with both, or "
        "folders pos and neg"
    )


def labelled_parquet(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a Parquet file, its labels by the names of their classes if it has some."""
    classes = parquet_classes(file)
    for place, row in parquet_rows(file, text_and_label):
        for column, label in row.items():
            row[column] = named_label(label, classes.get(column, []))
        yield place, row


def named_label(label: Any, names: Sequence[str]) -> Any:
    """Return the name of a label's class if all classes say pos or neg in words, else the label."""
    are_words = all(name.isalpha() and word_of(name) in LABELS for name in names)
    return names[label] if are_words and label in range(len(names)) else label


def delimiter_of_quoted_lines(file: Path, encoding: Encoding) -> str | None:
    """Return what separates label and text in lines quoted as CSV; None if they are not so.

    One text must begin with a quote, and every row come out as a label and a text.
    """
    bare = (line for _, line in text_lines(file, encoding))
    found = next(filter(None, map(QUOTED_LINE.match, bare)), None)
    if found is None:
        return None
    lines = file_lines(file, encoding, stop)
    rows = (row for _, row in separated_rows(file, lines, found[2], spaced=True))
    try:
        is_whole = all(len(row) == 2 and row[0].strip().lower() in LABELS for row in rows)
    except InputError:  # a quote that is text
        return None
    return found[2] if is_whole else None


def quoted_lines(file: Path, encoding: Encoding, delimiter: str) -> Iterator[tuple[str, Any]]:
    """Yield label and text of each row of lines that are quoted as CSV, with its place."""
    lines = file_lines(file, encoding, stop)
    for place, row in separated_rows(file, lines, delimiter, spaced=True):
        yield place, {"label": row[0], "text": row[1]}


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
    """Return the names of the columns of text and label; InputError without either, or for two."""
    found = [only_column(place, there, names) for names in (TEXT_NAMES, LABEL_NAMES)]
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
    """Return the meaning of -1 in a table with these labels, {word: texts}; print all meanings.

    If the only other label is 1, -1 is negative; else it means no label. Together with 0 it is
    ambiguous, which raises InputError: 0 may be negative and -1 no label, or 0 neutral and -1
    negative.
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
