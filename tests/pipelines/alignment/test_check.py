"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

import shutil
import sys
from pathlib import Path

import pytest

from genlab.core import checks, program
from tests.project_copy import ROOT, change_params

PIPELINE = ROOT / "pipelines/alignment"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Check a copy of the pipeline's files with some params changed; return its error line."""
    for name in ("dvc.yaml", "params.yaml", "mini_films.yaml"):
        shutil.copy(PIPELINE / name, tmp_path / name)
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", tmp_path / ".dvc/config")
    (tmp_path / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setattr(sys, "argv", ["check", "data/check.txt"])

    def run(changes):
        change_params(Path(), changes)
        with pytest.raises(SystemExit) as exit:
            program.run(checks.app)
        assert Path("data/check.txt").exists() == (not exit.value.code)
        return capsys.readouterr().err.strip()

    return run


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gen.max_len": 50, "compared.arms": ["main"], "score.arm": "before"},
        {"corpus.source": "hub", "base.source": "hub", "reward_model.source": "hub"},
        {"arms.more": {"loss": "hinge+sft", "beta": 2.0, "pairs": "margin"}},
    ],
    ids=str,
)
def test_what_can_run_passes(run, changes):
    assert run(changes) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms.hinge_1.beta": 0}, "arms.hinge_1.beta=0: should be greater"),
        ({"arms.main.beta": -0.1}, "arms.main.beta=-0.1: should be greater"),
        ({"arms.main.loss": "dpo"}, "arms.main.loss=dpo: 'dpo' is not one of 'sigmoid', 'hinge'"),
        ({"arms.main.pairs": "margins"}, "stage train@main needs data/pairs/margins.parquet, which"
         " no stage makes; did you mean data/pairs/margin.parquet?"),
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
def test_a_mistake_is_one_line_that_names_its_key(run, changes, message):
    found = run(changes)
    assert found.startswith(f"error: {message}") and "\n" not in found
