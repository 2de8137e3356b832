"""The label desk: shows a rater one text after another, in a browser (terminal.py: without one).

It takes the texts in the order of `questionnaire.sample_texts`, and writes the answers to the
rater's label file. The page is served from this machine to this machine: by http.server on
127.0.0.1, to requests that bear this desk's token in a header (which no other site's page can send)
and the right Host (so that no other name can stand for 127.0.0.1). Texts reach the page as JSON and
the screen as textContent; the page's policy lets no other script run.

http.server and not starlette with uvicorn: that took ten lines more here, limits no request's
headers in time, and lets Ctrl-C wait for a request whose body does not come.
"""

import hashlib
import hmac
import html
import json
import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl

from genlab.core.files import remove, write_json
from genlab.core.palette import PALETTE
from genlab.core.program import InputError
from genlab.core.scratch import scratch_root
from genlab.labelling.label_files import LabelFile, is_duration
from genlab.labelling.questionnaire import Questionnaire

PAGE = Path(__file__).resolve().parent / "desk_page"
FILES = {
    "/": ("label.html", "text/html; charset=utf-8"),
    "/label.css": ("label.css", "text/css; charset=utf-8"),
    "/label.js": ("label.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
LONGEST_BODY = 10_000  # bytes; an answer has about 100


class Refused(Exception):
    """An answer that cannot be taken, however often it is sent."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Desk:
    """One rater's texts and answers. Texts are known by fingerprint, so that no id tells the arm,
    and an answer sent by a page that was loaded before the texts changed fits none of them.
    """

    def __init__(self, sample: pl.DataFrame, sheet: Questionnaire, file: LabelFile) -> None:
        self.sheet = sheet
        self.file = file
        self.texts = {row["fingerprint"]: row for row in sample.iter_rows(named=True)}
        self.names = {row["text_id"]: name for name, row in self.texts.items()}
        self.lock = threading.Lock()
        # Pages keep an unsaved answer under this: it is handed in to the same label file's desk.
        path = str(file.path.resolve())
        self.name = hashlib.blake2b(path.encode(), digest_size=8).hexdigest()

    def view(self, wanted: str | None = None) -> dict:
        """Return all that a rater sees: the text `wanted` if it has no answer, else the next."""
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
        """Say whether an answer is one to this text: an order must have all of its answers."""
        if not isinstance(answer, str) or not self.sheet.takes(answer):
            return False
        n = len(re.split("[>=]", answer))
        return not self.sheet.is_order or n == self.texts[name]["n_answers"]

    def answer(self, name: str, answer: str, seconds: float | None) -> dict:
        """Keep an answer and return the next view; the same answer twice is kept once.

        A page that got no reply sends its answer again. Raises Refused for a text that has
        another answer, from a second window, or is none of these.
        """
        with self.lock:
            text_id = self.find(name)
            if not self.fits(name, answer) or not (seconds is None or is_duration(seconds)):
                raise Refused(HTTPStatus.BAD_REQUEST, f"{answer!r} is no answer")
            given = self.file.answers.get(text_id)
            if given not in (None, answer):
                raise Refused(HTTPStatus.CONFLICT, given)
            if given is None:
                self.file.answer(text_id, answer, seconds)
            return self.view()

    def undo(self, name: str) -> dict:
        """Take a text's answer back and return the view of it; twice is once."""
        with self.lock:
            text_id = self.find(name)
            if text_id in self.file.answers:
                self.file.undo(text_id)
            return self.view(name)

    def find(self, name: str) -> str:
        if name not in self.texts:
            raise Refused(HTTPStatus.GONE, "this text is not among those to be labelled")
        return self.texts[name]["text_id"]


# ---- in a browser


class Server(ThreadingHTTPServer):
    """Serves one desk to the pages that know its token."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int, token: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.desk = desk
        self.token = token
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        """The page's address; what follows the # stays in the browser."""
        return f"http://127.0.0.1:{self.server_port}/#{self.token}"


class Handler(BaseHTTPRequestHandler):
    """Answers GET of the page's files and POST of what the page asks for, JSON to JSON."""

    timeout = 10  # seconds for a request to arrive
    server: Server

    def do_GET(self) -> None:
        if not self.comes_from_here():
            return
        if self.path in FILES:
            name, kind = FILES[self.path]
            shared = PALETTE.encode() if name.endswith(".css") else b""
            self.reply(HTTPStatus.OK, kind, shared + (PAGE / name).read_bytes())
        else:
            self.reply_json(HTTPStatus.NOT_FOUND, {"error": "no such page"})

    def do_POST(self) -> None:
        if not self.comes_from_here():
            return
        token = self.headers.get("X-Desk-Token", "")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self.reply_json(HTTPStatus.FORBIDDEN, {"error": "not this desk's token"})
            return
        desk = self.server.desk
        try:
            asked = self.read_json()
            match self.path:
                case "/view":
                    with desk.lock:
                        view = desk.view(asked.get("id"))
                case "/answer":
                    view = desk.answer(
                        asked.get("id", ""), asked.get("answer", ""), asked.get("seconds")
                    )
                case "/undo":
                    view = desk.undo(asked.get("id", ""))
                case _:
                    raise Refused(HTTPStatus.NOT_FOUND, "no such page")
        except Refused as error:
            self.reply_json(error.status, {"error": str(error)})
        except (InputError, OSError) as error:  # not on disk: the page keeps it and tries again
            self.reply_json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})
        else:
            self.reply_json(HTTPStatus.OK, view)

    def comes_from_here(self) -> bool:
        """Say whether the browser asked for this machine by name; refuse the request if not."""
        if self.headers.get("Host") in self.server.hosts:
            return True
        self.reply_json(HTTPStatus.FORBIDDEN, {"error": "not this desk's address"})
        return False

    def read_json(self) -> dict:
        """Return the request's body, an object with strings and numbers; Refused if it is none."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > LONGEST_BODY:
            raise Refused(HTTPStatus.BAD_REQUEST, "a request has a body of at most 10,000 bytes")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):  # no JSON, or [[[[...
            body = None
        if not isinstance(body, dict) or any(isinstance(v, list | dict) for v in body.values()):
            raise Refused(HTTPStatus.BAD_REQUEST, "not a flat JSON object")
        return body

    def reply_json(self, status: HTTPStatus, content: dict) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self.reply(status, "application/json", body)

    def reply(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # the window was closed meanwhile
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal is for people."""

    def version_string(self) -> str:
        return "desk"


