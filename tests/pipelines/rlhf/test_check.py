"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

from pathlib import Path

import pytest

from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the pipeline's files, and be in it."""
    files = ("instructions.yaml", "rank.yaml", "labels/.gitkeep", "none")
    return be_in_pipeline(tmp_path, monkeypatch, ROOT / "pipelines/rlhf", *files)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"compared.arms": ["main"], "score.at": "peak", "rank.by": "people"},
        {"rank.cap": 95, "reward.n_layer": 2, "score.training": 26, "score.arm": "dpo"},
        {"rank.by": "given", "rank.cap": 500},
        {"arms.more": {"algorithm": "grpo", "beta": 0.0, "ptx_gamma": 1.0, "n_seeds": 2}},
    ],
    ids=str,
)
def test_what_can_run_passes(folder, changes):
    change_params(folder, changes)
    assert run_check() == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"arms.main.beta": -0.1}, "arms.main.beta=-0.1: should be greater"),
        ({"arms.main.algorithm": "ppo"}, "arms.main.algorithm=ppo: 'ppo' is not one of 'rloo'"),
        ({"rl.snapshots": [3, 99]}, "rl.snapshots: step 99 is not among rl.steps=40"),
        ({"rl.snapshots": [3]}, "rl.snapshots: must have the last step, rl.steps=40"),
        ({"rank.n_answers": 1}, "rank.n_answers=1: should be greater"),
        ({"reward.ties": "keep"}, "reward.ties=keep: 'keep' is not one of 'drop', 'refuse'"),
        (
            {"base.source": "mini", "base.n_head": 5},
            "base.n_embd=96 must be a multiple of base.n_head=5",
        ),
        ({"compared.arms": ["main", "gpro"]}, "compared.arms"),
        ({"compared.arms": ["ptx", "grpo"]}, "score.arm=main wrote no answers; there are base, s"),
        ({"score.arm": "nosuch"}, "score.arm=nosuch wrote no answers; there are base, sft, start"),
        ({"score.training": 99}, "score.training=99: the trainings are 22 to 26; take one of th"),
        ({"reward.n_layer": 9}, "reward.n_layer=9: data/fetch/reward_base has 2 layers; 0 keeps"),
        ({"reward_base.source": "mini", "reward.n_layer": 3}, "reward.n_layer=3: data/fetch/rew"),
        ({"rank.cap": 96}, "rank.cap=96 new tokens and a prompt exceed base.n_positions=96"),
        ({"gen.cap": 200}, "gen.cap=200 new tokens and a prompt exceed base.n_positions=96"),
        ({"rl.snapshots": [2, 2, 40]}, "rl.snapshots has 2 twice; give each step once"),
    ],
    ids=str,
)
def test_a_mistake_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert message(capsys).startswith(expected)


def test_an_arm_may_not_bear_another_models_name(folder, capsys):
    change_params(folder, {"arms.dpo": {"algorithm": "rloo", "beta": 0.1, "ptx_gamma": 0.0,
                                        "n_seeds": 1}})  # fmt: skip
    assert "arms.dpo" in message(capsys)


def test_every_arm_of_the_claims_is_compared():
    assert arms_without_claim(ROOT / "pipelines/rlhf") <= {"main"}
