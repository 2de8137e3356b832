"""The desk in a real browser, over plain HTTP and in a terminal: no answer is lost or invented."""

import http.client
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

import polars as pl
import pytest
import uvicorn

from genlab.core.interrupts import GRACE
from genlab.core.program import InputError
from genlab.labelling.desk import Desk, OpenDesk, doorway, open_desk
from genlab.labelling.label_files import LabelFile
from genlab.labelling.questionnaire import add_fingerprints, read_questionnaire, sample_texts
from genlab.labelling.terminal import ask_in_terminal
from genlab.web import bodies
from genlab.web.bodies import Refused
from genlab.web.server import TOKEN_HEADER
from tests.browser import chromium  # noqa: F401
from tests.project_copy import ROOT, start_python

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = '<img src=x onerror="document.title=1"><b>Кофе</b> \x1b[2J\u202e & чай'
QUESTIONNAIRE = (Path(__file__).with_name("label.yaml")).read_text(encoding="utf-8")


def texts(each: int = 2) -> pl.DataFrame:
    """Return texts of two arms with ratings 1-5; ids as a careless stage would write them."""
    rows = [
        {
            "text_id": f"{arm}-{rating}-{i}",
            "arm": arm,
            "rubrics": ["Кафе", "Пекарня"],
            "rating": rating,
            "text": f"{HOSTILE} {arm[:1]}{rating}{i}",
        }
        for arm in ("secret_arm", "other_arm")
        for rating in range(1, 6)
        for i in range(each)
    ]
    return pl.DataFrame(rows, schema_overrides={"rating": pl.Int8})


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return the folder of a pipeline with 20 generated texts, and go there."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    texts().write_parquet(tmp_path / "data/generate.parquet")
    (tmp_path / "label.yaml").write_text(QUESTIONNAIRE.replace("n: 100 ", "n: 20 "))
    return tmp_path


@pytest.fixture
def desk(folder) -> Iterator[Desk]:
    sheet = read_questionnaire(folder / "label.yaml")
    known = add_fingerprints(texts(), sheet)
    prints = dict(known.select("text_id", "fingerprint").iter_rows())
    file = LabelFile(folder / "labels/anna.jsonl", sheet.choices, prints)
    yield Desk(sample_texts(known, sheet, "anna"), sheet, file)
    file.close()


def labels(folder: Path, rater: str = "anna") -> list[dict]:
    path = folder / f"labels/{rater}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ---- the desk itself


def test_the_rater_sees_neither_arm_nor_id(desk):
    seen = json.dumps(desk.view()) + json.dumps(
        desk.answer(desk.view()["text"]["id"], "correct", 1)
    )
    assert "arm" not in seen
    assert desk.view()["text"]["beside"].keys() == {"rubrics", "rating"}


def test_what_is_left_is_counted_by_rating(desk):
    first = desk.view()
    assert first["left"] == [[rating, 4] for rating in range(1, 6)]
    rating = first["text"]["beside"]["rating"]
    after = desk.answer(first["text"]["id"], "correct", None)
    assert after["left"] == [[r, 3 if r == rating else 4] for r in range(1, 6)]


def test_an_answer_sent_twice_is_kept_once_and_another_one_is_refused(desk, folder):
    name = desk.view()["text"]["id"]
    assert desk.answer(name, "correct", 1) == desk.answer(name, "correct", 1)
    with pytest.raises(Refused, match="correct"):
        desk.answer(name, "incoherent", 1)
    assert [each["answer"] for each in labels(folder)] == ["correct"]


def test_an_answer_taken_back_twice_is_taken_back_once_and_its_text_is_shown_again(desk, folder):
    first = desk.view()["text"]
    second = desk.answer(first["id"], "correct", 1)["text"]
    desk.answer(second["id"], "correct", 1)
    assert desk.undo(second["id"])["text"] == second
    assert desk.undo(second["id"])["last"]["id"] == first["id"]
    assert [each["answer"] for each in labels(folder)] == ["correct", "correct", None]


@pytest.mark.parametrize(
    ("change", "status"),
    [({"id": "0"}, 410), ({"answer": "fine"}, 400), ({"seconds": -1}, 400), ({"id": None}, 410)],
)
def test_what_is_no_answer_is_refused(desk, change, status):
    given = {"id": desk.view()["text"]["id"], "answer": "correct", "seconds": 1} | change
    with pytest.raises(Refused) as caught:
        desk.answer(given["id"], given["answer"], given["seconds"])
    assert caught.value.status == status
    assert desk.file.answers == {}


