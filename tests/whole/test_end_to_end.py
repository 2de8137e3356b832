"""The whole pipeline under DVC, in a copy of the repository, at sizes of seconds."""

import json
from itertools import chain, pairwise
from pathlib import Path

import networkx
import polars as pl
import pyarrow as pa
import pytest
import yaml

from tests.project_copy import call, change_params, dvc, environment, stages_run
from tests.tiny_run import SIZES

RANKERS = ["labse", "use", "bm25"]
CANDIDATES = {f"score_candidates@{ranker}" for ranker in RANKERS}
SCORING = {"score", "leakage", "rows"}
LENGTHS = {"lengths", "audit"}
GENERATING = {"generate", "generate_forced", *SCORING, *LENGTHS}


@pytest.fixture
def editable(finished) -> Path:
    """Return the same folder for a test that changes files in git, put back afterwards."""
    yield finished
    call(finished, "git", "reset", "--quiet", "--hard")


@pytest.fixture
def project(editable) -> Path:
    """Return the same folder for a test that runs stages, put back afterwards."""
    yield editable
    call(editable, "git", "reset", "--quiet", "--hard")
    assert dvc(editable, "checkout", "dvc.yaml").returncode == 0


def read_metrics(folder: Path, name: str) -> dict:
    return json.loads((folder / "metrics" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_output_is_there_and_nothing_half_written(finished):
    lock = yaml.safe_load((finished / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert set(lock) >= {"check", "train", "probe", "report"} | GENERATING | CANDIDATES
    outs = [out["path"] for stage in lock.values() for out in stage["outs"]]
    assert len(outs) >= 20
    assert all((finished / out).exists() for out in outs)
    assert not list(finished.rglob("*.partial"))
    assert not any((finished / ".scratch").rglob("checkpoint-*"))


def test_only_metrics_and_the_lock_file_are_left_for_git(finished):
    tracked = set(call(finished, "git", "ls-files").split())
    assert not [name for name in tracked if name.startswith("data/")]
    assert not [name for name in tracked if name.startswith("report/")]
    assert {"dvc.lock", "metrics/score.json", "metrics/lengths.json"} <= tracked
    assert call(finished, "git", "status", "--porcelain") == ""


def test_rows_in_are_rows_out_and_rows_dropped(finished):
    rows = {
        name: pl.read_parquet(finished / f"data/{name}.parquet")
        for name in ("fetch/corpus", "clean", "dedup")
    }
    for stage, before in (("clean", "fetch/corpus"), ("dedup", "clean")):
        for unit in ("queries", "passages", "lines"):
            flow = read_metrics(finished, stage).get(unit)
            if flow is None:
                continue
            assert flow["in"] == flow["out"] + sum(flow["dropped"].values()), (stage, unit)
        metrics = read_metrics(finished, stage)
        assert metrics["queries"]["in"] == rows[before].height
        assert metrics["queries"]["out"] == rows[stage].height
        assert metrics["passages"]["in"] == rows[before]["passages"].list.len().sum()
        assert metrics["passages"]["out"] == rows[stage]["passages"].list.len().sum()


def test_tokens_in_are_tokens_out_and_the_tail(finished):
    for split, counts in read_metrics(finished, "tokenize")["splits"].items():
        assert counts["tokens_in"] == counts["tokens_out"] + counts["tokens_tail"]
        assert counts["queries_in"] == counts["queries_without_selected"] + counts["documents"]
        with pa.memory_map(str(finished / f"data/tokenize/{split}.arrow")) as file:
            table = pa.ipc.open_stream(file).read_all()
        assert table.num_rows == counts["rows"]
        assert sum(map(len, table["input_ids"].to_pylist())) == counts["tokens_out"]


def test_every_evaluated_query_has_a_text_of_at_most_cap_tokens_and_a_row_per_ranker(finished):
    queries = pl.read_parquet(finished / "data/dedup.parquet").filter(split="validation")
    texts = pl.read_parquet(finished / "data/generate.parquet")
    rows = pl.read_parquet(finished / "data/score.parquet")
    assert texts["query_id"].to_list() == queries["query_id"].to_list()
    assert texts["tokens"].list.len().max() <= SIZES["gen.cap"]
    assert rows.height == queries.height * len(RANKERS)
    for ranker in RANKERS:
        scored = rows.filter(ranker=ranker)
        assert scored["query_id"].to_list() == queries["query_id"].to_list()
        n_passages = queries["passages"].list.len().to_list()
        assert scored["n_candidates"].to_list() == n_passages


def test_every_metric_of_a_ranker_is_recomputed_from_the_rows(finished):
    rows = pl.read_parquet(finished / "data/score.parquet")
    metrics, details = read_metrics(finished, "score"), read_metrics(finished, "score_details")
    assert set(metrics) == {*RANKERS, "texts"}
    for ranker in RANKERS:
        mine = rows.filter(ranker=ranker)
        expected = {
            "average_loc": mine["location"].mean(),
            "average_rel_loc": (mine["location"] / (mine["n_candidates"] + 1)).mean(),
            "top_1": mine["top_1"].mean(),
            "top_3": mine["top_3"].mean(),
            "top_5": mine["top_5"].mean(),
            "fdaro": mine.filter("answerable")["fdaro"].mean(),
            "fdaro_any": mine.filter("answerable")["fdaro_any"].mean(),
            "n_queries": mine.height,
            "n_answerable": mine["answerable"].sum(),
            "n_topics": mine["topic"].n_unique(),
            "unread_rate": 0.0,  # BM25 reads texts of any length
        }
        assert metrics[ranker] == pytest.approx(expected, abs=1e-12)
        for metric, beside in details[ranker].items():
            whole = beside["all"]
            assert whole["low"] <= metrics[ranker][metric] <= whole["high"], (ranker, metric)


def test_the_text_measures_are_recomputed_from_the_generated_texts(finished):
    max_len = SIZES["gen.max_len"]
    texts = pl.read_parquet(finished / "data/generate.parquet")
    cut = [tokens[:max_len] for tokens in texts["tokens"].to_list()]
    ended = [
        finished and len(tokens) <= max_len
        for finished, tokens in texts.select("finished", "tokens").iter_rows()
    ]
    pairs = [pair for tokens in cut for pair in pairwise(tokens)]
    measures = read_metrics(finished, "score")["texts"]
    assert measures["mean_new_tokens"] == pytest.approx(sum(map(len, cut)) / len(cut))
    assert measures["finished_rate"] == pytest.approx(sum(ended) / len(ended))
    assert measures["distinct_1"] == pytest.approx(len(set(chain(*cut))) / sum(map(len, cut)))
    assert measures["distinct_2"] == pytest.approx(len(set(pairs)) / len(pairs))


def test_the_curve_of_lengths_ends_at_the_cap_and_holds_every_ranker(finished):
    points = read_metrics(finished, "lengths")
    curves = {(point["ranker"], point["stop"]) for point in points}
    assert {ranker for ranker, _ in curves} == set(RANKERS)
    for ranker, stop in curves:
        curve = [point for point in points if (point["ranker"], point["stop"]) == (ranker, stop)]
        assert [point["max_len"] for point in curve] == [10, 20, 24]
        for point in curve:
            assert point["low"] <= point["average_loc"] <= point["high"]


def test_a_second_repro_runs_nothing(finished):
    result = dvc(finished, "repro")
    assert result.returncode == 0
    assert stages_run(result) == []
    assert call(finished, "git", "status", "--porcelain") == ""


def stages_to_run(folder: Path, monkeypatch) -> set[str]:
    """Return what `dvc repro` would run: what changed, and what stands below it.

    Nothing stands below check: what it writes is always the same.
    """
    from dvc.repo import Repo

    monkeypatch.chdir(folder)
    for name, value in environment(folder).items():
        if name.startswith("DVC_"):
            monkeypatch.setenv(name, value)
    with Repo() as repo:
        changed = set(repo.status(["dvc.yaml"]))  # not of the pipelines in sub-folders
        # DVC's edges point from a stage to those it needs.
        graph = networkx.relabel_nodes(repo.index.graph, lambda stage: stage.addressing)
    return changed.union(*(networkx.ancestors(graph, stage) for stage in changed - {"check"}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"gen.max_len": 8}, SCORING),
        ({"score.strip_query": False}, SCORING),
        ({"score.rankers": ["use"]}, {"probe", *SCORING, *LENGTHS}),
        ({"lengths.strip_query": False}, LENGTHS),
        ({"lengths.step": 5}, LENGTHS),
        ({"gen.cap": 30}, {"generate", *SCORING, *LENGTHS}),
        ({"gen.seed": 1}, GENERATING),
        ({"gen.model": "base"}, GENERATING),
        ({"forced.cap": 20}, {"generate_forced", *LENGTHS}),
        ({"probe.repeats": [1, 3]}, {"probe"}),
        ({"leakage.query_threshold": 0.8}, {"find_leaks", "leakage"}),
        ({"audit.seed": 1}, {"audit"}),
        ({"train.learning_rate": 0.1}, {"train", *GENERATING}),
        ({"train.lora.r": 4}, {"train", *GENERATING}),
        ({"tokenize.block_size": 32}, {"tokenize", "train", *GENERATING}),
        (
            {"rankers.use.seed": 1},
            {"fetch_ranker@use", "score_candidates@use", "probe", *SCORING, *LENGTHS},
        ),
        ({"score.seed": 1}, {*CANDIDATES, "probe", *SCORING, *LENGTHS}),
        ({"base.seed": 1}, {"fetch_base", "tokenize", "train", "probe", *GENERATING}),
    ],
    ids=lambda value: str(sorted(value)),  # a set's own order differs between test processes
)
def test_a_changed_param_reruns_exactly(editable, monkeypatch, change, expected):
    change_params(editable, change)
    assert stages_to_run(editable, monkeypatch) == {"check", "report"} | expected


def test_an_experiment_on_the_length_scores_again_and_its_metrics_can_be_compared(project):
    experiment = dvc(project, "exp", "run", "--name", "len-8", "-S", "gen.max_len=8")
    assert experiment.returncode == 0, experiment.stdout
    assert set(stages_run(experiment)) == {"check", "report", *SCORING}
    assert "average_loc" in experiment.stdout

    difference = dvc(project, "metrics", "diff")
    assert difference.returncode == 0, difference.stdout
    lines = [line.split() for line in difference.stdout.splitlines()]
    assert ["metrics/score.json", "texts.mean_new_tokens"] in [line[:2] for line in lines]
    assert {line[0] for line in lines if line} == {"Path", "metrics/score.json"}


def test_the_same_seeds_give_the_same_bytes(project):
    """Run again without DVC's cache, not looked up in it."""
    result = dvc(project, "repro", "--force", "--single-item", "generate", "score")
    assert result.returncode == 0, result.stdout
    assert stages_run(result) == ["generate", "score"]
    # dvc.lock has the hash of every output; metrics are files of git's.
    assert call(project, "git", "status", "--porcelain") == ""


def test_a_wrong_param_stops_before_any_other_stage(project):
    result = dvc(project, "exp", "run", "-S", "gen.max_len=25")
    assert result.returncode != 0
    assert stages_run(result) == ["check"]
    errors = [line for line in result.stdout.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "gen.max_len=25" in errors[0]
    assert "gen.cap=24" in errors[0]
    assert "Traceback" not in result.stdout
    assert call(project, "git", "status", "--porcelain", "metrics", "dvc.lock") == ""


def test_a_misspelt_key_is_refused_by_dvc_itself(project):
    result = dvc(project, "exp", "run", "-S", "gen.max_length=8")
    assert result.returncode != 0
    assert stages_run(result) == []
    assert "gen.max_length" in result.stdout


def test_a_file_in_place_of_the_data_folder_is_named(project):
    (project / "data").rename(project.parent / "data")
    (project / "data").write_text("in the way")
    result = dvc(project, "repro")
    (project / "data").unlink()
    (project.parent / "data").rename(project / "data")
    assert result.returncode != 0
    assert stages_run(result) == []
    assert "Not a directory" in result.stdout
    assert str(project / "data") in result.stdout
