"""Asking the arms: in the terminal and on the page the same answers."""

import json

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.web.streams import Streams
from pipelines.instruct import ask
from tests.checked_pipeline import be_in_pipeline
from tests.project_copy import ROOT, change_params
from tests.tiny_t5 import make_tokenizer, save_t5

PIPELINE = ROOT / "pipelines/instruct"
TASK = "кафе, борщ"


ARM = "multitask"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The base and an arm; and an arm of a name that params.yaml had before."""
    data = tmp_path_factory.mktemp("ask") / "data"
    save_t5(data / "fetch/base", seed=1)
    save_t5(data / f"train/{ARM}", seed=2)
    save_t5(data / "train/renamed_since", seed=3)
    return data


@pytest.fixture(autouse=True)
def folder(data, tmp_path, monkeypatch):
    """The pipeline's folder after a run that compared one arm."""
    be_in_pipeline(tmp_path, monkeypatch, PIPELINE)
    change_params(tmp_path, {"compared.arms": [ARM], "tokenize.max_input_tokens": 20})
    (tmp_path / "data").symlink_to(data)
    return tmp_path


def asked(*words: str) -> str:
    result = CliRunner().invoke(ask.app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_every_arm_answers_and_the_page_says_the_same(monkeypatch):
    free = json.loads(asked("--json", TASK))
    chosen = json.loads(asked("--json", TASK, "зал", "врач"))
    assert list(free) == list(chosen) == ["pretrained_only", ARM]
    for each in chosen.values():
        assert sum(each["share"].values()) == pytest.approx(1)
        assert each["answer"] in ("зал", "врач")

    pages = []
    monkeypatch.setattr(ask, "show_page", lambda folder, port, load: pages.append(load))
    asked("--page")
    client = TestClient(Starlette(routes=pages[0](Streams())))

    def said(prompt: str) -> list[dict]:
        reply = client.post("/answers", json={"prompt": prompt, "draw": 0})
        return [json.loads(line) for line in reply.text.splitlines()]

    assert said(TASK) == [
        *({"model": arm, "text": each["answer"], "cells": [""]} for arm, each in free.items()),
        {"done": True},
    ]
    assert said(f"{TASK} | зал | врач")[:-1] == [
        {
            "model": arm,
            "text": each["answer"],
            "cells": [f"{max(each['share'].values()):.0%}"],
        }
        for arm, each in chosen.items()
    ]
    assert said(f"{TASK} | зал") == [
        {"error": "choices must be two or more, none empty, none twice"}
    ]


def test_what_cannot_be_asked_is_named():
    for words, message in (
        ([" "], "big small, or --page"),
        (["a", "b", "b"], "choices must be two or more"),
        (["a", "--arm", "other"], "--arm other: there are pretrained_only, multitask"),
        (["\udcff hello"], "bytes that are no text in UTF-8"),
        (["a", "b", "\udcff"], "bytes that are no text in UTF-8"),
        (["a", "🐶", "🐱"], "two choices have the same tokens"),
        (["a", "--page"], "--page: the task is typed there"),
    ):
        with pytest.raises(InputError, match=message):
            asked(*words)


def test_a_task_is_cut_as_in_training_and_that_is_said():
    whole = json.loads(asked("--json", "--arm", ARM, TASK, "зал", "врач"))[ARM]
    assert whole["tokens_cut"] == 0
    count, found = make_tokenizer(), []
    for n in (20, 40):
        text = f"{TASK} " * n
        found.append(json.loads(asked("--json", "--arm", ARM, text, "зал", "врач"))[ARM])
        assert found[-1]["tokens_cut"] == len(count(text)["input_ids"]) - 20
    long, longer = found
    assert longer["log_probability"] == long["log_probability"] != whole["log_probability"]
    shown = asked("--arm", ARM, f"{TASK} " * 20, "зал", "врач")
    assert f"multitask: read without its last {long['tokens_cut']} tokens" in shown


def test_a_share_is_not_taken_for_how_often_an_arm_is_right():
    assert "not how often it is right" in asked("--arm", ARM, TASK, "зал", "врач")
    assert "share" not in asked("--arm", ARM, TASK)  # in its own words there is none


def test_what_a_terminal_would_obey_is_not_shown():
    shown = asked("--arm", ARM, TASK, "з\x1b[2Jал", "вр\x9bач\nи")
    assert not {"\x1b", "\x9b"} & set(shown)
    assert "з [2Jал" in shown and "вр ач и" in shown


def test_only_arms_that_are_compared_are_asked_whatever_else_lies_there(folder):
    assert list(json.loads(asked("--json", TASK))) == ["pretrained_only", ARM]
    with pytest.raises(InputError, match="--arm renamed_since: there are pretrained_only, multi"):
        asked("--arm", "renamed_since", TASK)
    change_params(folder, {"compared.arms": [ARM, "single_task"]})
    message = "single_task was not trained, as data/train/single_task holds no model; run `dvc re"
    with pytest.raises(InputError, match=message):
        asked(TASK)
