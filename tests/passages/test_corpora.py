"""corpora: every format gives the same queries, and every bad input one clear error."""

import csv
import gzip
import io
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.passages import corpora
from genlab.passages.corpora import (
    FEW,
    Limits,
    read_file_corpus,
    read_hub_corpus,
    said_of_splits,
    split_by_hash,
)
from genlab.passages.corpus_rows import CorpusFormat, hub_queries
from genlab.sources import file_text, json_text
from tests.project_copy import ROOT


def hub_row(number: int, **changes) -> dict:
    """Return a row as on the Hub: two passages, the second selected."""
    row = {
        "answers": [f"answer {number}"],
        "passages": {
            "is_selected": [0, 1],
            "passage_text": [f"wrong {number}", f"right {number}"],
            "url": ["http://a", "http://b"],
        },
        "query": f"what is {number}",
        "query_id": number,
    }
    return row | changes


def official_row(number: int, **changes) -> dict:
    """Return the same row in MS MARCO's own layout: a list of passages."""
    passages = hub_row(number)["passages"]
    names = ("is_selected", "passage_text", "url")
    listed = [
        dict(zip(names, values, strict=True)) for values in zip(*passages.values(), strict=True)
    ]
    return hub_row(number) | {"passages": listed} | changes


def expected_row(number: int, split: str) -> dict:
    """Return the query that both layouts mean."""
    return {
        "query_id": str(number),
        "query": f"what is {number}",
        "passages": [
            {"text": f"wrong {number}", "is_selected": False},
            {"text": f"right {number}", "is_selected": True},
        ],
        "split": split,
        "entity": None,
        "topic": None,
    }


def columns_text(rows: list[dict]) -> str:
    """Return rows as one JSON object of columns keyed by row number."""
    return json.dumps({c: {str(i): r[c] for i, r in enumerate(rows)} for c in rows[0]})


def lines_text(rows: list) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def limits_of(options: dict) -> Limits:
    """Take the limits out of the options; all there are, unless told otherwise."""
    return Limits(*(options.pop(name, 0) for name in ("n_train", "n_validation", "seed")))


def read(path: Path, format: str = "auto", **changes) -> list[dict]:
    options = {"validation_share": 0.5, "max_text_bytes": 1000} | changes
    frames = list(read_file_corpus(path, format, limits_of(options), **options))
    assert all(frame.schema == QUERY_SCHEMA for frame in frames)
    return pl.concat(frames).to_dicts()


def error_of(path: Path, format: str = "auto", **changes) -> str:
    with pytest.raises(InputError) as caught:
        read(path, format, **changes)
    message = str(caught.value)
    assert str(path) in message and len(message) < 700
    return message


def folder_with(tmp_path: Path, name: str, content: str | bytes) -> Path:
    """Return a folder with good validation rows and `content` as its training file."""
    write(tmp_path / "corpus" / "dev.jsonl", lines_text([hub_row(1000)]))
    write(tmp_path / "corpus" / name, content)
    return tmp_path / "corpus"


ROWS, OFFICIAL_ROWS = [hub_row(0), hub_row(1)], [official_row(0), official_row(1)]


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("train.json", json.dumps(ROWS), "hub"),
        ("train.json", json.dumps(ROWS, indent=2), "hub"),
        ("train.jsonl", lines_text(ROWS), "hub"),
        ("train.json", lines_text(ROWS), "hub"),
        ("train.json", columns_text(OFFICIAL_ROWS), "official"),
        ("train.json", lines_text(OFFICIAL_ROWS), "official"),
        ("train.jsonl", "\ufeff" + lines_text(ROWS).replace("\n", "\r\n\r\n"), "hub"),
        ("train.json", "\ufeff \r\n" + json.dumps(ROWS, indent=1).replace("\n", "\r\n"), "hub"),
        ("train.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0), "hub"),
        ("train.jsonl.GZ", gzip.compress(lines_text(OFFICIAL_ROWS).encode(), mtime=0), "official"),
    ],
)
def test_every_json_layout_gives_the_same_queries_named_or_recognised(
    tmp_path, name, content, format
):
    folder = folder_with(tmp_path, name, content)
    expected = [expected_row(0, "train"), expected_row(1, "train")]
    assert read(folder)[:2] == expected
    (tmp_path / "corpus" / "dev.jsonl").write_text(
        lines_text([official_row(1000) if format == "official" else hub_row(1000)])
    )
    assert read(folder, format)[:2] == expected


@pytest.mark.parametrize("rows", [ROWS, OFFICIAL_ROWS])
def test_parquet_gives_the_same_queries_as_json(tmp_path, rows):
    folder = folder_with(tmp_path, "notes.md", "")
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    assert read(folder)[:2] == [expected_row(0, "train"), expected_row(1, "train")]


def test_columns_may_come_in_any_order_with_further_columns_between(tmp_path):
    columns = json.loads(columns_text(OFFICIAL_ROWS))
    mixed = {"answers": columns["answers"], "passages": columns["passages"], "version": 2.1}
    mixed |= {"query_id": dict(reversed(columns["query_id"].items())), "query": columns["query"]}
    folder = folder_with(tmp_path, "train.json", json.dumps(mixed))
    assert read(folder)[:2] == [expected_row(0, "train"), expected_row(1, "train")]


OF_PARIS = {"entity": "Paris", "topic": 7}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.jsonl", lines_text([hub_row(0, **OF_PARIS)])),
        ("train.json", json.dumps([official_row(0, **OF_PARIS)])),
        ("train.json", columns_text([official_row(0, **OF_PARIS)])),
        ("train.csv", "topic,query,passage,label,entity\n7,what is 0,right 0,1,Paris\n"),
        ("train.parquet", OF_PARIS),
    ],
)
def test_columns_entity_and_topic_are_taken_from_every_layout(tmp_path, name, content):
    if content is OF_PARIS:
        folder = folder_with(tmp_path, "notes.md", "")
        pq.write_table(pa.Table.from_pylist([hub_row(0, **OF_PARIS)]), folder / name)
    else:
        folder = folder_with(tmp_path, name, content)
    first, other = read(folder)
    assert (first["query"], first["entity"], first["topic"]) == ("what is 0", "Paris", "7")
    assert (other["entity"], other["topic"]) == (None, None)


def test_a_topic_that_is_no_text_is_named_with_its_place(tmp_path):
    folder = folder_with(tmp_path, "train.jsonl", lines_text([hub_row(0, topic=["a", "b"])]))
    message = error_of(folder)
    assert "train.jsonl, line 1: topic is a list, not text or a whole number" in message


@pytest.mark.parametrize("separator", [",", "\t"])
def test_blanks_around_an_id_are_none_of_it_and_zeros_in_front_are(tmp_path, separator):
    rows = [("007", "a", "1"), (" 007 ", "b", "0"), ("7", "c", "1"), ("a b", "d", "1")]
    head = ("query_id", "query", "passage", "label")
    lines = [head, *((own_id, "what is it", text, label) for own_id, text, label in rows)]
    content = "\n".join(separator.join(line) for line in lines)
    found = read(write(tmp_path / "corpus.csv", content), validation_share=1.0)
    texts = {row["query_id"]: [p["text"] for p in row["passages"]] for row in found}
    assert texts == {"007": ["a", "b"], "7": ["c"], "a b": ["d"]}


def test_blanks_around_and_within_a_question_make_no_other_query(tmp_path):
    """As spreadsheets leave them; the first row's question is the query's."""
    rows = "how  deep,a,1\nhow deep ,b,0\n how\u00a0deep,c,0\n"
    (row,) = read(write(tmp_path / "a.csv", f"query,passage,label\n{rows}"), validation_share=1.0)
    assert row["query"] == "how  deep"
    assert [passage["text"] for passage in row["passages"]] == ["a", "b", "c"]


def test_lines_with_one_question_are_one_query_wherever_they_stand(tmp_path):
    folder = tmp_path / "qa"
    write(folder / "QA-train.txt", "a ?\tone\t0\na ?\ttwo\t1\n\nb ?\tthree\t0\r\na ?\tfour\t0\n")
    write(
        folder / "QA-dev.tsv",
        "QuestionID\tQuestion\tDocumentID\tDocumentTitle\tSentenceID\tSentence\tLabel\n"
        'Q8\tc?\tD8\tTitle\tD8-0\t"quoted, as is\t1\n'
        "Q9\tc?\tD8\tTitle\tD8-1\tfive\t0\n",
    )
    assert read(folder) == read(folder, "labelled")
    assert [
        (row["query_id"], row["query"], [tuple(p.values()) for p in row["passages"]], row["split"])
        for row in read(folder)
    ] == [
        ("QA-train-0", "a ?", [("one", False), ("two", True), ("four", False)], "train"),
        ("QA-train-1", "b ?", [("three", False)], "train"),
        ("Q8", "c?", [('"quoted, as is', True)], "validation"),
        ("Q9", "c?", [("five", False)], "validation"),
    ]


