"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

from pathlib import Path

import pytest

from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the pipeline's files, and be in it."""
    return be_in_pipeline(tmp_path, monkeypatch, ROOT / "pipelines/reviews", "mini_reviews.yaml")


def test_the_committed_params_pass(folder):
    assert run_check() == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"compared.arms": ["full", "lora_tune"]},
            "compared.arms: lora_tune is none of the arms in params.yaml (full, lora_all, "
            "lora_low_ratings, lora_low_ratings_same_base, lora_tuned); did you mean lora_tuned?",
        ),
        ({"compared.arms": ["full", "full"]}, "compared.arms: full is named twice"),
        ({"arms.full.ratings": [0, 5]}, "arms.full.ratings=[0, 5]: should be greater"),
        ({"arms.lora_all.lora.r": 0}, "arms.lora_all.lora.r=0"),
        ({"prompt.template": "{rubrics} {rating}"}, "prompt.template"),
        ({"base.num_heads": 3}, "num_heads"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert expected in message(capsys)


def test_the_claims_can_be_settled():
    assert arms_without_claim(ROOT / "pipelines/reviews") == set()
