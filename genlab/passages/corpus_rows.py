"""Queries with their passages from the rows of one file or Hub dataset, each row checked."""

import codecs
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from genlab.core.program import InputError
from genlab.sources.text_files import (
    FOREIGN_CONTENT,
    HEAD_BYTES,
    PARQUET_ROWS,
    JsonText,
    array_rows,
    check_columns,
    data_extension,
    data_stem,
    line_rows,
    opened,
    parquet_rows,
    shown,
    text_lines,
)


class CorpusFormat(StrEnum):
    """How the files of a corpus are laid out."""

    auto = "auto"  # decided for each file by its content
    hub = "hub"  # JSON array, JSON Lines, Parquet; passages = {is_selected: [], passage_text: []}
    official = "official"  # columns keyed by row number (v2.1); JSON Lines (v1.1)
    labelled = "labelled"  # question, sentence, label; or WikiQA's seven columns with a header


FORMATS_HELP = (
    "hub (MS MARCO as on the Hub: JSON array, JSON Lines, Parquet), "
    "official (MS MARCO's own JSON) or labelled (tab-separated question, sentence, label)"
)
# How a file can be read: its name in messages, and the formats besides auto that have it.
KINDS = {
    "parquet": ("Parquet", (CorpusFormat.hub,)),
    "array": ("a JSON array", (CorpusFormat.hub, CorpusFormat.official)),
    "columns": ("JSON columns", (CorpusFormat.official,)),
    "lines": ("JSON Lines", (CorpusFormat.hub, CorpusFormat.official)),
    "labelled": ("tab-separated", (CorpusFormat.labelled,)),
}

COLUMNS = ("query_id", "query", "passages")
LABELLED_COLUMNS = ("QuestionID", "Question", "Sentence", "Label")

# Where a query was found ("train.jsonl, line 3"), and QUERY_SCHEMA's columns without `split`.
PlacedQuery = tuple[str, dict[str, Any]]


def read_queries(file: Path, layout: CorpusFormat, max_text_bytes: int) -> Iterator[PlacedQuery]:
    """Yield the checked queries of one file with their places."""
    kind = recognise(file, layout)
    if kind == "labelled":
        yield from labelled_queries(file, max_text_bytes)
        return
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
        "parquet": partial(parquet_rows, columns=COLUMNS),
        "array": array_rows,
        "columns": column_rows,
    }
    for place, row in readers.get(kind, line_rows)(file):
        yield place, check_row(place, row, layout, max_text_bytes)


def recognise(file: Path, layout: CorpusFormat) -> str:
    """Return how `file` is to be read: one of KINDS.

    Content decides; the extension only where the content starts like none of these. Raises
    InputError if the file is empty, of a foreign kind, or not of the layout asked for.
    """
    with open(file, "rb") as raw:
        is_parquet = raw.read(4) == b"PAR1"
    with opened(file) as stream:
        head = stream.read(HEAD_BYTES)
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise InputError(f"{file}: the file is empty; give one with queries")
    foreign = "a tar archive; unpack it" if head[257:262] == b"ustar" else None
    for magic, what in FOREIGN_CONTENT:
        if head.startswith(magic) or start[:64].lower().startswith(magic):
            foreign = what
    if foreign and not is_parquet:
        raise InputError(f"{file}: this is {foreign}")
    fields = start.split(b"\n")[0].strip().split(b"\t")
    if is_parquet:
        kind = "parquet"
    elif b"QuestionID" in fields or (len(fields) == 3 and fields[2] in (b"0", b"1")):
        kind = "labelled"
    elif start.startswith(b"["):
        kind = "array"
    elif re.match(rb'\{\s*"[^"]*"\s*:\s*\{\s*"\d+"', start):
        kind = "columns"
    elif start.startswith(b"{"):
        kind = "lines"
    elif layout is CorpusFormat.labelled or len(fields) > 1:
        kind = "labelled"
    else:
        by_extension = {".parquet": "parquet", ".json": "array", ".tsv": "labelled"}
        by_extension |= {".jsonl": "lines", ".ndjson": "lines"}
        kind = by_extension.get(data_extension(file), "unknown")
    if kind == "unknown":
        raise InputError(
            f"{file}: not recognised as any format; set corpus.format to {FORMATS_HELP}"
        )
    if layout not in (CorpusFormat.auto, *KINDS[kind][1]):
        raise InputError(
            f"{file}: this is {KINDS[kind][0]}, which corpus.format {layout} does not have; set "
            f"corpus.format to auto, or {FORMATS_HELP}"
        )
    return kind