@pytest.mark.parametrize("flags", [[0, 1], [0.0, 1.0], [False, True]])
def test_zero_and_one_may_be_written_as_numbers_or_booleans(tmp_path, flags):
    row = hub_row(0, passages={"is_selected": flags, "passage_text": ["wrong 0", "right 0"]})
    assert read(folder_with(tmp_path, "train.jsonl", lines_text([row])))[0] == expected_row(
        0, "train"
    )


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (7.0, "7"), ("0007", "0007"), ("q-é", "q-é")]
)
def test_ids_become_text(tmp_path, value, text):
    folder = folder_with(tmp_path, "train.jsonl", lines_text([hub_row(0, query_id=value)]))
    assert read(folder)[0]["query_id"] == text


def test_nul_characters_and_line_separators_inside_texts_are_kept(tmp_path):
    query = "a\x00b\u2028c\u0085d"
    row = json.dumps(hub_row(0, query=query), ensure_ascii=False)
    assert read(folder_with(tmp_path, "train.jsonl", row))[0]["query"] == query


# Plain files as people have them.

QUERIES = {
    "how deep is the lake": [("It is ninety metres deep.", True), ("Birds rest on it.", False)],
    "what do bees eat": [("Nectar, and pollen.", True), ('A "hive" may hold many.', False)],
}


def read_queries(path: Path) -> dict:
    """Return {query: its passages} of one file, whatever the split."""
    return {
        row["query"]: [tuple(passage.values()) for passage in row["passages"]]
        for row in read(path, validation_share=0.3)
    }


def csv_text(delimiter: str, names: tuple[str, ...]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(names)
    for query, passages in QUERIES.items():
        writer.writerows((query, text, int(flag)) for text, flag in passages)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("delimiter", "names", "encoding"),
    [
        (",", ("query", "passage", "label"), "utf-8"),
        (";", ("Question", "Sentence", "Label"), "utf-16"),
        ("\t", ("query", "passage_text", "is_selected"), "utf-8-sig"),
    ],
)
def test_a_csv_of_query_passage_and_label_is_a_corpus(tmp_path, delimiter, names, encoding):
    path = write(tmp_path / "a.csv", csv_text(delimiter, names).encode(encoding))
    assert read_queries(path) == QUERIES
    write(path, b"sep=" + delimiter.encode() + b"\n" + csv_text(delimiter, names).encode())
    assert read_queries(path) == QUERIES


