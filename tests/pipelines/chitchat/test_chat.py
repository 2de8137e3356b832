"""Talking to a model: nobody hears another's history, the page streams, errors are said."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from genlab.core.program import InputError
from genlab.models.decoding import Decoding
from genlab.web.server import TOKEN_HEADER, bound_socket, page_app
from pipelines.chitchat.chat_page import PAGE, chat_routes, reply_lines
from pipelines.chitchat.conversation import Asked, Batcher, Memory, Responder
from pipelines.chitchat.dialogue_rules import Rules
from tests.browser import chromium, trouble_of  # noqa: F401
from tests.pipelines.chitchat.test_telegram import run_bot
from tests.pipelines.chitchat.tiny_chat import DIALOGUE, make_model
from tests.project_copy import ROOT
from tests.telegram_server import TelegramServer

SAMPLED = Decoding(8, 1.0, 0, 1.0, 1, 1.0, 17)
CLEAN = Rules(
    strip_markup=True,
    repair_encoding=True,
    lower_case=True,
    fold_yo=True,
    strip_dashes=True,
    max_chars=100,
)
TOKEN = "token-of-the-page"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("chat") / "model")


@pytest.fixture(scope="module")
def responder(folder) -> Responder:
    return Responder(folder, SAMPLED, CLEAN, 12)


CHATS = range(1, 51)


def words_of(chat: str, number: int) -> str:
    """Return what a chat says in its turn of this number."""
    return f"привет, я чат {chat}, говорю {number}"


def talk(reply, chat: str, n_turns: int = 3):
    """Return a coroutine of one chat of a few turns, which gives its replies."""

    async def main() -> list[str]:
        memory, replies = Memory(), []
        for number in range(n_turns):
            said = words_of(chat, number)
            replies.append(await reply(memory.asked(chat, said)))
            memory.add(said, replies[-1], 3)
        return replies

    return main()


@pytest.fixture(scope="module")
def heard_alone(responder) -> list[list[str]]:
    """Return what each of fifty chats hears when there is no other."""

    async def alone(chat: str) -> list[str]:
        return await talk(Batcher(responder.reply, 1).reply, chat)

    return [asyncio.run(alone(str(chat))) for chat in CHATS]


def test_fifty_chats_at_once_hear_what_each_hears_alone(responder, heard_alone):
    batches: list[int] = []

    def together(asked: list[Asked]) -> list[str]:
        batches.append(len(asked))
        return responder.reply(asked)

    async def all_at_once() -> list[list[str]]:
        batcher = Batcher(together, 64)
        return await asyncio.gather(*(talk(batcher.reply, str(chat)) for chat in CHATS))

    found = asyncio.run(all_at_once())
    assert max(batches) > 10  # who waits is answered together
    assert found == heard_alone
    assert len({replies[0] for replies in found}) > 25  # and they are not all one


def test_fifty_chats_of_telegram_hear_what_each_hears_alone(responder, heard_alone, tmp_path):
    with TelegramServer() as server:

        def act() -> None:
            for number in range(3):
                for chat in CHATS:
                    server.say(chat, words_of(str(chat), number))
                assert server.wait_for(lambda n=number: len(server.sent) == 50 * (n + 1))

        run_bot(server, tmp_path / "j", act, Batcher(responder.reply, 64).reply)
        assert [server.texts(chat) for chat in CHATS] == heard_alone


def test_a_reply_grows_and_what_was_said_is_cleaned_as_in_training(responder):
    heard: list[str] = []
    asked = Asked("a", 0, ["Один"], "- Как   Тебя зовут?", heard.append)
    [reply] = responder.reply([asked])
    assert heard and all(reply.startswith(text.rstrip()) for text in heard)
    assert len(heard) <= SAMPLED.cap
    same = Asked("a", 0, ["один"], "как тебя зовут?")
    assert responder.reply([same]) == [reply]
    long = Asked("a", 0, ["слово " * 500] * 9, "слово " * 500)
    assert responder.reply([long])  # a turn longer than the context is cut


def test_a_short_reply_does_not_wait_for_the_longest_of_its_batch():
    """The long one ends only when the short one's chat has been answered."""
    answered = Event()

    def decode(asked: list[Asked]) -> list[str]:
        asked[0].on_reply("short")
        assert answered.wait(60)
        return ["short", "long"]

    async def main() -> tuple[str, str]:
        batcher = Batcher(decode, 2)
        short, long = (
            asyncio.create_task(batcher.reply(Asked(chat, 0, [], "?"))) for chat in ("a", "b")
        )
        first = await short
        assert not long.done()
        answered.set()
        return first, await long

    assert asyncio.run(main()) == ("short", "long")


