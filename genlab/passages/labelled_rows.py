"""Queries from tables with a row for each passage: question, sentence and label.

Tab-separated without a header, WikiQA's seven columns, or any CSV, TSV, JSON, Parquet or Hub
dataset whose columns name a query, a passage and a label. Rows of one question make one query,
wherever they stand in the file. A label is a whole number: from 1 on a passage is relevant; or it
is yes or no, in all rows.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from genlab.core.params import number_said
from genlab.core.program import InputError
from genlab.core.tables import CLUSTERS
from genlab.core.terminal import tell_once
from genlab.sources.csv_text import csv_lists, fields_of, said_separator, tsv_rows
from genlab.sources.decoding import Encoding
from genlab.sources.text_files import (
    NO_VALUE,
    check_columns,
    check_distinct,
    check_text,
    data_extension,
    data_stem,
    refuse_missing,
    shown,
    whole_number,
)

# Where a query was found ("train.jsonl, line 3"), and QUERY_SCHEMA's columns without `split`.
PlacedQuery = tuple[str, dict[str, Any]]

WIKIQA_COLUMNS = ("QuestionID", "Question", "Sentence", "Label")
# What people call the columns, in small letters.
ROLES = {
    "query": ("query", "question"),
    "passage": ("passage", "sentence", "passage_text", "text", "answer"),
    "label": ("label", "is_selected", "relevance", "relevant"),
    "id": ("query_id", "questionid", "question_id", "qid"),
    **{name: (name,) for name in CLUSTERS},
}
NEEDED = ("query", "passage", "label")

LEAST_RELEVANT = 1  # of graded labels, as of BEIR's and TREC's: 1, 2, 3
NO_LABEL = f"not 0, {LEAST_RELEVANT} or a higher grade"
ANSWERS = {"no": 0, "yes": 1}  # labels in words
# Columns that are not read, though somebody might rely on them.
TEXTS_BESIDE = ("title", "context", "contexts", "body")
SPLIT_NAMES = ("split", "subset", "fold", "partition")
R_NAMES = "; if R wrote the table, write it with row.names=FALSE, or with col.names=NA"
MOST_GRADE = 100  # ours: a higher number is an id or a count, as in a column that is no label

# Classes that say no and yes, in small letters.
NO_WORDS = ("no", "false", "neg", "negative", "wrong")
YES_WORDS = ("yes", "true", "pos", "positive", "right", "relevant")
DENIALS = ("not ", "no ", "non ", "non", "un", "in", "ir")

# The place of a row, its own id or None, question, sentence, label and CLUSTERS.
LabelledRow = tuple[str, str | None, str, str, str, dict[str, Any]]


def grade_of(label: Any) -> int | None:
    """Return a label's whole number, which may be negative; None if it is not a label.

    pandas' forms 1.0 and True are read, too.
    """
    text = str(label).strip().lower()
    if text in ("true", "false"):
        return int(text == "true")
    number = number_said(text)
    return int(number) if number is not None and number.is_integer() else None


def grade_said(label: Any) -> int | None:
    """Return a label's grade: a whole number, or yes or no; None if it is not a label.

    `grade_of` takes numbers alone, as BEIR's and TREC's judgements have them.
    """
    word = label.strip().lower() if isinstance(label, str) else ""
    return ANSWERS[word] if word in ANSWERS else grade_of(label)


def check_grade(place: str, grade: int) -> None:
    """Raise InputError for a number too high for a grade, such as an id's or a count."""
    if grade > MOST_GRADE:
        raise InputError(
            f"{place}: label {grade} is no grade, which is at most {MOST_GRADE}; correct it, or "
            "name the column of labels label"
        )


def is_relevant(label: Any) -> bool | None:
    """Return whether a label makes a passage relevant; None for what is no label."""
    grade = grade_said(label)
    return None if grade is None or grade < 0 else grade >= LEAST_RELEVANT


def check_classes(place: str, column: str, names: Sequence[str]) -> None:
    """Raise InputError for class names that do not show that class 1 is the relevant one.

    In QNLI it is class 0 (entailment, not_entailment). names: in the order of their numbers.
    """
    words = [" ".join(re.findall(r"[a-z0-9]+", name.lower())) for name in names]
    is_numbers = words == [str(number) for number in range(len(words))]
    if not is_numbers and not (len(words) == 2 and are_no_and_yes(*words)):
        said = ", ".join(f"{number} {shown(name)}" for number, name in enumerate(names[:10]))
        raise InputError(
            f"{place}: the classes of {column} are {said}; nobody can tell that 1 is relevant, so "
            "write it as numbers, 1 for a passage that answers"
        )


def are_no_and_yes(no: str, yes: str) -> bool:
    """Return whether two classes mean no and yes, or X and its negation: incorrect, correct.

    Both in small letters, with blanks between their words.
    """
    is_denied = no in {front + yes for front in DENIALS}
    return is_denied or (no in NO_WORDS and yes in YES_WORDS)


