"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

import shlex
from pathlib import Path

import pytest
import yaml

from genlab.core.pipeline import load_stages
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
        ({"corpus.rubric_separator": ""}, "corpus.rubric_separator is empty; give what stands"),
        ({"dedup.validation_share": 0.6, "dedup.test_share": 0.6}, "leave nothing to train on"),
        ({"enrich.separator": ""}, "enrich.separator is empty; give the characters that stand"),
        ({"prompt.template": "{rubrics} {rating}"}, "prompt.template"),
        ({"base.num_heads": 3}, "num_heads"),
        (
            {"arms.full.seed": 9},
            "arms.full.seed: stage train@full has this option already, by train.seed; leave",
        ),
        (
            {"clean.metrics": "x.json"},
            "clean.metrics: stage clean has this option already, by --metrics metrics/clean.json",
        ),
        (
            {"corpus.manifest": "x.json"},
            "corpus.manifest: stage fetch_corpus has this option already, by --manifest",
        ),
        (
            {"clean.no_drop_dates": True},
            "clean.no_drop_dates: no parameter; write clean.drop_dates=false",
        ),
        (
            {"enrich.max_new_tokens": 2**31},
            "enrich.max_new_tokens=2147483648 is too large; at most 1000000",
        ),
        (
            {"classify.fluency.learning_rate": 2},
            "classify.fluency.learning_rate=2.0 is too large; at most 1",
        ),
        ({"dedup.help": True}, "dedup.help: no parameter of stage dedup; leave it out"),
        (
            {"train.mlflow_store": "htp://host/x"},
            "train.mlflow_store=htp://host/x: no store of MLflow's begins so",
        ),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert expected in message(capsys)


def test_a_path_that_is_not_read_may_be_none(folder, capsys):
    change_params(folder, {"fluency_model.path": "none"})
    assert run_check() == 0
    Path("data/check.txt").unlink()
    change_params(folder, {"fluency_model.source": "file"})
    assert "fluency_model.path=none, but fluency_model.source=file reads" in message(capsys)


def test_an_arm_called_like_the_real_reviews_is_refused(folder, capsys):
    full = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["arms"]["full"]
    change_params(folder, {"arms.real": full})
    assert message(capsys) == "arms.real: real is real reviews; give the arm another name"


def test_an_apostrophe_in_the_template_arrives(folder):
    template = "it's {rubrics} $ {rating} \" {keywords}"
    change_params(folder, {"prompt.template": template})
    assert run_check() == 0
    commands = {stage.name: stage.command for stage in load_stages(Path("dvc.yaml"))}
    for name in ("fetch_base", "tokenize"):
        words = shlex.split(commands[name])
        assert words[words.index("--template") + 1] == template


def test_the_claims_can_be_settled():
    assert arms_without_claim(ROOT / "pipelines/reviews") == set()
