"""A bot for Telegram that loses no message: its own loop around python-telegram-bot's Bot.

The library's own polling confirms updates before they are handled, so a killed bot loses what was
queued. Here an update is in the journal (telegram_journal.py) before it is confirmed. Every chat is
answered by a task of its own, one message after the other; all chats that wait share a batch.
"""

import asyncio
import logging
import signal
import sys
import warnings
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import (
    BadRequest,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from genlab.core.program import InputError
from pipelines.chitchat import telegram_messages as words
from pipelines.chitchat.conversation import Asked
from pipelines.chitchat.telegram_journal import Journal, Received

POLL_SECONDS = 10  # Telegram holds a request so long if there is nothing
MOST_UPDATES = 100  # that Telegram hands out at once
TYPING_SECONDS = 4.0  # it is shown for five
CONFLICT_SECONDS = 30.0  # in which conflicts are counted
MOST_CONFLICTS = 2  # an earlier request of our own causes no more, and none after POLL_SECONDS
FIRST_PAUSE = 1.0  # after a failure; they grow
LONGEST_PAUSE = 30.0
Result = TypeVar("Result")
LOGGER = logging.getLogger("chitchat.telegram")


@dataclass
class Limits:
    """How much one chat may ask for, and how long a stopping bot may take."""

    per_chat: int = 5  # messages that wait; more are answered with a request for patience
    history_turns: int = 3
    drain_seconds: float = 30.0


class NoToken(logging.Filter):
    """Keeps a bot's token out of every line: the library puts it into the addresses it logs."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without the token; errors are said by their class."""
        message = record.getMessage()
        if self.token in message:
            record.msg, record.args = message.replace(self.token, "TOKEN"), None
        if record.exc_info and record.exc_info[0]:
            record.msg = f"{record.getMessage()} ({record.exc_info[0].__name__})"
            record.args = record.exc_info = record.exc_text = None
        return True


def quiet_logging(token: str) -> None:
    """Log our own lines to stderr, the libraries' warnings too, and the token never."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(NoToken(token))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)


def make_bot(token: str, api: str) -> Bot:
    """Return a Bot; `api` is the server's address up to the token, "" for Telegram's own.

    Raises InputError for a token that cannot be one.
    """
    requests = [HTTPXRequest(connection_pool_size=size) for size in (1, 64)]
    options: dict[str, Any] = {"base_url": api} if api else {}
    try:
        return Bot(token, get_updates_request=requests[0], request=requests[1], **options)
    except InvalidToken:
        raise InputError(WRONG_TOKEN) from None


class UnreadableAnswer(NetworkError):
    """The server answered what the library cannot digest."""


async def answer_to(request: Awaitable[Result]) -> Result:
    """Return what a call of the library gives; its own errors pass, any other is the answer's."""
    try:
        return await request
    except TelegramError:
        raise
    except Exception as error:  # the library takes for granted what an answer looks like
        raise UnreadableAnswer(f"an answer that cannot be read ({type(error).__name__})") from error


WRONG_TOKEN = (
    "TELEGRAM_TOKEN in the environment is no token that the server knows; copy it anew from "
    "@BotFather"
)


@dataclass
class TelegramBot:
    """One bot at work: what waits in which chat, and the tasks that answer."""

    bot: Bot
    journal: Journal
    reply: Callable[[Asked], Awaitable[str]]
    limits: Limits
    queues: defaultdict[int, deque[Received]] = field(default_factory=lambda: defaultdict(deque))
    tasks: dict[int, asyncio.Task] = field(default_factory=dict)
    # Updates that came while no bot ran, in the journal or at the server: they have no limit.
    left_over: set[int] = field(default_factory=set)
    is_behind: bool = True  # until the server has no more of what came before the start
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    failure: InputError | None = None  # of a chat, which stops them all

    async def run(self) -> None:
        """Answer until SIGTERM or Ctrl-C; then finish what was received.

        Raises InputError for a wrong token, if another program polls with this one, and if the
        journal cannot be written.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        try:
            await self.connect()
            if unanswered := self.journal.waiting():
                LOGGER.info("%d messages of the last run are answered now", len(unanswered))
                self.left_over = {message.update_id for message in unanswered}
                self.take(unanswered)
            polling = asyncio.create_task(self.poll())
            stopping = asyncio.create_task(self.stop.wait())
            await asyncio.wait([polling, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            await self.drain()
            if not polling.cancelled() and (error := polling.exception()):
                raise error
            if self.failure:
                raise self.failure
        finally:
            await self.bot.shutdown()
            self.journal.close()

    async def connect(self) -> None:
        """Ask the server who we are, again and again if it does not answer."""
        pause = FIRST_PAUSE
        while not self.stop.is_set():
            try:
                await answer_to(self.bot.initialize())
                await answer_to(self.bot.delete_webhook())
                LOGGER.info("talking as @%s; Ctrl-C or SIGTERM stops", self.bot.username)
                return
            except InvalidToken:
                raise InputError(WRONG_TOKEN) from None
            except TelegramError as error:
                pause = await self.wait_after(error, pause, "connecting")

    async def poll(self) -> None:
        """Receive updates without end; each is in the journal before the next are asked for."""
        offset, pause = 0, FIRST_PAUSE
        conflicts: deque[float] = deque()
        while True:
            try:
                updates = await self.get_updates(offset)
                pause = FIRST_PAUSE
            except Conflict:
                note_conflict(conflicts, asyncio.get_running_loop().time())
                await asyncio.sleep(1.0)
                continue
            except (InvalidToken, EndPointNotFound):
                raise InputError(WRONG_TOKEN) from None
            except TelegramError as error:
                pause = await self.wait_after(error, pause, "receiving")
                continue
            last = self.receive(updates)
            # After a week without any update ids begin anew, perhaps lower: no offset then.
            offset = last + 1 if last is not None else 0
            if updates and last is None:
                await asyncio.sleep(1.0)  # nothing with an id: it would come again at once

    async def get_updates(self, offset: int) -> list:
        """Return what the server has from `offset` on, unparsed; confirms all before."""
        asked: dict[str, Any] = {"timeout": POLL_SECONDS, "allowed_updates": ["message"]}
        if offset:
            asked["offset"] = offset
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library would rather parse them itself
            found = await answer_to(
                self.bot.do_api_request("getUpdates", asked, read_timeout=POLL_SECONDS + 5)
            )
        if not isinstance(found, list):
            raise UnreadableAnswer(f"an answer that cannot be read ({type(found).__name__})")
        return found

    def receive(self, updates: list) -> int | None:
        """Write updates into the journal, hand messages to their chats; return the last id."""
        read = [words.read_update(update) for update in updates]
        ids = [update_id for update_id, _ in read if update_id is not None]
        messages = [message for _, message in read if message is not None]
        known = {message.update_id for message in messages}
        passed_over = [update_id for update_id in ids if update_id not in known]
        if len(updates) > len(messages):
            LOGGER.warning("%d updates are no messages, passed over", len(updates) - len(messages))
        if self.is_behind:
            self.left_over |= known
            self.is_behind = len(updates) >= MOST_UPDATES
        self.take(self.journal.receive(messages, passed_over))
        return max(ids, default=None)

    def take(self, messages: list[Received]) -> None:
        """Queue messages in their chats, and have every chat that waits answered."""
        for message in messages:
            self.queues[message.chat_id].append(message)
            task = self.tasks.get(message.chat_id)
            if task is None or task.done():
                self.tasks[message.chat_id] = asyncio.create_task(self.attend(message.chat_id))

    async def attend(self, chat_id: int) -> None:
        """Answer one chat's messages; if the journal fails, stop the bot.

        After any other failure the message that met it is answered again.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                await self.answer_chat(chat_id)
                return
            except InputError as error:
                self.failure = error
                self.stop.set()
                return
            except Exception:
                LOGGER.exception("a chat was not answered; again in %.0f s", pause)
                await asyncio.sleep(pause)
                pause = longer(pause)

    async def answer_chat(self, chat_id: int) -> None:
        """Answer one chat's messages in order, until none waits."""
        queue = self.queues[chat_id]
        while queue:
            # What waited for a bot that did not run is no haste of the chat: all is answered.
            hasty = [m for m in queue if m.update_id not in self.left_over][self.limits.per_chat :]
            if hasty:
                await self.send(chat_id, words.TOO_FAST)
            for message in hasty:
                queue.remove(message)
                self.journal.finish(message.update_id, chat_id)
            await self.answer(queue[0])
            queue.popleft()
        del self.queues[chat_id]
        self.tasks.pop(chat_id, None)

    async def answer(self, message: Received) -> None:
        """Reply to one message, then cross it out."""
        memory, text, chat_id = None, message.text, message.chat_id
        command = (text or "").split("@")[0].split()[:1]
        if text is None:
            said = words.NO_TEXT
        elif command == ["/start"]:
            memory, said = self.journal.memory(chat_id), words.HELLO
        elif command == ["/reset"]:
            memory, said = self.journal.memory(chat_id), words.FORGOTTEN
        elif text.startswith("/"):
            said = words.UNKNOWN
        else:
            before = self.journal.memory(chat_id)
            typing = asyncio.create_task(self.show_typing(chat_id))
            try:
                said = await self.reply(before.asked(str(chat_id), text))
                before.add(text, said, self.limits.history_turns)
                memory = before
            except Exception:
                LOGGER.exception("a reply failed")
                said = words.FAILED
            finally:
                typing.cancel()
        if command in (["/start"], ["/reset"]) and memory is not None:
            memory.reset()
        await self.send(chat_id, said)
        self.journal.finish(message.update_id, chat_id, memory)

    async def show_typing(self, chat_id: int) -> None:
        """Show that a reply is being written, until cancelled; it does not matter if that fails."""
        while True:
            try:
                await answer_to(self.bot.send_chat_action(chat_id, ChatAction.TYPING))
            except TelegramError as error:
                LOGGER.debug("typing was not shown: %s", type(error).__name__)
            await asyncio.sleep(TYPING_SECONDS)

    async def send(self, chat_id: int, text: str) -> None:
        """Send a text, in parts if it is long; again if the server asks to wait or is out of order.

        A chat that does not want it (the bot was blocked, the chat is gone) is left in peace.
        """
        for part in words.split_message(text):
            pause = FIRST_PAUSE
            while True:
                try:
                    await answer_to(self.bot.send_message(chat_id, part))
                    break
                except (BadRequest, Forbidden) as error:
                    LOGGER.warning("a chat takes no message (%s)", type(error).__name__)
                    return
                except TelegramError as error:
                    pause = await self.wait_after(error, pause, "sending")

    async def wait_after(self, error: TelegramError, pause: float, doing: str) -> float:
        """Wait as long as the server asks, or longer each time; return the next pause."""
        if isinstance(error, RetryAfter):
            asked = error.retry_after
            seconds = asked if isinstance(asked, int | float) else asked.total_seconds()
            await asyncio.sleep(max(seconds, FIRST_PAUSE))
            return pause
        LOGGER.warning("%s: %s; again in %.0f s", doing, kind_of(error), pause)
        await asyncio.sleep(pause)
        return longer(pause)

    async def drain(self) -> None:
        """Let chats that wait be answered, for a while; what is left is answered next time."""
        if not self.tasks:
            return
        LOGGER.info("stopping: %d chats are answered before", len(self.tasks))
        tasks = list(self.tasks.values())
        _, left = await asyncio.wait(tasks, timeout=self.limits.drain_seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if left:
            LOGGER.warning("%d chats are answered at the next start", len(left))


def note_conflict(conflicts: deque[float], now: float) -> None:
    """Add a conflict to the times of earlier ones, which forget what is long ago.

    Says so of the first. Raises InputError if there are more than a request of our own can cause
    that was held when the bot was started anew.
    """
    while conflicts and now - conflicts[0] > CONFLICT_SECONDS:
        conflicts.popleft()
    if not conflicts:
        LOGGER.warning("another program receives this bot's messages, or did until just now")
    conflicts.append(now)
    if len(conflicts) > MOST_CONFLICTS and now - conflicts[0] > POLL_SECONDS:
        raise InputError(
            "another program receives this bot's messages; stop it, or take another token. "
            "Nothing is lost: what was received is answered at the next start"
        )


def kind_of(error: TelegramError) -> str:
    """Return what a log says of an error; its own words may hold an address."""
    if isinstance(error, UnreadableAnswer):
        return str(error)
    return "no connection" if isinstance(error, NetworkError) else type(error).__name__


def longer(pause: float) -> float:
    """Return the pause after a pause that did not help."""
    return min(pause * 1.5, LONGEST_PAUSE)
