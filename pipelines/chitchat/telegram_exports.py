"""Dialogues of Telegram Desktop's export in JSON: result.json of one chat, or of all.

Chats of two people are read. Messages that follow each other from one of them are one turn. A
dialogue ends where nobody writes for an hour, and at a message without text of its own (a picture,
a sticker, a voice, a call, a forwarded one): what follows may answer what cannot be read here.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genlab.core.program import InputError
from genlab.core.terminal import in_one_line
from genlab.sources.bad_rows import BadRows
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import text_pieces
from genlab.sources.text_files import JSON, shown, some_of

SILENCE = 3600  # ours: seconds; what is written an hour later seldom answers what came before
TWO_PEOPLE = "personal_chat"
# How an export begins: of a chat with its kind and number, also in one line, as a program may write
# it anew; of all with what Telegram says of them.
KIND = r"(?:\w+_(?:chat|messages|group|supergroup|channel|codes)|replies)"
CHAT = rf'"type"\s*:\s*"{KIND}",\s*"id"\s*:\s*-?\d+,\s*"messages"\s*:'
ALL = r'\s*\n.*?"(?:personal_information|chats)"\s*:'
BEGINS = re.compile(rf"\{{(?:.*?{CHAT}|{ALL})", re.DOTALL)
# Why a message is left out, and how the terminal has it; what Telegram itself notes is not told.
SAID_OF = {
    "unanswered": "that nobody answered in text within an hour",
    "without_text": "without text of their own",
}

Turns = list[list[str]]  # the messages of each


def is_export(start: str) -> bool:
    """Return whether a file is an export of Telegram's, by its first characters."""
    return BEGINS.match(start) is not None


def exported_dialogues(
    file: Path, encoding: Encoding, bad_rows: BadRows, counts: Counter[str]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the dialogues of an export, of two turns or more, with their first message's place.

    What is left out is counted on stderr and, by reason, in `counts`; a message without a date in
    `bad_rows`. Raises InputError for what is no export, and for one without a chat of two people.
    """
    left_out: Counter[str] = Counter()
    for name, messages in chats_of(file, read_export(file, encoding)):
        for first, turns in divide(f"{file}, chat {name}", messages, left_out, bad_rows):
            if len(turns) > 1:
                yield f"{file}, chat {name}, {first}", [" ".join(texts) for texts in turns]
            else:
                left_out["unanswered"] += len(turns[0])
    counts.update(left_out)
    if said := ", ".join(f"{left_out[key]:,} {SAID_OF[key]}" for key in SAID_OF if left_out[key]):
        print(f"left out of {file.name}, messages: {said}", file=sys.stderr)


def read_export(file: Path, encoding: Encoding) -> dict:
    """Return an export's object; raise InputError if it is none."""
    try:
        content = JSON.decode("".join(text_pieces(file, encoding)).lstrip("\ufeff"))
    except RecursionError:
        raise InputError(f"{file}: broken JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}, line {error.lineno}: broken JSON: {error.msg}; export the chat again"
        ) from None
    except ValueError as error:  # a key that is there twice
        raise InputError(f"{file}: {error}; export the chat again") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: {shown(content)}; Telegram's export is one object")
    return content


def chats_of(file: Path, content: dict) -> list[tuple[str, list]]:
    """Return name and messages of each chat of two people in an export; others are named.

    Anybody may name a chat, so names come without what a terminal would obey.
    """
    found = content.get("chats")
    there = found.get("list") if isinstance(found, dict) else [content]
    chats = [chat for chat in there if isinstance(chat, dict)] if isinstance(there, list) else []
    read, others = [], []
    for chat in chats:
        if chat.get("type") == TWO_PEOPLE and isinstance(chat.get("messages"), list):
            read.append(chat)
        else:
            others.append(in_one_line(f"{chat.get('name')} ({chat.get('type')})"))
    if not read:
        raise InputError(
            f"{file}: no chat of two people with messages (type {TWO_PEOPLE}) in it"
            + f"; there: {some_of(others, 5)}" * bool(others)
            + "; in Telegram Desktop take Export chat history of one, as JSON"
        )
    if others:
        print(
            f"not read, no chat of two people: {len(others)} ({some_of(others)})", file=sys.stderr
        )
    names = [in_one_line(str(chat.get("name") or number)) for number, chat in enumerate(read)]
    return list(zip(names, (chat["messages"] for chat in read), strict=True))


def divide(
    where: str, messages: list, left_out: Counter, bad_rows: BadRows
) -> Iterator[tuple[str, Turns]]:
    """Yield dialogues as their first message's place, and turns of one message or more.

    Counts in `left_out` messages of Telegram's and those without text of their own. One that is
    none, or has no date, is a bad row; where it is dropped, a dialogue ends.
    """
    turns: Turns = []
    began, sender, last = "", None, 0
    for message in messages:
        if isinstance(message, dict) and not is_said(message):
            left_out["service"] += 1
            continue
        try:
            now, place = seconds_of(where, message), f"message {message.get('id')}"
        except InputError as error:
            bad_rows.add(error)
            if turns:
                yield began, turns
            turns = []
            continue
        text = own_text(message)
        if turns and (not text or now - last > SILENCE):
            yield began, turns
            turns = []
        last = now
        if not text:
            left_out["without_text"] += 1
            continue
        who = message.get("from_id", message.get("from"))
        if not turns:
            began = place
        if turns and who == sender:
            turns[-1].append(text)
        else:
            turns.append([text])
        sender = who
    if turns:
        yield began, turns


def is_said(message: dict) -> bool:
    """Return whether it is a message or a call, and no missed call, pinned message or the like."""
    is_call = message.get("action") == "phone_call" and message.get("duration_seconds")
    return message.get("type") == "message" or bool(is_call)


def own_text(message: dict) -> str:
    """Return what a message says, without its markup; "" for one that was forwarded."""
    text: Any = message.get("text", "")
    parts = text if isinstance(text, list) else [text]
    pieces = (part.get("text") if isinstance(part, dict) else part for part in parts)
    said = "".join(piece for piece in pieces if isinstance(piece, str))
    return "" if "forwarded_from" in message else " ".join(said.split())


def seconds_of(where: str, message: Any) -> int:
    """Return when a message was sent, in seconds; older exports have its local time alone.

    Raises InputError for one without a date, and for what is no message; `where` is the chat.
    """
    if not isinstance(message, dict):
        raise InputError(f"{where}: a message is {shown(message)}, not an object")
    try:
        if "date_unixtime" in message:
            return int(message["date_unixtime"])
        # As if of UTC: only differences count, and they must not depend on the machine's zone.
        return int(datetime.fromisoformat(message["date"]).replace(tzinfo=UTC).timestamp())
    except (KeyError, TypeError, ValueError, OverflowError):
        place = f"{where}, message {message.get('id')}"
        raise InputError(f"{place}: it has no date; export the chat again") from None
