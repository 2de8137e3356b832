"""The page on which models answer side by side: every answer, as text, as soon as it is there."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from starlette.testclient import TestClient

from genlab.core.program import InputError
from genlab.web.asking import PAGE, Asking, asking_routes
from genlab.web.server import TOKEN_HEADER, page_app
from genlab.web.streams import Streams
from tests.browser import chromium, trouble_of  # noqa: F401
from tests.project_copy import ROOT

HOSTILE = '<img src=x onerror="document.title=1"><b>plum</b>'


def answer(model: str, prompt: str, draw: int) -> tuple[str, list[str]]:
    if prompt == "too long":
        raise InputError("the prompt is too long for the model")
    if model == "base":
        return "", ["-1.00", ""]
    return f"{HOSTILE} {prompt} {draw}", ["0.50", "2.00"]


ASKING = Asking("Fruits", "a note", "A prompt", ["base", "tuned"], ["proxy", "truth"], answer)


@pytest.fixture
def client() -> TestClient:
    app = page_app(PAGE, asking_routes(ASKING, Streams()), "token", 8000)
    return TestClient(app, base_url="http://127.0.0.1:8000", headers={TOKEN_HEADER: "token"})


def lines(client: TestClient, **body) -> list[dict]:
    reply = client.post("/answers", json=body)
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.text.splitlines()]


def test_every_model_answers_in_order_and_a_mistake_is_told(client):
    assert lines(client, prompt=" name one ", draw=3) == [
        {"model": "base", "text": "", "cells": ["-1.00", ""]},
        {"model": "tuned", "text": f"{HOSTILE} name one 3", "cells": ["0.50", "2.00"]},
        {"done": True},
    ]
    assert lines(client, prompt="too long", draw=0) == [
        {"error": "the prompt is too long for the model"}
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": " ", "draw": 0},
        {"prompt": "a" * 2_001, "draw": 0},
        {"prompt": "\ud800", "draw": 0},
        {"prompt": "a", "draw": -1},
        {"prompt": "a", "draw": True},
        {"prompt": "a", "draw": 2**31},
    ],
)
def test_what_is_no_prompt_is_refused(client, body):
    reply = client.post("/answers", content=json.dumps(body))
    assert reply.status_code == 400 and reply.json()["error"]


def test_the_page_in_a_browser_fills_a_table_for_each_prompt(chromium):  # noqa: F811
    from playwright.sync_api import expect

    expect.set_options(timeout=120_000)
    words = "from tests.web.test_asking import ASKING, PAGE, asking_routes\n"
    words += "from genlab.web.shown_page import show_page\n"
    words += "show_page(PAGE, 0, lambda streams: asking_routes(ASKING, streams))"
    process = subprocess.Popen(
        [sys.executable, "-c", words],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#[\w-]{32}", address), process.stderr.read()
        page = chromium.new_page(viewport={"width": 390, "height": 800})
        page.set_default_timeout(120_000)
        trouble = trouble_of(page)
        page.goto(address)
        expect(page).to_have_title("Fruits")
        page.fill("#prompt", "name two")
        page.press("#prompt", "Enter")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text("(empty)")
        expect(rows.nth(1)).to_contain_text(f"{HOSTILE} name two 0")
        page.get_by_role("button", name="other answers").click()
        expect(rows).to_have_count(4)
        expect(rows.nth(1)).to_contain_text("name two 1")  # the newest table is the first
        expect(page.get_by_role("button", name="other answers")).to_be_focused()
        page.get_by_role("button", name="ask", exact=True).click()
        expect(page.locator("table")).to_have_count(3)
        expect(page.locator("table.growing")).to_have_count(0)
        assert page.locator("main img, main b").count() == 0
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390
        assert not trouble
        page.fill("#prompt", "too long")
        page.press("#prompt", "Enter")
        expect(page.locator("#trouble")).to_have_text("the prompt is too long for the model")
        expect(page.locator("table")).to_have_count(3)
        page.goto(address[:-3])  # an old address: only what follows the # differs
        expect(page.locator("#trouble")).to_contain_text("open the one that the program prints")
        page.goto(address)
        expect(page.locator("#trouble")).to_be_hidden()
        page.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
        assert process.stderr.read().splitlines()[-1] == "interrupted"
    finally:
        process.kill()
        process.communicate()