# ---- over HTTP


@pytest.fixture
def server(desk) -> Iterator[OpenDesk]:
    opened = open_desk(desk, 0)
    server = uvicorn.Server(uvicorn.Config(opened.app, log_level="critical", lifespan="off"))
    thread = Thread(target=server.run, args=[[opened.bound]])
    thread.start()
    yield opened
    server.should_exit = True
    thread.join()


def port_of(opened: OpenDesk) -> int:
    return opened.bound.getsockname()[1]


def ask(opened, method="POST", path="/view", body="{}", **headers) -> tuple[int, str]:
    """Return status and body of a request as the desk's own page sends it, but for `headers`."""
    given = {"Host": f"127.0.0.1:{port_of(opened)}", TOKEN_HEADER: opened.token} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection = http.client.HTTPConnection("127.0.0.1", port_of(opened), timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"Content-Length": str(len(body))} | given).items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


def test_only_the_page_with_the_token_at_this_address_is_answered(server):
    assert ask(server)[0] == 200
    assert ask(server, X_Token="")[0] == 403
    assert ask(server, X_Token="wrong" * 7)[0] == 403
    assert ask(server, Host="evil.example")[0] == 403
    assert ask(server, Host=f"evil.example:{port_of(server)}")[0] == 403
    assert ask(server, "GET", "/", Host="evil.example")[0] == 403
    assert ask(server, "OPTIONS", X_Token="")[0] == 403
    assert ask(server, "OPTIONS")[0] == 405  # so no other site's page may send the token's header


def test_only_the_pages_own_three_files_are_served(server):
    status, page = ask(server, "GET", "/")
    assert (status, "label desk" in page) == (200, True)
    for path in ("/label.py", "/../labelling.py", "/label_page/../labelling.py", "//etc/passwd"):
        assert ask(server, "GET", path)[0] == 404
    assert server.token not in page


def test_the_style_sheet_brings_every_colour_it_uses_for_light_and_dark(server):
    status, style = ask(server, "GET", "/label.css")
    assert status == 200
    for name in set(re.findall(r"var\((--[\w-]+)\)", style)):
        assert style.count(f"{name}: #") == 2, name


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("", {}),
        ("[]", {}),
        ("{", {}),
        ('{"id": [1]}', {}),
        ("{}", {"Content_Length": "99999"}),
        ("{}", {"Content_Length": "-1"}),
        ('{"id": "1", "answer": "correct"}', {}),
        ('{"id": ' + "[" * 9000, {}),
        ('{"id": "1", "seconds": ' + "9" * 5000 + "}", {}),
        ("{}", {"Content_Length": "9" * 5000}),
    ],
)
def test_a_body_that_is_no_answer_gets_an_error_and_leaves_no_label(
    server, body, headers, monkeypatch
):
    if headers:  # what it promises never comes
        monkeypatch.setattr(bodies, "PATIENCE", 0.5)
    assert 400 <= ask(server, path="/answer", body=body, **headers)[0] < 500
    assert server.desk.file.answers == {}


def test_an_answer_that_the_disk_does_not_take_is_to_be_sent_again(server, monkeypatch):
    body = json.dumps({"id": server.desk.view()["text"]["id"], "answer": "correct", "seconds": 1})
    monkeypatch.setattr(os, "write", lambda *_: 0)
    status, reply = ask(server, path="/answer", body=body)
    assert (status, "No space left" in reply) == (503, True)
    monkeypatch.undo()
    assert ask(server, path="/answer", body=body)[0] == 200


@pytest.mark.parametrize("seconds", ["9" * 400, "1e999", "NaN", "-1e-9"])
def test_a_duration_that_is_none_gets_a_reply_and_leaves_no_label(server, seconds):
    text = server.desk.view()["text"]["id"]
    body = f'{{"id": "{text}", "answer": "correct", "seconds": {seconds}}}'
    assert ask(server, path="/answer", body=body)[0] == 400
    assert server.desk.file.answers == {}


def test_the_port_is_the_same_after_a_restart_and_the_token_a_new_one(desk, folder):
    first = open_desk(desk, 0)
    port = port_of(first)
    first.bound.close()
    again = open_desk(desk, 0)
    assert (port_of(again), again.token == first.token) == (port, False)
    moved = open_desk(desk, 0)  # the port is taken meanwhile
    assert port_of(moved) != port_of(again)
    with pytest.raises(InputError, match="is taken"):
        open_desk(desk, port_of(again))
    again.bound.close()
    moved.bound.close()
    kept = "".join(path.read_text() for path in (folder / ".scratch/label").iterdir())
    assert not any(server.token in kept for server in (first, again, moved))


