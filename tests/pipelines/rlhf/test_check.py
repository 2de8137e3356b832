"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

from pathlib import Path

import pytest

from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params

OWN = {"corpus.source": "file", "corpus.path": "rank.yaml"}


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
        {"rank.cap": 70, "reward.n_layer": 2, "score.training": 26, "score.arm": "dpo"},
        OWN | {"rank.by": "given", "rank.cap": 500},
        OWN | {"rank.by": "people"},
        {"rank.noise": 0.0, "rank.step": 1e-9},
        {"reward.n_seeds": 7, "dpo.n_seeds": 7},
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
        ({"rl.max_completion_length": 96}, "rl.max_completion_length=96 new tokens and a prompt e"),
        (
            {"rl.max_completion_length": 90},
            "rl.max_completion_length=90 new tokens and a prompt of 19 words exceed base.n_posit",
        ),
        ({"gen.cap": 90}, "gen.cap=90 new tokens and a prompt of 19 words exceed base.n_position"),
        ({"rank.cap": 90}, "rank.cap=90 new tokens and a prompt of 19 words exceed base.n_posit"),
        (
            {"reward.n_seeds": 1, "dpo.n_seeds": 1, "score.training": 22},
            "arms.main.n_seeds=5: there are 1 reward models; raise reward.n_seeds, or lower it",
        ),
        (
            {"dpo.n_seeds": 7},
            "dpo.n_seeds=7: DPO is compared training by training, and there are 5",
        ),
        (
            {"dpo.n_seeds": 2},
            "dpo.n_seeds=2: DPO is compared training by training, and there are 5",
        ),
        (OWN, "rank.by=rule: only the mini world has a hidden rule; take rank.by=given or people"),
        ({"rank.by": "given"}, "rank.by=given: the prompts of the mini world come without answers"),
        ({"gen.n_best_prompts": 5000}, "gen.n_best_prompts=5000: corpus.n_held_out=200 prompts"),
        ({"rank.step": 1e-4}, "rank.step=0.0001: too fine for rank.noise=0.4; give 0 for no ties"),
        (
            {"rank.noise": 1e-9, "rank.step": 1e-9},
            "rank.step=1e-09: too fine for rank.noise=1e-09; give 0 for no ties, or at least 0.001",
        ),
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
