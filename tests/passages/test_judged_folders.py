"""Folders of judgements: BEIR's, and TREC's qrels with or without a run."""

import json
from collections import Counter

import pytest

from genlab.passages.corpora import Limits, read_file_corpus, read_pool
from tests.passages.test_corpora import error_of, read, write


def lines(*rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path):
    """Return a folder as BEIR ships it: four passages, two queries, judgements of two splits."""
    texts = [{"_id": f"d{i}", "title": "Sea" * (i == 0), "text": f"text {i}"} for i in range(4)]
    write(tmp_path / "corpus.jsonl", lines(*texts))
    write(tmp_path / "queries.jsonl", lines(*({"_id": q, "text": f"what is {q}"} for q in "ab")))
    head = "query-id\tcorpus-id\tscore\n"
    write(tmp_path / "qrels/train.tsv", f"{head}a\td0\t1\na\td1\t0\n")
    write(tmp_path / "qrels/dev.tsv", f"{head}b\td3\t2\n")
    return tmp_path


@pytest.fixture
def trec(tmp_path):
    """Return a folder as TREC's participants have it, with a run of three places a query."""
    write(tmp_path / "collection.tsv", "".join(f"{i}\ttext {i}\n" for i in range(6)))
    write(tmp_path / "queries.dev.tsv", "10\twhat is ten\n20\twhat is twenty\n")
    write(tmp_path / "qrels.txt", "10 0 4 1\n10 0 5 0\n20 0 1 3\n")
    run = [(10, 2, 2), (10, 3, 1), (10, 0, 3), (20, 1, 1), (20, 5, 2), (30, 1, 1)]
    write(tmp_path / "run.txt", "".join(f"{q} Q0 {p} {at} {9 - at}.5 me\n" for q, p, at in run))
    return tmp_path


def shown(rows: list[dict]) -> dict[str, list]:
    return {
        row["query_id"]: [(p["text"], p["is_selected"]) for p in row["passages"]] for row in rows
    }


def test_a_beir_folder_gives_what_is_judged_with_titles_and_splits(beir):
    rows = read(beir)
    assert shown(rows) == {
        "a": [("Sea text 0", True), ("text 1", False)],
        "b": [("text 3", True)],
    }
    assert [(row["query"], row["split"]) for row in rows] == [
        ("what is a", "train"),
        ("what is b", "validation"),
    ]
    assert read_pool(beir, 1000) == ["Sea text 0", "text 1", "text 2", "text 3"]


def test_all_files_of_a_folder_of_judgements_count_as_read(beir, capsys):
    (beir / "notes.txt").write_text("mine")
    counts: Counter = Counter()
    limits = Limits(0, 0, 17)
    for _ in read_file_corpus(beir, "auto", limits, 0.5, 1000, files=counts):
        pass
    assert counts == {"read": 4, "hidden": 0, "unread": 1}
    assert "not read: 1 (notes.txt);" in capsys.readouterr().err


def test_a_relevance_from_1_on_is_selected_and_grades_are_told_once(trec, capsys):
    write(trec / "qrels.txt", "10 0 4 1\n10 0 5 0\n10 0 3 -2\n10 0 2 3.0\n")
    (trec / "run.txt").unlink()
    (passages,) = shown(read(trec, validation_share=1.0)).values()
    assert passages == [
        ("text 4", True), ("text 5", False), ("text 3", False), ("text 2", True)
    ]  # fmt: skip
    said = "qrels.txt: graded -2 (1), 0 (1), 1 (1), 3 (1); from 1 on a passage is relevant\n"
    assert (
        capsys.readouterr().err.count(said) == 1
    )  # the file is read twice where queries are drawn


def test_judgements_of_0_and_1_need_no_word(beir, capsys):
    write(beir / "qrels/dev.tsv", "b\td3\t1\n")
    read(beir)
    assert "graded" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "head",
    [
        "query-id\tcorpus-id\tscore",
        "QID\t0\tdocid\tis_relevant",
        "query_id\tdoc_id\tgain",
        "query_id\tpassage_id\tis_selected",
    ],
)
def test_a_header_of_judgements_is_known_by_its_words(beir, head):
    write(beir / "qrels/dev.tsv", head + "\n" + ("b\t0" if "0" in head else "b") + "\td3\t1\n")
    assert shown(read(beir))["b"] == [("text 3", True)]