def write_rows(path: Path, rows: list[dict]) -> Path:
    """Write the rows as JSON, JSON Lines or Parquet, by the file's extension; return the file."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    return write(path, json.dumps(rows) if path.suffix == ".json" else lines_text(rows))


ROW_FILES = ["a.json", "a.jsonl", "a.parquet"]


@pytest.mark.parametrize("format", ["auto", "labelled"])
@pytest.mark.parametrize(
    ("names", "flag"),
    [
        (("query", "passage", "label"), int),
        (("Question", "Sentence", "Label"), float),
        (("question", "answer", "label"), bool),
        (("query", "text", "relevance"), str),
    ],
)
@pytest.mark.parametrize("name", ROW_FILES)
def test_rows_of_query_passage_and_label_are_a_corpus(tmp_path, name, names, flag, format):
    rows = [
        dict(zip(names, (query, text, flag(int(selected))), strict=True)) | {"qid": query[:5]}
        for query, passages in QUERIES.items()
        for text, selected in passages
    ]
    found = read(write_rows(tmp_path / name, rows), format, validation_share=1.0)
    assert {
        row["query"]: [tuple(passage.values()) for passage in row["passages"]] for row in found
    } == QUERIES
    assert [row["query_id"] for row in found] == [query[:5] for query in QUERIES]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"passage": None}, "row 0 (counted from 0): sentence is null, not text"),
        ({"query": " "}, "row 0 (counted from 0): question is empty"),
        (
            {"label": -1},
            "row 0 (counted from 0): label '-1' is not 0, 1 or a higher grade; correct",
        ),
        ({"label": None}, "row 0 (counted from 0): label 'null' is not 0, 1 or"),
        ({"qid": [1]}, "row 0 (counted from 0): query_id is a list, not text or a whole number"),
    ],
    ids=str,
)
def test_a_bad_row_of_query_passage_and_label_is_named(tmp_path, row, expected):
    rows = [{"query": "a", "passage": "b", "label": 1} | row]
    assert expected in error_of(write_rows(tmp_path / "a.parquet", rows))


@pytest.mark.parametrize("labels", [("yes", "no"), ("True", "False"), ("NO", "Yes")])
@pytest.mark.parametrize(
    ("name", "has_header"),
    [("a.csv", True), ("a.tsv", True), ("a.tsv", False), ("a.jsonl", True)],
)
def test_labels_may_say_yes_or_no(tmp_path, name, has_header, labels):
    rows = [{"query": "a", "passage": f"{label} one", "label": label} for label in labels]
    if name == "a.jsonl":
        path = write(tmp_path / name, lines_text(rows))
    else:
        separator = "," if name == "a.csv" else "\t"
        table = [list(rows[0])] * has_header + [list(row.values()) for row in rows]
        path = write(tmp_path / name, "\n".join(map(separator.join, table)))
    (found,) = read(path, validation_share=1.0)
    assert [(p["text"], p["is_selected"]) for p in found["passages"]] == [
        (f"{label} one", label.lower() in ("yes", "true")) for label in labels
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["yes", "maybe"], "line 3: label 'maybe' is not 0, 1 or a higher grade"),
        (["yes", "no       idea"], "line 3: label 'no       idea' is not 0, 1 or a higher grade"),
        (["2", "yes"], "line 3: label 'yes' is no grade, and other rows have 1, 2; write all as"),
        (["0_1", "1"], "line 2: label '0_1' is not 0, 1"),
        (["1", "7187158"], "line 3: label 7187158 is no grade, which is at most 100"),
    ],
)
def test_labels_of_more_than_two_classes_are_numbers(tmp_path, labels, expected):
    lines = ["query,passage,label", *(f"a,text {label},{label}" for label in labels)]
    assert expected in error_of(write(tmp_path / "a.csv", "\n".join(lines)))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_column_of_splits_that_is_not_read_is_told(tmp_path, capsys, name):
    row = {"query": "a", "passage": "b", "label": 1, "Split": "train"}
    if name == "a.csv":
        path = write(tmp_path / name, "query,passage,label,Split\na,b,1,train\n")
    else:
        path = write_rows(tmp_path / name, [row])
    assert len(read(path, validation_share=1.0)) == 1
    assert capsys.readouterr().err == (
        f"{path}: not read: column 'Split'; give a file for each split, named train and dev\n"
    )


@pytest.mark.parametrize(
    "row",
    [
        {"query": "a", "title": "of b", "passage": "b", "answer": "c", "label": 1},
        {"question": "a", "title": "of b", "answer": "b"},
    ],
)
def test_a_title_beside_a_text_is_told_as_it_is_not_read(tmp_path, capsys, row):
    (found,) = read(write_rows(tmp_path / "a.jsonl", [row]), validation_share=1.0)
    assert [p["text"] for p in found["passages"]] == ["b"]
    assert capsys.readouterr().err == f"{tmp_path}/a.jsonl: not read: column 'title'\n"


@pytest.mark.parametrize(
    ("twice", "role"),
    [("passage,text", "passage"), ("label,relevance", "label"), ("query,question", "query")],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_two_columns_that_may_be_the_same_are_refused(tmp_path, twice, role, name):
    names = list(dict.fromkeys([*twice.split(","), "query", "passage", "label"]))
    row = {each: "1" for each in names}
    if name == "a.csv":
        path = write(tmp_path / name, f"{','.join(row)}\n{','.join(row.values())}\n")
    else:
        path = write_rows(tmp_path / name, [row])
    first, second = twice.split(",")
    assert f"columns '{first}' and '{second}' may both be the {role}; rename" in error_of(path)


def test_a_query_whose_rows_lie_in_two_shards_is_told(tmp_path, capsys):
    rows = [{"query": "a", "passage": "b", "label": 1}, {"query": "c", "passage": "d", "label": 1}]
    for name in ("train-00000-of-00002", "train-00001-of-00002", "dev"):
        write_rows(tmp_path / f"{name}.jsonl", rows[: 1 + (name == "dev")])
    assert len(read(tmp_path)) == 4
    assert capsys.readouterr().err == (
        f"{tmp_path}: queries that an earlier file of the same split has, too: 1; "
        "their passages are not joined, so if the files are parts of one table, join them\n"
    )


def test_a_topic_that_says_nothing_joins_no_queries(tmp_path):
    topics = ("NA", "NULL", "nan", "#N/A", "lakes")
    lines = [f"{topic} what,b,1,{topic}" for topic in topics]
    path = write(tmp_path / "a.csv", "\n".join(["query,passage,label,topic", *lines]))
    found = read(path, validation_share=1.0)
    assert [row["topic"] for row in found] == [None, None, None, None, "lakes"]


def test_a_header_that_lacks_the_name_of_the_rows_is_rs(tmp_path):
    path = write(tmp_path / "a.csv", '"query","passage","label"\n"1","a","b",1\n')
    assert "line 2: 4 columns, 3 expected" in (message := error_of(path))
    assert "col.names=NA" in message
    path = write(tmp_path / "a.csv", "query,passage,label\na,one, two,1\n")
    assert "col.names" not in error_of(path)


def test_a_later_row_without_a_label_is_named(tmp_path):
    rows = [{"query": "a", "passage": "b", "label": 1}, {"query": "a", "passage": "c"}]
    assert "line 2: column 'label' is missing" in error_of(write_rows(tmp_path / "a.jsonl", rows))


@pytest.mark.parametrize("name", ROW_FILES)
def test_queries_with_a_list_of_passages_are_a_corpus_and_need_no_ids(tmp_path, name):
    rows = [
        {"query": query, "passages": [{"text": t, "label": int(flag)} for t, flag in passages]}
        for query, passages in QUERIES.items()
    ]
    assert read_queries(write_rows(tmp_path / name, rows)) == QUERIES
    rows = [
        {
            "query": query,
            "passages": [t for t, _ in passages],
            "labels": [int(f) for _, f in passages],
        }
        for query, passages in QUERIES.items()
    ]
    assert read_queries(write_rows(tmp_path / name, rows)) == QUERIES
    for row in rows:
        del row["labels"]
    message = error_of(write_rows(tmp_path / name, rows), validation_share=0.3)
    assert "none of the 2 queries has a selected passage" in message


@pytest.mark.parametrize("name", ROW_FILES)
def test_a_question_with_labels_as_text_is_read_as_a_query_with_numbers(tmp_path, name):
    rows = [
        {
            "question": query,
            "passages": [t for t, _ in passages],
            "labels": [str(int(f)) for _, f in passages],
        }
        for query, passages in QUERIES.items()
    ]
    assert read_queries(write_rows(tmp_path / name, rows)) == QUERIES
    rows[1]["labels"] = ["1", "x"]
    message = error_of(write_rows(tmp_path / name, rows))
    assert "labels 1 (counted from 0) is 'x', not 0, 1 or a higher grade" in message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "query,passage,label,Label\na,b,1,0\n",
            "column 'Label' occurs twice (as 'label')",
        ),
        ("a.tsv", "query\tpassage\tlabel\t Label\na\tb\t1\t0\n", "column ' Label' occurs twice"),
        (
            "a.jsonl",
            '{"query": "a", "passage": "b", "Label": 0, "label": 1}\n',
            "'label' occurs twice",
        ),
    ],
)
def test_columns_that_differ_in_case_alone_are_refused(tmp_path, name, content, expected):
    assert expected in error_of(write(tmp_path / name, content))


def test_columns_of_parquet_that_differ_in_case_alone_are_refused(tmp_path):
    rows = [{"query": "a", "passage": "b", "label": 1, "Label": 0}]
    message = error_of(write_rows(tmp_path / "a.parquet", rows))
    assert "column 'Label' occurs twice (as 'label')" in message


@pytest.mark.parametrize(
    ("name", "content", "missing", "there"),
    [
        ("a.csv", "query,answer_text,goodness\na,b,1\n", ("passage", "label"), None),
        ("a.csv", "sep=;\nid;body\n1;b\n", ("query", "passage", "label"), "'id', 'body'"),
        ("a.csv", "a,b,1\nc,d,0\n", ("query", "passage", "label"), "'a', 'b', '1'"),
        ("a.tsv", "query\tanswer_text\tgoodness\na\tb\t1\n", ("passage", "label"), None),
        ("a.jsonl", '{"data": [1]}\n', ("query", "passages"), "'data'"),
        ("a.jsonl", '{"question": "a", "pos": ["b"]}\n{"pos": ["c"]}\n', ("query",), "'pos'"),
        ("a.jsonl", '{"question": "a", "text": "b", "label": 1}\n{"question": "a"}\n',
         ("passage", "label"), "'question'"),
    ],
)  # fmt: skip
def test_missing_columns_are_named_all_at_once_beside_those_of_the_file(
    tmp_path, name, content, missing, there
):
    message = error_of(write(tmp_path / name, content))
    assert " and ".join(map(repr, missing)) in message and "missing" in message
    assert f"(there: {there or repr('query') + ', ' + repr('answer_text')}" in message


@pytest.mark.parametrize("said", ["sep=;", '"sep=;"'])
def test_excels_sep_line_is_obeyed_quoted_or_not(tmp_path, said):
    path = write(tmp_path / "a.csv", f"{said}\r\nquery;passage;label\r\na;b\tc;1\r\n")
    found = read(path, validation_share=1.0)
    assert found[0]["passages"] == [{"text": "b\tc", "is_selected": True}]


def test_a_link_that_leads_out_of_a_folder_and_a_pipe_are_refused(tmp_path):
    folder = folder_with(tmp_path, "more.jsonl", lines_text([hub_row(1)]))
    outside = write(tmp_path / "private.jsonl", lines_text([hub_row(2)]))
    (folder / "train.jsonl").symlink_to(outside)
    assert f"train.jsonl is a link that leads out of the folder (to {outside})" in error_of(folder)
    (folder / "train.jsonl").unlink()
    os.mkfifo(folder / "train.jsonl")
    assert "train.jsonl is neither a file nor a folder" in error_of(folder)
    (folder / "train.jsonl").unlink()
    (folder / "train.jsonl").symlink_to("more.jsonl")
    assert [row["query_id"] for row in read(folder)] == ["1", "1000"]


def test_a_tsv_is_grouped_wherever_its_lines_stand_and_quoted_as_pandas_does(tmp_path):
    lines = [(query, text, int(f)) for query, ps in QUERIES.items() for text, f in ps]
    shuffled = [lines[0], lines[2], lines[3], lines[1]]
    path = write(tmp_path / "a.tsv", "".join("\t".join(map(str, line)) + "\n" for line in shuffled))
    assert read_queries(path) == QUERIES
    stream = io.StringIO()
    csv.writer(stream, delimiter="\t").writerows(shuffled)
    assert '""hive""' in stream.getvalue()
    assert read_queries(write(path, stream.getvalue())) == QUERIES


def test_a_key_met_twice_in_one_object_is_refused(tmp_path):
    row = json.dumps(hub_row(0))[:-1] + ', "query": "another"}'
    for name, content in (("train.jsonl", row), ("train.json", f"[{row}]")):
        folder = folder_with(tmp_path / name, name, content)
        assert "the key 'query' occurs twice in one object" in error_of(folder)


def test_zstd_is_read(tmp_path):
    packed = pa.compress(lines_text(ROWS).encode(), "zstd", asbytes=True)
    folder = folder_with(tmp_path, "train.jsonl.zst", packed)
    assert read(folder)[:2] == [expected_row(0, "train"), expected_row(1, "train")]


def test_what_is_left_out_of_a_folder_is_named(tmp_path, capsys):
    folder = folder_with(tmp_path, "train.jsonl", lines_text(ROWS))
    write(folder / "more.jsonl", lines_text([hub_row(7)]))
    write(folder / "._train.jsonl", b"\0\5\x16\7")
    assert [row["query_id"] for row in read(folder)] == ["0", "1", "1000"]
    assert "not read: 2 (._train.jsonl, more.jsonl)" in capsys.readouterr().err
    files = Counter()
    list(read_file_corpus(folder, "auto", Limits(0, 0, 0), 0.5, 1000, files=files))
    assert files == {"read": 2, "hidden": 1, "unread": 1}
    files = Counter()
    corpora.find_data_files(folder / "train.jsonl", files)
    assert files == {"read": 1, "hidden": 0, "unread": 0}


# Which files of a folder count.


def test_file_names_tell_the_split_and_other_files_are_left_out(tmp_path):
    for number, name in enumerate(
        ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "msmarcoValidation.jsonl"]
    ):
        write(tmp_path / name, lines_text([hub_row(number)]))
    for name in ("test.jsonl", "README-train.txt", "LICENSE.txt", "x.ref", ".train.json", "a.json"):
        write(tmp_path / name, "not a corpus")
    write(tmp_path / "train" / "nested.jsonl", "not a corpus")
    assert read(tmp_path) == [
        expected_row(0, "train"),
        expected_row(1, "train"),
        expected_row(2, "validation"),
    ]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("WikiQA-train.txt", "train"),
        ("train_v2.1.json.gz", "train"),
        ("TRAIN.tsv", "train"),
        ("QATrain.tsv", "train"),
        ("mytrain.tsv", "train"),
        ("training-set.json", "train"),
        ("dev_v1.1.json", "validation"),
        ("valid.jsonl", "validation"),
        ("validation-00000-of-00001.parquet", "validation"),
        ("val.json", "validation"),
        ("WikiQA-test.tsv", "test"),
        ("eval_v2.1_public.json", "test"),
        ("device_reviews.json", None),
        ("constraints.json", None),
        ("latest.json", None),
        ("invalid.json", None),
    ],
)
def test_the_split_is_a_word_of_the_name(name, split):
    assert corpora.split_in_name(Path(name)) == split


def test_of_one_name_with_several_extensions_the_preferred_counts(tmp_path):
    write(tmp_path / "dev.json", json.dumps([hub_row(9)]))
    for number, extension in enumerate((".jsonl", ".json", ".tsv", ".txt")):
        write(tmp_path / f"train{extension}", lines_text([hub_row(number)]))
    write(tmp_path / "train.jsonl.gz", gzip.compress(lines_text([hub_row(5)]).encode()))
    assert [row["query_id"] for row in read(tmp_path)] == ["0", "9"]
    (tmp_path / "train.jsonl").unlink()
    assert [row["query_id"] for row in read(tmp_path)] == ["5", "9"]
    (tmp_path / "train.jsonl.gz").unlink()
    assert [row["query_id"] for row in read(tmp_path)] == ["1", "9"]


def test_a_folder_without_data_files_is_an_error_that_lists_what_is_there(tmp_path):
    write(tmp_path / "model.bin", "")
    write(tmp_path / "v2.1" / "train.parquet", "")
    assert "it holds model.bin, v2.1/; give files ending in" in error_of(tmp_path)


def test_an_empty_folder_a_missing_path_and_a_device_are_errors(tmp_path):
    assert "it holds nothing" in error_of(tmp_path)
    assert "no such file or folder" in error_of(tmp_path / "absent.json")
    assert "neither a file nor a folder" in error_of(Path(os.devnull))


# Splits and limits.


def test_one_file_is_divided_by_a_hash_of_the_query_so_that_repeats_stay_on_one_side(tmp_path):
    queries = [f"Question {number}?" for number in range(40)]
    variants = [f"  question\t{number}" for number in range(40)]
    rows = [hub_row(i, query=query) for i, query in enumerate(queries + variants)]
    found = read(write(tmp_path / "train.jsonl", lines_text(rows)), validation_share=0.3)
    splits = [row["split"] for row in found]
    assert splits[:40] == splits[40:]
    assert set(splits) == {"train", "validation"}


def test_the_share_of_validation_is_that_asked_for():
    splits = [split_by_hash(f"query {number}", 0.1) for number in range(20_000)]
    # Standard error of 0.1 over 20,000: 0.0021.
    assert splits.count("validation") / len(splits) == pytest.approx(0.1, abs=0.007)


def test_a_query_in_validation_stays_there_when_the_share_grows():
    queries = [f"query {number}" for number in range(500)]
    small = {query for query in queries if split_by_hash(query, 0.1) == "validation"}
    large = {query for query in queries if split_by_hash(query, 0.3) == "validation"}
    assert small < large


def test_limits_draw_of_each_split_by_the_seed_and_keep_the_files_order(tmp_path):
    rows = [hub_row(number) for number in range(60)]
    everything = read(write(tmp_path / "all.jsonl", lines_text(rows)))
    assert [row["query_id"] for row in everything] == [str(number) for number in range(60)]
    draws = [read(tmp_path / "all.jsonl", n_train=7, n_validation=3, seed=seed) for seed in (0, 1)]
    assert draws[0] != draws[1]
    assert draws[0] == read(tmp_path / "all.jsonl", n_train=7, n_validation=3, seed=0)
    for some in draws:
        assert [row["split"] for row in some].count("train") == 7 and len(some) == 10
        assert some == [row for row in everything if row in some]
    # Each of 60 has the same chance, wherever it stands: of 20 draws of 30, no half is left out.
    drawn = [read(tmp_path / "all.jsonl", n_train=9, seed=seed) for seed in range(20)]
    train = [int(row["query_id"]) for some in drawn for row in some if row["split"] == "train"]
    assert len(train) == 180 and 60 < sum(number >= 30 for number in train) < 120


def test_a_row_that_is_not_drawn_must_be_whole_all_the_same(tmp_path):
    folder = folder_with(tmp_path, "train.jsonl", lines_text([hub_row(0)]) + "broken\n")
    assert "train.jsonl, line 2: broken JSON" in error_of(folder, n_train=1)


def test_frames_go_out_in_batches_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "BATCH_ROWS", 2)
    folder = folder_with(tmp_path, "train.jsonl", lines_text([hub_row(i) for i in range(4)]))
    frames = list(read_file_corpus(folder, "auto", Limits(0, 0, 0), 0.5, 1000))
    assert [frame["query_id"].to_list() for frame in frames] == [["0", "1"], ["2", "3"], ["1000"]]


def test_an_empty_split_is_an_error(tmp_path):
    write(tmp_path / "train.jsonl", lines_text(ROWS))
    assert "no query for split validation (2 for the other)" in error_of(tmp_path)
    single = tmp_path / "train.jsonl"
    assert "no query for split validation" in error_of(single, validation_share=0.0)


def test_no_split_need_have_queries_where_all_are_evaluated(tmp_path):
    single = write(tmp_path / "train.jsonl", lines_text(ROWS))
    for path, share in ((tmp_path, 0.5), (single, 0.0), (single, 1.0)):
        limits = Limits(0, 0, 0)
        (frame,) = read_file_corpus(path, "auto", limits, share, 1000, train_too=True)
        assert frame.height == 2


def test_without_a_dev_file_the_test_files_are_evaluated_and_that_is_said(tmp_path, capsys):
    write(tmp_path / "train.jsonl", lines_text(ROWS))
    write(tmp_path / "test.jsonl", lines_text([hub_row(3)]))
    assert [row["split"] for row in read(tmp_path)] == ["train", "train", "validation"]
    assert (
        capsys.readouterr().err == "evaluated: test.jsonl, as no file is named dev or validation\n"
    )
    write(tmp_path / "dev.jsonl", lines_text([hub_row(4)]))
    assert [row["query_id"] for row in read(tmp_path)] == ["0", "1", "4"]
    assert "not read: 1 (test.jsonl)" in capsys.readouterr().err
    assert [file.name for file in corpora.files_read(tmp_path)] == ["train.jsonl", "dev.jsonl"]


@pytest.mark.parametrize("name", ["label", "relevance", "relevant"])
def test_from_1_on_a_graded_label_is_relevant(tmp_path, name):
    labels = [0, 1, 4, 3.0, True, False]
    rows = "".join(f"a,text {i},{label}\n" for i, label in enumerate(labels))
    (row,) = read(write(tmp_path / "a.csv", f"query,passage,{name}\n{rows}"), validation_share=1.0)
    expected = [False, True, True, True, True, False]
    assert [passage["is_selected"] for passage in row["passages"]] == expected
    graded = hub_row(0, passages={"is_selected": [0, 3], "passage_text": ["x", "y"]})
    (row,) = read(write(tmp_path / "b.jsonl", lines_text([graded])), validation_share=1.0)
    assert [passage["is_selected"] for passage in row["passages"]] == [False, True]


def test_rows_under_a_key_are_told_where_they_seem_to_be(tmp_path):
    """As datasets' field=, SQuAD and pandas' orient=table have them."""
    path = write(tmp_path / "a.json", json.dumps({"version": "1", "data": [hub_row(0)]}))
    told = error_of(path)
    assert "columns 'query' and 'passages' are missing (there: 'version', 'data')" in told
    assert told.endswith("add them, or give the list under 'data' alone, if the rows are in it")


def test_columns_that_are_not_known_are_told_beside_those_that_are(tmp_path):
    told = error_of(write(tmp_path / "a.txt", "query,passage,goodness\na,b,1\n"))
    assert "(columns 'query', 'passage', 'goodness'; known are query: query or question; " in told
    assert "label: label or is_selected or relevance or relevant)" in told


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0", "1"], None),
        (["not_relevant", "Relevant"], None),
        (["non-relevant", "relevant"], None),
        (["irrelevant", "relevant"], None),
        (["Incorrect", "Correct"], None),
        (["wrong", "right"], None),
        (["not_duplicate", "duplicate"], None),
        (["entailment", "not_entailment"], "are 0 'entailment', 1 'not_entailment'; nobody can"),
        (["answer", "question"], "the classes of label are 0 'answer', 1 'question'; nobody"),
        (["relevant", "irrelevant"], "the classes of label are 0 'relevant', 1 'irrelevant'"),
        (["1", "2", "3"], "the classes of label are 0 '1', 1 '2', 2 '3'; nobody can tell"),
    ],
)
@pytest.mark.parametrize("is_hub", [True, False])
def test_classes_of_a_label_are_obeyed_or_refused_by_their_names(tmp_path, names, message, is_hub):
    """QNLI calls an answering sentence 0: read as numbers its labels would be turned round."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = {name: Value("string") for name in ("question", "sentence")}
    rows = {"question": ["a", "a"], "sentence": ["b", "c"], "label": [1, 0]}
    table = Dataset.from_dict(
        rows, features=Features(features | {"label": ClassLabel(names=names)})
    )
    path = tmp_path / "a.parquet"
    table.to_parquet(path)

    def read_it() -> list[dict]:
        if is_hub:
            return [row for _, row in hub_queries("us/qnli", "train", table, 1000)]
        return read(path, validation_share=1.0)

    if message:
        with pytest.raises(InputError, match=re.escape(message)):
            read_it()
    else:
        assert [p["is_selected"] for p in read_it()[0]["passages"]] == [True, False]


