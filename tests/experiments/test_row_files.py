"""Rows of other people's projects: their forms, and `genlab compare` on them."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.experiments.compare import app
from genlab.experiments.row_files import parse_rows
from tests.project_copy import call, commit, dvc, start_git
from tests.tiny_pipeline import enter

# A line of a sample log as lm-evaluation-harness writes it with --log_samples.
SAMPLE = {
    "doc_id": 0,
    "doc": {"passage": "p", "group": 3},
    "target": "yes",
    "arguments": {"gen_args_0": {"arg_0": "p", "arg_1": " yes"}},
    "resps": [[["-1.25", "False"]]],
    "filtered_resps": [["-1.25", "False"]],
    "filter": "none",
    "metrics": ["acc"],
    "doc_hash": "ab",
    "acc": 1.0,
}
LAYOUT = """\
rows:
  path: samples.jsonl
  unit: doc_id
  cluster: doc.group
  metrics:
    acc: {column: acc, better: higher, kind: share}
"""


def lines(entries: list[dict]) -> bytes:
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


def test_of_json_only_the_named_values_are_read_also_from_within_others():
    content = lines([SAMPLE, SAMPLE | {"doc_id": 1, "doc": {}, "acc": 0.0}])
    rows = parse_rows(Path("a.jsonl"), content, ["doc_id", "doc.group", "acc", "absent"], "")
    assert rows.to_dict(as_series=False) == {
        "doc_id": [0, 1],
        "doc.group": [3, None],
        "acc": [1.0, 0.0],
    }
    in_one_list = json.dumps([SAMPLE]).encode()
    assert parse_rows(Path("a.json"), in_one_list, ["acc"], "").rows() == [(1.0,)]


def test_a_small_table_leaves_longer_fields_to_who_reads_csv_after_it():
    csv.field_size_limit(131_072)  # Python's own, which the process has one of
    parse_rows(Path("a.csv"), b"a\n1\n", (), "")
    assert csv.field_size_limit() == 131_072


def test_csv_and_tsv_are_read_with_all_their_columns():
    assert parse_rows(Path("a.csv"), b"id,ok\nx,1\ny,0\n", (), "").rows() == [("x", 1), ("y", 0)]
    assert parse_rows(Path("a.tsv"), b"id\tok\nx\t0.5\n", (), "").rows() == [("x", 0.5)]


@pytest.mark.parametrize(
    "content",
    [
        b"id;ok\nx;1\n",
        b"\xef\xbb\xbfid , ok\r\nx,1\r\n",
        b'id|ok\r"x"|1',
        b"id\tok\nx\t1\n",
    ],
)
def test_a_csv_is_read_whatever_separates_and_ends_its_lines(content):
    rows = parse_rows(Path("a.csv"), content, (), "")
    assert rows.columns == ["id", "ok"]
    assert rows.rows() == [("x", 1)]


@pytest.mark.parametrize(
    "content",
    [
        b"id,ok\n\nx,1\n\ny,2\n\n\n",
        b"id,ok\r\nx,1\r\ny,2\r\n,\r\n , \r\n",
        b'id, ok\nx, 1\n"y", 2\n',
    ],
)
def test_rows_of_a_csv_in_which_nothing_stands_are_none_nor_are_blanks_behind_a_comma(content):
    assert parse_rows(Path("a.csv"), content, (), "").rows() == [("x", 1), ("y", 2)]


def test_what_separates_inside_the_quotes_of_a_header_does_not_count():
    rows = parse_rows(Path("a.csv"), b'id;"p, mean";"a, b, \n c"\nx;1;2\n', (), "")
    assert rows.columns == ["id", "p, mean", "a, b, \n c"]
    assert rows.rows() == [("x", 1, 2)]


def test_a_quote_in_a_text_between_tabs_is_text_and_loses_no_row():
    content = b'id\ttext\tok\nx\t"hi" he said\t1\ny\t"and\t2\nz\tmore" so\t3\n'
    rows = parse_rows(Path("a.tsv"), content, (), "").rows()
    assert rows == [("x", '"hi" he said', 1), ("y", '"and', 2), ("z", 'more" so', 3)]
    quoted = b'id\ttext\nx\t"a ""b""\tc\nd"\n'
    assert parse_rows(Path("a.tsv"), quoted, (), "").rows() == [("x", 'a "b"\tc\nd')]


@pytest.mark.parametrize("name", ["a.CSV", "a.ndjson", "a.JSONL"])
def test_an_ending_is_known_in_capitals_and_by_its_other_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    head = "rows: {path: a.csv, unit: id, metrics: {m: {column: m, better: lower}}}"
    Path("eval.yaml").write_text(head)
    entries = [{"id": i, "m": i} for i in range(4)]
    Path(name).write_text("id,m\n0,0\n1,1\n" if "CSV" in name else lines(entries).decode())
    result = CliRunner().invoke(app, [name, name, "--layout=eval.yaml"], catch_exceptions=False)
    assert result.exit_code == 0 and "pairs by id; none unpaired" in result.output


@pytest.mark.parametrize("name", ["a.csv.gz", "a.txt", "a.xlsx"])
def test_a_file_of_another_ending_is_no_revision(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("id,m\n1,2\n")
    with pytest.raises(InputError, match=f"^{name}: not a table of rows by its name; they end in"):
        CliRunner().invoke(app, [name, name], catch_exceptions=False)


def test_ids_with_zeros_in_front_stay_texts_and_other_numbers_are_numbers():
    rows = parse_rows(Path("a.csv"), b"id,other,m,n\n007,70,0,0.5\n7,80,3,00.25\n", (), "")
    assert rows.rows() == [("007", 70, 0, 0.5), ("7", 80, 3, 0.25)]


def test_ids_that_a_spreadsheet_keeps_the_zeros_of_are_what_stands_in_the_quotes():
    for row in ('="007",1', '"=""007""",1'):
        assert parse_rows(Path("a.csv"), f"id,ok\n{row}\n".encode(), (), "").rows() == [("007", 1)]
    assert parse_rows(Path("a.tsv"), b'id\tok\n="007"\t1\n', (), "").rows() == [("007", 1)]


