"""Mistakes in this pipeline's params.yaml: one line naming the key, before anything is fetched."""

import json
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from genlab.core.params import flatten
from genlab.core.program import InputError
from tests.checked_pipeline import arms_without_claim, be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params
from tests.wrong_shapes import misshapen

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


def test_what_the_chat_reads_of_params_yaml_is_what_the_stages_are_given():
    from pipelines.chitchat.chat import PARAMS, chosen
    from pipelines.chitchat.dialogue_rules import Rules

    values = yaml.safe_load((PIPELINE / PARAMS).read_text(encoding="utf-8"))
    found = chosen(flatten(values), "clean", get_type_hints(Rules), PARAMS)
    assert found == values["clean"]


def test_params_of_any_wrong_shape_that_the_chat_reads_are_one_line_that_names_them(tmp_path):
    from pipelines.chitchat.chat import read_values

    path = tmp_path / "params.yaml"
    for text, words in (
        (b"\xff\xfe", "is not in UTF-8"),
        (b"gen: [", "is not readable as YAML"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: 1\na: 2", "a occurs twice"),
        (b"- gen", "must be keys with values"),
        (b"gen: 3", "gen.cap is missing"),
    ):
        path.write_bytes(text)
        with pytest.raises(InputError, match=rf"^{path}.* {words}"):
            read_values(path)
    values = yaml.safe_load((PIPELINE / "params.yaml").read_text(encoding="utf-8"))
    needed = {group: values[group] for group in ("gen", "clean")}
    needed["tokenize"] = {"max_turn_tokens": values["tokenize"]["max_turn_tokens"]}
    n_refused = 0
    for words, content in misshapen(needed):
        path.write_text(json.dumps(content).replace("Infinity", ".inf"))
        try:
            read_values(path)
        except InputError as error:
            n_refused += 1
            assert str(path) in str(error) and "\n" not in str(error), words
        except Exception as error:
            pytest.fail(f"{words}: {error!r}")
    assert n_refused > 100
