"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

from pathlib import Path

import pytest

from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the pipeline's files, and be in it."""
    return be_in_pipeline(tmp_path, monkeypatch, ROOT / "pipelines/alignment", "mini_films.yaml")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gen.max_len": 50, "compared.arms": ["main"], "score.arm": "before"},
        {"corpus.source": "hub", "reward_model.source": "hub"},
        {"base.source": "hub", "base.revision": "0" * 40},
        {"arms.more": {"loss": "hinge+sft", "beta": 2.0, "pairs": "margin"}},
    ],
    ids=str,
)
def test_what_can_run_passes(folder, changes):
    change_params(folder, changes)
    assert run_check() == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"arms.hinge_1.beta": 0}, "arms.hinge_1.beta=0: should be greater"),
        ({"arms.main.beta": -0.1}, "arms.main.beta=-0.1: should be greater"),
        ({"arms.main.loss": "dpo"}, "arms.main.loss=dpo: 'dpo' is not one of 'sigmoid', 'hinge'"),
        ({"arms.main.pairs": "margins"}, "stage train@main needs data/pairs/margins.parquet, which"
         " no stage makes; did you mean data/pairs/margin.parquet?"),
        ({"arms.main.pairs": "../reward"}, "arms.main.pairs=../reward: must be a name; a name"),
        ({"arms.before": {"loss": "hinge", "beta": 0.1, "pairs": "random"}}, "arms.before: before"
         " is the model before alignment; give the arm another name"),
        ({"gen.max_len": 65}, "gen.max_len=65 is more than the gen.cap=64 new tokens"),
        ({"train.n_seed": 3}, "train.n_seed: stage train@main has no such option"),
        ({"pairs.random.strategy": "best"}, "pairs.random.strategy=best: 'best' is not one of"),
        ({"train.learning_rate": float("nan")}, "train.learning_rate=nan: should be"),
        ({"gen.num_beams": 2, "gen.max_len": 50}, "gen.num_beams=2 needs gen.max_len=50 equal to"
         " gen.cap=64"),
        ({"train.save_steps": 5, "train.logging_steps": 2}, "train.save_steps=5 must be a multiple"
         " of train.logging_steps=2"),
        ({"gen.cap": 128}, "gen.cap=128 new tokens and a prompt exceed base.n_positions=128"),
        ({"corpus.path": "nowhere"}, "corpus.path=nowhere: no such file or folder"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert message(capsys).startswith(expected)


def test_the_claims_can_be_settled_and_two_arms_are_only_shown():
    assert arms_without_claim(ROOT / "pipelines/alignment") == {"sigmoid_01", "sigmoid_1"}
