"""The dedup stage: which of two alike is kept, across what, and the counts."""

import json
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.passages import duplicates
from genlab.passages.duplicates import (
    Rules,
    dedup_batch,
    find_query_fates,
    index_answers,
    read_keys,
)
from genlab.text.filtering import Counts
from stages import dedup
from tests.project_copy import ROOT
from tests.query_tables import LONG, table

RULES = Rules(
    query_threshold=0.9,
    passage_threshold=0.9,
    drop_leaked_answers=False,
    shingle_chars=5,
    pad_ends=True,
    num_perm=128,
    seed=42,
)
EXACT = replace(RULES, query_threshold=1.0, passage_threshold=1.0)


def query_fates(*rows, rules=RULES):
    """Return the fates of queries given as (split, query)."""
    queries, _ = read_keys([table(*((split, query, []) for split, query in rows))])
    return find_query_fates(queries, rules).to_list()


def deduped(*rows, rules=RULES, batch_rows=100):
    """Return ids and passage texts of what is left, and the counts."""
    batches = list(table(*rows).iter_slices(batch_rows))
    queries, answers = read_keys(batches)
    fates = find_query_fates(queries, rules)
    index = index_answers(answers, fates, rules)
    counts, left, n_rows = Counts(), [], 0
    for batch in batches:
        frame, batch_counts = dedup_batch(batch, fates[n_rows : n_rows + len(batch)], index, rules)
        counts.add(batch_counts)
        left.append(frame)
        n_rows += len(batch)
    frame = pl.concat(left)
    lists = [[passage["text"] for passage in passages] for passages in frame["passages"]]
    return list(zip(frame["query_id"], lists, strict=True)), counts


def test_of_queries_equal_but_for_case_and_punctuation_the_first_is_kept():
    rows = [("train", "What's a lake?"), ("train", "a sea"), ("train", "whats  a LAKE")]
    assert query_fates(*rows, rules=EXACT) == [None, None, "duplicate"]


def test_a_validation_query_that_stands_in_train_is_dropped_even_if_it_comes_first():
    rows = [("validation", "a lake"), ("train", "A lake."), ("validation", "a sea")]
    assert query_fates(*rows, rules=EXACT) == ["in_train", None, None]


def test_validation_queries_equal_to_each_other_only_are_duplicates():
    rows = [("validation", "a lake"), ("validation", "a lake"), ("train", "a sea")]
    assert query_fates(*rows, rules=EXACT) == [None, "duplicate", None]


def test_near_duplicates_are_told_from_exact_ones_and_by_split():
    rows = [
        ("validation", LONG + "g"),
        ("train", LONG),
        ("train", LONG + "s"),
        ("validation", "a sea"),
    ]
    assert query_fates(*rows) == ["near_in_train", None, "near_duplicate", None]
    assert query_fates(*rows, rules=EXACT) == [None, None, None, None]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("how deep is lake varn", "how deep is lake corl"),
        ("how deep is lake varn", "how wide is lake varn"),
        ("what was the population of texas in 2015", "what was the population of texas in 2016"),
        ("who is on the $ 10 bill", "who is on the $ 1000 bill"),
        ("what is c", "what is c++"),
        ("какая глубина озера варн", "какая глубина озера корл"),
    ],
)
def test_questions_about_different_things_are_no_duplicates(one, other):
    assert query_fates(("train", one), ("validation", other)) == [None, None]


def test_a_query_similar_only_to_a_dropped_one_stays():
    # A letter changes five shingles: one step shares 93 of 103 (0.903), two 88 of 108 (0.815).
    step = LONG.replace("brown", "brawn")
    two_steps = step.replace("toxic", "tonic")
    fates = query_fates(("train", LONG), ("train", step), ("train", two_steps))
    assert fates == [None, "near_duplicate", None]


def test_of_equal_passages_the_first_is_kept_unless_another_is_selected():
    left, counts = deduped(
        ("train", "a", ["One.", "two", "one", "ONE!"]),
        ("train", "b", ["One.", "two", ("one",), "three", ("One",)]),
    )
    assert left == [("q0", ["One.", "two"]), ("q1", ["two", "one", "three"])]
    assert counts.passages == {None: 5, "duplicate": 4}


def test_of_similar_passages_the_selected_is_kept_in_its_own_place():
    left, counts = deduped(("train", "a", [LONG, "two", (LONG + "s",), "three"]))
    assert left == [("q0", ["two", LONG + "s", "three"])]
    assert counts.passages == {None: 3, "near_duplicate": 1}


def test_the_same_passage_under_another_query_stays():
    left, _ = deduped(("train", "a", [LONG]), ("train", "b", [LONG]))
    assert left == [("q0", [LONG]), ("q1", [LONG])]


def test_with_threshold_one_only_equal_passages_go():
    left, counts = deduped(("train", "a", [LONG, LONG + "s", LONG.upper()]), rules=EXACT)
    assert left == [("q0", [LONG, LONG + "s"])]
    assert counts.passages == {None: 2, "duplicate": 1}


LEAKY = [
    ("train", "first", [("Forty metres.",), "x"]),
    ("train", "second", [(LONG + "s",)]),
    ("train", "third", ["forty metres"]),
    ("validation", "fourth", [("forty metres",)]),
    ("validation", "fifth", [(LONG,), "y"]),
]