def test_a_share_of_1_evaluates_all_and_needs_nothing_to_train_on(tmp_path):
    single = write(tmp_path / "rows.jsonl", lines_text(ROWS))
    assert [row["split"] for row in read(single, validation_share=1.0)] == ["validation"] * 2
    # A file named train stays to train on, so evaluation still lacks its rows.
    write(tmp_path / "named/train.jsonl", lines_text(ROWS))
    assert "no query for split validation" in error_of(tmp_path / "named", validation_share=1.0)


@pytest.mark.parametrize("name", ["test.jsonl", "dev.jsonl"])
def test_a_folder_of_evaluation_files_alone_is_evaluated(tmp_path, name):
    write(tmp_path / name, lines_text(ROWS))
    assert [row["split"] for row in read(tmp_path)] == ["validation"] * 2


def test_queries_with_their_positives_are_read_whatever_the_columns_are_called(tmp_path):
    rows = [
        {"id": 7, "query": "how deep", "positive": ["ninety metres", "deep"], "neg": "shallow"},
        {"qid": "b", "question": "how old", "pos": "nine years"},
        {"anchor": "how far", "positive": "far", "negative": ["near", "here"]},
    ]
    found = read(write(tmp_path / "rows.json", json.dumps(rows)), validation_share=1.0)
    assert [(row["query_id"], row["query"]) for row in found] == [
        ("7", "how deep"),
        ("b", "how old"),
        ("rows-2", "how far"),
    ]
    texts = [[(p["text"], p["is_selected"]) for p in row["passages"]] for row in found]
    assert texts == [
        [("ninety metres", True), ("deep", True), ("shallow", False)],
        [("nine years", True)],
        [("far", True), ("near", False), ("here", False)],
    ]


