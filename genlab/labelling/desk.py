"""The label desk: shows a rater one text after another, in a browser (terminal.py: without one).

It takes the texts in the order of `questionnaire.sample_texts`, and writes the answers to the
rater's label file. The page is one of the web room, served from this machine to this machine. Texts
reach it as JSON and the screen as textContent.

One request is answered at a time, whole: Ctrl-C lets an answer that is being written reach the
disk.
"""

import hashlib
import html
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from socket import socket

import polars as pl
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from genlab.core.files import remove, write_json
from genlab.core.program import InputError
from genlab.core.scratch import scratch_root
from genlab.core.shapes import parse_json
from genlab.labelling.label_files import LabelFile, is_duration
from genlab.labelling.questionnaire import Questionnaire
from genlab.web.bodies import Refused, read_object
from genlab.web.server import bound_socket, new_token, page_app

PAGE = Path(__file__).resolve().parent / "desk_page"
LONGEST_BODY = 10_000  # bytes; an answer has about 100


class Desk:
    """One rater's texts and answers. Texts are known by fingerprint, so that no id tells the arm,
    and an answer sent by a page that was loaded before the texts changed fits none of them.
    """

    def __init__(self, sample: pl.DataFrame, sheet: Questionnaire, file: LabelFile) -> None:
        self.sheet = sheet
        self.file = file
        self.texts = {row["fingerprint"]: row for row in sample.iter_rows(named=True)}
        self.names = {row["text_id"]: name for name, row in self.texts.items()}
        # Pages keep an unsaved answer under this: it is handed in to the same label file's desk.
        path = str(file.path.resolve())
        self.name = hashlib.blake2b(path.encode(), digest_size=8).hexdigest()

    def view(self, wanted: str | None = None) -> dict:
        """Return what the page shows: the text `wanted` if it has no answer, else the next one."""
        answers = self.file.answers
        left = [row for row in self.texts.values() if row["text_id"] not in answers]
        shown = next((row for row in left if row["fingerprint"] == wanted), None) or next(
            iter(left), None
        )
        counts = Counter(row[self.sheet.by] for row in left)
        groups = sorted({row[self.sheet.by] for row in self.texts.values()})
        done = [text_id for text_id in answers if text_id in self.names]
        return {
            "desk": self.name,
            "rater": self.file.rater,
            "sheet": {key: getattr(self.sheet, key) for key in ("question", "hint", "by", "show")},
            "order": self.sheet.is_order,
            "choices": self.choices_for(shown),
            "n": len(self.texts),
            "left": [[group, counts[group]] for group in groups],
            "last": {"id": self.names[done[-1]], "answer": answers[done[-1]]} if done else None,
            "text": shown
            and {
                "id": shown["fingerprint"],
                "text": shown["text"],
                "beside": {column: shown[column] for column in self.sheet.show},
            },
        }

    def choices_for(self, shown: dict | None) -> list[list]:
        """Return what can be chosen: the sheet's choices, or the numbers of a text's answers."""
        if isinstance(self.sheet.choices, dict):
            return [[name, words] for name, words in self.sheet.choices.items()]
        numbers = range(1, 1 + (shown["n_answers"] if shown else 0))
        return [[f"{i}", {"en": f"Answer {i}", "ru": f"Ответ {i}"}] for i in numbers]

    def fits(self, name: str, answer: object) -> bool:
        """Return whether an answer fits this text: an order must rank all of its answers."""
        if not isinstance(answer, str) or not self.sheet.takes(answer):
            return False
        n = len(re.split("[>=]", answer))
        return not self.sheet.is_order or n == self.texts[name]["n_answers"]

    def answer(self, name: str, answer: str, seconds: float | None) -> dict:
        """Keep an answer and return the next view; the same answer twice is kept once.

        A page that got no reply sends its answer again. Raises Refused for a text that has another
        answer already, from a second window, or that is not on this desk.
        """
        text_id = self.find(name)
        if not self.fits(name, answer) or not (seconds is None or is_duration(seconds)):
            raise Refused(f"{answer!r} is no answer")
        given = self.file.answers.get(text_id)
        if given not in (None, answer):
            raise Refused(given, HTTPStatus.CONFLICT)
        if given is None:
            self.file.answer(text_id, answer, seconds)
        return self.view()

    def undo(self, name: str) -> dict:
        """Take a text's answer back and return its view; repeating it changes nothing."""
        text_id = self.find(name)
        if text_id in self.file.answers:
            self.file.undo(text_id)
        return self.view(name)

    def find(self, name: str) -> str:
        if name not in self.texts:
            raise Refused("this text is not among those to be labelled", HTTPStatus.GONE)
        return self.texts[name]["text_id"]


# ---- in a browser


@dataclass(frozen=True)
class OpenDesk:
    """A desk with its page at a port of this machine, known by a token; `serve` it."""

    desk: Desk
    app: ASGIApp
    bound: socket
    token: str

    @property
    def address(self) -> str:
        """The page's address; what follows the # stays in the browser."""
        return f"http://127.0.0.1:{self.bound.getsockname()[1]}/#{self.token}"


def desk_routes(desk: Desk) -> list[Route]:
    """Return the routes that the page calls, JSON in and JSON out."""

    def answered(act: Callable[[dict], dict]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            asked = await read_object(request, LONGEST_BODY)
            if any(isinstance(value, list | dict) for value in asked.values()):
                raise Refused("not a flat JSON object")
            return JSONResponse(act(asked))

        return answer

    def answer(asked: dict) -> dict:
        return desk.answer(asked.get("id", ""), asked.get("answer", ""), asked.get("seconds"))

    acts = {
        "/view": lambda asked: desk.view(asked.get("id")),
        "/answer": answer,
        "/undo": lambda asked: desk.undo(asked.get("id", "")),
    }
    return [Route(path, answered(act), methods=["POST"]) for path, act in acts.items()]


def open_desk(desk: Desk, port: int) -> OpenDesk:
    """Return the desk at `port`, or, for 0, at the port of last time if it is free.

    With the same port a new window finds the answers that an old one could not send, as a browser
    stores them per port. The token is new every time. Raises InputError if the port asked for is in
    use.
    """
    path = scratch_file(desk.file.path, "json")
    try:
        last_port = int(parse_json(path.read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        last_port = 0
    bound = None
    if not port:
        with suppress(InputError):
            bound = bound_socket(last_port)
    bound = bound or bound_socket(port)
    token, port = new_token(), bound.getsockname()[1]
    write_json(path, {"port": port})
    return OpenDesk(desk, page_app(PAGE, desk_routes(desk), token, port), bound, token)


def scratch_file(labels: Path, suffix: str) -> Path:
    """Return a file for this label file's desk, out of git, in a folder of this user alone."""
    folder = scratch_root() / "label"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder / f"{labels.stem}.{suffix}"


@contextmanager
def doorway(opened: OpenDesk) -> Iterator[str]:
    """Yield the URL of a file that redirects a browser to the page; deleted after the block.

    A browser gets the URL on its command line, which every user of the machine can read. So this
    URL has no token in it; the file has, and only this user can read the file.
    """
    path = scratch_file(opened.desk.file.path, "html").absolute()
    remove(path)
    address = html.escape(opened.address)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f'<meta http-equiv="refresh" content="0; url={address}">')
    try:
        yield path.as_uri()
    finally:
        remove(path)
