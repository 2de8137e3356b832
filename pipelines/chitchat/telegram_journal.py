"""The journal of a Telegram bot: what it was asked and has not answered yet, and what was said.

Telegram forgets an update as soon as it is asked for the next ones. So every update is on the disk
before that, and is crossed out in the same step in which its reply is remembered. A bot that was
killed answers at its next start what is not crossed out. It may have sent that reply before it was
killed: then it is sent a second time, and a lost message is not.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genlab.core.program import InputError
from pipelines.chitchat.conversation import Memory

TABLES = """
create table if not exists updates (
    update_id integer primary key, chat_id integer, text text, is_done integer not null default 0
);
create table if not exists turns (
    chat_id integer, number integer, text text, primary key (chat_id, number)
);
create table if not exists chats (chat_id integer primary key, n_turns integer not null);
"""
REMEMBERED = 1_000  # updates that are crossed out; Telegram hands out at most 100 again


@dataclass(frozen=True)
class Received:
    """A message that waits for its reply; text is None for what is no text."""

    update_id: int
    chat_id: int
    text: str | None


class Journal:
    """One bot's journal, in a file of this user alone. One process uses it at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raise InputError if another process has it, or it is broken.

        So does all that reads or writes it later, if it cannot.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        self.path = path
        try:
            self.file = sqlite3.connect(path, timeout=1, isolation_level=None)
            # Exclusive: a second bot with this token would answer everything twice.
            self.file.execute("pragma locking_mode = exclusive")
            self.file.execute("pragma synchronous = full")
            self.file.execute("begin exclusive")
            self.file.execute("commit")
            self.file.executescript(TABLES)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                why = "another process has this bot's journal; stop the other bot"
            else:
                why = f"the bot's journal cannot be opened ({error}); is the disk full?"
            raise InputError(f"{path}: {why}") from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: {broken(error)}") from None

    def receive(self, messages: list[Received], passed_over: list[int]) -> list[Received]:
        """Write down what was received; return what is new, in order.

        passed_over: ids of updates that are no message or cannot be read: they count as done.
        """
        new = []
        with self.written():
            for message in messages:
                row = (message.update_id, message.chat_id, message.text)
                sql = "insert or ignore into updates (update_id, chat_id, text) values (?, ?, ?)"
                if self.file.execute(sql, row).rowcount:
                    new.append(message)
            for update_id in passed_over:
                sql = "insert or ignore into updates (update_id, is_done) values (?, 1)"
                self.file.execute(sql, (update_id,))
            self.file.execute(
                "delete from updates where is_done and update_id not in "
                "(select update_id from updates order by update_id desc limit ?)",
                (REMEMBERED,),
            )
        return sorted(new, key=lambda message: message.update_id)

    def waiting(self) -> list[Received]:
        """Return what has no reply yet, in order."""
        sql = "select update_id, chat_id, text from updates where not is_done order by update_id"
        with self.told_of_trouble():
            return [Received(*row) for row in self.file.execute(sql)]

    def memory(self, chat_id: int) -> Memory:
        """Return what a chat has said."""
        with self.told_of_trouble():
            turns = self.file.execute(
                "select text from turns where chat_id = ? order by number", (chat_id,)
            )
            counted = self.file.execute("select n_turns from chats where chat_id = ?", (chat_id,))
            n_turns = counted.fetchone()
            return Memory([text for (text,) in turns], n_turns[0] if n_turns else 0)

    def finish(self, update_id: int, chat_id: int, memory: Memory | None = None) -> None:
        """Cross an update out, and with it remember what its chat has said, if that changed."""
        with self.written():
            self.file.execute(
                "update updates set is_done = 1, text = null where update_id = ?", (update_id,)
            )
            if memory is not None:
                self.file.execute("delete from turns where chat_id = ?", (chat_id,))
                self.file.executemany(
                    "insert into turns values (?, ?, ?)",
                    [(chat_id, number, text) for number, text in enumerate(memory.turns)],
                )
                self.file.execute(
                    "insert or replace into chats values (?, ?)", (chat_id, memory.n_turns)
                )

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write all that is executed meanwhile, or nothing of it."""
        with self.told_of_trouble(), self.file:
            self.file.execute("begin immediate")
            yield

    @contextmanager
    def told_of_trouble(self) -> Iterator[None]:
        """Raise InputError for a disk or a file that fails meanwhile."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise InputError(
                f"{self.path}: the bot's journal cannot be read or written ({error}); make room on "
                "its disk and start the bot again. Nothing is lost: what has no reply yet is "
                "answered then"
            ) from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: {broken(error)}") from None

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def broken(error: sqlite3.DatabaseError) -> str:
    """Return what is said of a journal that SQLite cannot read."""
    return f"a broken journal ({error}); move it away"