@pytest.mark.parametrize(("rules", "n_leaks"), [(RULES, 2), (EXACT, 1)])
def test_training_queries_with_a_validation_answer_are_counted(rules, n_leaks):
    left, counts = deduped(*LEAKY, rules=rules)
    assert len(left) == 5
    assert counts.leaked_answers == n_leaks


def test_training_queries_with_a_validation_answer_are_dropped_on_request():
    left, counts = deduped(*LEAKY, rules=replace(RULES, drop_leaked_answers=True), batch_rows=2)
    assert [query_id for query_id, _ in left] == ["q2", "q3", "q4"]
    assert counts.leaked_answers == 2
    assert counts.queries["train"] == {None: 1, "leaked_answer": 2}
    assert counts.passages == {None: 4, "query_dropped": 3}


def test_a_dropped_validation_query_leaks_nothing():
    rows = [("train", "a lake", [("deep",)]), ("validation", "a lake", [("deep",)])]
    left, counts = deduped(*rows, rules=replace(RULES, drop_leaked_answers=True))
    assert left == [("q0", ["deep"])]
    assert counts.leaked_answers == 0


def test_a_query_without_passages_passes_through():
    left, counts = deduped(("train", "a", []), ("train", "b", ["one"]))
    assert left == [("q0", []), ("q1", ["one"])]
    assert counts.chars == {"in": 5, "out": 5}


WORDS = st.sampled_from(["lake", "Lake", "sea", "deep", LONG, LONG + "s", "?"])
PASSAGES = st.lists(st.one_of(WORDS, st.tuples(WORDS)), max_size=4)
ROWS = st.lists(
    st.tuples(st.sampled_from(["train", "validation"]), WORDS, PASSAGES), min_size=1, max_size=8
)


@settings(max_examples=40)
@given(ROWS, st.booleans(), st.integers(1, 8))
def test_what_comes_in_is_kept_or_dropped_for_one_reason(rows, is_strict, batch_rows):
    rules = replace(RULES, drop_leaked_answers=is_strict)
    left, counts = deduped(*rows, rules=rules, batch_rows=batch_rows)
    fates = sum(counts.queries.values(), start=type(counts.passages)())
    assert (fates.total(), fates[None]) == (len(rows), len(left))
    assert counts.passages.total() == sum(len(passages) for _, _, passages in rows)
    assert counts.passages[None] == sum(len(passages) for _, passages in left)
    assert counts.chars["in"] == sum(
        len(query) + sum(len(p if isinstance(p, str) else p[0]) for p in passages)
        for _, query, passages in rows
    )
    # Rows keep their order, the size of a batch changes nothing, and nothing is left to drop.
    assert [query_id for query_id, _ in left] == sorted(query_id for query_id, _ in left)
    assert deduped(*rows, rules=rules)[0] == left
    by_id = {f"q{number}": row for number, row in enumerate(rows)}
    again = [(by_id[query_id][0], by_id[query_id][1]) for query_id, _ in left]
    assert query_fates(*again) == [None] * len(left) if again else True


def arguments(folder):
    """The command line as DVC writes it."""
    options = (
        "--query_threshold 0.9 --passage_threshold 0.9 --no-drop_leaked_answers"
        " --shingle_chars 5 --pad_ends --num_perm 128 --seed 42"
    )
    paths = [str(folder / name) for name in ("in.parquet", "out.parquet")]
    return [*paths, "--metrics", str(folder / "dedup.json"), *options.split()]


def test_the_stage_writes_table_and_metrics(tmp_path):
    rows = [*LEAKY, ("validation", "First!", ["z"])]
    write_table(tmp_path / "in.parquet", [table(*rows)], QUERY_SCHEMA)
    run = subprocess.run(
        [sys.executable, "-m", "stages.dedup", *arguments(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    written = read_table(tmp_path / "out.parquet")
    assert written.equals(table(*LEAKY))
    metrics = json.loads((tmp_path / "dedup.json").read_text())
    assert metrics["queries"] == {
        "in": 6,
        "out": 5,
        "dropped": dict.fromkeys(duplicates.QUERY_REASONS, 0) | {"in_train": 1},
    }
    assert metrics["passages"] == {
        "in": 8,
        "out": 7,
        "dropped": {"query_dropped": 1, "duplicate": 0, "near_duplicate": 0},
    }
    assert metrics["leaked_answers"] == 2
    assert metrics["splits"] == {"train": 3, "validation": 2}


def test_a_missing_option_is_an_error_that_names_it(tmp_path):
    line = arguments(tmp_path)
    line.remove("--no-drop_leaked_answers")
    result = CliRunner().invoke(dedup.app, line)
    assert result.exit_code == 2
    assert "--drop-leaked-answers" in result.output


def test_an_empty_split_is_an_error_with_a_remedy_and_leaves_no_file(tmp_path):
    rows = [("train", "a lake", []), ("validation", "a lake", []), ("validation", "A lake?", [])]
    write_table(tmp_path / "in.parquet", [table(*rows)], QUERY_SCHEMA)
    result = CliRunner().invoke(dedup.app, arguments(tmp_path))
    assert isinstance(result.exception, InputError)
    assert "no validation query is left of 2; 2 dropped as in_train" in str(result.exception)
    assert not (tmp_path / "out.parquet").exists()
