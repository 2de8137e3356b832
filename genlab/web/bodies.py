"""Read the body of a page's request: a JSON object of limited length."""

import asyncio
import json
from http import HTTPStatus
from typing import Any, TypeGuard

from starlette.requests import ClientDisconnect, Request

LONGEST_BODY = 100_000  # bytes
PATIENCE = 10.0  # seconds for a request to arrive


class Refused(Exception):
    """A request that is refused and need not be repeated; its message is for the page."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


async def read_object(request: Request, longest: int = LONGEST_BODY) -> dict[str, Any]:
    """Return a request's JSON object; raise Refused if it is none, too long or not whole."""
    content = b""
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():  # to its end, or the answer would not arrive
                content += piece[: longest + 1 - len(content)]
    except TimeoutError:
        raise Refused("the request did not come to its end", HTTPStatus.REQUEST_TIMEOUT) from None
    except ClientDisconnect:  # its page was closed: nobody hears this
        raise Refused("the request did not come to its end") from None
    if len(content) > longest:
        raise Refused(f"a request has a body of at most {longest:,} bytes")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):  # no JSON, a number of 5,000 digits, or [[[[...
        body = None
    if not isinstance(body, dict):
        raise Refused("not a JSON object")
    return body


def is_text(value: object, longest: int) -> TypeGuard[str]:
    """Return whether a value is text that can be written, of at most `longest` characters.

    JSON can hold half of a surrogate pair, which no file and no tokenizer takes.
    """
    return isinstance(value, str) and len(value) <= longest and writable(value) == value


def writable(text: str) -> str:
    """Return a text without halves of surrogate pairs."""
    return text.encode("utf-8", "ignore").decode()
