"""The reviews pipeline under DVC, in a copy of the repository, at sizes of seconds."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from genlab.core.checks import main
from genlab.core.program import InputError
from tests.project_copy import (
    call,
    change_params,
    commit,
    copy_project,
    dvc,
    stages_run,
    start_git,
)
from tests.tiny_pipeline import enter

ARMS = ["full", "lora_low_ratings"]  # the second starts from the first
SIZES = {
    "corpus.n_reviews": 700,
    "base.source": "mini",
    "base.n_pages": 200,
    "base.vocab_size": 700,
    "base.d_model": 16,
    "base.num_layers": 1,
    "base.num_heads": 2,
    "dedup.test_share": 0.3,
    "arms.full.epochs": 1,
    "arms.lora_low_ratings.epochs": 1,
    "arms.lora_all": ...,  # a process each
    "arms.lora_low_ratings_same_base": ...,
    "arms.lora_tuned": ...,
    "compared.arms": ARMS,
    "gen.n_per_rating": 3,
    "gen.max_len": 16,
    "gen.cap": 16,
    "classify.fluency.vocab_size": 500,
    "classify.fluency.n_embd": 16,
    "classify.fluency.n_head": 2,
    "score.distinct_sample": 20,
}


# Run before every stage, as it lies in the root, where they look for modules.
RECORDER = """\
import os
from pathlib import Path

def replace(source, target, wrapped=os.replace):
    if str(source).endswith(".partial"):
        with open(Path(__file__).with_name("in_place"), "a") as log:
            log.write(f"{target}\\n")
    return wrapped(source, target)

os.replace = replace
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> Path:
    """Return the pipeline's folder in a repository in which it has been run and committed."""
    root = tmp_path_factory.mktemp("reviews") / "project"
    copy_project(root)
    folder = root / "pipelines/reviews"
    change_params(folder, SIZES)
    (folder / "dvc.lock").unlink()  # the committed run's, of more arms
    (root / "sitecustomize.py").write_text(RECORDER)
    start_git(root)
    # The first is DVC's own, see environment.
    (root / ".git/info/exclude").write_text("/pipelines/reviews-dvc/\n/in_place\n")
    result = dvc(folder, "repro")
    assert result.returncode == 0, result.stdout
    commit(root)
    return folder


def read_metrics(folder: Path, name: str) -> dict:
    return json.loads((folder / "metrics" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_output_came_into_its_place_when_it_was_whole(pipeline):
    """By a rename: so a killed stage leaves nothing that could be taken for whole."""
    in_place = set((pipeline / "../../in_place").read_text().splitlines())
    lock = yaml.safe_load((pipeline / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = {out["path"] for stage in lock.values() for out in stage["outs"]}
    assert len(outs) > 20 and outs <= in_place


def test_every_arm_writes_for_the_same_reviews_in_both_ways(pipeline):
    texts = pl.read_parquet(pipeline / "data/generate.parquet")
    assert texts["text_id"].is_unique().all()
    asked = texts.group_by("arm", "decoding").agg(pl.col("review_id").sort(), pl.len())
    assert set(asked.select("arm", "decoding").iter_rows()) == {
        (arm, decoding) for arm in ARMS for decoding in ("study", "greedy")
    }
    assert asked["review_id"].n_unique() == 1 and set(asked["len"]) == {15}
    assert texts.group_by("rating").len()["len"].to_list() == [12] * 5
    assert texts["tokens"].list.len().max() <= 16


def test_scores_stand_between_real_reviews_and_labels_are_counted(pipeline):
    assert set(read_metrics(pipeline, "score")) == {*ARMS, "real", "real_other"}
    assert read_metrics(pipeline, "labels")["labels"]["n"] == 0
    of_full = pl.read_parquet(pipeline / "data/score.parquet")
    assert set(of_full["arm"]) == {"full"} and of_full.height == 30


def test_a_second_run_does_nothing(pipeline):
    result = dvc(pipeline, "repro")
    assert result.returncode == 0 and not stages_run(result)
    assert call(pipeline, "git", "status", "--porcelain") == ""


def test_a_shorter_length_cuts_what_was_generated_and_metrics_diff_tells(pipeline):
    generated = (pipeline / "data/generate.parquet").read_bytes()
    result = dvc(pipeline, "exp", "run", "-S", "gen.max_len=4")
    try:
        assert result.returncode == 0, result.stdout
        assert set(stages_run(result)) == {"check", "score", "rows", "report"}
        assert (pipeline / "data/generate.parquet").read_bytes() == generated
        assert pl.read_parquet(pipeline / "data/score_arms.parquet")["n_tokens"].max() == 4
        assert "full.perplexity" in dvc(pipeline, "metrics", "diff").stdout
    finally:
        call(pipeline, "git", "reset", "--quiet", "--hard")
        assert dvc(pipeline, "checkout", "dvc.yaml").returncode == 0


def test_a_wrong_param_stops_before_any_work(pipeline):
    result = dvc(pipeline, "exp", "run", "--temp", "-S", "prompt.template='{rubrics} {rating}'")
    assert result.returncode != 0
    assert "prompt.template" in result.stdout
    assert stages_run(result) == ["check"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compared.arms": ["full", "lora_low_rating"]}, "did you mean lora_low_ratings"),
        ({"arms.full.ratings": [0, 1]}, "arms.full.ratings"),
        ({"base.num_heads": 3}, "base.d_model=16 must be a multiple of base.num_heads=3"),
    ],
    ids=str,
)
def test_a_wrong_param_is_named(pipeline, tmp_path, monkeypatch, changes, message):
    """By the stage check, here without DVC around it."""
    enter(pipeline, monkeypatch)
    change_params(pipeline, changes)
    try:
        with pytest.raises(InputError) as error:
            main(tmp_path / "check.txt")
    finally:
        call(pipeline, "git", "checkout", "--quiet", "params.yaml")
    assert message in str(error.value)
    assert not (tmp_path / "check.txt").exists()