def labelled_queries(file: Path, max_text_bytes: int) -> Iterator[PlacedQuery]:
    """Yield queries made of consecutive lines with the same question.

    The id is the file's own QuestionID, or "<stem>-<number>" with the query's number from 0.
    """
    rows = labelled_rows(file)
    stem = data_stem(file)
    for number, ((own_id, question), group) in enumerate(groupby(rows, lambda row: row[1:3])):
        passages, first_place = [], ""
        for place, _, _, sentence, label in group:
            first_place = first_place or place
            if label not in ("0", "1"):
                header = "; a three-column file has no header" if place.endswith(" line 1") else ""
                raise InputError(f"{place}: label {shown(label)} is not 0 or 1{header}; correct it")
            check_text(place, "sentence", sentence, max_text_bytes)
            passages.append({"text": sentence, "is_selected": label == "1"})
        check_text(first_place, "question", question, max_text_bytes, may_be_blank=False)
        query_id = (
            f"{stem}-{number}" if own_id is None else check_id(first_place, own_id, max_text_bytes)
        )
        yield first_place, {"query_id": query_id, "query": question, "passages": passages}


def labelled_rows(file: Path) -> Iterator[tuple[str, str | None, str, str, str]]:
    """Yield (place, QuestionID or None, question, sentence, label) for each line."""
    columns = None
    for place, line in text_lines(file):
        fields = line.split("\t")
        if columns is None:
            columns = {"Question": 0, "Sentence": 1, "Label": 2}
            n_columns = 3
            if "QuestionID" in fields:
                check_columns(place, fields, LABELLED_COLUMNS)
                columns = {name: fields.index(name) for name in LABELLED_COLUMNS}
                n_columns = len(fields)
                continue
        if len(fields) != n_columns:
            expected = "question, sentence, label" if n_columns == 3 else "as in the header"
            raise InputError(
                f"{place}: {len(fields)} tab-separated columns, {n_columns} expected ({expected}); "
                "correct the line, or the tabs inside its text"
            )
        own_id = fields[columns["QuestionID"]] if "QuestionID" in columns else None
        question, sentence, label = (
            fields[columns[name]] for name in ("Question", "Sentence", "Label")
        )
        yield place, own_id, question, sentence, label.strip()


def hub_queries(name: str, rows: Any, max_text_bytes: int) -> Iterator[PlacedQuery]:
    """Yield the checked queries of one split (a datasets.Dataset) with their places."""
    check_columns(name, rows.column_names, COLUMNS)
    number = 0
    for table in rows.select_columns(list(COLUMNS)).with_format("arrow").iter(PARQUET_ROWS):
        for row in table.to_pylist():
            place = f"{name}, row {number} (counted from 0)"
            yield place, check_row(place, row, CorpusFormat.auto, max_text_bytes)
            number += 1


def check_row(place: str, row: Any, layout: CorpusFormat, max_text_bytes: int) -> dict[str, Any]:
    """Return a raw row as a query, or raise InputError naming what is wrong with it."""
    if not isinstance(row, dict):
        raise InputError(f"{place}: {shown(row)} where an object with {', '.join(COLUMNS)} belongs")
    check_columns(place, row, COLUMNS)
    query_id = check_id(place, row["query_id"], max_text_bytes)
    check_text(place, "query", row["query"], max_text_bytes, may_be_blank=False)
    texts, flags = passage_columns(place, row["passages"], layout)
    if not texts:
        raise InputError(f"{place}: the query has no passages; remove the row")
    for number, (text, flag) in enumerate(zip(texts, flags, strict=True)):
        check_text(place, f"passage_text {number} (counted from 0)", text, max_text_bytes)
        # pandas turns 0 and 1 into 0.0 and 1.0, datasets into booleans: all mean the same.
        if not isinstance(flag, int | float) or flag not in (0, 1):
            raise InputError(
                f"{place}: is_selected {number} (counted from 0) is {shown(flag)}, not 0 or 1; "
                "correct it"
            )
    passages = [
        {"text": text, "is_selected": bool(flag)} for text, flag in zip(texts, flags, strict=True)
    ]
    return {"query_id": query_id, "query": row["query"], "passages": passages}