def test_digits_of_another_script_and_ids_of_forty_are_texts_beside_numbers():
    content = f"id,ok,n,x,,\n{10**40},1,١,0.5,true,a\n{10**40 + 1},0,٢,,false,b\n".encode()
    rows = parse_rows(Path("a.csv"), content, (), "").rows()
    first, second = (
        (str(10**40), 1, "١", 0.5, True, "a"),
        (str(10**40 + 1), 0, "٢", None, False, "b"),
    )
    assert rows == [first, second]


def test_an_id_with_zeros_is_not_paired_with_one_without(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = "rows: {path: a.csv, unit: id, metrics: {m: {column: m, better: lower}}}"
    Path("eval.yaml").write_text(head)
    Path("a.csv").write_text("id,m\n" + "".join(f"{i:03},{i}\n" for i in range(9)))
    Path("b.csv").write_text("id,m\n" + "".join(f"{i},{i}\n" for i in range(9)))
    words = ["a.csv", "b.csv", "--layout=eval.yaml"]
    with pytest.raises(InputError, match=r"id is String in a.csv but Int64 in b.csv"):
        CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ('a,"0,5"\nb,1\n', r"column m holds String, not numbers \(such as '0,5'\)"),
        ("a,1\nb,NA\n", r"column m holds String, not numbers \(such as 'NA'\)"),
        ("1.2e18,1\n1.3e18,2\n", r"a.csv: id holds numbers with a point of 2\*\*53 and more"),
        ("", r"a.csv: it has no rows, so nothing can be compared"),
        ("a,1\n,2\n", r"row 2 has no id \(1 of 2 have none\), so it cannot be paired"),
    ],
)
def test_a_value_that_is_no_number_and_a_row_without_id_are_shown(
    tmp_path, monkeypatch, rows, expected
):
    monkeypatch.chdir(tmp_path)
    head = "rows: {path: a.csv, unit: id, metrics: {m: {column: m, better: lower}}}"
    Path("eval.yaml").write_text(head)
    Path("a.csv").write_text("id,m\n" + rows)
    with pytest.raises(InputError, match=expected):
        CliRunner().invoke(app, ["a.csv", "a.csv", "--layout=eval.yaml"], catch_exceptions=False)


