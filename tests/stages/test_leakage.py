"""The leakage stages: what they write, what they print, and what they refuse."""

import json
import subprocess
import sys

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table, write_table
from genlab.passages.leaks import LEAK_SCHEMA
from stages import leakage
from tests.project_copy import ROOT
from tests.query_tables import write_queries

ROWS = [
    ("t0", "How deep is Lake Varn?", ["Forty metres."], "train"),
    ("v1", "how deep is lake varn", ["Forty metres", "salt"], "validation"),
    ("v2", "who won", ["nobody"], "validation"),
]
OPTIONS = (
    "--query_threshold 0.7 --passage_threshold 0.7 --shingle_chars 5 --no-pad_ends --num_perm 128"
    " --seed 17"
)


def write_rows(path, rows):
    """Write queries from (id, query, passages, split), whose first passage is selected."""
    queries = [(split, query, [(first,), *others]) for _, query, (first, *others), split in rows]
    write_queries(path, queries, ids=(query_id for query_id, *_ in rows))


def write_scores(path, query_ids):
    rows = [
        {"query_id": query_id, "location": 3.0, "top_1": 0.0, "fdaro": None, "ranker": ranker}
        | {"n_candidates": 10}
        for ranker in ("labse", "use")
        for query_id in query_ids
    ]
    table = pl.DataFrame(rows, schema_overrides={"fdaro": pl.Float64})
    write_table(path, [table], table.schema)


def find_arguments(folder, n_queries=0):
    """The command line as DVC writes it."""
    paths = [str(folder / "dedup.parquet"), str(folder / "leaks.parquet")]
    line = f"--metrics {folder / 'find.json'} --n_queries {n_queries} {OPTIONS}"
    return ["find", *paths, *line.split()]


def compare_arguments(folder):
    paths = [str(folder / "leaks.parquet"), str(folder / "score.parquet")]
    return ["compare", *paths, "--metrics", str(folder / "leakage.json"), "--seed", "17"]


def run(arguments):
    return subprocess.run(
        [sys.executable, "-m", "stages.leakage", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_both_commands_write_and_print_and_a_rerun_gives_the_same_bytes(tmp_path):
    write_rows(tmp_path / "dedup.parquet", ROWS)
    write_scores(tmp_path / "score.parquet", ["v1", "v2"])
    written = []
    for _ in range(2):
        found = run(find_arguments(tmp_path))
        compared = run(compare_arguments(tmp_path))
        assert (found.stderr, compared.stderr) == ("", "")
        names = ("leaks.parquet", "find.json", "leakage.json")
        written.append([(tmp_path / name).read_bytes() for name in names])
    assert written[0] == written[1]

    leaks = read_table(tmp_path / "leaks.parquet")
    assert leaks.schema == LEAK_SCHEMA
    assert leaks.select("query_id", "query_leak", "answer_leak", "n_passages").rows() == [
        ("v1", "exact", "exact", 2),
        ("v2", "none", "none", 1),
    ]
    counts = json.loads((tmp_path / "find.json").read_text())
    assert (counts["n_evaluated"], counts["n_train"], counts["query"]["exact"]) == (2, 1, 1)
    halves = json.loads((tmp_path / "leakage.json").read_text())
    one_each = {"n_clean": 1, "n_leaked": 1}
    assert halves["query"]["use"] == one_each | {
        "n_exact": 1,
        "average_loc": one_each | {"clean": 3.0, "leaked": 3.0},
        "top_1": one_each | {"clean": 0.0, "leaked": 0.0},
    }
    assert "exact 1.00  here:  how deep is lake varn" in found.stdout
    assert "too few leaked queries to tell" in compared.stdout


def test_only_the_evaluated_queries_are_looked_up(tmp_path):
    write_rows(tmp_path / "dedup.parquet", ROWS)
    result = CliRunner().invoke(leakage.app, find_arguments(tmp_path, n_queries=1))
    assert result.exit_code == 0
    assert read_table(tmp_path / "leaks.parquet")["query_id"].to_list() == ["v2"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[1:], "no training query, so nothing can leak; check the dedup stage"),
        (ROWS[:1], "no validation query to evaluate"),
    ],
)
def test_a_missing_split_is_an_error_that_names_the_file_and_leaves_none(tmp_path, rows, message):
    write_rows(tmp_path / "dedup.parquet", rows)
    result = CliRunner().invoke(leakage.app, find_arguments(tmp_path))
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == f"{tmp_path / 'dedup.parquet'}: {message}"
    assert not (tmp_path / "leaks.parquet").exists()


def test_scores_of_other_queries_are_an_error_that_says_what_to_run(tmp_path):
    write_rows(tmp_path / "dedup.parquet", ROWS)
    write_scores(tmp_path / "score.parquet", ["v1", "v3"])
    CliRunner().invoke(leakage.app, find_arguments(tmp_path))
    result = run(compare_arguments(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("error: labse: 2 queries (first: v2)")
    assert "run `dvc repro find_leaks`" in result.stderr


@pytest.mark.parametrize("missing", ["--passage_threshold", "--n_queries", "--metrics"])
def test_a_missing_option_is_an_error_that_names_it(tmp_path, missing):
    line = find_arguments(tmp_path)
    place = line.index(missing)
    result = CliRunner().invoke(leakage.app, line[:place] + line[place + 2 :])
    assert result.exit_code == 2
    assert missing.replace("_", "-") in result.output