def passage_columns(place: str, passages: Any, layout: CorpusFormat) -> tuple[list, list]:
    """Return the texts and the flags of a row's passages, of the hub's or the official layout."""
    if isinstance(passages, dict) and layout is not CorpusFormat.official:
        check_columns(f"{place}, passages", passages, ("is_selected", "passage_text"))
        texts, flags = passages["passage_text"], passages["is_selected"]
        for name, values in (("passage_text", texts), ("is_selected", flags)):
            if not isinstance(values, list):
                raise InputError(f"{place}: {name} is {shown(values)}, not a list; correct it")
        if len(texts) != len(flags):
            raise InputError(
                f"{place}: {len(flags)} is_selected but {len(texts)} passage_text; there must be "
                "one for each passage"
            )
        return texts, flags
    if isinstance(passages, list) and layout is not CorpusFormat.hub:
        for number, passage in enumerate(passages):
            if not isinstance(passage, dict):
                raise InputError(
                    f"{place}: passage {number} (counted from 0) is {shown(passage)}, not an object"
                )
            check_columns(f"{place}, passage {number}", passage, ("is_selected", "passage_text"))
        return [p["passage_text"] for p in passages], [p["is_selected"] for p in passages]
    expected = {
        CorpusFormat.hub: "an object with lists is_selected and passage_text",
        CorpusFormat.official: "a list of objects with is_selected and passage_text",
    }.get(layout, "a list of objects, or an object of lists, with is_selected and passage_text")
    raise InputError(
        f"{place}: passages is {shown(passages)}, not {expected}; correct it, or set corpus.format"
    )


def check_id(place: str, value: Any, max_text_bytes: int) -> str:
    """Return a query_id as text; whole numbers are written without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InputError(f"{place}: query_id is {shown(value)}, not text or a whole number")
    check_text(place, "query_id", str(value), max_text_bytes)
    return str(value)


def check_text(
    place: str, name: str, value: Any, max_text_bytes: int, may_be_blank: bool = True
) -> None:
    """Raise InputError unless `value` is text of at most `max_text_bytes` bytes of UTF-8."""
    if not isinstance(value, str):
        raise InputError(f"{place}: {name} is {shown(value)}, not text; correct it")
    if not may_be_blank and not value.strip():
        raise InputError(f"{place}: {name} is empty; remove the row")
    try:
        n_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: {name} has half a surrogate pair (\\u{ord(value[error.start]):04x}) at "
            f"character {error.start}, which is no text; correct it"
        ) from None
    if n_bytes > max_text_bytes:
        raise InputError(
            f"{place}: {name} has {n_bytes} bytes, corpus.max_text_bytes allows {max_text_bytes}; "
            "shorten the text or raise the parameter"
        )


def column_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a JSON object of columns keyed by row number (MS MARCO v2.1's own files).

    The file is read twice: the ids and queries (about 300 MB in memory for 808,731 of them), then
    the passages, which come before them in the file and would take gigabytes.
    """
    columns: dict[str, dict] = {}
    stream = JsonText(file)
    for column in stream.read_keys():
        stream.part = f"column {shown(column)}"
        columns[column] = {}
        if column not in COLUMNS and stream.peek() != "{":
            stream.value()
            continue
        for key in stream.read_keys():
            value = stream.value()
            if column in ("query_id", "query"):
                columns[column][key] = value
    stream.part = ""
    stream.end()
    check_columns(str(file), columns, COLUMNS)

    stream = JsonText(file)
    for column in stream.read_keys():
        if column not in COLUMNS and stream.peek() != "{":
            stream.value()
            continue
        for key in stream.read_keys():
            value = stream.value()
            if column != "passages":
                continue
            row = {"passages": value}
            place = f"{file}, row {shown(key)}"
            for other in ("query_id", "query"):
                if key not in columns[other]:
                    raise InputError(f"{place}: it has passages but no {other}; add it")
                row[other] = columns[other].pop(key)
            yield place, row
    for other in ("query_id", "query"):
        for key in columns[other]:
            raise InputError(
                f"{file}, row {shown(key)}: it has a {other} but no passages; add them"
            )
