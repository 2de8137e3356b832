"""Queries with their passages from the rows of one file or Hub dataset, each row checked."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.core.program import InputError
from genlab.core.tables import CLUSTERS
from genlab.passages.labelled_rows import (
    NEEDED,
    NO_LABEL,
    ROLES,
    PlacedQuery,
    check_classes,
    check_clusters,
    check_header,
    check_id,
    first_fields,
    first_line,
    grouped_queries,
    header_columns,
    is_labelled,
    is_relevant,
    labelled_objects,
    labelled_queries,
    names_a_label,
    tell_unread,
)
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import recognise_start
from genlab.sources.json_text import JsonText, array_rows
from genlab.sources.text_files import (
    check_columns,
    check_distinct,
    check_text,
    class_names,
    data_extension,
    data_stem,
    dataset_rows,
    line_rows,
    parquet_classes,
    parquet_rows,
    refuse_missing,
    shown,
    text_with_title,
)

if TYPE_CHECKING:
    from datasets import Dataset


class CorpusFormat(StrEnum):
    """How the files of a corpus are laid out."""

    auto = "auto"  # decided for each file by its content
    hub = "hub"  # JSON array, JSON Lines, Parquet; passages = {is_selected: [], passage_text: []}
    official = "official"  # columns keyed by row number (v2.1); JSON Lines (v1.1)
    labelled = "labelled"  # TSV of question, sentence, label; or columns that name the three
    pairs = "pairs"  # JSON, Parquet of a query with its positives, maybe with its negatives
    judged = "judged"  # a folder of texts and judgements apart: BEIR's, or TREC's qrels and run


FORMATS_HELP = (
    "hub (MS MARCO as on the Hub: JSON array, JSON Lines, Parquet), "
    "official (MS MARCO's own JSON), labelled (CSV, JSON or Parquet with columns query, passage, "
    "label; or tab-separated question, sentence, label), pairs (JSON or Parquet of query, positive "
    "and maybe negative) or judged (a folder of BEIR's or TREC's qrels)"
)
# How a file can be read: its name in messages, and the formats besides auto that have it.
OF_OBJECTS = (CorpusFormat.hub, CorpusFormat.official, CorpusFormat.labelled, CorpusFormat.pairs)
KINDS = {
    "parquet": ("Parquet", OF_OBJECTS),
    "array": ("a JSON array", OF_OBJECTS),
    "columns": ("JSON columns", (CorpusFormat.official,)),
    "lines": ("JSON Lines", OF_OBJECTS),
    "labelled": ("a table of separated values", (CorpusFormat.labelled,)),
}

COLUMNS = ("query_id", "query", "passages")
# What people call a passage's text and its label, where passages are a list.
TEXT_NAMES = ("passage_text", "text", "passage", "sentence")
FLAG_NAMES = ("is_selected", "label", "relevance", "relevant")
# What people call the columns of pairs.
PAIR_NAMES = {
    "query_id": ("query_id", "id", "_id", "qid"),
    "query": ("query", "question", "anchor"),
    "positive": ("positive", "positives", "pos", "positive_passages", "positive_ctxs", "answer"),
    "negative": (
        *("negative", "negatives", "neg", "hard_negative", "hard_negatives"),
        *("negative_passages", "negative_ctxs", "hard_negative_ctxs"),
    ),
}
# As sentence-transformers numbers the columns of mined negatives, or without the dash.
NUMBERED = re.compile(r"(?:hard_)?neg(?:ative)?_?(\d+)")
# Beside a row's list of texts, their labels.
LIST_FLAGS = ("is_selected", "labels", "label")


def read_queries(
    file: Path, layout: CorpusFormat, max_text_bytes: int, encoding: Encoding = Encoding.auto
) -> Iterator[PlacedQuery]:
    """Yield the checked queries of one file with their places."""
    is_parquet, start = recognise_start(file, "queries", encoding)
    kind = "parquet" if is_parquet else kind_of(file, start, layout)
    check_layout(file, kind, layout, start)
    if kind == "labelled":
        yield from labelled_queries(file, start, max_text_bytes, encoding)
        return
    if is_parquet:
        classes = parquet_classes(file)
        check_label_classes(str(file), classes)
        tell_unread(str(file), classes)
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
        "parquet": partial(parquet_rows, choose=corpus_columns),
        "array": partial(array_rows, encoding=encoding),
        "columns": partial(column_rows, encoding=encoding),
        "lines": partial(line_rows, encoding=encoding),
    }
    rows = readers[kind](file)
    if kind in ("array", "lines") and (first := next(rows, None)):
        rows = chain([first], rows)
        tell_unread(str(file), first[1] if isinstance(first[1], dict) else ())
    yield from checked_queries(rows, data_stem(file), layout, max_text_bytes)


def checked_queries(
    rows: Iterator[tuple[str, Any]], name: str, layout: CorpusFormat, max_text_bytes: int
) -> Iterator[PlacedQuery]:
    """Yield raw rows as queries; one without an id is "<name>-<its number from 0>".

    The first row shows whether there is a row per passage. Rows with the same query, with positives
    and negatives, are joined, wherever they stand: triplets have a row for each negative. Queries
    that differ only in blanks are the same.
    """
    first = next(rows, None)
    if first is None:
        return
    rows = chain([first], rows)
    if layout is CorpusFormat.labelled or (
        layout is CorpusFormat.auto and is_of_passages(first[1])
    ):
        yield from grouped_queries(labelled_objects(rows, max_text_bytes), name, max_text_bytes)
        return
    n_queries = 0
    # By the row's own id, if any, and query: the first row's place and query, texts and flags.
    pairs: dict[tuple[str | None, str], tuple[str, dict[str, Any], dict[str, bool]]] = {}
    for place, raw in rows:
        row = as_passages(place, raw, layout, max_text_bytes)
        check_columns(place, row, COLUMNS[1:])
        has_id = "query_id" in row
        if not has_id:
            row = row | {"query_id": f"{name}-{n_queries}"}
        query = check_row(place, row, layout, max_text_bytes)
        if "passages" in raw:
            n_queries += 1
            yield place, query
            continue
        key = (query["query_id"] if has_id else None, " ".join(query["query"].split()))
        if key not in pairs:
            n_queries += 1
            pairs[key] = (place, query, {})
        selected = pairs[key][2]
        for passage in query["passages"]:
            text = passage["text"]
            selected[text] = selected.get(text, False) or passage["is_selected"]
    for place, query, selected in pairs.values():
        passages = [{"text": text, "is_selected": flag} for text, flag in selected.items()]
        yield place, query | {"passages": passages}


def is_of_passages(row: Any) -> bool:
    """Return whether a row is of a query and one passage with its label."""
    return isinstance(row, dict) and "passages" not in row and names_a_label(row)


def corpus_columns(place: str, there: Sequence[str]) -> list[str]:
    """Return the columns of a Parquet file or Hub dataset that queries with passages need.

    Raises InputError if there are too few.
    """
    if not (names_a_label(there) or set(PAIR_NAMES["positive"]) & set(there)):
        named = {*there, *names_of_roles(there)}
        refuse_missing(place, there, [name for name in COLUMNS[1:] if name not in named])
    known = {*COLUMNS, *CLUSTERS, *LIST_FLAGS}
    known.update(name for names in (*PAIR_NAMES.values(), *ROLES.values()) for name in names)
    read = [n for n in there if n.strip().lower() in known or NUMBERED.fullmatch(n)]
    check_distinct(place, read)
    return read


def kind_of(file: Path, start: str, layout: CorpusFormat) -> str:
    """Return the kind of a text file, given its beginning: one of KINDS, or "unknown".

    The content decides; the extension does only if the content looks like none of these.
    """
    if start.startswith("["):
        return "array"
    if re.match(r'\{\s*"[^"]*"\s*:\s*\{\s*"\d+"', start):
        return "columns"
    if start.startswith("{"):
        return "lines"
    is_table = layout is CorpusFormat.labelled or "\t" in re.split(r"[\r\n]", start)[0]
    if is_table or is_labelled(start):
        return "labelled"
    by_extension = {".parquet": "parquet", ".json": "array", ".tsv": "labelled"}
    by_extension |= {".jsonl": "lines", ".ndjson": "lines"}
    return by_extension.get(data_extension(file), "unknown")


def check_layout(file: Path, kind: str, layout: CorpusFormat, start: str) -> None:
    """Raise InputError for a file of unknown kind, or not of the layout asked for.

    start: what a text file begins with.
    """
    if kind == "unknown":
        check_header(file, start)
        columns = first_fields(start)
        known = "; ".join(f"{role}: {' or '.join(ROLES[role])}" for role in NEEDED)
        found = f"columns {', '.join(map(shown, columns))}; known are {known}"
        if len(columns) < 2:
            found = f"its first line is {shown(first_line(start))}"
        raise InputError(
            f"{file}: not recognised as any format ({found}); set corpus.format to {FORMATS_HELP}"
        )
    if layout not in (CorpusFormat.auto, *KINDS[kind][1]):
        raise InputError(
            f"{file}: this is {KINDS[kind][0]}, which corpus.format {layout} does not have; set "
            f"corpus.format to auto, or {FORMATS_HELP}"
        )


def as_passages(place: str, row: Any, layout: CorpusFormat, max_text_bytes: int) -> dict[str, Any]:
    """Return a row with its query as `query`, and with its positives and negatives as passages."""
    if not isinstance(row, dict):
        raise InputError(f"{place}: {shown(row)} where an object with {', '.join(COLUMNS)} belongs")
    there = names_of_roles(row)
    if "passages" in row or ("positive" not in there and layout is not CorpusFormat.pairs):
        is_renamed = "passages" in row and "query" not in row and "query" in there
        return row | {"query": row[there["query"]]} if is_renamed else row
    refuse_missing(place, row, [role for role in ("query", "positive") if role not in there])
    own: dict[str, Any] = {
        name: row[there[name]] for name in ("query_id", "query") if name in there
    }
    own |= {name: row[name] for name in CLUSTERS if name in row}
    negatives = [name for name in PAIR_NAMES["negative"] if name in row]
    numbered = {name: int(found[1]) for name in row if (found := NUMBERED.fullmatch(name))}
    negatives += sorted(numbered, key=numbered.__getitem__)
    texts = listed_texts(place, row, there["positive"], max_text_bytes)
    labels = [name for name in LIST_FLAGS if name in row]
    if labels and not negatives:  # sentence-transformers' labelled pairs and lists
        return own | {"passages": labelled_passages(place, texts, labels[0], row[labels[0]])}
    passages = [{"text": text, "is_selected": 1} for text in texts]
    for name in negatives:
        if row[name] is not None:  # a table's row without any
            texts = listed_texts(place, row, name, max_text_bytes)
            passages += [{"text": text, "is_selected": 0} for text in texts]
    return own | {"passages": passages}


def listed_texts(place: str, row: dict, name: str, max_text_bytes: int) -> list:
    """Return a column's text, or list of texts, as a list; raise InputError for anything else.

    One in a list may be an object with text, maybe with a title, as Tevatron and DPR have it.
    """
    texts = [row[name]] if isinstance(row[name], str) else row[name]
    if not isinstance(texts, list):
        raise InputError(
            f"{place}: {name} is {shown(texts)}, not a text or a list of texts; correct it"
        )
    found = []
    for number, text in enumerate(texts):
        if isinstance(text, dict):
            at = f"{place}, {name} {number} (counted from 0)"
            check_columns(at, text, ["text"])
            text = text_with_title(at, text, max_text_bytes)
        found.append(text)
    return found


def labelled_passages(place: str, texts: list, name: str, labels: Any) -> list[dict[str, Any]]:
    """Return texts with the label, or list of labels, that the column `name` has for them."""
    labels = labels if isinstance(labels, list) else [labels]
    if len(labels) != len(texts):
        raise InputError(
            f"{place}: {len(labels)} {name} but {len(texts)} texts; there must be one for each"
        )
    flag = name.removesuffix("s")  # one of FLAG_NAMES
    return [{"text": text, flag: label} for text, label in zip(texts, labels, strict=True)]


def names_of_roles(names: Collection[str]) -> dict[str, str]:
    """Return {role: the first of its names that is among `names`} of the roles of PAIR_NAMES."""
    return {
        role: name
        for role, known in PAIR_NAMES.items()
        if (name := next((name for name in known if name in names), None))
    }


def check_label_classes(place: str, names: dict[str, list[str]]) -> None:
    """Check the classes that a table's label has, given {column: its classes' names, [] if none}.

    Raises InputError as `check_classes`; a table that does not label passages may have any.
    """
    if is_of_passages(names):
        label = list(names)[header_columns(names)["label"]]
        if names[label]:
            check_classes(place, label, names[label])


def hub_queries(
    asked: str, split: str, rows: "Dataset", max_text_bytes: int
) -> Iterator[PlacedQuery]:
    """Yield the checked queries of one split of a Hub dataset with their places."""
    check_label_classes(
        f"{asked}, {split}", {name: class_names(rows, name) for name in rows.column_names}
    )
    placed = dataset_rows(f"{asked}, {split}", rows, corpus_columns)
    yield from checked_queries(placed, split, CorpusFormat.auto, max_text_bytes)


def check_row(
    place: str, row: dict[str, Any], layout: CorpusFormat, max_text_bytes: int
) -> dict[str, Any]:
    """Return a row of COLUMNS as a query, or raise InputError naming what is wrong with it."""
    query_id = check_id(place, row["query_id"], max_text_bytes)
    check_text(place, "query", row["query"], max_text_bytes, may_be_blank=False)
    texts, flags, flag_name = passage_columns(place, row, layout)
    if not texts:
        raise InputError(f"{place}: the query has no passages; remove the row")
    passages = []
    for number, (text, flag) in enumerate(zip(texts, flags, strict=True)):
        check_text(place, f"passage_text {number} (counted from 0)", text, max_text_bytes)
        is_selected = flag_of(f"{place}: {flag_name} {number} (counted from 0)", flag)
        passages.append({"text": text, "is_selected": is_selected})
    query = {"query_id": query_id, "query": row["query"], "passages": passages}
    return query | check_clusters(place, row, max_text_bytes)


def flag_of(place: str, flag: Any) -> bool:
    """Return whether a flag makes a passage relevant; raise InputError if it is not a flag."""
    if (relevant := is_relevant(flag)) is None:
        raise InputError(f"{place} is {shown(flag)}, {NO_LABEL}; correct it")
    return relevant


def passage_columns(place: str, row: dict, layout: CorpusFormat) -> tuple[list, list, str]:
    """Return a row's passages, of the hub's or the official layout: texts, flags, flags' name."""
    passages = row["passages"]
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
        return texts, flags, "is_selected"
    if isinstance(passages, list) and layout is not CorpusFormat.hub:
        return listed_passages(place, passages, row)
    expected = {
        CorpusFormat.hub: "an object with lists is_selected and passage_text",
        CorpusFormat.official: "a list of objects with is_selected and passage_text",
    }.get(layout, "a list of objects, or an object of lists, with is_selected and passage_text")
    raise InputError(
        f"{place}: passages is {shown(passages)}, not {expected}; correct it, or set corpus.format"
    )


