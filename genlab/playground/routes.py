"""What the page may ask: queries, places, altered and written texts. All are JSON, sent by POST."""

from functools import partial
from random import randrange
from typing import Any

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genlab.playground.altered_texts import alter_text, buttons
from genlab.playground.loaded_run import MODELS, LoadedRun
from genlab.playground.placed_texts import place_text
from genlab.playground.written_texts import write_text
from genlab.web.bodies import Refused, is_text, read_object
from genlab.web.streams import Streams

LONGEST_TEXT = 20_000  # characters
MOST_FOUND = 100  # queries
MOST_DRAWS = 2**31


def play_routes(run: LoadedRun, streams: Streams) -> list[Route]:
    """Return the routes of the page."""

    async def about(request: Request) -> Response:
        return JSONResponse(
            {
                "n_queries": run.queries.height,
                "first": first_answerable(run),
                "rankers": [judge.label for judge in run.judges],
                "buttons": buttons(run),
                "models": list(MODELS.items()),
                "max_len": run.max_len,
            }
        )

    async def find(request: Request) -> Response:
        asked = await read_object(request)
        return JSONResponse(find_queries(run, text_of(asked, "words")))

    async def query(request: Request) -> Response:
        asked = await read_object(request)
        number = randrange(run.queries.height) if asked.get("random") else number_of(run, asked)
        return JSONResponse(show_query(run, number))

    async def place(request: Request) -> Response:
        asked = await read_object(request)
        number, text = number_of(run, asked), text_of(asked, "text")
        return JSONResponse(await run_in_threadpool(place_text, run, number, text))

    async def alter(request: Request) -> Response:
        asked = await read_object(request)
        text = await run_in_threadpool(
            alter_text,
            run,
            number_of(run, asked),
            text_of(asked, "text"),
            text_of(asked, "button"),
            whole_number(asked, "n", 1, LONGEST_TEXT),
            whole_number(asked, "draw", 0, MOST_DRAWS),
        )
        if not is_text(text, LONGEST_TEXT):
            raise Refused(f"the text would have more than {LONGEST_TEXT:,} characters")
        return JSONResponse({"text": text})

    async def write(request: Request) -> Response:
        asked = await read_object(request)
        number, name = number_of(run, asked), text_of(asked, "model")
        if name not in MODELS:
            raise Refused(f"{name} is no model")
        draw = whole_number(asked, "draw", 0, MOST_DRAWS)
        return streams.respond(partial(write_text, run, number, name, draw))

    return [
        Route(f"/{answer.__name__}", answer, methods=["POST"])
        for answer in (about, find, query, place, alter, write)
    ]


def first_answerable(run: LoadedRun) -> int:
    """Return the number of the first query that has an answer, 0 if none has."""
    flags = run.queries["passages"].list.eval(pl.element().struct.field("is_selected")).list.any()
    return int(flags.arg_max() or 0)


def find_queries(run: LoadedRun, words: str) -> dict[str, Any]:
    """Return how many queries hold all of the words, and the first of them: [number, query]."""
    wanted = words.casefold().split()
    found = [
        [number, query]
        for number, query in enumerate(run.queries["query"])
        if all(word in query.casefold() for word in wanted)
    ]
    return {"n": len(found), "found": found[:MOST_FOUND]}


def show_query(run: LoadedRun, number: int) -> dict[str, Any]:
    """Return a query with its passages, [text, is_selected] each, and the run's text for it."""
    row = run.queries.row(number, named=True)
    return {
        "number": number,
        "query": row["query"],
        "passages": [[each["text"], each["is_selected"]] for each in row["passages"]],
        "text": run.texts.get(row["query_id"], ""),
    }


def text_of(asked: dict[str, Any], key: str) -> str:
    """Return a text of a request; raise Refused if it is none, or too long."""
    if not is_text(asked.get(key), LONGEST_TEXT):
        raise Refused(f"{key} must be a text of at most {LONGEST_TEXT:,} characters")
    return asked[key]


def number_of(run: LoadedRun, asked: dict[str, Any]) -> int:
    """Return the number of the query that a request is about."""
    return whole_number(asked, "query", 0, run.queries.height - 1)


def whole_number(asked: dict[str, Any], key: str, low: int, high: int) -> int:
    """Return a number of a request; raise Refused if it is none from `low` to `high`."""
    value = asked.get(key)
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{key} must be a whole number from {low} to {high}")
    return value