@pytest.mark.parametrize("name", ROW_FILES)
def test_pairs_are_read_from_every_kind_of_rows(tmp_path, name):
    rows = [
        {"query": "how deep", "answer": "ninety metres", "negative": "shallow"},
        {"query": "how old", "answer": "nine years", "negative": None},
    ]
    found = read(write_rows(tmp_path / name, rows), validation_share=1.0)
    assert [[(p["text"], p["is_selected"]) for p in row["passages"]] for row in found] == [
        [("ninety metres", True), ("shallow", False)],
        [("nine years", True)],
    ]


@pytest.mark.parametrize("name", ROW_FILES)
def test_triplets_with_a_row_for_each_negative_make_one_query_wherever_they_stand(tmp_path, name):
    rows = [
        {"anchor": "how deep", "positive": "ninety metres", "negative": "shallow"},
        {"anchor": "how old", "positive": "nine years", "negative": "old"},
        {"anchor": "how deep", "positive": "ninety metres", "negative": "deeper than before"},
        {"anchor": "how deep", "positive": "deeper than before", "negative": "blue"},
    ]
    found = read(write_rows(tmp_path / name, rows), validation_share=1.0)
    assert [
        (row["query_id"], [(p["text"], p["is_selected"]) for p in row["passages"]]) for row in found
    ] == [
        (
            "a-0",
            [
                ("ninety metres", True),
                ("shallow", False),
                ("deeper than before", True),
                ("blue", False),
            ],
        ),
        ("a-1", [("nine years", True), ("old", False)]),
    ]


TITLED = [(0, "Lakes"), (1, ""), (2, "Sea")]


def test_triplets_of_one_query_with_other_ids_stay_apart(tmp_path):
    rows = [
        {"id": number, "query": "how deep", "positive": "ninety metres", "negative": negative}
        for number, negative in ((1, "shallow"), (2, "blue"), (1, "wide"))
    ]
    found = read(write_rows(tmp_path / "a.json", rows), validation_share=1.0)
    assert [(row["query_id"], [p["text"] for p in row["passages"]]) for row in found] == [
        ("1", ["ninety metres", "shallow", "wide"]),
        ("2", ["ninety metres", "blue"]),
    ]


def test_blanks_alone_make_no_other_query_of_pairs(tmp_path):
    rows = [{"query": q, "positive": p} for q, p in (("how deep", "x"), ("how  deep ", "y"))]
    (found,) = read(write_rows(tmp_path / "a.jsonl", rows), validation_share=1.0)
    assert found["query"] == "how deep" and [p["text"] for p in found["passages"]] == ["x", "y"]


@pytest.mark.parametrize("name", ROW_FILES)
def test_hard_negatives_are_negatives_also_beside_others(tmp_path, name):
    row = {"query": "how deep", "positive": "ninety metres", "negative": "wide"}
    rows = [row | {"hard_negative": "shallow"}]
    (found,) = read(write_rows(tmp_path / name, rows), validation_share=1.0)
    assert [(p["text"], p["is_selected"]) for p in found["passages"]] == [
        ("ninety metres", True), ("wide", False), ("shallow", False)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ROW_FILES)
@pytest.mark.parametrize(
    "names",
    [
        ("query", "positive_passages", "negative_passages"),  # Tevatron's
        ("question", "positive_ctxs", "hard_negative_ctxs"),  # DPR's
    ],
)
def test_passages_with_titles_may_be_lists_of_objects(tmp_path, name, names):
    query, positive, negative = names
    texts = [{"docid": str(i), "title": title, "text": f"text {i}"} for i, title in TITLED]
    rows = [{query: "how deep", positive: texts[:1], negative: texts[1:]}]
    (found,) = read(write_rows(tmp_path / name, rows), validation_share=1.0)
    assert [(p["text"], p["is_selected"]) for p in found["passages"]] == [
        ("Lakes text 0", True), ("text 1", False), ("Sea text 2", False)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ROW_FILES)
@pytest.mark.parametrize("front", ["negative_", "neg", "hard_negative_"])
def test_numbered_columns_of_negatives_are_all_read_in_their_order(tmp_path, name, front):
    """sentence-transformers mines them so: n-tuples, whose last column may be a score."""
    columns = {f"{front}{i}": f"text {i}" for i in (10, 2, 1)}
    rows = [{"anchor": "how deep", "positive": "ninety metres", **columns, "score": 0.5}]
    rows += [{**rows[0], "anchor": "how old", f"{front}2": None}]
    found = read(write_rows(tmp_path / name, rows), validation_share=1.0)
    assert [[(p["text"], p["is_selected"]) for p in row["passages"]] for row in found] == [
        [("ninety metres", True), ("text 1", False), ("text 2", False), ("text 10", False)],
        [("ninety metres", True), ("text 1", False), ("text 10", False)],
    ]


