"""Queries from folders in which texts and judgements lie apart: BEIR's, and TREC's.

BEIR: corpus.jsonl (_id, title, text), queries.jsonl (_id, text), qrels/*.tsv (query-id, corpus-id,
score). TREC: queries*.tsv or topics*.tsv (id, text), collection*.tsv or corpus*.tsv (id, text),
qrels* (query, 0, passage, relevance) and, if there is one, run* (query, Q0, passage, place, score,
name). The corpus is read once, and only the texts that a judgement or the run names are kept.
"""

import re
import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from genlab.core.params import number_said
from genlab.core.program import InputError
from genlab.core.terminal import tell_once
from genlab.passages.labelled_rows import (
    LEAST_RELEVANT,
    PlacedQuery,
    check_grade,
    check_id,
    grade_of,
    tell_grades,
)
from genlab.sources.csv_text import tsv_rows
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import is_hidden, text_lines
from genlab.sources.foreign_files import files_in
from genlab.sources.text_files import (
    check_columns,
    check_text,
    data_extension,
    line_rows,
    shown,
    some_of,
    text_with_title,
)

TEXTS = (".tsv", ".txt", ".jsonl")
JUDGEMENTS = (".tsv", ".txt", ".qrels", ".trec", ".run", "")
HEADER = (  # what people call the columns of ids and of texts
    ("id", "_id", "qid", "query_id", "query-id", "pid", "docid", "doc_id", "passage_id"),
    ("text", "query", "question", "title", "passage", "document", "doc", "contents"),
)
Judgements = dict[str, dict[str, tuple[bool, str]]]  # query -> passage -> (is relevant, place)
# Words in what people call the columns of judgements.
GRADE_NAMES = {
    *("score", "relevance", "label", "rel", "relevant", "grade", "judgment", "judgement"),
    *("gain", "rating", "selected"),
}
QUERY_NAMES = {"query", "qid", "topic", "question"}
INFINITE = {"inf": inf, "-inf": -inf}  # scores, as of passages that a ranker left out


@dataclass(frozen=True)
class JudgedFolder:
    """Where the parts of such a folder lie."""

    queries: Path
    corpus: Path
    qrels: list[Path]
    run: Path | None

    @property
    def beside(self) -> list[Path]:
        """The folder's files besides the judgements."""
        return [self.queries, self.corpus, *([self.run] if self.run else [])]


def find_judged_folder(path: Path) -> JudgedFolder | None:
    """Return the parts of a folder in BEIR's or TREC's layout; None if it is in neither.

    Raises InputError for a folder that has some of the parts and lacks another.
    """
    if not path.is_dir():
        return None
    there, below = visible_files(path), visible_files(path / "qrels")

    def named(names: tuple[str, ...], extensions: tuple[str, ...], files: list[Path]) -> list[Path]:
        return [
            file
            for file in files
            if file.name.lower().startswith(names) and data_extension(file) in extensions
        ]

    queries = named(("queries", "topics"), TEXTS, there)
    corpus = named(("corpus", "collection"), TEXTS, there)
    qrels = named(("qrels",), JUDGEMENTS, there) + named(("",), JUDGEMENTS, below)
    runs = named(("run",), JUDGEMENTS, there)
    if not qrels and not (queries and corpus):
        return None
    if not qrels:
        others = [f"qrels/{file.name}" for file in below]
        unread = f"; {some_of(others)} are not read, give tab-separated .tsv" if others else ""
        raise InputError(
            f"{path}: {corpus[0].name} and {queries[0].name} are there, but no judgements; add "
            f"qrels/test.tsv (BEIR) or qrels.txt (TREC){unread}"
        )
    for what, files, wanted in (
        ("queries", queries, "queries.jsonl or queries.tsv"),
        ("passages", corpus, "corpus.jsonl or collection.tsv"),
    ):
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            raise InputError(
                f"{path}: judgements ({qrels[0].name}) need one file of {what}, {wanted}; "
                f"there: {names}"
            )
    if len(runs) > 1:
        raise InputError(
            f"{path}: {len(runs)} runs ({', '.join(file.name for file in runs)}); leave one"
        )
    return JudgedFolder(queries[0], corpus[0], qrels, runs[0] if runs else None)


def visible_files(folder: Path) -> list[Path]:
    """Return a folder's files but the hidden ones, none where there is no folder."""
    if not folder.is_dir():
        return []
    names = files_in(folder, str(folder), deep=False)
    return [folder / name for name in names if not is_hidden(name)]


