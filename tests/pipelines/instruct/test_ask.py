"""Asking the arms: in the terminal and on the page the same answers."""

import json

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.web.streams import Streams
from pipelines.instruct import ask
from tests.tiny_t5 import make_tokenizer, save_t5

TASK = "кафе, борщ"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ask")
    save_t5(folder / "data/fetch/base", seed=1)
    save_t5(folder / "data/train/main", seed=2)
    (folder / "params.yaml").write_text("tokenize:\n  max_input_tokens: 20\n")
    return folder


def asked(*words: str) -> str:
    result = CliRunner().invoke(ask.app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_every_arm_answers_and_the_page_says_the_same(folder, monkeypatch):
    monkeypatch.setattr(ask, "HERE", folder)
    free = json.loads(asked("--json", TASK))
    chosen = json.loads(asked("--json", TASK, "зал", "врач"))
    assert list(free) == list(chosen) == ["pretrained_only", "main"]
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


def test_what_cannot_be_asked_is_named(folder, monkeypatch):
    monkeypatch.setattr(ask, "HERE", folder)
    for words, message in (
        ([" "], "big small, or --page"),
        (["a", "b", "b"], "choices must be two or more"),
        (["a", "--arm", "other"], "--arm other: there are pretrained_only, main"),
        (["\udcff hello"], "bytes that are no text in UTF-8"),
        (["a", "b", "\udcff"], "bytes that are no text in UTF-8"),
        (["a", "🐶", "🐱"], "two choices have the same tokens"),
        (["a", "--page"], "--page: the task is typed there"),
    ):
        with pytest.raises(InputError, match=message):
            asked(*words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"\xff", "is not in UTF-8"),
        (b"tokenize: [", "is not readable as YAML"),
        (b"- tokenize", "must be keys with values"),
        (b"tokenize: 3", "tokenize.max_input_tokens is None, not a number"),
        (b"tokenize: {max_input_tokens: x}", "tokenize.max_input_tokens is x, not a number"),
    ],
)
def test_params_that_cannot_be_read_are_named(tmp_path, text, words):
    (tmp_path / "params.yaml").write_bytes(text)
    with pytest.raises(InputError, match=rf"params.yaml:? {words}"):
        ask.read_max_input_tokens(tmp_path / "params.yaml")


def test_a_task_is_cut_as_in_training_and_that_is_said(folder, monkeypatch):
    monkeypatch.setattr(ask, "HERE", folder)
    whole = json.loads(asked("--json", "--arm", "main", TASK, "зал", "врач"))["main"]
    assert whole["tokens_cut"] == 0
    count, found = make_tokenizer(), []
    for n in (20, 40):
        text = f"{TASK} " * n
        found.append(json.loads(asked("--json", "--arm", "main", text, "зал", "врач"))["main"])
        assert found[-1]["tokens_cut"] == len(count(text)["input_ids"]) - 20
    long, longer = found
    assert longer["log_probability"] == long["log_probability"] != whole["log_probability"]
    shown = asked("--arm", "main", f"{TASK} " * 20, "зал", "врач")
    assert f"main: read without its last {long['tokens_cut']} tokens" in shown


def test_what_a_terminal_would_obey_is_not_shown(folder, monkeypatch):
    monkeypatch.setattr(ask, "HERE", folder)
    shown = asked("--arm", "main", TASK, "з\x1b[2Jал", "вр\x9bач\nи")
    assert not {"\x1b", "\x9b"} & set(shown)
    assert "з [2Jал" in shown and "вр ач и" in shown