@pytest.mark.parametrize("first", ["label-1\tquery-2\t1", "label-1\tquery-2\t1.0"])
def test_a_line_that_ends_in_a_grade_is_no_header_whatever_its_ids_are_called(beir, first):
    write(beir / "corpus.jsonl", lines({"_id": "query-2", "text": "two"}))
    write(beir / "queries.jsonl", lines({"_id": "label-1", "text": "what"}))
    write(beir / "qrels/dev.tsv", f"{first}\n")
    (beir / "qrels/train.tsv").unlink()
    assert shown(read(beir, validation_share=1.0)) == {"label-1": [("two", True)]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("b\td3\t1,0\nb\td2\t1\n", "line 1: relevance '1,0' is no whole number"),
        ("b\td3\tyes\nb\td2\t1\n", "line 1: relevance 'yes' is no whole number"),
        ("corpus-id\tquery-id\tscore\nd3\tb\t1\n", "line 1: columns 'corpus-id', 'query-id'"),
        ("score\tquery-id\tcorpus-id\n1\tb\td3\n", "in this order"),
        ("\tquery-id\tcorpus-id\tscore\n0\tb\td3\t1\n", "line 2: 4 columns, but 3 in the first"),
        ("query-id,corpus-id,score\nb,d3,1\n", "separated by tabs or blanks"),
    ],
    ids=lambda value: value[:30],
)
def test_a_first_line_is_no_header_for_its_odd_relevance_alone(beir, content, expected):
    write(beir / "qrels/dev.tsv", content)
    assert expected in error_of(beir)


def test_where_tabs_separate_ids_may_have_blanks_and_zeros_in_front(beir):
    texts = [{"_id": each, "text": f"of {each}"} for each in ("doc 1", "007", "7", "doc 2")]
    write(beir / "corpus.jsonl", lines(*texts))
    write(
        beir / "queries.jsonl", lines({"_id": "a b", "text": "what"}, {"_id": "b", "text": "who"})
    )
    head = "query-id\tcorpus-id\tscore\n"
    write(beir / "qrels/train.tsv", f"{head}a b\tdoc 1\t1\na b\tdoc 2\t0\na b\t007\t0\n")
    write(beir / "qrels/dev.tsv", f"{head}b\t7\t1\t\n")  # a tab too many at the end
    assert shown(read(beir)) == {
        "a b": [("of doc 1", True), ("of doc 2", False), ("of 007", False)],
        "b": [("of 7", True)],
    }


def test_a_title_that_is_null_is_none(beir):
    texts = [{"_id": f"d{i}", "title": None, "text": f"text {i}"} for i in range(4)]
    write(beir / "corpus.jsonl", lines(*texts))
    assert read_pool(beir, 1000) == [f"text {i}" for i in range(4)]


def test_a_header_of_a_table_of_texts_is_no_text(trec):
    for name, head in (("collection.tsv", "docid\ttext\n"), ("queries.dev.tsv", "QID\tQuery\n")):
        write(trec / name, head + (trec / name).read_text())
    assert read_pool(trec, 1000) == [f"text {i}" for i in range(6)]
    assert [row["query"] for row in read(trec, validation_share=1.0)] == [
        "what is ten",
        "what is twenty",
    ]


def test_where_a_runs_places_are_equal_its_scores_decide(trec):
    scored = [(10, 2, 1.5), (10, 3, 9), (10, 0, 2e1), (20, 1, 1), (20, 5, 2)]
    write(trec / "run.txt", "".join(f"{q} Q0 {p} 0 {score} me\n" for q, p, score in scored))
    rows = read(trec, validation_share=1.0, n_negatives=2)
    assert shown(rows)["10"] == [("text 4", True), ("text 0", False), ("text 3", False)]


def test_places_that_contradict_the_scores_are_told(trec, capsys):
    assert len(read(trec, validation_share=1.0)) == 2
    assert "order of the scores" not in capsys.readouterr().err
    scored = [(10, 2, 1, 0.5), (10, 3, 2, 9), (20, 1, 1, 1), (20, 5, 2, 1)]
    write(trec / "run.txt", "".join(f"{q} Q0 {p} {at} {score} me\n" for q, p, at, score in scored))
    rows = read(trec, validation_share=1.0)
    assert shown(rows)["10"] == [("text 4", True), ("text 2", False), ("text 3", False)]
    said = "run.txt: for 1 of 2 queries the places are not in the order of the scores; the places"
    assert capsys.readouterr().err.count(said) == 1


