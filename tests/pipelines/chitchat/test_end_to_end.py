"""The chitchat pipeline under DVC, in a copy of the repository, at sizes of seconds."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.project_copy import change_params, commit, copy_project, dvc, stages_run, start_git

SIZES = {
    "corpus.n_dialogues": 300,
    "base.source": "mini",
    "base.n_dialogues": 100,
    "base.vocab_size": 500,
    "base.n_embd": 16,
    "base.n_head": 2,
    "dedup.test_share": 0.2,
    "tokenize.pickle": True,
    "train.epochs": 1,
    "train.n_dialogues": 60,
    "compared.arms": ["dialogue", "dialogue_without_history"],
    "gen.n_replies": 20,
    "gen.max_len": 8,
    "gen.cap": 8,
    "score.distinct_sample": 20,
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> Path:
    """Return the pipeline's folder in a repository in which it has been run and committed."""
    root = tmp_path_factory.mktemp("chitchat") / "project"
    copy_project(root)
    folder = root / "pipelines/chitchat"
    change_params(folder, SIZES)
    (folder / "dvc.lock").unlink(missing_ok=True)
    start_git(root)
    (root / ".git/info/exclude").write_text("/pipelines/chitchat-dvc/\n")
    result = dvc(folder, "repro")
    assert result.returncode == 0, result.stdout
    commit(root)
    return folder


def test_everything_is_there_and_adds_up(pipeline):
    said = pl.read_parquet(pipeline / "data/generate.parquet")
    assert said["arm"].unique(maintain_order=True).to_list() == SIZES["compared.arms"]
    assert said.group_by("arm").len()["len"].n_unique() == 1
    dedup = json.loads((pipeline / "metrics/dedup.json").read_text())["dialogues"]
    assert dedup["in"] == dedup["out"] + sum(dedup["dropped"].values()) == 300
    rows = pl.read_parquet(pipeline / "data/score_arms.parquet")
    histories = rows.group_by("arm").agg(pl.col("history").n_unique())
    assert dict(histories.iter_rows()) == {"dialogue": 3, "dialogue_without_history": 1, "real": 1}
    read = pl.read_parquet(pipeline / "data/read.parquet")
    assert (read["n_tokens"] > 0).all() and (read["nats"] > 0).all()
    names = {path.name for path in (pipeline / "data/tokenize").iterdir()}
    assert names == {
        f"{split}.{ending}"
        for split in ("test", "train", "validation")
        for ending in ("arrow", "pkl")
    }
    training = json.loads((pipeline / "metrics/train/dialogue.json").read_text())["training"]
    assert training["overfitting_epoch"] == 2 and training["overfits"] == 0  # of one epoch


def test_a_shorter_cut_runs_score_alone_and_a_second_run_nothing(pipeline):
    assert "Running stage" not in dvc(pipeline, "repro").stdout
    result = dvc(pipeline, "exp", "run", "-S", "gen.max_len=4")
    assert result.returncode == 0, result.stdout
    assert sorted(stages_run(result)) == ["check", "report", "rows", "score"]