def judged_queries(
    found: JudgedFolder, qrels: Path, n_negatives: int, max_text_bytes: int, encoding: Encoding
) -> Iterator[PlacedQuery]:
    """Yield the queries that one file of judgements names, in its order.

    A query's passages are those judged; they are selected if their relevance is LEAST_RELEVANT or
    more. With a run they are the selected ones and the run's first n_negatives others. Raises
    InputError with the line for a query or passage without text.
    """
    listed = read_judgements(qrels, encoding)
    if found.run is not None:
        n_judged = len(listed)
        listed = with_negatives(listed, read_run(found.run, encoding), n_negatives)
        if n_left := n_judged - len(listed):
            print(
                f"{found.run.name}: {n_left} of the {n_judged} queries in {qrels.name} are not "
                "in it, and left out",
                file=sys.stderr,
            )
    wanted = {passage for passages in listed.values() for passage in passages}
    texts, queries = (
        {
            own_id: text
            for own_id, text in texts_by_id(file, encoding, max_text_bytes)
            if own_id in ids
        }
        for file, ids in ((found.corpus, wanted), (found.queries, listed))
    )
    for query_id, passages in listed.items():
        place = next(iter(passages.values()))[1]
        if query_id not in queries:
            raise InputError(
                f"{place}: query {shown(query_id)} is not in {found.queries}; add it there, or "
                "remove the lines about it here"
            )
        check_text(place, "query", queries[query_id], max_text_bytes, may_be_blank=False)
        for passage_id, (_, at) in passages.items():
            if passage_id not in texts:
                raise InputError(
                    f"{at}: passage {shown(passage_id)} is not in {found.corpus}; add it there, "
                    "or remove the line here"
                )
        rows = [{"text": texts[p], "is_selected": flag} for p, (flag, _) in passages.items()]
        yield place, {"query_id": query_id, "query": queries[query_id], "passages": rows}


def with_negatives(
    judged: Judgements, run: dict[str, dict[str, str]], n_negatives: int
) -> Judgements:
    """Return the judged queries that are in a run, with other passages.

    These are the relevant ones and the first `n_negatives` others of the run.
    """
    found = {}
    for query_id in (query_id for query_id in judged if query_id in run):
        ranked = run[query_id]
        own = {p: flag for p, flag in judged[query_id].items() if flag[0]}
        others = [p for p in ranked if p not in own][:n_negatives]
        found[query_id] = own | {p: (False, ranked[p]) for p in others}
    return found


