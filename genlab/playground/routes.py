"""The page's routes: queries, places, altered and written texts. All take JSON by POST."""

from collections.abc import Mapping
from functools import partial
from random import randrange
from threading import Lock
from typing import Any

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genlab.playground.placed_texts import place_text
from genlab.playground.playable import Playable
from genlab.web.bodies import Refused, is_text, read_object
from genlab.web.streams import Streams

LONGEST_TEXT = 20_000  # characters
MOST_FOUND = 100  # queries
MOST_DRAWS = 2**31


def play_routes(collections: Mapping[str, Playable], streams: Streams) -> list[Route]:
    """Return the routes of the page; collections by name, "" where there is only one."""
    ranking = Lock()  # of all collections: they have rankers in common

    async def about(request: Request) -> Response:
        return JSONResponse([tell_about(name, on) for name, on in collections.items()])

    async def find(request: Request) -> Response:
        asked = await read_object(request)
        on = collection_of(collections, asked)
        return JSONResponse(find_queries(on, text_of(asked, "words")))

    async def query(request: Request) -> Response:
        asked = await read_object(request)
        on = collection_of(collections, asked)
        number = randrange(on.queries.height) if asked.get("random") else number_of(on, asked)
        return JSONResponse(show_query(on, number))

    async def place(request: Request) -> Response:
        asked = await read_object(request)
        on = collection_of(collections, asked)
        number, text = number_of(on, asked), text_of(asked, "text")
        instead = passage_of(on, number, asked)
        found = await run_in_threadpool(place_text, on, number, text, instead, ranking)
        return JSONResponse(found)

    async def alter(request: Request) -> Response:
        asked = await read_object(request)
        on, button = collection_of(collections, asked), text_of(asked, "button")
        if button not in on.buttons:
            raise Refused(f"{button} is no button")
        text = await run_in_threadpool(
            on.alter,
            number_of(on, asked),
            text_of(asked, "text"),
            button,
            whole_number(asked, "n", 1, LONGEST_TEXT),
            whole_number(asked, "draw", 0, MOST_DRAWS),
        )
        if not is_text(text, LONGEST_TEXT):
            raise Refused(f"the text would have more than {LONGEST_TEXT:,} characters")
        return JSONResponse({"text": text})

    async def write(request: Request) -> Response:
        asked = await read_object(request)
        on, name = collection_of(collections, asked), text_of(asked, "model")
        number, draw = number_of(on, asked), whole_number(asked, "draw", 0, MOST_DRAWS)
        if on.write is None or name not in on.writers:
            raise Refused(f"{name} is no model")
        return streams.respond(partial(on.write, number, name, draw))

    return [
        Route(f"/{answer.__name__}", answer, methods=["POST"])
        for answer in (about, find, query, place, alter, write)
    ]


def tell_about(name: str, on: Playable) -> dict[str, Any]:
    """Return what the page shows about a collection before a query is chosen."""
    return {
        "name": name,
        "n_queries": on.queries.height,
        "first": first_answerable(on),
        "texts_are": on.texts_are,
        "rankers": [judge.label for judge in on.judges],
        "buttons": list(on.buttons.items()),
        "models": list(on.writers.items()),
    }


def first_answerable(on: Playable) -> int:
    """Return the number of the first query that has an answer, 0 if none has."""
    flags = on.queries["passages"].list.eval(pl.element().struct.field("is_selected")).list.any()
    return int(flags.arg_max() or 0)


def find_queries(on: Playable, words: str) -> dict[str, Any]:
    """Return how many queries hold all of the words, and the first of them: [number, query]."""
    wanted = words.casefold().split()
    found = [
        [number, query]
        for number, query in enumerate(on.queries["query"])
        if all(word in query.casefold() for word in wanted)
    ]
    return {"n": len(found), "found": found[:MOST_FOUND]}


def show_query(on: Playable, number: int) -> dict[str, Any]:
    """Return a query with its passages, [text, is_selected] each, and its text to begin with."""
    row = on.queries.row(number, named=True)
    return {
        "number": number,
        "query": row["query"],
        "passages": [[each["text"], each["is_selected"]] for each in row["passages"]],
        "text": on.texts.get(row["query_id"], ""),
    }


def text_of(asked: dict[str, Any], key: str) -> str:
    """Return a text from a request; raise Refused if it is not text, or too long."""
    if not is_text(asked.get(key), LONGEST_TEXT):
        raise Refused(f"{key} must be a text of at most {LONGEST_TEXT:,} characters")
    return asked[key]


def collection_of(collections: Mapping[str, Playable], asked: dict[str, Any]) -> Playable:
    """Return the collection that a request is about, the first if it names none."""
    name = asked.get("collection", next(iter(collections)))
    if not isinstance(name, str) or name not in collections:
        raise Refused(f"there is no collection {name}")
    return collections[name]


def number_of(on: Playable, asked: dict[str, Any]) -> int:
    """Return the number of the query that a request is about."""
    return whole_number(asked, "query", 0, on.queries.height - 1)


def passage_of(on: Playable, number: int, asked: dict[str, Any]) -> int | None:
    """Return the number of the passage in whose slot a text stands, None if in none."""
    if asked.get("instead") is None:
        return None
    return whole_number(asked, "instead", 0, len(on.queries["passages"][number]) - 1)


def whole_number(asked: dict[str, Any], key: str, low: int, high: int) -> int:
    """Return a whole number from a request; raise Refused unless it is from `low` to `high`."""
    value = asked.get(key)
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{key} must be a whole number from {low} to {high}")
    return value