def test_a_reply_is_heard_whole_when_it_has_ended(responder):
    heard: dict[str, str] = {}
    asked = [
        Asked(chat, 0, [], words_of(chat, 0), on_reply=partial(heard.setdefault, chat))
        for chat in map(str, CHATS)
    ]
    replies = {each.chat: reply for each, reply in zip(asked, responder.reply(asked), strict=True)}
    assert heard  # of those that end before the cap
    assert heard.items() <= replies.items()


def test_a_failing_model_fails_those_who_asked_and_the_next_are_answered():
    def fail(asked: list[Asked]) -> list[str]:
        if asked[0].said == "fail":
            raise ValueError("no")
        return [each.said for each in asked]

    async def main() -> str:
        batcher = Batcher(fail, 1)
        with pytest.raises(ValueError, match="no"):
            await batcher.reply(Asked("a", 0, [], "fail"))
        return await batcher.reply(Asked("a", 0, [], "ok"))

    assert asyncio.run(main()) == "ok"


def test_the_page_answers_this_machine_and_who_knows_the_token_alone(responder):
    app = page_app(PAGE, chat_routes(responder, 8, "model"), TOKEN, 8000)
    here = TestClient(app, base_url="http://127.0.0.1:8000")
    page = here.get("/")
    assert (
        page.status_code == 200 and "script-src 'self'" in page.headers["content-security-policy"]
    )
    assert TestClient(app, base_url="http://evil.example:8000").get("/").status_code == 403
    assert here.post("/reply", json={"chat": "a", "said": "x"}).status_code == 403
    known = {TOKEN_HEADER: TOKEN}
    for bad in ({}, {"chat": "a"}, {"chat": "a/b", "said": "x"}, {"chat": "a", "said": " "}, []):
        assert here.post("/reply", json=bad, headers=known).status_code == 400, bad
    assert here.post("/reply", content=b"[" * 50_000, headers=known).status_code == 400
    assert (
        here.post("/reply", json={"chat": "a", "said": "x" * 2001}, headers=known).status_code
        == 400
    )
    lines = here.post(
        "/reply", json={"chat": "a", "said": "привет"}, headers=known
    ).text.splitlines()
    assert len(lines) > 1 and '"done": true' in lines[-1]
    with bound_socket(0) as taken, pytest.raises(InputError, match="is taken"):
        taken.listen()
        bound_socket(taken.getsockname()[1])


def test_begun_anew_a_chat_has_no_history_and_its_turns_go_on_being_counted():
    talker = SimpleNamespace(
        layout=DIALOGUE, reply=lambda asked: [f"{each.number} {each.history}" for each in asked]
    )
    app = page_app(PAGE, chat_routes(talker, 8, "model"), TOKEN, 8000)
    here = TestClient(app, base_url="http://127.0.0.1:8000", headers={TOKEN_HEADER: TOKEN})

    def said() -> str:
        reply = here.post("/reply", json={"chat": "a", "said": "привет"})
        return json.loads(reply.text.splitlines()[-1])["text"]

    assert here.post("/reset", json={"chat": "a"}).status_code == 200  # nothing said yet
    assert [said(), said()] == ["0 []", "2 ['привет', '0 []']"]
    assert here.post("/reset", json={"chat": "a"}).status_code == 200
    assert said() == "4 []"