@pytest.mark.parametrize("name", ROW_FILES)
@pytest.mark.parametrize(
    "rows",
    [
        [
            {"query": "how deep", "positive": "ninety metres", "label": 1},
            {"query": "how deep", "positive": "shallow", "label": 0},
        ],
        [{"query": "how deep", "answer": ["ninety metres", "shallow"], "labels": [1, 0]}],
    ],
    ids=["a text and its label", "texts and their labels"],
)
def test_labels_beside_positives_alone_are_obeyed(tmp_path, name, rows):
    (found,) = read(write_rows(tmp_path / name, rows), validation_share=1.0)
    assert [(p["text"], p["is_selected"]) for p in found["passages"]] == [
        ("ninety metres", True),
        ("shallow", False),
    ]


def test_a_label_beside_a_positive_and_its_negative_is_of_the_pair(tmp_path):
    """As margins are, from which rankers are distilled."""
    rows = [{"query": "a", "positive": "b", "negative": "c", "label": 7.25}]
    (found,) = read(write_rows(tmp_path / "a.json", rows), validation_share=1.0)
    assert [p["is_selected"] for p in found["passages"]] == [True, False]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"query": "a", "positive": "b", "label": 0.7},
            "label 0 (counted from 0) is 0.7, not 0, 1",
        ),
        ({"query": "a", "positive": ["b"], "labels": [1, 0]}, "2 labels but 1 texts; there must"),
        ({"query": "a", "positive": "b", "neg_1": 4}, "neg_1 is 4, not a text or a list of texts"),
        (
            {"query": "a", "positive_passages": [{"docid": "1", "title": "b"}]},
            "row 0 (counted from 0), positive_passages 0 (counted from 0): column 'text' is",
        ),
        (
            {"query": "a", "positive_passages": [{"title": 3, "text": "b"}]},
            "positive_passages 0 (counted from 0): title is 3, not text",
        ),
        ({"query": "a", "positive": 3}, "row 0 (counted from 0): positive is 3, not a text or a"),
        ({"positive": "b"}, "column 'query' is missing"),
        ({"query": "a", "positive": []}, "the query has no passages"),
        ({"query": "a", "positive": [None]}, "passage_text 0 (counted from 0) is null, not text"),
    ],
    ids=str,
)
def test_a_bad_row_of_positives_is_named(tmp_path, row, expected):
    assert expected in error_of(write(tmp_path / "rows.json", json.dumps([row])))


def test_a_corpus_without_any_selected_passage_is_an_error(tmp_path):
    folder = tmp_path / "qa"
    write(folder / "train.tsv", "a\tone\t0\n")
    write(folder / "dev.tsv", "b\ttwo\t0\n")
    assert "none of the 2 queries has a selected passage" in error_of(folder)
    write(folder / "dev.tsv", "b\ttwo\t1\n")
    assert len(read(folder)) == 2


def test_an_id_met_twice_names_both_rows_within_and_across_files(tmp_path):
    folder = folder_with(tmp_path, "train.jsonl", lines_text([hub_row(5), hub_row(5)]))
    message = error_of(folder)
    assert "query_id '5' occurs twice" in message
    assert "train.jsonl, line 1; and" in message and "train.jsonl, line 2;" in message
    write(folder / "train.jsonl", lines_text([hub_row(1000)]))
    message = error_of(folder)
    assert "train.jsonl, line 1; and" in message and "dev.jsonl, line 1;" in message


def test_a_bad_row_leaves_no_table_behind(tmp_path):
    folder = folder_with(tmp_path, "train.jsonl", lines_text([hub_row(0)]) + "broken\n")
    with pytest.raises(InputError):
        frames = read_file_corpus(folder, "auto", Limits(0, 0, 0), 0.5, 1000)
        write_table(tmp_path / "out" / "fetch.parquet", frames, QUERY_SCHEMA)
    assert list((tmp_path / "out").iterdir()) == []


# Bad rows: file, row, reason.

PASSAGES = hub_row(1)["passages"]
BAD_ROWS = [
    ([1, 2], "a list where an object with query_id, query, passages belongs"),
    ("text", "'text' where an object"),
    (None, "null where an object"),
    ({"query_id": 1, "query": "x"}, "column 'passages' is missing (there: 'query_id', 'query')"),
    (hub_row(1, query_id=None), "query_id is null, not text or a whole number"),
    (hub_row(1, query_id=True), "query_id is True, not text"),
    (hub_row(1, query_id=1.5), "query_id is 1.5, not text"),
    (hub_row(1, query_id=float("inf")), "query_id is inf, not text"),
    (hub_row(1, query_id=1.2e18), "query_id is 1.2e+18, a number with a point that has lost"),
    (hub_row(1, query_id=[]), "query_id is a list, not text"),
    (hub_row(1, query_id=""), "query_id is '', not text"),
    (hub_row(1, query=""), "query is empty"),
    (hub_row(1, query=" \t\u3000"), "query is empty"),
    (hub_row(1, query=None), "query is null, not text"),
    (hub_row(1, query=["what"]), "query is a list, not text"),
    (hub_row(1, query="x\ud800"), "query has half a surrogate pair (\\ud800) at character 1"),
    (hub_row(1, query="é" * 501), "query has 1002 bytes, at most 1000 are allowed; shorten"),
    (hub_row(1, passages=None), "passages is null, not a list of objects, or an object of lists"),
    (hub_row(1, passages=[]), "the query has no passages"),
    (
        hub_row(1, passages={"is_selected": [], "passage_text": []}),
        "the query has no passages",
    ),
    (hub_row(1, passages={"is_selected": [1]}), "passages: column 'passage_text' is missing"),
    (hub_row(1, passages=PASSAGES | {"is_selected": [1]}), "1 is_selected but 2 passage_text"),
    (hub_row(1, passages=PASSAGES | {"is_selected": 1}), "is_selected is 1, not a list"),
    (hub_row(1, passages=["a", 5]), "passage 0 (counted from 0) is 'a', not an object"),
    (hub_row(1, passages=["a", "b"], labels=[1]), "labels must be a list with 0 or 1 for each"),
    (hub_row(1, passages=[{"passage_text": "x"}]), "passage 0: column 'is_selected' is missing"),
    *(
        (
            hub_row(1, passages=PASSAGES | {"is_selected": [0, flag]}),
            f"is_selected 1 (counted from 0) is {shown}, not 0, 1 or",
        )
        for flag, shown in [
            (-1, "-1"),
            (0.5, "0.5"),
            (None, "null"),
            ("x", "'x'"),
            (float("nan"), "nan"),
            ([1], "a list"),
        ]
    ),
    (
        hub_row(1, passages=PASSAGES | {"passage_text": ["a", None]}),
        "passage_text 1 (counted from 0) is null, not text",
    ),
    (
        hub_row(1, passages=PASSAGES | {"passage_text": ["a", "b" * 1001]}),
        "passage_text 1 (counted from 0) has 1001 bytes, at most 1000 are allowed; shorten",
    ),
]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_a_bad_row_is_named_with_its_file_place_and_reason(tmp_path, row, reason):
    folder = folder_with(
        tmp_path, "train.jsonl", lines_text([hub_row(0)]) + "\n" + lines_text([row])
    )
    message = error_of(folder)
    assert message.startswith(f"{folder}/train.jsonl, line 3") and reason in message
    (folder / "train.jsonl").unlink()
    write(folder / "train.json", json.dumps([hub_row(0), row]))
    message = error_of(folder)
    assert message.startswith(f"{folder}/train.json, row 1 (counted from 0)") and reason in message


def test_a_text_of_exactly_the_limit_passes(tmp_path):
    row = hub_row(0, query="é" * 500)
    assert read(folder_with(tmp_path, "train.jsonl", lines_text([row])))[0]["query"] == "é" * 500


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a\tone\t0\na\ttwo\t0.5\n", "line 2: label '0.5' is not 0, 1 or"),
        (
            "q\ts\tl\n",
            "label 'l' is not 0, 1 or a higher grade (a header must name query, passage and label)",
        ),
        ("a\tone\t0\n\na\ttwo\n", "line 3: 2 tab-separated columns, 3 expected"),
        ("a\tone\ttwo\t0\n", "line 1: 4 tab-separated columns, 3 expected"),
        ("a\tone\t0\n \ttwo\t0\n", "line 2: question is empty"),
        (f"a\tone\t0\na\t{'x' * 1001}\t0\n", "line 2: sentence has 1001 bytes"),
        ("QuestionID\tQuestion\tSentence\n", "line 1: column 'Label' is missing"),
        (
            "QuestionID\tQuestion\tSentence\tLabel\nQ1\ta\tone\n",
            "line 2: 3 tab-separated columns, 4 expected (as in the header)",
        ),
        (
            "QuestionID\tQuestion\tSentence\tLabel\n\ta\tone\t1\n",
            "line 2: query_id is '', not text",
        ),
        ("QuestionID\tQuestion\tSentence\tLabel\n", "there are no queries in it"),
    ],
)
def test_a_bad_labelled_line_is_named_with_its_number(tmp_path, content, reason):
    assert reason in error_of(folder_with(tmp_path, "train.tsv", content))