def test_judged_queries_that_a_run_lacks_are_counted(trec, capsys):
    write(trec / "qrels.txt", "10 0 4 1\n20 0 1 3\n40 0 1 1\n")
    assert len(read(trec, validation_share=1.0)) == 2
    assert "1 of the 3 queries in" in capsys.readouterr().err


def test_test_judgements_alone_are_evaluated(beir):
    (beir / "qrels/train.tsv").unlink()
    (beir / "qrels/dev.tsv").rename(beir / "qrels/test.tsv")
    assert [row["split"] for row in read(beir)] == ["validation"]


def test_a_run_gives_the_first_unselected_passages_beside_all_selected_ones(trec):
    rows = read(trec, validation_share=1.0, n_negatives=2)
    assert shown(rows) == {
        "10": [("text 4", True), ("text 3", False), ("text 2", False)],  # by place, not by line
        "20": [("text 1", True), ("text 5", False)],
    }
    (trec / "run.txt").unlink()
    rows = read(trec, validation_share=1.0)
    assert shown(rows)["10"] == [("text 4", True), ("text 5", False)]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("qrels.txt", "10 0 4 1\n10 0 4 0\n", "line 2: passage '4' was judged otherwise at"),
        ("qrels.txt", "10 0 4 1\n10 0 5 0_1\n", "line 2: relevance '0_1' is no whole number"),
        ("qrels.txt", "10 0 4 1\n10 0 5 yes\n", "line 2: relevance 'yes' is no whole number"),
        ("qrels.txt", "10 0 4 1\n10 0 5 nan\n", "line 2: relevance 'nan' is no whole number"),
        ("qrels.txt", "10 0 4 1\n10 0 5 0.5\n", "line 2: relevance '0.5' is no whole number"),
        ("qrels.txt", "10 0 4 1\n10 0 5 1_0\n", "line 2: relevance '1_0' is no whole number"),
        ("qrels.txt", "10 0 4 1\n10 0 5 inf\n", "line 2: relevance 'inf' is no whole number"),
        ("queries.dev.tsv", "10\ta\n20\tb\n10\tc\n", "line 3: the id '10' is that of"),
        ("collection.tsv", "4\ta\n1\tb\n4\ta\n", "line 3: the id '4' is that of"),
        ("collection.tsv", "4\ta\n9\tb\n9\tc\n", "line 3: the id '9' is that of"),  # unjudged
        ("qrels.txt", "10 4\n", "line 1: 2 columns; judgements have 3"),
        ("qrels.txt", "10 0 77 1\n", "line 1: passage '77' is not in"),
        ("qrels.txt", "99 0 4 1\n", "no queries in it"),
        ("queries.dev.tsv", "20\tb\n", "line 1: query '10' is not in"),
        ("collection.tsv", "0\n", "line 1: 1 tab-separated columns, 2 expected"),
        ("run.txt", "10 Q0 2 1\n", "line 1: 4 columns; a run has 6"),
        ("run.txt", "10 Q0 2 first 1 me\n", "line 1: place 'first' is no number"),
        ("run.txt", "10 Q0 2 1 best me\n", "line 1: score 'best' is no number"),
        ("run.txt", "10 Q0 2 nan 1 me\n", "line 1: place 'nan' is no number"),
        ("run.b.txt", "10 Q0 2 1 1 me\n", "2 runs (run.b.txt, run.txt); leave one"),
        ("topics.tsv", "10\ta\n", "need one file of queries"),
    ],
    ids=lambda value: value[:30],
)
def test_a_mistake_names_its_file_and_line(trec, name, content, expected):
    write(trec / name, content)
    assert expected in error_of(trec, validation_share=1.0)


def test_a_missing_part_and_a_folder_without_judgements_are_named(trec, tmp_path_factory):
    (trec / "collection.tsv").unlink()
    assert "need one file of passages, corpus.jsonl or collection.tsv; there: none" in error_of(
        trec
    )
    (trec / "qrels.txt").unlink()
    assert "no folder of judgements" in error_of(trec, "judged")
    write(trec / "corpus.jsonl", "")
    assert (
        "corpus.jsonl and queries.dev.tsv are there, but no judgements; add qrels/test.tsv (BEIR) "
        "or qrels.txt (TREC)"
    ) in error_of(trec)
    empty = tmp_path_factory.mktemp("empty")
    assert "no folder of judgements; corpus.format judged needs qrels" in error_of(empty, "judged")
