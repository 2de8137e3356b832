from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.experiments import arms
from genlab.experiments.arm_summaries import summarize_arm
from genlab.experiments.arms import (
    changes_of,
    check_arm,
    comparable,
    experiment_name,
    find_runs,
    read_arms,
    read_units,
    run_arms,
    select_rows,
    yaml_word,
)
from genlab.experiments.layout import Layout, read_layout
from tests.project_copy import call, commit
from tests.tiny_pipeline import enter, make_repository

PARAMS = ["gen.max_len", "gen.model"]
TABLE = {"table": "data/kinds.parquet", "where": {"kind": "odd"}}


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return a pipeline on whose commit the arms `one` and `default` have been run."""
    folder = make_repository(tmp_path_factory.mktemp("arms") / "project")
    head = call(folder, "git", "rev-parse", "HEAD").strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/claim-tiny-default"
    call(folder, "git", "update-ref", ref, "HEAD")
    return folder


@pytest.fixture
def pipeline(repository, monkeypatch) -> Path:
    enter(repository, monkeypatch)
    return repository


def read_all(layout: Layout, content: dict) -> tuple[dict, dict]:
    """Return arm -> the rows of its one training, and arm -> why it has none."""
    runs, missing = find_runs(layout, content)
    rows, unread = read_arms(layout, content, runs)
    return {name: tables[None] for name, tables in rows.items()}, missing | unread


@pytest.mark.parametrize(
    "arm", [{}, {"gen.max_len": 50}, TABLE, {"value": 0.5}, {"value": 1}], ids=str
)
def test_an_arm_is_params_rows_of_a_table_or_a_value(arm):
    check_arm("here", arm, {"a": arm, "default": {}}, PARAMS)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"gen.max_ln": 50}, r"params.yaml has no gen.max_ln; did you mean gen.max_len\?"),
        ({"table": "data/x.parquet"}, "must be like {table: PATH, where:"),
        ({"table": "data/x.parquet", "where": "all"}, "must be like {table: PATH, where:"),
        ({"table": 5, "where": {}}, "must be like {table: PATH, where:"),
        ({"value": "half"}, "must be like {value: 0.5}"),
        ({"value": True}, "must be like {value: 0.5}"),
        ({"value": float("nan")}, "must be like {value: 0.5}"),
        ({"value": 0.5, "gen.max_len": 50}, "must be like {value: 0.5}"),
        (None, "must be params, like {gen.max_len: 50}, or {} for none"),
    ],
    ids=str,
)
def test_an_arm_that_is_none_of_these_is_named(arm, message):
    with pytest.raises(InputError, match=f"here: {message}"):
        check_arm("here", arm, {"a": arm, "default": {}}, PARAMS)


def test_a_table_needs_the_arm_that_made_it():
    with pytest.raises(InputError, match=r"its table is read from an arm \{\}"):
        check_arm("here", TABLE, {"a": TABLE}, PARAMS)


def test_experiments_of_a_pipeline_in_a_folder_bear_its_name(pipeline, monkeypatch):
    assert experiment_name("tuned") == "claim-tiny-tuned"
    monkeypatch.chdir(pipeline.parent.parent)
    assert experiment_name("tuned") == "claim-tuned"


def test_a_path_out_of_the_folder_is_absolute_as_experiments_run_in_a_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arm = {"base.path": "../../data/train", "corpus.path": "films.yaml", "gen.cap": 5}
    assert changes_of(arm) == arm | {"base.path": str(tmp_path.parents[1] / "data/train")}
    assert changes_of({"table": "../rows.parquet"}) == {}


def test_params_values_are_written_as_dvc_reads_them():
    assert yaml_word(False) == "false"
    assert yaml_word(50) == "50"
    assert yaml_word("base") == "base"
    assert yaml_word(["labse"]) == '["labse"]'


def test_arms_are_read_from_their_experiments_and_tables_from_the_default_one(pipeline):
    """The workspace has shift 1, and the default arm 0: tables are not the workspace's."""
    layout = read_layout(Path("claims.yaml"))
    content = {"default": {}, "one": {"rows.shift": 1}, "odd": TABLE, "half": {"value": 0.5}}
    rows, missing = read_all(layout, content | {"later": {"rows.shift": 2}})
    assert list(rows) == ["default", "one", "odd"]
    assert rows["default"]["place"][0] == 1
    assert rows["one"]["place"][0] == 2
    assert rows["odd"]["kind"].unique().to_list() == ["odd"]
    assert rows["odd"].filter(judge="strict")["place"][0] == 1
    assert missing == {"later": "no claim-tiny-later yet; run `python -m genlab claims run`"}


