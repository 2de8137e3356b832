"""Answers put in order at the desk's page, in a real browser: what is placed is what is kept."""

import polars as pl
import pytest

from tests.browser import chromium  # noqa: F401
from tests.labelling.test_desk import labels, press, running, see, window  # noqa: F401

SHEET = """\
n: 0
seed: 1
arms: all
by: purpose
show:
  prompt: {en: Prompt, ru: Запрос}
question: {en: "Put the answers in order, the best first.", ru: По порядку.}
hint: {en: Keys place an answer., ru: Клавиши.}
choices: order
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a pipeline's folder with a prompt of three answers and one of two, and go there."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "label.yaml").write_text(SHEET, encoding="utf-8")
    pl.DataFrame(
        {
            "text_id": ["of-3", "of-2"],
            "arm": "start",
            "purpose": "reward",
            "prompt": ["name a fruit", "name a tree"],
            "text": ["1. a saw\n\n2. a plum\n\n3. <b>no</b>", "1. oak\n\n2. elm"],
            "n_answers": [3, 2],
        }
    ).write_parquet(tmp_path / "data/generate.parquet")
    return tmp_path


def placed(page) -> tuple[str, list[str]]:
    """Return the order shown so far, and the texts of the buttons that are pressed."""
    hint = page.locator("#hint").inner_text().removesuffix("Keys place an answer.").strip()
    return hint, page.locator("#choices button[aria-pressed=true]").all_inner_texts()


def order_three(page) -> None:
    """Place 2, tie it with 1, take 1 back, and place 1 and 3 behind it."""
    press(page, "2")
    assert placed(page)[0] == "2" and len(placed(page)[1]) == 1
    press(page, "2")  # is placed already
    press(page, "9")  # there is none
    assert placed(page)[0] == "2"
    press(page, "=")
    assert placed(page)[0] == "2="
    press(page, "1")
    assert placed(page)[0] == "2=1" and len(placed(page)[1]) == 2
    press(page, "Backspace")
    assert placed(page)[0] == "2"
    press(page, "1")
    page.wait_for_timeout(350)
    page.locator("#choices button").nth(2).click()


def order_two(page) -> None:
    """Tie the two answers."""
    press(page, "=")  # nothing is placed yet, so there is nothing to be tied with
    press(page, "1")
    press(page, "=")
    press(page, "2")


def test_answers_are_placed_tied_and_taken_back_and_the_whole_order_alone_is_kept(
    folder,
    window,  # noqa: F811
):
    with running(folder) as (_, address):
        page = window(address)
        for n in (1, 2):
            see(page, f"{n - 1} of 2 labelled")
            is_long = page.locator("#choices button").count() == 3
            (order_three if is_long else order_two)(page)
            see(page, f"{n} of 2 labelled")
            assert len(labels(folder)) == n  # no half of an order was ever written
        press(page, "Backspace")  # nothing is placed: the last whole order is taken back
        see(page, "1 of 2 labelled")
        assert placed(page) == ("", [])
    kept = labels(folder)
    assert {each["text_id"]: each["answer"] for each in kept[:2]} == {
        "of-3": "2>1>3",
        "of-2": "1=2",
    }
    assert (kept[2]["text_id"], kept[2]["answer"]) == (kept[1]["text_id"], None)
