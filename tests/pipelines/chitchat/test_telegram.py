"""The Telegram bot against a Bot API server on this machine: nothing lost, mixed or leaked."""

import asyncio
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

import pytest

from genlab.core.program import InputError
from pipelines.chitchat import telegram_bot, telegram_messages
from pipelines.chitchat.conversation import Asked
from pipelines.chitchat.telegram_bot import Limits, TelegramBot, make_bot, quiet_logging
from pipelines.chitchat.telegram_journal import Journal, Received
from tests.pipelines.chitchat.kills import kill_over_and_over, start_bot
from tests.project_copy import ROOT
from tests.telegram_server import TOKEN, TelegramServer


@pytest.fixture
def server():
    with TelegramServer() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(telegram_bot, "POLL_SECONDS", 1)


async def reply(asked: Asked) -> str:
    """Say what was said and how it came to that."""
    if asked.said == "fail":
        raise ValueError("a reply that fails")
    await asyncio.sleep(0.05)
    return f"{' / '.join(asked.history)} > {asked.said}"


def run_bot(
    server, journal: Path | Journal, act=None, reply=reply, limits=None, token=TOKEN
) -> None:
    """Run the bot in this process while act() runs in a thread; then stop it as SIGTERM would.

    Without act() the bot has to end by itself.
    """

    async def main() -> None:
        opened = Journal(journal) if isinstance(journal, Path) else journal
        bot = TelegramBot(make_bot(token, server.api), opened, reply, limits or Limits())
        running = asyncio.create_task(bot.run())
        acting = asyncio.create_task(asyncio.to_thread(act) if act else asyncio.sleep(120))
        await asyncio.wait([running, acting], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await running
        await acting

    asyncio.run(main())


def test_a_chat_is_answered_with_what_was_said_before_and_with_nothing_else(server, tmp_path):
    def act() -> None:
        for text in ("/start", "один", "два", "три", "/reset", "четыре", "/nonsense"):
            n = len(server.sent)
            server.say(7, text)
            assert server.wait_for(lambda n=n: len(server.sent) > n)
        server.say(8, "другой")
        server.say(8, None, sticker={})
        assert server.wait_for(lambda: len(server.texts(8)) == 2)

    run_bot(server, tmp_path / "j", act)
    assert server.texts(7) == [
        telegram_messages.HELLO,
        " > один",
        "один /  > один > два",
        # three turns: the first has left
        " > один / два / один /  > один > два > три",
        telegram_messages.FORGOTTEN,
        " > четыре",
        telegram_messages.UNKNOWN,
    ]
    assert server.texts(8) == [" > другой", telegram_messages.NO_TEXT]
    assert {chat for _, chat in server.actions} == {7, 8}


SAID = {"message": {"chat": {"id": 4, "type": "private"}, "text": "an update without an id"}}


def test_what_the_server_does_wrong_is_lived_with(server, tmp_path, monkeypatch):
    monkeypatch.setattr(telegram_bot, "FIRST_PAUSE", 0.01)
    server.faults["sendMessage"].extend([("retry_after", 1), ("status", 502), "cut"])
    server.faults["getUpdates"].extend([("status", 500), "garbage", "cut", ("retry_after", 1)])
    server.faults["getMe"].append(("status", 502))

    def act() -> None:
        server.say(1, "раз")
        server.put({"message": {"chat": "no chat", "text": ["no text"]}})
        server.put({"message": None, "poll": {"id": 7}})
        server.say(3, "a\ud83d b")
        server.say(2**70, "a chat of no number that SQLite has")
        server.say(True, "a chat of no number at all")
        server.updates += [SAID, {"update_id": 2**70} | SAID]  # no offset is asked for after it
        server.say(1, "два")
        assert server.wait_for(lambda: len(server.texts(1)) == 2 and len(server.texts(3)) == 1)
        server.updates = []

    start = time.monotonic()
    run_bot(server, tmp_path / "j", act)
    assert server.texts(1) == [" > раз", "раз /  > раз > два"]
    assert server.texts(3) == [" > a b"]
    assert len(server.sent) == 3
    # Nothing is asked for without end: a poll takes a second if it brings nothing new.
    assert server.calls.count("getUpdates") < 12 + 2 * (time.monotonic() - start)


UNREADABLE = [
    *(("body", 200, text) for text in ("null", "[]", '{"ok": true}', '{"ok": true, "result": 1}')),
    ("body", 200, "[" * 200_000),
    ("body", 500, "[1]"),
    ("body", 429, '{"ok": false, "parameters": [1]}'),
    ("body", 429, '{"ok": false, "parameters": {"retry_after": "1"}}'),
]


@pytest.mark.parametrize("method", ["getMe", "deleteWebhook", "getUpdates", "sendMessage"])
def test_after_an_answer_that_the_library_cannot_digest_it_is_asked_again(
    server, tmp_path, monkeypatch, caplog, method
):
    monkeypatch.setattr(telegram_bot, "FIRST_PAUSE", 0.01)
    # Whatever it says of a webhook, nobody asks what it said.
    bodies = [body for body in UNREADABLE if method != "deleteWebhook" or '"result"' not in body[2]]
    server.faults[method].extend(bodies)
    server.faults["sendChatAction"].extend(UNREADABLE)

    def act() -> None:
        server.say(1, "раз")
        assert server.wait_for(lambda: len(server.texts(1)) == 1)

    run_bot(server, tmp_path / "j", act)
    assert server.texts(1) == [" > раз"]
    told = [line for line in caplog.messages if "an answer that cannot be read (" in line]
    assert len(told) == len(bodies)  # a pause after each


def test_a_chat_that_meets_what_nobody_foresaw_is_answered_again(
    server, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(telegram_bot, "FIRST_PAUSE", 0.01)
    failures = [RuntimeError("once"), RuntimeError("twice")]
    split = telegram_messages.split_message

    def failing(text: str) -> list[str]:
        if failures:
            raise failures.pop()
        return split(text)

    monkeypatch.setattr(telegram_messages, "split_message", failing)

    def act() -> None:
        for text in ("раз", "два"):
            server.say(1, text)
        assert server.wait_for(lambda: len(server.texts(1)) == 2)

    run_bot(server, tmp_path / "j", act)
    assert server.texts(1) == [" > раз", "раз /  > раз > два"]
    assert sum("a chat was not answered" in line for line in caplog.messages) == 2


@pytest.mark.parametrize("number", [True, 0, -1, 2**63, 7.0, "7", None])
def test_what_can_be_no_id_is_none(number):
    read, chat = telegram_messages.read_update, {"id": 7, "type": "private"}
    assert read({"update_id": number, "message": {"chat": chat, "text": "x"}}) == (None, None)
    message = {"chat": chat | {"id": number}, "text": "x"}
    assert read({"update_id": 2**63 - 1, "message": message}) == (2**63 - 1, None)
    assert read({"update_id": 1, "message": message | {"chat": chat}}) == (1, Received(1, 7, "x"))


def test_a_failed_reply_is_answered_kindly_and_too_many_are_held_off(server, tmp_path):
    def act() -> None:
        server.say(1, "fail")
        assert server.wait_for(lambda: len(server.texts(1)) == 1)
        for number in range(6):
            server.say(2, f"{number}")
        assert server.wait_for(lambda: telegram_messages.TOO_FAST in server.texts(2))

    async def slow(asked: Asked) -> str:
        if asked.said != "fail":
            await asyncio.sleep(1.0)
        return await reply(asked)

    run_bot(server, tmp_path / "j", act, slow, Limits(per_chat=2))
    assert server.texts(1) == [telegram_messages.FAILED]
    assert 2 <= len(server.texts(2)) <= 6
    waiting = Journal(tmp_path / "j").waiting()
    assert waiting == []  # SIGTERM came while chat 2 waited: it was answered before the end


def test_what_a_killed_bot_left_over_is_answered_beyond_the_limit_of_a_chat(server, tmp_path):
    journal = Journal(tmp_path / "j")
    journal.receive([Received(number, 2, f"{number}") for number in range(9)], [])
    journal.close()

    def act() -> None:
        server.say(2, "новое")
        assert server.wait_for(lambda: len(server.texts(2)) == 10)

    run_bot(server, tmp_path / "j", act, limits=Limits(per_chat=2, history_turns=0))
    assert server.texts(2) == [f" > {said}" for said in (*range(9), "новое")]


def test_what_was_said_while_no_bot_ran_is_answered_beyond_the_limit_of_a_chat(server, tmp_path):
    """More than the server hands out at once."""
    for number in range(120):
        server.say(2, f"{number}")

    async def soon(asked: Asked) -> str:
        await asyncio.sleep(0.005)
        return f" > {asked.said}"

    def act() -> None:
        assert server.wait_for(lambda: len(server.texts(2)) == 120)

    run_bot(server, tmp_path / "j", act, soon, Limits(per_chat=2, history_turns=0))
    assert server.texts(2) == [f" > {number}" for number in range(120)]


def test_typing_is_shown_again_while_a_reply_takes_long(server, tmp_path, monkeypatch):
    assert telegram_bot.TYPING_SECONDS == 4.0  # shown for five seconds
    monkeypatch.setattr(telegram_bot, "TYPING_SECONDS", 0.1)

    async def slow(asked: Asked) -> str:
        while len(server.actions) < 3:
            await asyncio.sleep(0.05)
        return "готово"

    def act() -> None:
        server.say(5, "думай")
        assert server.wait_for(lambda: server.texts(5) == ["готово"])

    run_bot(server, tmp_path / "j", act, slow)
    assert {chat for _, chat in server.actions} == {5}


def test_long_replies_are_split_at_spaces_and_counted_in_utf_16_units():
    split = telegram_messages.split_message
    assert split("аб вг де", 5) == ["аб вг", "де"]
    assert split("абвгде", 4) == ["абвг", "де"]
    assert split("😀😀😀", 4) == ["😀😀", "😀"]  # two units each, never cut in half
    assert split("", 4) == []
    words = "слово " * 2_000
    parts = split(words)
    assert [telegram_messages.n_units(part) <= 4096 for part in parts] == [True] * len(parts)
    assert " ".join(parts).split() == words.split()


def test_a_wrong_token_is_one_line_without_it(server, tmp_path):
    wrong = TOKEN[:-1] + "x"
    with pytest.raises(InputError, match="TELEGRAM_TOKEN") as error:
        run_bot(server, tmp_path / "j", token=wrong)
    assert wrong not in str(error.value)


def test_a_second_poller_is_told_of_and_nothing_is_lost(server, tmp_path):
    server.say(1, "до")

    async def conflict(data: dict):
        from tests.telegram_server import failure

        found = list(server.updates)
        server.updates = []
        return found or failure(409, "Conflict: terminated by other getUpdates request")

    server.on_getUpdates = conflict
    with pytest.raises(InputError, match="another program receives"):
        run_bot(server, tmp_path / "j")
    assert server.texts(1) == [" > до"]
    with pytest.raises(InputError, match="another process has this bot's journal"):
        first = Journal(tmp_path / "k")
        first.receive([Received(1, 1, "x")], [])
        Journal(tmp_path / "k")


def test_two_pollers_are_told_of_each_other_while_messages_flow(
    server, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(telegram_bot, "CONFLICT_SECONDS", 600.0)
    limits, is_over = Limits(history_turns=0), threading.Event()

    def keep_talking() -> None:
        while not is_over.is_set():
            n = len(server.sent)
            server.say(1, "раз")
            server.wait_for(lambda n=n: len(server.sent) > n or is_over.is_set(), 1.0)

    async def main() -> None:
        bots = [
            TelegramBot(make_bot(TOKEN, server.api), Journal(tmp_path / name), reply, limits)
            for name in "ab"
        ]
        running = [asyncio.create_task(bot.run()) for bot in bots]
        talking = asyncio.create_task(asyncio.to_thread(keep_talking))
        ended, _ = await asyncio.wait(running, timeout=120, return_when=asyncio.FIRST_COMPLETED)
        is_over.set()
        for bot in bots:
            bot.stop.set()
        await talking
        await asyncio.gather(*running, return_exceptions=True)
        for each in ended:
            each.result()

    with pytest.raises(InputError, match="another program receives"):
        asyncio.run(main())
    assert server.sent
    assert any("another program receives" in line for line in caplog.messages)


def test_conflicts_count_for_a_while_and_those_of_a_request_of_our_own_not(monkeypatch):
    monkeypatch.setattr(telegram_bot, "POLL_SECONDS", 10)
    note, conflicts = telegram_bot.note_conflict, deque()
    for now in (0.0, 1.0, 9.0, 10.0, 41.0, 60.0):  # a start anew, and two at other times
        note(conflicts, now)
    with pytest.raises(InputError, match="another program receives"):
        note(conflicts, 61.0)


LONG = "слово " * 1_000  # more than a page of the journal has room for


def full_journal(path: Path) -> Journal:
    """Return a journal that takes a short message, and then says that the disk is full."""
    journal = Journal(path)
    journal.file.execute("pragma max_page_count = 1")  # SQLite's least: as many as there are
    return journal


def test_a_journal_that_cannot_keep_what_was_received_ends_the_bot_in_one_line(server, tmp_path):
    server.say(1, LONG)
    with pytest.raises(
        InputError, match=r"j: the bot's journal cannot be read or written .*is full"
    ):
        run_bot(server, full_journal(tmp_path / "j"))
    assert not server.confirmed  # so the server hands it out again

    def act() -> None:
        assert server.wait_for(lambda: bool(server.sent))

    run_bot(server, tmp_path / "j", act)
    assert "".join(server.texts(1)).startswith(" > слово")


@pytest.mark.parametrize("is_stopping", [False, True])
def test_a_journal_that_cannot_keep_a_reply_ends_the_bot_and_it_is_said_again(
    server, tmp_path, is_stopping
):
    server.say(1, "раз")

    async def long(asked: Asked) -> str:
        if is_stopping:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.5)
        return LONG

    with pytest.raises(InputError, match=r"Nothing is lost"):
        run_bot(server, full_journal(tmp_path / "j"), reply=long)
    left = Journal(tmp_path / "j")
    assert [message.text for message in left.waiting()] == ["раз"]
    assert left.memory(1).turns == []


def test_a_journal_that_cannot_be_read_any_more_ends_the_bot_in_one_line(server, tmp_path):
    for table, expected in (("turns", "no such table: turns"), ("updates", "no such table")):
        journal = Journal(tmp_path / table)
        journal.file.execute(f"drop table {table}")
        server.say(1, "раз")
        with pytest.raises(InputError, match=f"journal cannot be read or written .*{expected}"):
            run_bot(server, journal)
    assert server.texts(1) == []


def test_of_a_disk_that_takes_nothing_no_other_bot_is_blamed(tmp_path):
    """No file may grow, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(InputError, match=r"j: the bot's journal cannot be opened .*disk full"):
            Journal(tmp_path / "j")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_log_line_holds_the_token(server, tmp_path, capsys):
    quiet_logging(TOKEN)
    server.faults["sendMessage"].extend([("status", 502)])
    root = logging.getLogger()
    for name in ("", "httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.DEBUG)  # as a curious user might
    try:

        def act() -> None:
            server.say(1, "раз")
            assert server.wait_for(lambda: bool(server.texts(1)))

        run_bot(server, tmp_path / "j", act)
        try:
            raise ValueError(f"https://api/bot{TOKEN}/getMe")
        except ValueError:
            logging.getLogger("x").exception("trouble")
    finally:
        root.setLevel(logging.WARNING)
        for handler in list(root.handlers):
            root.removeHandler(handler)
    logged = capsys.readouterr().err
    assert "/botTOKEN/sendMessage" in logged  # the library did log its addresses
    assert TOKEN not in logged
    assert "trouble (ValueError)" in logged


def test_killed_between_receipt_and_reply_nothing_is_lost(tmp_path):
    """Three kills; `python -m tests.pipelines.chitchat.kills 100` is the long version."""
    found = kill_over_and_over(3, tmp_path)
    assert found["messages"] == 9
    assert found["lost"] == found["said more often"] == 0


def test_sigterm_lets_what_was_received_be_answered(server, tmp_path):
    bot = start_bot(server, tmp_path / "j", seconds=1.0)
    server.say(1, "раз")
    assert server.wait_for(lambda: bool(server.actions))
    bot.terminate()
    _, logged = bot.communicate(timeout=120)
    assert bot.returncode == 0, logged
    assert server.texts(1) == ["0. раз <- "]
    assert TOKEN not in logged


def test_a_missing_or_impossible_token_is_one_line(tmp_path):
    for token, expected in (("", "is not in the environment"), ("abc", "is no token")):
        done = subprocess.run(
            [sys.executable, "-m", "chat", "telegram"],
            cwd=ROOT / "pipelines/chitchat",
            env=os.environ | {"TELEGRAM_TOKEN": token},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert expected in done.stderr and done.stderr.count("\n") == 1