def listed_passages(place: str, passages: list, row: dict) -> tuple[list, list, str]:
    """Return texts, flags and the flags' name of a list of objects, or of texts with row's labels.

    Texts without labels are not selected.
    """
    if passages and all(isinstance(passage, str) for passage in passages):
        names = [name for name in LIST_FLAGS if name in row]
        flags = row[names[0]] if names else [0] * len(passages)
        if not isinstance(flags, list) or len(flags) != len(passages):
            raise InputError(
                f"{place}: {names[0]} must be a list with 0 or 1 for each of the {len(passages)} "
                "passages; correct it"
            )
        return passages, flags, (names or LIST_FLAGS)[0]
    texts, flags, flag = [], [], FLAG_NAMES[0]
    for number, passage in enumerate(passages):
        if not isinstance(passage, dict):
            raise InputError(
                f"{place}: passage {number} (counted from 0) is {shown(passage)}, not an object"
            )
        text, flag = (
            next((name for name in names if name in passage), names[0])
            for names in (TEXT_NAMES, FLAG_NAMES)
        )
        check_columns(f"{place}, passage {number}", passage, (flag, text))
        texts.append(passage[text])
        flags.append(passage[flag])
    return texts, flags, flag


def column_rows(file: Path, encoding: Encoding = Encoding.auto) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a JSON object of columns keyed by row number (MS MARCO v2.1's own files).

    The file is read twice: the ids and queries (about 300 MB in memory for 808,731 of them), then
    the passages, which come before them in the file and would take gigabytes.
    """
    columns: dict[str, dict] = {}
    stream = JsonText(file, encoding)
    for column in stream.read_keys():
        stream.part = f"column {shown(column)}"
        columns[column] = {}
        if column not in (*COLUMNS, *CLUSTERS) and stream.peek() != "{":
            stream.value()
            continue
        for key in stream.read_keys():
            value = stream.value()
            if column in ("query_id", "query", *CLUSTERS):
                columns[column][key] = value
    stream.part = ""
    stream.end()
    check_columns(str(file), columns, COLUMNS)

    stream = JsonText(file, encoding)
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
            of_row = {name: columns[name].get(key) for name in CLUSTERS if name in columns}
            yield place, row | of_row
    for other in ("query_id", "query"):
        for key in columns[other]:
            raise InputError(
                f"{file}, row {shown(key)}: it has a {other} but no passages; add them"
            )