def test_the_browser_is_led_to_the_page_by_a_file_that_only_this_user_can_read(server):
    with doorway(server) as address:
        path = Path(address.removeprefix("file://"))
        assert server.token not in address
        assert f"url={server.address}" in path.read_text()
        assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    assert not path.exists()


# ---- in a terminal


def answers_typed(desk: Desk, keys: str) -> None:
    """Answer the desk's prompts with one key after another, then Ctrl-C."""
    typed = iter(keys)

    def reply(_: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise KeyboardInterrupt from None

    ask_in_terminal(desk, "en", reply)


def test_the_terminal_asks_the_same_texts_and_keeps_the_answers_in_the_same_file(
    desk, folder, capsys
):
    order = list(desk.texts.values())
    answers_typed(desk, "b1x5b29")
    said = capsys.readouterr().out
    assert "There is no answer to take back." in said
    assert "'x' is no answer." in said and "'9' is no answer." in said
    assert [(each["text_id"], each["answer"]) for each in labels(folder)] == [
        (order[0]["text_id"], "correct"),
        (order[1]["text_id"], "incoherent"),
        (order[1]["text_id"], None),
        (order[1]["text_id"], "any_rubric"),
    ]


def test_a_text_cannot_command_the_terminal(desk, capsys):
    answers_typed(desk, "")
    said = capsys.readouterr().out
    assert "<b>Кофе</b> \ufffd[2J\ufffd & чай" in said
    assert "\x1b" not in said


def test_the_terminal_ends_when_all_texts_have_an_answer(desk, capsys):
    answers_typed(desk, "1" * 30)
    assert len(desk.file.answers) == 20


def test_an_empty_text_says_so(desk, capsys):
    for row in desk.texts.values():
        row["text"] = " \n"
    answers_typed(desk, "")
    assert "\n(This text is empty.)\n" in capsys.readouterr().out


# ---- the program and its page in a browser


@contextmanager
def running(folder: Path, rater: str = "anna") -> Iterator[tuple]:
    """Yield the desk's process and its page's address."""
    process = start_python(["-m", "genlab", "label", "--rater", rater, "--no-browser"], folder)
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("The page: "):
                break
        else:
            raise AssertionError("".join(said) + process.stderr.read())
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def window(chromium) -> Iterator:  # noqa: F811
    """Yield a function that opens an address in a new window; all share one storage."""
    context = chromium.new_context(locale="en-US")
    context.set_default_timeout(60_000)
    thrown: list[str] = []

    def opened(address: str) -> "Page":
        page = context.new_page()
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.goto(address)
        return page

    yield opened
    context.close()
    assert not thrown, thrown


def see(page: "Page", words: str) -> None:
    page.get_by_text(words).first.wait_for()


def press(page: "Page", key: str) -> None:
    """Press a key after the third of a second in which the page takes none for an answer."""
    page.wait_for_timeout(350)
    page.keyboard.press(key)


def test_answers_by_keyboard_survive_a_killed_desk_and_the_kept_one_is_saved_when_it_is_back(
    folder, window
):
    with running(folder) as (process, address):
        page = window(address)
        see(page, "0 of 20 labelled")
        for n, key in enumerate("125", 1):
            press(page, key)
            see(page, f"{n} of 20 labelled")
            assert len(labels(folder)) == n
        press(page, "Backspace")
        see(page, "2 of 20 labelled")
        undone = page.locator("#words").inner_text()
        press(page, "4")
        see(page, "3 of 20 labelled")
        process.kill()
        process.wait()
        assert page.locator("#words").inner_text() != undone
        press(page, "3")
        see(page, "The desk does not answer")
        see(page, "Not saved yet: “Positive text with a low rating (1-2)”")
        kept = page.locator("#words").inner_text()
        press(page, "1")  # no answer while one is kept
    assert [each["answer"] for each in labels(folder)] == [
        "correct",
        "any_rubric",
        "incoherent",
        None,
        "negative_at_high",
    ]
    with running(folder) as (process, again):
        assert (again.partition("#")[0], again == address) == (address.partition("#")[0], False)
        see(page, "the desk was started anew: open the one that the program prints")
        page.goto(again)  # in the same window: only what follows the # differs
        see(page, "4 of 20 labelled")
        assert page.locator("#words").inner_text() != kept
        assert page.locator("#message").is_hidden()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    last = labels(folder)[-1]
    assert last["answer"] == "positive_at_low"
    written = dict(texts().select("text_id", "text").iter_rows())
    assert written[last["text_id"]].split()[-1] == kept.split()[-1]
    assert len({each["text_id"] for each in labels(folder)}) == 4


def test_a_pressed_button_has_the_focus_with_the_next_text_as_well(folder, window):
    """While an answer is on its way its button is disabled, and that takes the focus from it."""
    with running(folder) as (_, address):
        page = window(address)
        see(page, "0 of 20 labelled")
        page.get_by_role("button", name="Incoherent").focus()
        for n in (1, 2):
            press(page, "Enter")
            see(page, f"{n} of 20 labelled")
            page.locator("#choices button:focus").wait_for()
    assert [each["answer"] for each in labels(folder)] == ["incoherent"] * 2


def test_an_answer_kept_in_a_window_that_was_closed_is_handed_in_by_the_next_one(folder, window):
    with running(folder) as (process, address):
        page = window(address)
        see(page, "0 of 20 labelled")
        process.kill()
        process.wait()
        press(page, "5")
        see(page, "The desk does not answer")
        page.close()
    with running(folder) as (process, again):
        see(window(again), "1 of 20 labelled")
    assert [each["answer"] for each in labels(folder)] == ["incoherent"]


def test_of_two_windows_the_first_answer_to_a_text_stands_and_the_second_is_told(folder, window):
    with running(folder) as (_, address):
        first, second = window(address), window(address)
        see(first, "0 of 20 labelled")
        see(second, "0 of 20 labelled")
        press(first, "1")
        see(first, "1 of 20 labelled")
        press(second, "2")
        see(second, "given another answer in a second window, which stands: “Correct")
        see(second, "1 of 20 labelled")
        press(second, "2")
        see(second, "2 of 20 labelled")
        assert second.locator("#message").is_hidden()
    assert [each["answer"] for each in labels(folder)] == ["correct", "any_rubric"]


def test_two_raters_label_at_the_same_time_and_each_has_a_file(folder, window):
    with running(folder) as (_, annas), running(folder, rater="bea") as (_, beas):
        for address, key in ((annas, "1"), (beas, "2")):
            page = window(address)
            see(page, "0 of 20 labelled")
            press(page, key)
            see(page, "1 of 20 labelled")
    assert [each["answer"] for each in labels(folder)] == ["correct"]
    assert [each["answer"] for each in labels(folder, "bea")] == ["any_rubric"]


# Presses 3 in the moment in which the third text is shown, which a test's own process may miss.
ANSWERED_AT_ONCE = """
  window.quick = false;
  new MutationObserver((_, observer) => {
    if (!document.getElementById("count").textContent.startsWith("2 ")) return;
    observer.disconnect();
    window.quick = dispatchEvent(new KeyboardEvent("keydown", { key: "3" }));
  }).observe(document.getElementById("count"), { childList: true });
"""


def test_texts_are_shown_as_text_and_a_held_or_a_quick_second_key_is_no_answer(folder, window):
    with running(folder) as (_, address):
        page = window(address)
        see(page, "0 of 20 labelled")
        assert (
            '<img src=x onerror="document.title=1"><b>Кофе</b>'
            in page.locator("#words").inner_text()
        )
        assert page.locator("#text img, #text b").count() == 0
        assert page.title() == "genlab label desk"
        page.wait_for_timeout(350)
        page.keyboard.down("1")
        for _ in range(5):
            page.keyboard.down("1")  # held: repeats
        see(page, "1 of 20 labelled")
        page.keyboard.up("1")
        page.evaluate(ANSWERED_AT_ONCE)
        press(page, "Control+3")
        press(page, "9")
        press(page, "2")
        see(page, "2 of 20 labelled")
        assert page.evaluate("quick")
        page.locator("#choices button").nth(4).click(delay=350)
        see(page, "3 of 20 labelled")
    answers = [each["answer"] for each in labels(folder)]
    assert answers == ["correct", "any_rubric", "incoherent"]


def test_a_wrong_address_and_an_empty_text_say_so_and_the_language_can_be_changed(folder, window):
    texts().with_columns(text=pl.lit(" ")).write_parquet(folder / "data/generate.parquet")
    with running(folder) as (_, address):
        see(window(address[:-3]), "open the one that the program prints")
        page = window(address)
        see(page, "(This text is empty.)")
        page.get_by_role("button", name="русский").click()
        see(page, "размечено 0 из 20")
        see(page, "Бессвязный")


def test_the_page_says_when_all_texts_have_an_answer_and_the_last_can_still_be_taken_back(
    folder, window
):
    (folder / "label.yaml").write_text(QUESTIONNAIRE.replace("n: 100 ", "n: 2 "))
    with running(folder) as (_, address):
        page = window(address)
        see(page, "0 of 2 labelled")
        press(page, "1")
        see(page, "1 of 2 labelled")  # the second text asks the same question
        press(page, "2")
        see(page, "All texts have an answer.")
        press(page, "Backspace")
        see(page, "1 of 2 labelled")
        see(page, "Which is true of this review?")


def test_a_number_of_stars_that_cannot_be_is_said_and_its_text_is_shown(folder, window):
    (folder / "label.yaml").write_text(QUESTIONNAIRE.replace("n: 100 ", "n: 2 "))
    odd = pl.when(pl.col("rating") > 2).then(7).otherwise(-1)
    texts().with_columns(rating=odd).write_parquet(folder / "data/generate.parquet")
    with running(folder) as (_, address):
        page = window(address)
        seen = set()
        for n in range(2):
            see(page, f"{n} of 2 labelled")
            see(page, "Кофе")
            seen.add(page.locator(".stars").inner_text())
            press(page, "1")
        see(page, "All texts have an answer.")
    assert seen == {"★★★★★", "☆☆☆☆☆"}


def program(
    folder: Path, *options: str, typed: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess:
    """Run the desk in the folder; `encoding` is that of what is typed."""
    return subprocess.run(
        [sys.executable, "-m", "genlab", "label", "--rater", "anna", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input=typed,
        capture_output=True,
        encoding=encoding,
    )


def test_a_key_that_is_no_text_is_no_answer_and_the_terminal_asks_again(folder):
    done = program(folder, "--terminal", typed="\xe9\n1\nq\n", encoding="latin-1")
    assert done.returncode == 0, done.stderr
    assert "'' is no answer." in done.stdout and "1 of 20 texts have an answer" in done.stdout


def test_the_terminal_mode_resumes_where_the_page_ended_and_names_what_a_hand_has_broken(folder):
    assert "2 of 20" in program(folder, "--terminal", typed="1\n2\n").stdout
    done = program(folder, "--terminal", typed="3\nq\n")
    assert done.returncode == 0
    assert done.stdout.endswith(
        "3 of 20 texts have an answer, all in labels/anna.jsonl\n"
        "Next: the same command goes on where this ended.\n"
    )
    path = folder / "labels/anna.jsonl"
    with path.open("a") as stream:
        stream.write('{"text_id": "secret')
    assert (
        "notice: labels/anna.jsonl: the last line was cut short"
        in program(folder, "--terminal").stdout
    )
    changed = texts().with_columns(text=pl.col("text") + "!")
    changed.write_parquet(folder / "data/generate.parquet")
    before = path.read_bytes()
    failed = program(folder, "--terminal")
    assert (failed.returncode, path.read_bytes()) == (1, before)
    assert failed.stderr.startswith("error: labels/anna.jsonl line 1: text ")
    assert "has changed since it was labelled" in failed.stderr


def test_ctrl_c_at_the_terminals_prompt_ends_it_and_says_what_is_next(folder):
    """In a terminal of its own, as a person has it: Python waits there in a read of the system."""
    words = [sys.executable, "-m", "genlab", "label", "--rater", "anna", "--terminal"]
    child, terminal = pty.fork()
    if child == 0:
        os.execve(words[0], words, os.environ | {"PYTHONPATH": str(ROOT)})
    read_until(terminal, "b = take back")
    os.write(terminal, b"1\n")
    read_until(terminal, "b = take back")
    start = monotonic()
    os.write(terminal, b"\x03")
    said = read_until(terminal, "goes on where this ended.")
    assert "1 of 20 texts have an answer, all in labels/anna.jsonl" in said
    assert "Traceback" not in said
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert monotonic() - start < GRACE - 1  # obeyed, not ended by force


def read_until(terminal: int, words: str) -> str:
    """Return what a program writes to its terminal, up to these words; fail if it ends before."""
    said = b""
    while words not in said.decode(errors="replace"):
        said += os.read(terminal, 1000)
    return said.decode()