def test_categories_of_parquet_are_texts(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"id": ["x", "y"]}, schema={"id": pl.Categorical}).write_parquet(path)
    assert parse_rows(path, path.read_bytes(), (), "").schema["id"] == pl.String


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl of HEAD: line 2: no JSON"),
        ("a.jsonl", b"[1]\n", "a.jsonl of HEAD: entry 1: must be an object"),
        ("a.json", b'{"a": 1}', "a.json of HEAD: must be a list of objects"),
        ("a.json", b"\xff", "a.json of HEAD: not UTF-8"),
        ("a.jsonl", b'{"a": 1}\n{"a": [1]}\n', "a.jsonl of HEAD: a column holds values of several"),
        (
            "a.jsonl",
            b'{"a": 1%s}' % (b"0" * 40),
            "a.jsonl of HEAD: a column holds an integer beyond",
        ),
        ("a.jsonl", b'{"a": %s' % (b"[" * 100_000), "a.jsonl of HEAD: line 1: no JSON"),
        ("a.jsonl", b'{"a": 1, "a": 2}', "a.jsonl of HEAD: line 1: .*'a' occurs twice in one"),
        ("a.csv", b"a,b\n1,2\n1\n", "a.csv of HEAD: line 3: 1 fields, but 2 in the header"),
        ("a.csv", b"a,b\n1,2,\n", "a.csv of HEAD: line 2: 3 fields, but 2 in the header"),
        ("a.csv", b"a, a\n1,2\n", "a.csv of HEAD: the column a is there twice; rename or remove"),
        ("a.csv", b'a,b\n1,"x" y\n', "a.csv of HEAD: line 2: broken CSV .*; double the quotes"),
        ("a.csv", b"\n\n", "a.csv of HEAD: the file is empty; give one with a header and rows"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "a.csv of HEAD: not UTF-8 at byte 0; save it"),
        ("a.parquet", b"PAR1", "a.parquet of HEAD: not a whole Parquet file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(name, content, message):
    with pytest.raises(InputError, match=message):
        parse_rows(Path(name), content, ["a"], "HEAD")


def test_two_sample_logs_are_compared_without_any_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("eval.yaml").write_text(LAYOUT)
    for name, every in (("a", 2), ("b", 5)):
        entries = [
            SAMPLE | {"doc_id": i, "doc": {"group": i // 4}, "acc": float(i % every != 0)}
            for i in range(80)
        ]
        Path(f"samples_{name}.jsonl").write_bytes(lines(entries))
    words = ["samples_a.jsonl", "samples_b.jsonl", "--layout=eval.yaml"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    output = result.output.splitlines()
    assert output[0] == "BASE: samples_a.jsonl; OTHER: samples_b.jsonl"
    assert "80 pairs by doc_id; none unpaired" in output
    [row] = [line.split() for line in output if line.startswith("acc")]
    assert row[1:4] == ["0.500", "0.800", "+0.300"]
    assert row[-1] == "better"
    assert "Pairs were resampled by cluster: 20 clusters." in output


def test_several_files_of_a_side_are_trainings_without_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("eval.yaml").write_text(LAYOUT.replace("cluster: doc.group", ""))
    for name, every in (("a1", 2), ("a2", 4), ("b1", 5), ("b2", 10)):
        Path(f"{name}.jsonl").write_bytes(lines(samples(every)))
    words = ["a1.jsonl,a2.jsonl", "b1.jsonl,b2.jsonl", "--layout=eval.yaml"]
    output = CliRunner().invoke(app, words, catch_exceptions=False).output
    assert output.startswith("BASE: a1.jsonl, a2.jsonl; OTHER: b1.jsonl, b2.jsonl\n")
    assert "trainings: 2 in BASE, 2 in OTHER; each side's are its own" in " ".join(output.split())
    [row] = [line.split() for line in output.splitlines() if line.startswith("acc")]
    assert row[1:4] == ["0.625", "0.850", "+0.225"]  # (1/2 + 3/4) / 2, (4/5 + 9/10) / 2
    assert " % units, " in output and "BASE: squared error of acc from " in output
    both = ["a1.jsonl,a2.jsonl", "b1.jsonl", "--layout=eval.yaml"]
    alone = CliRunner().invoke(app, both, catch_exceptions=False).output
    assert "the side of one training is taken to vary as the other's do" in " ".join(alone.split())


def samples(every: int, **columns: object) -> list[dict]:
    return [
        SAMPLE | {"doc_id": i, "acc": float(i % every != 0), "doc_hash": str(i)} | columns
        for i in range(80)
    ]


def test_a_log_of_several_tasks_and_filters_is_named_by_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("eval.yaml").write_text(LAYOUT.replace("cluster: doc.group", "group: [task, filter]"))
    for name, every in (("a", 2), ("b", 4)):
        kinds = [("sums", "strict"), ("sums", "loose"), ("words", "none")]
        entries = [each for t, f in kinds for each in samples(every, task=t, filter=f)]
        Path(f"{name}.jsonl").write_bytes(lines(entries))
    words = ["a.jsonl", "b.jsonl", "--layout=eval.yaml", "--json"]
    found = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).output)
    assert [each["group"] for each in found["differences"]] == (
        ["sums strict", "sums loose", "words none"]
    )
    assert {each["n"] for each in found["differences"]} == {80}


def test_logs_of_two_tasks_are_no_two_trainings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("eval.yaml").write_text(LAYOUT)
    for name in ("a1", "b1"):
        Path(f"{name}.jsonl").write_bytes(lines(samples(2)))
    for name in ("a2", "b2"):
        Path(f"{name}.jsonl").write_bytes(lines(samples(4, doc_hash="of another task")))
    words = ["a1.jsonl,a2.jsonl", "b1.jsonl,b2.jsonl", "--layout=eval.yaml"]
    with pytest.raises(InputError, match="doc_id 0 is another document than in a1"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_file_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("eval.yaml").write_text(LAYOUT)
    Path("a.jsonl").write_bytes(lines(samples(2)))
    with pytest.raises(InputError, match=r"^none\.jsonl: no such file"):
        CliRunner().invoke(
            app, ["a.jsonl", "none.jsonl", "--layout=eval.yaml"], catch_exceptions=False
        )


def test_blank_groups_are_a_group_and_lists_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = "rows: {path: a.csv, unit: id, group: g, metrics: {m: {column: m, better: lower}}}"
    Path("eval.yaml").write_text(head)
    for name in ("a", "b"):
        pl.DataFrame({"id": [*"abcabc"], "g": ["x"] * 3 + [None] * 3, "m": [*range(6)]}).write_csv(
            f"{name}.csv"
        )
    words = ["a.csv", "b.csv", "--layout=eval.yaml", "--json"]
    found = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).output)
    assert [each["group"] for each in found["differences"]] == ["x", ""]
    several = ["a.csv,b.csv", "b.csv,a.csv", "--layout=eval.yaml", "--json"]
    assert CliRunner().invoke(app, several, catch_exceptions=False).exit_code == 0
    for name in ("a", "b"):
        pl.DataFrame({"id": [*"ab"], "g": [[1], [2]], "m": [1, 2]}).write_parquet(f"{name}.parquet")
    words = ["a.parquet", "b.parquet", "--layout=eval.yaml"]
    with pytest.raises(InputError, match=r"column g holds List\(Int64\), which names no unit"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_another_projects_table_is_compared_by_a_layout_of_its_own(tmp_path, monkeypatch):
    """A project like example-get-started: src/, params.yaml, a stage that writes below eval/."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/evaluate.py").write_text(
        "import sys, pathlib\n"
        "rows = [f'{i},{int(i % int(sys.argv[1]) != 0)}' for i in range(60)]\n"
        "pathlib.Path('eval').mkdir(exist_ok=True)\n"
        "pathlib.Path('eval/predictions.csv').write_text('id,correct\\n' + '\\n'.join(rows))\n"
    )
    stage = {
        "cmd": "python src/evaluate.py ${evaluate.every}",
        "deps": ["src/evaluate.py"],
        "outs": ["eval/predictions.csv"],
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"evaluate": stage}}))
    (tmp_path / "params.yaml").write_text("evaluate:\n  every: 2\n")
    layout = {
        "path": "eval/predictions.csv",
        "unit": "id",
        "metrics": {"accuracy": {"column": "correct", "better": "higher", "kind": "share"}},
    }
    (tmp_path / "layout.yaml").write_text(yaml.safe_dump({"rows": layout}))
    start_git(tmp_path)
    assert dvc(tmp_path, "init", "--quiet").returncode == 0
    assert dvc(tmp_path, "repro").returncode == 0
    commit(tmp_path)
    (tmp_path / "params.yaml").write_text("evaluate:\n  every: 3\n")
    assert dvc(tmp_path, "repro").returncode == 0
    enter(tmp_path, monkeypatch)
    result = CliRunner().invoke(app, ["HEAD", "--layout=layout.yaml"], catch_exceptions=False)
    assert "changed: evaluate.every 2 -> 3" in result.output
    [row] = [line.split() for line in result.output.splitlines() if line.startswith("accuracy")]
    assert row[1:4] == ["0.500", "0.667", "+0.167"]
    assert call(tmp_path, "git", "status", "--porcelain").split() == [
        "M",
        "dvc.lock",
        "M",
        "params.yaml",
    ]
    assert pl.read_csv(tmp_path / "eval/predictions.csv").height == 60
