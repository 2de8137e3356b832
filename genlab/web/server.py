"""A page for one person at this machine, served by Starlette and uvicorn on the loopback address.

Other programs and pages on the machine reach the port, too. So every request must name this machine
as its host (a page elsewhere cannot, whatever its DNS says), every request that does something must
bear a token, and the page may load and send nothing elsewhere. The token stands after the # of the
address, where it stays in the browser.
"""

import hmac
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genlab.core.palette import PALETTE
from genlab.core.program import InputError
from genlab.web.bodies import Refused

TOKEN_HEADER = "X-Token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
SHARED = Path(__file__).with_name("shared.js")  # beside a page's own files
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def page_app(folder: Path, routes: Sequence[BaseRoute], token: str, port: int) -> ASGIApp:
    """Return an app that serves the files in `folder` and, to who knows the token, the routes.

    index.html is the page at /. shared.js is served beside it, for the pages that load it: the
    label desk does not, which acts on a refusal's status. A style sheet begins with the project's
    palette. A route that raises Refused answers with its status and {"error": why}; InputError or
    OSError, with 503.
    """
    pages = [
        Route("/" if path.name == "index.html" else f"/{path.name}", served(path), methods=["GET"])
        for path in [SHARED, *sorted(folder.iterdir())]
        if path.suffix in KINDS
    ]
    handlers = {kind: said for kind in (Refused, InputError, OSError)}
    return guarded(Starlette(routes=[*pages, *routes], exception_handlers=handlers), token, port)


def said(request: Request, error: Exception) -> Response:
    """Return the answer to a request that a route could not answer."""
    status = error.status if isinstance(error, Refused) else 503
    return JSONResponse({"error": str(error)}, status)


def served(path: Path) -> Callable[[Request], Response]:
    """Return a handler that answers with a file."""

    def answer(request: Request) -> Response:
        shared = PALETTE.encode() if path.suffix == ".css" else b""
        return Response(shared + path.read_bytes(), media_type=KINDS[path.suffix])

    return answer


def guarded(app: ASGIApp, token: str, port: int) -> ASGIApp:
    """Return `app` behind the two questions: is it asked of this machine, and by whom?"""
    hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers, refused = Headers(scope=scope), ""
        if headers.get("host") not in hosts:
            refused = "not this machine's address"
        elif scope["method"] not in ("GET", "HEAD"):
            given = headers.get(TOKEN_HEADER, "")
            if not hmac.compare_digest(given.encode(), token.encode()):
                refused = "not the token of this page"
        if refused:
            await JSONResponse({"error": refused}, 403)(scope, receive, send_with_headers)
        else:
            await app(scope, receive, send_with_headers)

    return answer


def new_token() -> str:
    """Return a token nobody can guess."""
    return secrets.token_urlsafe(24)


def bound_socket(port: int) -> socket.socket:
    """Return a socket that listens at `port` of the loopback address, any free one for 0.

    Whoever asks before `serve` is answered then. Raises InputError if the port is taken.
    """
    # Of TCP by name, or asyncio leaves small answers to wait 40 ms for each other (Nagle).
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen()
    except (OSError, OverflowError):
        bound.close()
        raise InputError(
            f"port {port} is taken or none; leave --port out, or name another"
        ) from None
    return bound


class Server(uvicorn.Server):
    """uvicorn's, which calls `on_end` when Ctrl-C or SIGTERM has come."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], object]) -> None:
        super().__init__(config)
        self.on_end = on_end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # What is cut off now would be told at length, as exceptions in the app.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self.on_end()


def serve(app: ASGIApp, bound: socket.socket, on_end: Callable[[], object] = lambda: None) -> None:
    """Serve until Ctrl-C or SIGTERM; requests that are being answered get three seconds more.

    on_end: called when the signal comes, to end what would answer for longer.
    """
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=3, lifespan="off"
    )
    Server(config, on_end).run(sockets=[bound])