def texts_by_id(file: Path, encoding: Encoding, max_text_bytes: int) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of a file of queries or passages; raise InputError for an id met twice.

    The error comes at the end: only the hashes of millions of ids are kept, and the file is read
    again to find the repeated id.
    """
    hashes = array("q")
    for _, own_id, text in id_texts(file, encoding, max_text_bytes):
        hashes.append(hash(own_id))
        yield own_id, text
    different, counts = np.unique(np.frombuffer(hashes, np.int64), return_counts=True)
    if not (twice := {*different[counts > 1].tolist()}):
        return
    first: dict[str, str] = {}
    for place, own_id, _ in id_texts(file, encoding, max_text_bytes):
        if hash(own_id) in twice and first.setdefault(own_id, place) is not place:
            raise InputError(
                f"{place}: the id {shown(own_id)} is that of {first[own_id]}; remove one of the "
                "two or give it another id"
            )


def id_texts(file: Path, encoding: Encoding, max_text_bytes: int) -> Iterator[tuple[str, str, str]]:
    """Yield (place, id, text) of a file of queries or passages; a title goes before its text.

    A header is passed over.
    """
    if data_extension(file) == ".jsonl":
        for place, row in line_rows(file, encoding):
            if not isinstance(row, dict):
                raise InputError(f"{place}: {shown(row)} where an object with _id, text belongs")
            check_columns(place, row, ("_id", "text"))
            text = text_with_title(place, row, max_text_bytes)
            yield place, check_id(place, row["_id"], max_text_bytes), text
        return
    for number, (place, fields) in enumerate(tsv_rows(file, encoding)):
        if number == 0 and is_header(fields):
            continue
        if len(fields) != 2:
            raise InputError(
                f"{place}: {len(fields)} tab-separated columns, 2 expected (id, text); correct it"
            )
        check_text(place, "text", fields[1], max_text_bytes)
        yield place, check_id(place, fields[0].strip(), max_text_bytes), fields[1]


def is_header(fields: list[str]) -> bool:
    """Return whether a line of a table of ids and texts is its header."""
    return len(fields) == len(HEADER) and all(
        field.strip().lower() in names for field, names in zip(fields, HEADER, strict=True)
    )


def columns_of(line: str) -> list[str]:
    """Return the columns of a line of judgements or of a run.

    If a line has tabs, these separate its columns, and an id may contain blanks.
    """
    bare = line.strip()
    return [field.strip() for field in bare.split("\t")] if "\t" in bare else bare.split()


def read_judgements(file: Path, encoding: Encoding) -> Judgements:
    """Return the judgements of a file, in its order.

    Three columns are BEIR's, four TREC's; a header is passed over.
    """
    judged: dict[str, dict[str, tuple[bool, str]]] = {}
    grades: Counter[int] = Counter()
    n_columns = 0
    for number, (place, line) in enumerate(text_lines(file, encoding)):
        fields = columns_of(line)
        n_columns = n_columns or len(fields)
        if len(fields) not in (3, 4):
            raise InputError(
                f"{place}: {len(fields)} columns; judgements have 3 (query, passage, score) or 4 "
                "(query, 0, passage, relevance), separated by tabs or blanks; correct it"
            )
        if len(fields) != n_columns:  # an index before the query's id would be taken for it
            raise InputError(
                f"{place}: {len(fields)} columns, but {n_columns} in the first line; correct it"
            )
        if number == 0 and is_header_of_judgements(place, fields):
            continue
        if (grade := grade_of(fields[-1])) is None:
            raise InputError(
                f"{place}: relevance {shown(fields[-1])} is no whole number; correct it"
            )
        check_grade(place, grade)
        grades[grade] += 1
        own, is_selected = judged.setdefault(fields[0], {}), grade >= LEAST_RELEVANT
        if own.get(fields[-2], (is_selected, ""))[0] != is_selected:
            raise InputError(
                f"{place}: passage {shown(fields[-2])} was judged otherwise at {own[fields[-2]][1]}"
                "; remove one of the two lines"
            )
        own.setdefault(fields[-2], (is_selected, place))
    tell_grades(str(file), grades)
    return judged


def is_header_of_judgements(place: str, fields: list[str]) -> bool:
    """Return whether a line is a header; raise InputError if its columns are in another order.

    A line that ends in a grade is not a header, whatever words its ids consist of.
    """
    words = [set(re.split(r"[\W_]+", field.lower())) for field in fields]
    if grade_of(fields[-1]) is not None or not any(GRADE_NAMES & each for each in words):
        return False
    if not GRADE_NAMES & words[-1] or any(QUERY_NAMES & each for each in words[1:]):
        raise InputError(
            f"{place}: columns {', '.join(map(shown, fields))}; judgements have query, passage, "
            "score, or query, 0, passage, relevance, in this order"
        )
    return True


def read_run(file: Path, encoding: Encoding) -> dict[str, dict[str, str]]:
    """Return query -> passage -> the line it stands in, best first by the run's places.

    Six columns are TREC's, three MS MARCO's (query, passage, place). Where places are equal the
    higher score is better: some programs write 0 or 1 for all, as trec_eval reads scores alone.
    """
    ranked: dict[str, list[tuple[float, float, str, str]]] = {}
    for place, line in text_lines(file, encoding):
        fields = columns_of(line)
        if len(fields) not in (3, 6):
            raise InputError(
                f"{place}: {len(fields)} columns; a run has 6 (query, Q0, passage, place, score, "
                "name) or 3 (query, passage, place); correct it"
            )
        passage, at = (fields[2], fields[3]) if len(fields) == 6 else (fields[1], fields[2])
        score = fields[4] if len(fields) == 6 else "0"
        order = number_in(place, "place", at), -number_in(place, "score", score)
        ranked.setdefault(fields[0], []).append((*order, passage, place))
    n_other = sum(map(is_ordered_otherwise, ranked.values()))
    if n_other:
        tell_once(
            f"{file}: for {n_other} of {len(ranked)} queries the places are not in the order of "
            "the scores; the places are taken (trec_eval takes the scores)"
        )
    return {
        query: {passage: place for *_, passage, place in sorted(rows, key=lambda row: row[:2])}
        for query, rows in ranked.items()
    }


def is_ordered_otherwise(rows: list[tuple[float, float, str, str]]) -> bool:
    """Return whether the places of a query's rows (place, -score, ...) contradict the scores."""
    scores = [minus_score for _, minus_score, *_ in sorted(rows, key=lambda row: row[:2])]
    return scores != sorted(scores)


def number_in(place: str, name: str, text: str) -> float:
    """Return a number of a run; raise InputError if it is none."""
    number = INFINITE.get(text.lower(), number_said(text))
    if number is None:
        raise InputError(f"{place}: {name} {shown(text)} is no number; correct it")
    return number