# Bad files.


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("train.json", b"", "the file is empty"),
        ("train.json", b"\xef\xbb\xbf \r\n\n", "the file is empty"),
        ("train.json", b"[]", "there are no queries in it"),
        ("train.json", b"[ \n", "broken JSON at line 2, column 1"),
        ("train.json", b"nonsense", "broken JSON at line 1, column 1: [ expected"),
        (
            "train.txt",
            b"nonsense",
            "not recognised as any format (its first line is 'nonsense'); set",
        ),
        ("train.jsonl", b"nonsense", "line 1: broken JSON at column 1: Expecting value"),
        ("train.json", b'{\n "query_id": 1\n}', "line 1: broken JSON at column 2"),
        ("train.jsonl", lines_text(ROWS) + '{"query_id": 1,', "line 3: broken JSON at column 16"),
        (
            "train.json",
            json.dumps(ROWS)[:-20],
            "in row 1 (counted from 0): Unterminated string starting at; the file ends too early",
        ),
        ("train.json", json.dumps(ROWS)[:-1], ": , or ] expected; the file ends too early"),
        ("train.json", json.dumps(ROWS) + "\n[]", "line 2, column 1: text after the end"),
        (
            "train.json",
            json.dumps(ROWS, indent=1).replace('"query": "what is 1"', "'query': 1"),
            "in row 1 (counted from 0): Expecting property name",
        ),
        ("train.json", b"[" * 100_000, "nested too deeply"),
        ("train.jsonl", b'{"a":' * 100_000, "line 1: broken JSON: nested too deeply"),
        ("train.json", b'[{"query_id": ' + b"9" * 5000 + b"}]", "row 0 (counted from 0): columns"),
        ("train.jsonl", b'{"query_id": ' + b"9" * 5000 + b"}", "line 1: columns 'query' and"),
        ("train.jsonl", b'{"query": "\xff"}', "line 1: invalid UTF-8 at byte 11 of the line"),
        ("train.json", b'\xef\xbb\xbf[{"query": "\xff"}]', "invalid UTF-8 at byte 15"),
        ("train.json", b'[{"query": "\xe2\x82', "invalid UTF-8 at byte 12 (unexpected end"),
        ("train.tsv", b"a\tone\t0\na\t\xff\t1\n", "line 2: invalid UTF-8 at byte 2 of the line"),
        ("train.json", "[]".encode("utf-16"), "there are no queries in it"),
        ("train.json", pickle.dumps(ROWS), "a Python pickle, which is never loaded"),
        ("train.json", pickle.dumps(ROWS, protocol=0), "broken JSON at line 1, column 1"),
        ("train.json", b"PK\x03\x04...", "a zip archive; unpack it"),
        ("train.json", b"<!DOCTYPE html><html>", "a web page, not the data"),
        ("train.json", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("train.json.gz", gzip.compress(lines_text(ROWS).encode(), mtime=0)[:-20], "damaged gzip"),
        (
            "train.json.gz",
            gzip.compress(gzip.compress(b"[]", mtime=0), mtime=0),
            "compressed twice",
        ),
        ("train.parquet", b"PAR1 but no more", "not a whole Parquet file"),
        ("train.parquet", b"nonsense", "not a whole Parquet file"),
        (
            "train.json",
            columns_text([{"query": "x"}]),
            "columns 'query_id' and 'passages' are",
        ),
        (
            "train.json",
            b'{"query": {"0": "a", "1": "b"}, "query_id": {"0": 1}, "passages": {"0": [], "1": []}',
            "line 1, column 85, in column 'passages': , or } expected; the file ends too early",
        ),
        (
            "train.json",
            b'{"query": {"0": "x"}, "query_id": {"0": 1}, "passages": []}',
            "in column 'passages': { expected",
        ),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path, name, content, reason):
    assert reason in error_of(folder_with(tmp_path, name, content))


def zipped(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["corpus.zip", "corpus.json"])
def test_a_zip_is_read_as_the_folder_of_its_files(tmp_path, name):
    members = {
        "mine/train.jsonl.gz": gzip.compress(lines_text(ROWS).encode()),
        "mine/dev.jsonl": lines_text([hub_row(1000)]),
        "mine/README.md": "x",
        "__MACOSX/mine/._dev.jsonl": b"\0",
    }
    path = zipped(tmp_path / name, members)
    files = Counter()
    rows = read(path, n_train=0, files=files)
    assert rows == [*(expected_row(n, "train") for n in (0, 1)), expected_row(1000, "validation")]
    assert files == {"read": 2, "hidden": 1, "unread": 1}
    assert corpora.files_read(path) == [path]
    alone = zipped(
        tmp_path / "alone.zip", {"mine.jsonl": lines_text([hub_row(n) for n in range(9)])}
    )
    assert len(read(alone, n_validation=1)) == 1 + sum(r["split"] == "train" for r in read(alone))


def test_zips_of_a_folder_without_data_are_read_and_beside_data_they_are_named(tmp_path, capsys):
    folder = tmp_path / "mine"
    (folder / "notes").mkdir(parents=True)
    train = zipped(folder / "train.csv.zip", {"train.jsonl": lines_text(ROWS)})
    dev = zipped(folder / "dev.zip", {"x/dev.jsonl": lines_text([hub_row(1000)]), "x/a.md": "x"})
    files = Counter()
    rows = read(folder, n_train=0, files=files)
    assert rows == [*(expected_row(n, "train") for n in (0, 1)), expected_row(1000, "validation")]
    assert files == {"read": 2, "hidden": 0, "unread": 2}  # notes/, and the rest of dev.zip
    assert corpora.files_read(folder) == [dev, train]
    (folder / "train.jsonl").write_text(lines_text(ROWS))
    assert "no query for split validation" in error_of(folder)
    assert "train.csv.zip: not read where data files lie beside; unpack it, or give it alone" in (
        capsys.readouterr().err
    )