def tell_grades(name: str, counts: Counter[int]) -> None:
    """Print how grades are read, given {grade: passages}, if there are others than 0 and 1.

    Some judgements use 1 for passages that are related to the question but do not answer it (TREC's
    Deep Learning track).
    """
    if counts.keys() - {0, 1}:
        said = ", ".join(f"{grade} ({n})" for grade, n in sorted(counts.items()))
        tell_once(f"{name}: graded {said}; from {LEAST_RELEVANT} on a passage is relevant")


def tell_unread(file: str, names: Iterable[str]) -> None:
    """Print which of a table's columns are of SPLIT_NAMES or TEXTS_BESIDE, so are not read."""
    there = {name.strip().lower(): name for name in names}
    if found := [there[name] for name in (*SPLIT_NAMES, *TEXTS_BESIDE) if name in there]:
        advice = "; give a file for each split, named train and dev"
        tell_once(
            f"{file}: not read: column{'s' * (len(found) > 1)} {', '.join(map(shown, found))}"
            + advice * any(name in there for name in SPLIT_NAMES)
        )


def check_one_each(place: str, names: Iterable[str]) -> None:
    """Raise InputError for two columns that may both be the query, the passage or the label.

    A column `answer` is the passage only if there is no other.
    """
    for role in NEEDED:
        found = [name for name in names if name.strip().lower() in ROLES[role]]
        texts = [name for name in found if name.strip().lower() != "answer"]
        if len(texts) > 1:
            raise InputError(
                f"{place}: columns {' and '.join(map(shown, texts))} may both be the {role}; "
                "rename or remove one"
            )


def header_columns(names: Iterable[str]) -> dict[str, int]:
    """Return {role: place in the header} for those of ROLES that the header names."""
    there = {name.strip().lower(): place for place, name in reversed(list(enumerate(names)))}
    return {
        role: next(there[name] for name in known if name in there)
        for role, known in ROLES.items()
        if set(known) & set(there)
    }


def first_line(start: str) -> str:
    """Return the first line of a file's start that is neither blank nor Excel's `sep=`."""
    lines = [line for line in re.split(r"[\r\n]+", start)[:3] if line.strip()]
    return next((line for line in lines if not said_separator(line)), "")


def first_fields(start: str) -> list[str]:
    """Return the fields of a file's first line, if it is a table: the columns of a header."""
    return fields_of(first_line(start))


def is_labelled(start: str) -> bool:
    """Return whether a file that begins so is such a table."""
    fields = first_line(start).split("\t")
    if "QuestionID" in fields or (len(fields) == 3 and grade_said(fields[2]) in (0, 1)):
        return True
    return names_a_label(first_fields(start))


def check_header(file: Path, start: str) -> None:
    """Raise InputError for a table that begins with `start` and whose header lacks columns."""
    fields = first_fields(start)
    if data_extension(file) in (".csv", ".tsv") and len(fields) > 1:
        refuse_missing(f"{file}, header", fields, missing_roles(header_columns(fields)))


def missing_roles(there: Iterable[str]) -> list[str]:
    """Return the roles of a table's needed columns that are not there."""
    there = set(there)
    return [role for role in NEEDED if role not in there]


def names_a_label(columns: Iterable[str]) -> bool:
    """Return whether a table with these columns is such a table."""
    return header_columns(columns).keys() >= set(NEEDED)


def labelled_queries(
    file: Path, start: str, max_text_bytes: int, encoding: Encoding
) -> Iterator[PlacedQuery]:
    """Yield the queries of separated text, which begins with `start`, as `grouped_queries` does."""
    return grouped_queries(labelled_rows(file, start, encoding), data_stem(file), max_text_bytes)


def grouped_queries(
    rows: Iterable[LabelledRow], name: str, max_text_bytes: int
) -> Iterator[PlacedQuery]:
    """Yield the rows' queries in order of their first rows.

    Questions that differ only in blanks are the same. The id is the table's own, or
    "<name>-<number>" with the query's number from 0.
    """
    queries: dict[tuple[str | None, str], PlacedQuery] = {}
    grades: Counter[int] = Counter()
    in_words: str | None = None
    for place, own_id, question, sentence, label, clusters in rows:
        grade = grade_in(place, label)
        grades[grade] += 1
        if label.lower() in ANSWERS:
            in_words = in_words or f"{place}: label {shown(label)}"
        check_text(place, "sentence", sentence, max_text_bytes)
        key = (own_id, " ".join(question.split()))
        if key not in queries:
            check_text(place, "question", question, max_text_bytes, may_be_blank=False)
            query_id = (
                f"{name}-{len(queries)}"
                if own_id is None
                else check_id(place, own_id, max_text_bytes)
            )
            query: dict[str, Any] = {"query_id": query_id, "query": question, "passages": []}
            query |= check_clusters(place, clusters, max_text_bytes)
            queries[key] = (place, query)
        passage = {"text": sentence, "is_selected": grade >= LEAST_RELEVANT}
        queries[key][1]["passages"].append(passage)
    if in_words and grades.keys() - {0, 1}:
        said = ", ".join(map(str, sorted(grades)))
        raise InputError(
            f"{in_words} is no grade, and other rows have {said}; write all as numbers"
        )
    tell_grades(name, grades)
    yield from queries.values()


