"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from genlab.core.program import InputError
from pipelines.chitchat import conversation
from pipelines.chitchat.chat import load_responder
from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params

PIPELINE = ROOT / "pipelines/chitchat"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the pipeline's files, and be in it."""
    return be_in_pipeline(tmp_path, monkeypatch, PIPELINE, "mini_dialogues.yaml")


def test_the_committed_params_pass(folder):
    assert run_check() == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"compared.arms": ["dialog"]}, "did you mean dialogue?"),
        ({"arms.dialogue.history_turns": 5}, "is more than tokenize.history_turns=3"),
        ({"arms.dialogue.separator": "comma"}, "arms.dialogue.separator=comma"),
        ({"dedup.validation_share": 0.6, "dedup.test_share": 0.4}, "must leave dialogues for"),
        ({"dedup.test_share": 0}, "both be above 0"),
        ({"base.source": "mini", "base.n_head": 3}, "n_head"),
        ({"gen.cap": 300, "gen.max_len": 300}, "gen.cap=300"),
        ({"gen.max_len": 30}, "gen.max_len=30 is more than the gen.cap=24"),
        ({"corpus.format": "xml"}, "corpus.format=xml"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert expected in message(capsys)


def test_an_arm_called_like_the_true_replies_is_refused(folder, capsys):
    arm = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["arms"]["dialogue"]
    change_params(folder, {"arms.real": arm})
    assert message(capsys) == "arms.real: real is the true replies; give it another name"


def test_every_arm_of_the_claims_is_compared():
    assert arms_without_claim(PIPELINE) == set()


def test_the_chat_decodes_and_cleans_as_the_stages_do(folder, monkeypatch):
    given = yaml.safe_load((PIPELINE / "params.yaml").read_text(encoding="utf-8"))
    change_params(folder, {"gen.temperature": 0.625, "clean.max_chars": 77})
    decoding, rules, max_turn_tokens = values_of_the_chat(folder, monkeypatch)
    shared = {name: given["gen"][name] for name in ("cap", "top_k", "top_p", "num_beams", "seed")}
    assert shared | {"temperature": 0.625} == {
        name: getattr(decoding, name) for name in (*shared, "temperature")
    }
    assert asdict(rules) == given["clean"] | {"max_chars": 77}
    assert max_turn_tokens == given["tokenize"]["max_turn_tokens"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("tokenize", ["a"], "tokenize"),
        ("tokenize.max_turn_tokens", "many", "tokenize.max_turn_tokens=many"),
        ("gen.cap", ..., "gen.cap"),
        ("gen.temperature", -1, "gen.temperature=-1"),
        ("clean.max_chars", 0.5, "clean.max_chars=0.5"),
        ("clean", None, "clean"),
    ],
)
def test_params_that_a_chat_cannot_take_are_one_line_that_names_them(
    folder, monkeypatch, key, value, expected
):
    change_params(folder, {key: value})
    with pytest.raises(InputError, match=f"^[^\\n]*{expected}[^\\n]*$"):
        values_of_the_chat(folder, monkeypatch)


def values_of_the_chat(folder, monkeypatch):
    """Return how the chat would decode and clean, and the most tokens of a turn."""
    monkeypatch.setattr(conversation, "Responder", lambda model, *values: values)
    return load_responder(folder)
