"""The label desk: shows a rater one text after another, in a browser or a terminal.

It takes the texts in the order of `questionnaire.sample_texts`, and writes the answers to the
rater's label file. The page is served from this machine to this machine: by http.server on
127.0.0.1, to requests that bear this desk's token in a header (which no other site's page can send)
and the right Host (so that no other name can stand for 127.0.0.1). Texts reach the page as JSON and
the screen as textContent; the page's policy lets no other script run.

http.server and not starlette with uvicorn: that took ten lines more here, limits no request's
headers in time, and lets Ctrl-C wait for a request whose body does not come.
"""

import hmac
import json
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

import polars as pl

from genlab.core.files import write_json
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
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


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
            "rater": self.file.rater,
            "sheet": {key: getattr(self.sheet, key) for key in ("question", "hint", "by", "show")},
            "choices": [[name, words] for name, words in self.sheet.choices.items()],
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

    def answer(self, name: str, answer: str, seconds: float | None) -> dict:
        """Keep an answer and return the next view; the same answer twice is kept once.

        A page that got no reply sends its answer again. Raises Refused for a text that has
        another answer, from a second window, or is none of these.
        """
        with self.lock:
            text_id = self.find(name)
            if answer not in self.sheet.choices or not (seconds is None or is_duration(seconds)):
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
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise Refused(HTTPStatus.BAD_REQUEST, "a request has a body of at most 10,000 bytes")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
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
    """Return a server at `port`, or, for 0, at the rater's address of last time if it is free.

    A page that is still open then finds its desk again and hands in the answer that it kept.
    The token is remembered beside the port, readable to this user alone. Raises InputError if the
    port asked for is taken.
    """
    path = address_file(desk.file.path)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        token, last_port = str(known["token"]), int(known["port"])
    except (OSError, ValueError, KeyError, TypeError):
        token, last_port = secrets.token_urlsafe(24), 0
    tries = [port] if port else [last_port, 0]
    for each in tries:
        with suppress(OSError, OverflowError):
            server = Server(desk, each, token)
            remember(path, {"port": server.server_port, "token": token})
            return server
    raise InputError(f"port {port} is taken; leave --port out, or name another")


def address_file(labels: Path) -> Path:
    """Return where the address of this label file's desk is remembered, out of git."""
    return scratch_root() / "label" / f"{labels.stem}.json"


def remember(path: Path, address: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    write_json(path, address)


def serve(server: Server) -> None:
    """Serve until Ctrl-C, then let an answer that is being written reach the disk."""
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.desk.lock.acquire()  # and never released: from here on nothing is written
        server.server_close()


# ---- in a terminal


def ask_in_terminal(desk: Desk, language: str, ask: Callable[[str], str] = input) -> None:
    """Ask for one text after another until all have an answer, or q, Ctrl-D or Ctrl-C.

    ask: takes a prompt, returns a line. Raises InputError or OSError if an answer cannot be kept.
    """
    choices = list(desk.sheet.choices)
    view = desk.view()
    while view["text"]:
        print("\n" + screen(view, language))
        shown = monotonic()
        try:
            key = ask(f"1-{len(choices)}, b = take back, q = end: ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            key = "q"
        if key == "q":
            break
        if key == "b":
            if view["last"]:
                view = desk.undo(view["last"]["id"])
            else:
                print("There is no answer to take back.")
        elif key.isdecimal() and 1 <= int(key) <= len(choices):
            seconds = round(monotonic() - shown, 1)
            view = desk.answer(view["text"]["id"], choices[int(key) - 1], seconds)
        else:
            print(f"{key!r} is no answer.")
    n_left = sum(n for _, n in view["left"])
    print(f"\n{view['n'] - n_left} of {view['n']} texts have an answer, all in {desk.file.path}")


def screen(view: dict, language: str) -> str:
    """Return a view as lines of plain text."""
    n_left = sum(n for _, n in view["left"])
    left = ", ".join(f"{group}: {n}" for group, n in view["left"])
    lines = [f"{view['n'] - n_left + 1} of {view['n']} (left by {view['sheet']['by']}: {left})"]
    for column, caption in view["sheet"]["show"].items():
        value = view["text"]["beside"][column]
        words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        of = f" / {caption['of']}" if "of" in caption else ""
        lines.append(f"{worded(caption, language)}: {words}{of}")
    lines += ["", view["text"]["text"], "", worded(view["sheet"]["question"], language)]
    for number, (_, words) in enumerate(view["choices"], 1):
        lines.append(f"  {number}  {worded(words, language)}")
    lines.append(worded(view["sheet"]["hint"], language))
    return printable("\n".join(lines))


def worded(wording: dict, language: str) -> str:
    """Return the words in a language, or in the first there is."""
    return wording.get(language) or next(words for key, words in wording.items() if key != "of")


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: control and direction characters."""
    return OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)