def grade_in(place: str, label: str) -> int:
    """Return the grade of a row's label; raise InputError if it is not a grade."""
    grade = grade_said(label)
    if grade is None or grade < 0:
        header = " (a header must name query, passage and label)" * place.endswith(" line 1")
        raise InputError(f"{place}: label {shown(label)} is {NO_LABEL}{header}; correct it")
    check_grade(place, grade)
    return grade


def labelled_objects(rows: Iterable[tuple[str, Any]], max_text_bytes: int) -> Iterator[LabelledRow]:
    """Yield the rows of JSON, Parquet or a Hub dataset; raises InputError for a missing column."""
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError(
                f"{place}: {shown(row)} where an object with {', '.join(NEEDED)} belongs"
            )
        names = list(row)
        check_distinct(place, names)
        columns = {role: names[number] for role, number in header_columns(names).items()}
        refuse_missing(place, names, missing_roles(columns))
        check_one_each(place, names)
        question, sentence, label = (row[columns[role]] for role in NEEDED)
        check_text(place, "question", question, max_text_bytes, may_be_blank=False)
        own_id = row[columns["id"]] if "id" in columns else None
        if own_id is not None:
            own_id = check_id(place, own_id, max_text_bytes)
        clusters = {name: row[columns[name]] for name in CLUSTERS if name in columns}
        label = label.strip() if isinstance(label, str) else shown(label)
        yield place, own_id, question, sentence, label, clusters


def columns_in_header(file: Path, place: str, fields: list[str]) -> dict[str, int]:
    """Return {role: place in the header} of a first line; {} if it is a row, not a header.

    Raises InputError for a header that lacks a column, or has two for one role.
    """
    columns = header_columns(fields)
    if "QuestionID" in fields:
        check_columns(place, fields, WIKIQA_COLUMNS)
    missing = missing_roles(columns)
    if not columns or (missing and is_relevant(fields[-1]) is not None):
        return {}
    check_distinct(place, filter(None, fields))
    refuse_missing(place, fields, missing)
    check_one_each(place, fields)
    tell_unread(str(file), fields)
    return columns


def labelled_rows(file: Path, start: str, encoding: Encoding) -> Iterator[LabelledRow]:
    """Yield the rows of separated text.

    The first may be a header. Without one the columns are question, sentence and label.
    """
    # Excel writes `sep=` before tables that are quoted as CSV, whatever separates in them.
    is_excels = said_separator(re.split(r"[\r\n]", start)[0]) is not None
    in_tabs = "\t" in first_line(start) and not is_excels
    columns: dict[str, int] | None = None
    n_columns = 3
    for place, fields in (tsv_rows if in_tabs else csv_lists)(file, encoding):
        if columns is None:
            columns = columns_in_header(file, place, fields)
            if columns:
                n_columns = len(fields)
                continue
            columns = {"query": 0, "passage": 1, "label": 2}
        if len(fields) != n_columns:
            expected = "question, sentence, label" if n_columns == 3 else "as in the header"
            separated = "tab-separated columns" if in_tabs else "columns"
            is_rs = len(fields) == n_columns + 1 and fields[0].isdecimal()
            raise InputError(
                f"{place}: {len(fields)} {separated}, {n_columns} expected ({expected}); "
                f"correct the line, or what separates inside its text{R_NAMES * is_rs}"
            )
        # Blanks beside a separator are none of an id.
        own_id = fields[columns["id"]].strip() if "id" in columns else None
        question, sentence, label = (fields[columns[role]] for role in NEEDED)
        clusters = {name: fields[columns[name]] for name in CLUSTERS if name in columns}
        yield place, own_id, question, sentence, label.strip(), clusters


def check_id(place: str, value: Any, max_text_bytes: int) -> str:
    """Return a query_id as text; whole numbers are written without a point."""
    value = whole_number(place, "query_id", value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InputError(f"{place}: query_id is {shown(value)}, not text or a whole number")
    check_text(place, "query_id", str(value), max_text_bytes)
    return str(value)


def check_clusters(place: str, row: dict, max_text_bytes: int) -> dict[str, str | None]:
    """Return a row's entity and topic, text or whole numbers; null where it says nothing."""
    found: dict[str, str | None] = dict.fromkeys(CLUSTERS)
    for name in CLUSTERS:
        value = whole_number(place, name, row.get(name))
        if value is None or value == "" or value != value or str(value) in NO_VALUE:
            continue
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise InputError(
                f"{place}: {name} is {shown(value)}, not text or a whole number; correct it, or "
                "call the column otherwise"
            )
        check_text(place, name, str(value), max_text_bytes)
        found[name] = str(value)
    return found
