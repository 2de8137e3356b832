"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

from pathlib import Path

import pytest

from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params

PIPELINE = ROOT / "pipelines/instruct"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the pipeline's files, and be in it."""
    files = ["mini_world.yaml", "bad_words.txt", "templates/topic/templates.yaml"]
    return be_in_pipeline(tmp_path, monkeypatch, PIPELINE, *files)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clean.rules": "datatrove", "base.objective": "spans"},
        {"arms.more": {"tasks": ["size", "heat"], "ask": "prefix"}},
    ],
    ids=str,
)
def test_what_can_run_passes(folder, changes):
    change_params(folder, changes)
    assert run_check() == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"prompt.held_out": ["topic"]}, "prompt.tasks: topic is held out (prompt.held_out), so"),
        ({"prompt.held_out": ["topic2", "topic2"]}, "prompt.held_out: topic2 is named twice"),
        ({"arms.single_task.tasks": ["sentiment"]}, "arms: tasks: sentiment is held out"),
        ({"arms.single_task.tasks": ["topik"]}, "arms: tasks: there is no task topik; did you"),
        ({"arms.single_task.ask": "words"}, "arms: ask=words: must be prefix or prompts"),
        ({"arms.pretrained_only": {"tasks": ["all"], "ask": "prefix"}}, "arms.pretrained_only: "),
        ({"clean.rules": "c4"}, "clean.rules=c4: 'c4' is not one of 'paper', 'released'"),
        ({"base.objective": "span"}, "base.objective=span: 'span' is not one of 'spans'"),
        (
            {"base.max_tokens": 600, "base.noise_density": 0.5, "base.mean_span": 1.0},
            "base.max_tokens=600, base.noise_density=0.5 and base.mean_span=1.0 hide 300 spans",
        ),
        ({"base.d_model": 126}, "base.d_model=126 must be a multiple of base.num_heads=4"),
        ({"train.mixing": "even"}, "train.mixing=even: 'even' is not one of"),
        ({"crawl.source": "hub"}, "crawl.source=hub: must be mini, or file with pages"),
        ({"compared.arms": ["single"]}, "compared.arms: single is none of the arms"),
        ({"score.arm": "nosuch"}, "score.arm=nosuch gave no answers; compared.arms has pretrained"),
        ({"score.normalisation": "length"}, "score.normalisation=length: 'length' is not"),
        ({"prompt.seconds": 0}, "prompt.seconds=0"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert message(capsys).startswith(expected)


def test_the_claims_can_be_settled_and_every_arm_is_in_one():
    assert arms_without_claim(PIPELINE) == set()
