"""One prompt, answered by several models side by side, each as soon as it is done.

The page (asking_page/) is one for all pipelines: what is asked, of which models, and which numbers
stand beside an answer, they say in an Asking.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genlab.web.bodies import Refused, is_text, read_object
from genlab.web.streams import Say, Streams

PAGE = Path(__file__).with_name("asking_page")
LONGEST_PROMPT = 2_000  # characters
MOST_DRAWS = 2**31


@dataclass(frozen=True)
class Asking:
    """What can be asked; answer(model, prompt, draw) gives a text and a cell for each column."""

    title: str
    note: str
    prompt: str  # what the field for the prompt is called
    models: list[str]
    columns: list[str]
    answer: Callable[[str, str, int], tuple[str, list[str]]]
    examples: list[str] = field(default_factory=list)
    is_drawn: bool = True  # another draw gives other answers


def asking_routes(asking: Asking, streams: Streams) -> list[Route]:
    """Return what the page may ask: what there is, and the answers to a prompt."""
    lock = Lock()  # a prompt at a time

    async def about(request: Request) -> Response:
        names = ("title", "note", "prompt", "models", "columns", "examples", "is_drawn")
        return JSONResponse({name: getattr(asking, name) for name in names})

    async def answers(request: Request) -> Response:
        asked = await read_object(request)
        prompt, draw = asked.get("prompt"), asked.get("draw")
        if not is_text(prompt, LONGEST_PROMPT) or not prompt.strip():
            raise Refused(f"a prompt is a text of up to {LONGEST_PROMPT:,} characters")
        if type(draw) is not int or not 0 <= draw < MOST_DRAWS:
            raise Refused("draw must be a whole number from 0 on")
        return streams.respond(partial(say_answers, asking, prompt.strip(), draw, lock))

    return [
        Route("/about", about, methods=["POST"]),
        Route("/answers", answers, methods=["POST"]),
    ]


def say_answers(asking: Asking, prompt: str, draw: int, lock: Lock, say: Say) -> None:
    """Have every model answer, one after the other, and say each answer when it is there."""
    for model in asking.models:
        with lock:
            text, cells = asking.answer(model, prompt, draw)
        say({"model": model, "text": text, "cells": cells})
    say({"done": True})