def test_a_zip_of_judgements_is_read_with_its_pool(tmp_path):
    texts = [{"_id": f"d{n}", "title": "", "text": f"text {n}"} for n in range(3)]
    members = {
        "beir/corpus.jsonl": lines_text(texts),
        "beir/queries.jsonl": lines_text([{"_id": "q", "text": "what"}]),
        "beir/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq\td1\t1\nq\td0\t0\n",
    }
    path = zipped(tmp_path / "beir.zip", members)
    [row] = read(path, validation_share=1.0)
    assert row["passages"] == [
        {"text": "text 1", "is_selected": True},
        {"text": "text 0", "is_selected": False},
    ]
    assert corpora.read_pool(path, 1000) == ["text 0", "text 1", "text 2"]
    assert corpora.read_pool(tmp_path, 1000) == ["text 0", "text 1", "text 2"]
    assert read(tmp_path, validation_share=1.0) == [row]
    members["beir/qrels/test.tsv"] += "q\td9\t1\n"
    zipped(path, members)
    assert f"{path}/beir/qrels/test.tsv, line 4: passage 'd9' is not in {path}/beir/corpus" in (
        error_of(path, validation_share=1.0)
    )


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"mine/a.txt.md": "x"}, "/mine: no data files in it; it holds a.txt.md; give"),
        ({}, ": no data files in it; it holds nothing"),
        ({"train.jsonl": "{"}, "/train.jsonl, line 1: broken JSON"),
        ({"../train.jsonl": "{}"}, "leads out of it"),
        ({"train.jsonl": " " * 3_000_000}, "a zip bomb"),
        ({"[Content_Types].xml": "<x/>", "xl/a.xml": "<x/>"}, "this is an Excel, Word or Power"),
        ({"mimetype": "x", "META-INF/manifest.xml": "<x/>"}, "this is an OpenDocument file"),
        ({"a.npy": "x"}, "an archive of NumPy arrays"),
        ({"train.zip": "x", "dev.tsv.bak": "y"}, "it holds dev.tsv.bak, train.zip"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_zip_without_queries_is_one_clear_error(tmp_path, members, reason):
    assert reason in error_of(zipped(tmp_path / "a.zip", members))


def test_columns_of_unequal_rows_name_the_row(tmp_path):
    columns = json.loads(columns_text(OFFICIAL_ROWS))
    passages = columns["passages"].pop("1")
    folder = folder_with(tmp_path, "train.json", json.dumps(columns))
    assert "row '1': it has a query_id but no passages" in error_of(folder)
    columns["passages"]["1"] = passages
    del columns["query"]["1"]
    write(folder / "train.json", json.dumps(columns))
    assert "row '1': it has passages but no query" in error_of(folder)


def test_parquet_without_a_column_or_with_invalid_text_is_an_error(tmp_path):
    folder = folder_with(tmp_path, "notes.md", "")
    pq.write_table(pa.table({"query_id": [1], "query": ["x"]}), folder / "train.parquet")
    assert "column 'passages' is missing" in error_of(folder)
    table = pa.Table.from_pylist([hub_row(0)]).set_column(
        2, "query", pa.array([b"\xff"]).view(pa.string())
    )
    pq.write_table(table, folder / "train.parquet")
    assert "invalid UTF-8" in error_of(folder)


@pytest.mark.parametrize(
    ("content", "format", "reason"),
    [
        (json.dumps(ROWS), "labelled", "columns 'passage' and 'label' are missing"),
        (columns_text(ROWS), "labelled", "this is JSON columns, which corpus.format labelled"),
        (lines_text(ROWS), "official", "passages is an object, not a list of objects"),
        (lines_text(OFFICIAL_ROWS), "hub", "passages is a list, not an object with lists"),
        (columns_text(OFFICIAL_ROWS), "hub", "this is JSON columns, which corpus.format hub"),
        ("a\tone\t0\n", "hub", "this is a table of separated values, which corpus.format hub"),
        ("a\tone\t0\n", "official", "set corpus.format to auto, or hub (MS MARCO"),
    ],
)
def test_a_file_of_another_format_than_set_is_an_error(tmp_path, content, format, reason):
    assert reason in error_of(write(tmp_path / "corpus.txt", content), format)


def test_a_row_without_an_end_stops_at_a_bound(tmp_path, monkeypatch):
    for module in (file_text, json_text):
        monkeypatch.setattr(module, "MAX_ROW_BYTES", 1000)
    monkeypatch.setattr(file_text, "PIECE_BYTES", 100)
    packed = gzip.compress(b'{"query": "' + b"x" * 100_000)
    folder = folder_with(tmp_path, "train.jsonl.gz", packed)
    assert "train.jsonl.gz, line 1: longer than 1000 bytes" in error_of(folder)
    (folder / "train.jsonl.gz").unlink()
    write(folder / "train.json.gz", gzip.compress(b'[{"query": "' + b"x" * 100_000))
    assert "in row 0 (counted from 0): one value is longer than 1000" in error_of(folder)


# The Hub.


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """Return a dataset in the Hub's layout, and keep the datasets cache in tmp_path."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "ms_marco"
    (folder / "v2.1").mkdir(parents=True)
    for split, rows in {
        "train": [hub_row(0), hub_row(1)],
        "validation": [hub_row(2)],
        "test": [hub_row(3, query="")],
    }.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"v2.1/{split}-00000-of-00001.parquet")
    paths = "".join(
        f"  - split: {split}\n    path: v2.1/{split}-*\n"
        for split in ("validation", "train", "test")
    )
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: v2.1\n  data_files:\n{paths}---\n"
    )
    return folder


def read_hub(hub_id: Path | str, name: str = "v2.1", **changes) -> list[dict]:
    options = {"max_text_bytes": 1000} | changes
    frames, _ = read_hub_corpus(str(hub_id), name, "a" * 40, limits_of(options), **options)
    return pl.concat(frames).to_dicts()


def test_a_hub_dataset_gives_its_train_and_validation_rows(hub_folder):
    expected = [expected_row(0, "train"), expected_row(1, "train"), expected_row(2, "validation")]
    assert read_hub(hub_folder) == expected
    assert read_hub(hub_folder, n_train=1) in ([expected[0], expected[2]], expected[1:])


def test_a_hub_dataset_may_have_a_row_for_each_passage(hub_folder):
    rows = [
        {"query": query, "passage": text, "label": int(flag), "source": "a"}
        for query, passages in QUERIES.items()
        for text, flag in passages
    ]
    for file in (hub_folder / "v2.1").iterdir():
        pq.write_table(pa.Table.from_pylist(rows), file)
    found = read_hub(hub_folder)
    assert [row["query_id"] for row in found[: len(QUERIES)]] == ["train-0", "train-1"]
    assert [row["query"] for row in found] == 2 * list(QUERIES)
    assert [tuple(p.values()) for p in found[0]["passages"]] == QUERIES[found[0]["query"]]


def test_parquet_without_ids_gets_them_as_the_other_formats_do(tmp_path, hub_folder):
    rows = [{name: row[name] for name in row if name != "query_id"} for row in ROWS]
    write(tmp_path / "lines" / "dev.jsonl", lines_text([hub_row(1000)]))
    write(tmp_path / "lines" / "train.jsonl", lines_text(rows))
    write(tmp_path / "parquet" / "dev.jsonl", lines_text([hub_row(1000)]))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "parquet" / "train.parquet")
    assert read(tmp_path / "parquet") == read(tmp_path / "lines")
    assert [row["query_id"] for row in read(tmp_path / "parquet")] == ["train-0", "train-1", "1000"]
    for file in (hub_folder / "v2.1").iterdir():
        pq.write_table(pa.Table.from_pylist(rows[:1]), file)
    assert [row["query_id"] for row in read_hub(hub_folder)] == ["train-0", "validation-0"]


def test_an_unknown_configuration_a_missing_split_and_a_bad_row_are_errors(hub_folder):
    with pytest.raises(InputError, match=r"ms_marco v9 .*'v9' not found. Available: \['v2.1'\]"):
        read_hub(hub_folder, "v9")
    with pytest.raises(InputError, match=r"train, row 0 \(counted from 0\): query has 9 bytes"):
        read_hub(hub_folder, max_text_bytes=8)
    readme = (hub_folder / "README.md").read_text()
    (hub_folder / "README.md").write_text(readme.replace("split: validation", "split: other"))
    with pytest.raises(InputError, match="no split validation, only other, train, test"):
        read_hub(hub_folder)


def hub_errors(hub_ids: list[str], endpoint: str, home: Path) -> list[str]:
    """Return the lines on stderr of reading each of `hub_ids` from `endpoint`.

    In a program of its own: the libraries read HF_ENDPOINT when they are imported.
    """
    program = (
        "import sys; from genlab.passages.corpora import *\n"
        "for hub_id in sys.argv[1:]:\n"
        "    try: read_hub_corpus(hub_id, 'v2.1', '0' * 40, Limits(0, 0, 0), 1000)\n"
        "    except InputError as error: print(error, file=sys.stderr)"
    )
    environment = {
        name: value for name, value in os.environ.items() if "proxy" not in name.lower()
    } | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program, *hub_ids],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,  # left to themselves the libraries retry for 23 seconds
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_without_a_network_the_hub_is_one_line_at_once(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (line,) = hub_errors(["microsoft/ms_marco"], f"http://127.0.0.1:{port}", tmp_path)
    assert line.startswith(f"microsoft/ms_marco v2.1 at revision {0:040} cannot be downloaded")
    assert "Connection refused" in line and "corpus.source: file" in line


def test_a_dataset_that_is_missing_or_closed_is_one_line(tmp_path):
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404 if "missing" in self.path else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    missing, closed = hub_errors(["some/missing", "some/closed"], endpoint, tmp_path)
    server.shutdown()
    assert missing.startswith("some/missing v2.1") and "404" in missing
    assert closed.startswith("some/closed v2.1") and "401" in closed


def test_the_formats_are_those_of_the_parameter():
    names = ["auto", "hub", "official", "labelled", "pairs", "judged"]
    assert [str(format) for format in CorpusFormat] == names


def counted(train: int, validation: int) -> dict[str, dict[str, int]]:
    return {
        "train": {"queries": train, "passages": 0, "answerable": 0},
        "validation": {"queries": validation, "passages": 0, "answerable": 0},
    }


def test_the_sizes_of_the_splits_are_told_and_what_few_queries_are_worth():
    assert said_of_splits(counted(3500, 500)) == "3,500 train and 500 validation queries"
    few = said_of_splits(counted(56, FEW - 1))
    assert few.startswith(f"56 train and {FEW - 1} validation queries; so few to measure on")
    assert "corpus.validation_share" in few