def test_a_page_that_is_closed_during_a_reply_leaves_no_task_behind():
    begun, may_end = Event(), Event()

    def decode(asked: list[Asked]) -> list[str]:
        begun.set()
        assert may_end.wait(60)
        return ["a reply" for _ in asked]

    async def main() -> set[asyncio.Task]:
        busy = {"a"}
        lines = reply_lines(Batcher(decode, 1), Memory(), "a", "привет", 3, busy)
        reading = asyncio.create_task(anext(lines))
        assert await asyncio.to_thread(begun.wait, 60)
        reading.cancel()
        await asyncio.wait([reading])
        may_end.set()
        assert not busy
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return (await asyncio.wait(others, timeout=5))[1]

    assert asyncio.run(main()) == set()


@pytest.fixture
def program(folder):
    """Start a chat program on the tiny model; yields a function that does."""
    started: list[subprocess.Popen] = []

    def start(*words: str) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "chat", *words, "--model", str(folder)],
                cwd=ROOT / "pipelines/chitchat",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        )
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_the_page_in_a_browser_streams_shows_text_as_text_and_begins_anew(chromium, program):  # noqa: F811
    web = program("web")
    assert web.stdout is not None
    address = web.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#[\w-]{32}", address), web.stderr
    page = chromium.new_page()
    page.set_default_timeout(120_000)
    trouble = trouble_of(page)
    page.goto(address)
    page.wait_for_selector("#about:not(:empty)")
    assert "помнит реплик: 3" in page.text_content("#about")
    for number, said in enumerate(("<b>привет</b>", "как дела?", "кто я?"), 1):
        page.fill("#said", said)
        page.press("#said", "Enter")
        page.locator(".theirs:not(.growing)").nth(number - 1).wait_for()
        assert page.locator(".turn").count() == 2 * number
    assert page.locator(".mine").first.text_content() == "<b>привет</b>"
    assert page.locator(".turn b").count() == 0
    assert all(page.locator(".theirs").all_text_contents())
    assert page.locator(".forgotten").count() == 3  # six turns, of which it sees three
    page.click("#reset")
    page.wait_for_selector(".turn", state="detached")
    assert not trouble
    page.goto(address[: address.index("#")] + "?#wrong")
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.is_disabled("#send")
    assert "не знает пароля" in page.text_content("#trouble")
    page.goto(address)
    page.wait_for_selector("#about:not(:empty)")
    page.goto(address[:-3])  # in the same window: only what follows the # differs
    page.wait_for_selector("#trouble:not([hidden])")
    page.goto(address)
    page.wait_for_selector("#about:not(:empty)")
    page.route("**/about", lambda route: route.abort())  # as if the program had ended
    page.reload()
    page.wait_for_selector("#trouble:not([hidden])")
    assert "the program does not answer; start it again" in page.text_content("#trouble")
    page.close()
    web.send_signal(signal.SIGINT)
    assert web.wait(120) in (0, 130)


def test_the_console_replies_line_by_line_and_a_missing_model_is_one_line(program, folder):
    console = program("console")
    out, error = console.communicate("привет\n/reset\n\nкак дела\n", timeout=240)
    assert console.returncode == 0, error
    assert len(out.splitlines()) == 2
    latin = program("console")
    latin.stdin.reconfigure(encoding="latin-1")
    out, error = latin.communicate("caf\xe9\n\xe9\n", timeout=240)
    assert latin.returncode == 0, error
    assert len(out.splitlines()) == 1  # nothing is left of the second line
    missing = subprocess.run(
        [sys.executable, "-m", "chat", "console", "--model", "data/train/none"],
        cwd=ROOT / "pipelines/chitchat",
        capture_output=True,
        text=True,
    )
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: data/train/none: no such model; run `dvc repro`")