def open_server(desk: Desk, port: int) -> Server:
    """Return a server at `port`, or, for 0, at the port of last time if it is free.

    A new window then finds what an old one could not hand in: a browser keeps that by the port. The
    token is new every time. Raises InputError if the port asked for is taken.
    """
    path = scratch_file(desk.file.path, "json")
    try:
        last_port = int(json.loads(path.read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        last_port = 0
    tries = [port] if port else [last_port, 0]
    for each in tries:
        with suppress(OSError, OverflowError):
            server = Server(desk, each, secrets.token_urlsafe(24))
            write_json(path, {"port": server.server_port})
            return server
    raise InputError(f"port {port} is taken; leave --port out, or name another")


def scratch_file(labels: Path, suffix: str) -> Path:
    """Return a file for this label file's desk, out of git, in a folder of this user alone."""
    folder = scratch_root() / "label"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder / f"{labels.stem}.{suffix}"


@contextmanager
def doorway(server: Server) -> Iterator[str]:
    """Yield the address of a file that leads a browser to the page; it is gone after the block.

    A browser gets its address on its command line, which every user of the machine can read. This
    one has no token in it, and the file is for this user alone.
    """
    path = scratch_file(server.desk.file.path, "html").absolute()
    remove(path)
    address = html.escape(server.address)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f'<meta http-equiv="refresh" content="0; url={address}">')
    try:
        yield path.as_uri()
    finally:
        remove(path)


def serve(server: Server) -> None:
    """Serve until Ctrl-C, then let an answer that is being written reach the disk."""
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.desk.lock.acquire()  # and never released: from here on nothing is written
        server.server_close()