def test_an_experiment_of_other_params_than_its_arms_has_not_been_run(pipeline):
    runs, missing = find_runs(
        read_layout(Path("claims.yaml")),
        {"default": {}, "one": {"rows.shift": 3}, "half": {"value": 0.5}},
    )
    assert list(runs) == ["default"]
    assert missing == {
        "one": "claim-tiny-one was made with other params; run `python -m genlab claims run`"
    }


def test_a_default_run_of_other_params_makes_no_tables(pipeline):
    head = call(pipeline, "git", "rev-parse", "HEAD").strip()
    refs = f"refs/exps/{head[:2]}/{head[2:]}"
    call(pipeline, "git", "update-ref", f"{refs}/claim-tiny-base", f"{refs}/claim-tiny-one")
    try:
        runs, missing = find_runs(read_layout(Path("claims.yaml")), {"base": {}, "odd": TABLE})
    finally:
        call(pipeline, "git", "update-ref", "-d", f"{refs}/claim-tiny-base")
    assert runs == {}
    assert all("claim-tiny-base was made with other params" in why for why in missing.values())


def test_params_are_the_same_however_a_number_was_written():
    written = {"a": "1e-5", "b": 300, "c": ["x"], "d": False, "e": None, "f": "none"}
    assert comparable(written) == comparable(written | {"a": 1e-05, "b": 300.0})
    assert comparable(written) != comparable(written | {"f": None})


def test_the_units_of_an_arm_are_known_by_the_hash_of_their_table(pipeline):
    layout = read_layout(Path("claims.yaml"))
    runs, _ = find_runs(
        read_layout(Path("claims.yaml")), {"default": {}, "one": {"rows.shift": 1}, "odd": TABLE}
    )
    units = read_units(layout, runs)
    assert units["default"] == units["odd"] != units["one"]
    assert [list(each) for each in units.values()] == [[None]] * 3
    assert None not in [each[None] for each in units.values()]
    assert read_units(replace(layout, units_from=None), runs) == {}


def test_experiments_of_another_commit_count_while_the_code_that_made_them_stays(pipeline):
    """A commit of prose changes no arm; one of a stage's program, its command or a dep does."""
    layout, content = read_layout(Path("claims.yaml")), {"default": {}, "odd": TABLE}
    call(pipeline, "git", "stash", "--quiet")
    before = call(pipeline, "git", "rev-parse", "HEAD").strip()
    try:
        Path("prose.txt").write_text("more")
        commit(pipeline)
        assert list(find_runs(layout, content)[0]) == ["default", "odd"]
        for path, old, new in (
            ("make.py", "% 10", "% 9"),
            ("dvc.yaml", "python make.py", "python -X utf8 make.py"),
        ):
            Path(path).write_text(Path(path).read_text().replace(old, new))
            commit(pipeline)
            runs, missing = find_runs(layout, content)
            assert runs == {}
            assert list(missing) == ["default", "odd"]
            assert missing["odd"].startswith("claim-tiny-default was made by other code; run")
            call(pipeline, "git", "reset", "--quiet", "--hard", before)
    finally:
        call(pipeline, "git", "reset", "--quiet", "--hard", before)
        call(pipeline, "git", "stash", "pop", "--quiet")


def test_an_arm_without_such_rows_is_named_and_the_others_are_read(pipeline):
    content = {
        "default": {},
        "no_file": {"table": "data/none.parquet", "where": {"kind": "odd"}},
        "no_row": {"table": "data/kinds.parquet", "where": {"kind": "even"}},
        "odd": TABLE,
    }
    rows, missing = read_all(read_layout(Path("claims.yaml")), content)
    assert list(rows) == ["default", "odd"]
    assert missing["no_file"].startswith("data/none.parquet: ")
    assert missing["no_row"] == "no row with kind even; there are odd, plain"


def test_rows_are_selected_by_the_exact_values_of_their_columns():
    rows = pl.DataFrame({"stop": ["forced", "forced", "honoured"], "max_len": [50, 300, 300]})
    assert select_rows(rows, {"stop": "forced", "max_len": 300}).rows() == [("forced", 300)]
    assert select_rows(rows.cast({"max_len": pl.Float64}), {"max_len": 50}).height == 1


