"""What a page sends: an object of bounded size and depth, and text that can be written."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from genlab.core.program import InputError
from genlab.web.bodies import Refused, is_text, read_object
from genlab.web.server import TOKEN_HEADER, page_app


@pytest.fixture
def post(tmp_path):
    """Return a function that posts a body and returns status and answer."""

    async def echo(request: Request) -> JSONResponse:
        body = await read_object(request, 1_000)
        if "disk" in body:
            raise InputError("the disk is full")
        return JSONResponse(body)

    app = page_app(tmp_path, [Route("/echo", echo, methods=["POST"])], "token", 8000)
    client = TestClient(app, base_url="http://localhost:8000")

    def send(body: str) -> tuple[int, dict]:
        reply = client.post("/echo", content=body.encode(), headers={TOKEN_HEADER: "token"})
        return reply.status_code, reply.json()

    return send


@pytest.mark.parametrize(
    "body", ["", "[]", "1", "{", '{"a": ' + "[" * 900, '{"a": ' + "9" * 900, "\x00", '{"a": NaN}x']
)
def test_what_is_no_object_is_refused(post, body):
    assert post(body) == (400, {"error": "not a JSON object"})


def test_a_long_body_is_refused_and_an_object_is_taken(post):
    assert post('{"a": "' + "x" * 1_000 + '"}')[0] == 400
    assert post('{"a": "b"}') == (200, {"a": "b"})
    assert post('{"disk": 1}') == (503, {"error": "the disk is full"})


def test_a_page_that_is_closed_while_it_sends_is_refused_like_any_other_request():
    messages = iter(
        [{"type": "http.request", "body": b'{"a', "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict:
        return next(messages)

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(Refused, match="the request did not come to its end"):
        asyncio.run(read_object(request))


def test_half_a_surrogate_pair_and_too_many_characters_are_no_text():
    assert is_text("чай ☕", 5)
    assert not is_text("чай ☕!", 5)
    assert not is_text("\ud800", 5)
    assert not is_text(None, 5)