def test_a_list_selects_the_rows_of_any_of_its_values():
    rows = pl.DataFrame({"rating": [1, 2, 5, 1], "arm": ["full", "full", "full", "lora"]})
    low = select_rows(rows, {"rating": [2, 1], "arm": "full"})
    unrated = rows.head(1).with_columns(rating=pl.lit(None, rows["rating"].dtype))
    assert select_rows(pl.concat([rows, unrated]), {"rating": None}).height == 1
    assert low.rows() == [(1, "full"), (2, "full")]
    with pytest.raises(InputError, match="no row with rating 3; there are 1, 2, 5"):
        select_rows(rows, {"rating": [1, 3]})


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"stop": "force"}, "no row with stop force; there are forced, honoured"),
        ({"max_len": "300"}, "no row with max_len 300; there are 1, 50, 300"),  # text, not a number
        ({"stop": "honoured", "max_len": 50}, "no row with max_len 50; there are 300"),
        ({"max_len": True}, "no row with max_len True; there are 1, 50, 300"),
        ({"stopp": "forced"}, r"no column stopp; did you mean stop\?"),
    ],
    ids=str,
)
def test_values_that_no_row_has_are_answered_with_those_there_are(where, message):
    rows = pl.DataFrame({"stop": ["forced", "forced", "honoured"], "max_len": [50, 1, 300]})
    with pytest.raises(InputError, match=message):
        select_rows(rows, where)


def test_an_arm_is_summed_up_by_group_with_intervals(pipeline):
    layout = read_layout(Path("claims.yaml"))
    rows = read_all(layout, {"default": {}})[0]["default"]
    summary = summarize_arm(layout, {None: rows})
    assert summary["kind"]["mean_place"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    found = summary["strict"]["mean_place"]
    assert found["value"] == 5.5  # of 1 ... 10
    assert found["low"] < 5.5 < found["high"]
    ungrouped = summarize_arm(replace(layout, group=None), {None: rows.filter(judge="strict")})
    assert ungrouped == {"": summary["strict"]}


def test_an_arm_whose_trainings_have_units_of_their_own_is_the_mean_of_theirs(pipeline):
    layout = read_layout(Path("claims.yaml"))
    tables = {
        seed: pl.DataFrame({"judge": "j", "unit": ["a", "b"], "place": places, "good": None})
        for seed, places in ((17, [1, 3]), (18, [2, 6]), (19, [3, 3]))
    }
    units = {17: "1f", 18: "2e", 19: "3d"}
    found = summarize_arm(layout, tables, units)["j"]["mean_place"]
    half = 4.3026527 / np.sqrt(3)  # of 2, 4 and 3, whose deviation is 1
    assert found == pytest.approx({"value": 3.0, "low": 3 - half, "high": 3 + half})


def test_a_metric_that_counts_nowhere_is_left_out_of_the_sum(pipeline):
    layout = read_layout(Path("claims.yaml"))
    rows = pl.DataFrame({"judge": "j", "unit": ["a", "b"], "place": [1, 2], "good": [None, None]})
    assert list(summarize_arm(layout, {None: rows})["j"]) == ["mean_place"]


def test_only_arms_of_params_are_run_each_with_its_values(pipeline, monkeypatch):
    call(pipeline, "git", "stash", "--quiet")
    commands = []
    monkeypatch.setattr(arms, "run_dvc", lambda *words: commands.append(" ".join(words)))
    monkeypatch.setattr(arms, "experiments_of_head", lambda: {"claim-tiny-base": "0123"})
    monkeypatch.setattr(arms, "remove_experiment", lambda name: commands.append(f"remove {name}"))
    try:
        content = {"base": {}, "two": {"rows.shift": 2, "x.y": False}, "odd": TABLE}
        names, failed = run_arms(
            read_layout(Path("claims.yaml")), content | {"half": {"value": 0.5}}, jobs=2
        )
    finally:
        call(pipeline, "git", "stash", "pop", "--quiet")
    assert commands == [
        "remove claim-tiny-base",
        "exp run --queue --name claim-tiny-base",
        "remove claim-tiny-two",
        "exp run --queue --name claim-tiny-two -S rows.shift=2 -S x.y=false",
        "exp run --run-all --jobs 2",
    ]
    assert (names, failed) == (["claim-tiny-base", "claim-tiny-two"], ["claim-tiny-two"])


def test_a_run_that_counts_is_not_made_again(pipeline, monkeypatch, capsys):
    call(pipeline, "git", "stash", "--quiet")
    queued = []
    monkeypatch.setattr(arms, "run_dvc", lambda *words: queued.append(words))
    monkeypatch.setattr(arms, "remove_experiment", lambda name: None)
    content = {"default": {}, "one": {"rows.shift": 1}, "odd": TABLE}
    try:
        assert run_arms(read_layout(Path("claims.yaml")), content) == ([], [])
        assert "2 of 2 runs are there already" in capsys.readouterr().out
        run_arms(read_layout(Path("claims.yaml")), content | {"two": {"rows.shift": 2}})
    finally:
        call(pipeline, "git", "stash", "pop", "--quiet")
    assert [words[4] for words in queued if "--name" in words] == ["claim-tiny-two"]


def test_no_arm_is_run_on_changed_params(pipeline):
    with pytest.raises(InputError, match=r"params.yaml is changed.*commit it"):
        run_arms(read_layout(Path("claims.yaml")), {"default": {}})
