"""The chat page: what it asks the model, and how a reply is sent while it is written.

The page (page/) sends a turn and gets lines of JSON: the reply so far, and at last that it is done.
Each window is a chat of its own, by a name that its browser drew.
"""

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from genlab.web.bodies import Refused, is_text, read_object
from pipelines.chitchat.conversation import Batcher, Memory

if TYPE_CHECKING:
    from pipelines.chitchat.conversation import Responder

PAGE = Path(__file__).with_name("page")
LONGEST_BODY = 20_000  # bytes
MAX_CHATS = 1_000  # remembered; the one that was silent longest is forgotten


def chat_routes(responder: "Responder", batch_size: int, name: str) -> list[Route]:
    """Return what the page may ask: who talks, a reply, and to begin anew."""
    batcher = Batcher(responder.reply, batch_size)
    chats: OrderedDict[str, Memory] = OrderedDict()
    busy: set[str] = set()
    n_kept = responder.layout.history_turns

    async def about(request: Request) -> Response:
        return JSONResponse({"model": name, "history_turns": n_kept})

    async def reset(request: Request) -> Response:
        asked = await read_object(request, LONGEST_BODY)
        if not is_chat(asked):
            raise Refused("not a chat")
        if memory := chats.get(asked["chat"]):
            memory.reset()
        return JSONResponse({})

    async def reply(request: Request) -> Response:
        asked = await read_object(request, LONGEST_BODY)
        chat, said = asked.get("chat", ""), asked.get("said")
        if not is_chat(asked) or not is_text(said, 2_000) or not said.strip():
            raise Refused("a turn is a text of up to 2,000 characters")
        if chat in busy:
            raise Refused("this chat's last turn has no reply yet", 409)
        memory = chats.setdefault(chat, Memory())
        chats.move_to_end(chat)
        while len(chats) > MAX_CHATS:
            chats.popitem(last=False)
        busy.add(chat)
        lines = reply_lines(batcher, memory, chat, said.strip(), n_kept, busy)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return [
        Route("/about", about, methods=["POST"]),
        Route("/reset", reset, methods=["POST"]),
        Route("/reply", reply, methods=["POST"]),
    ]


async def reply_lines(
    batcher: Batcher, memory: Memory, chat: str, said: str, n_kept: int, busy: set[str]
) -> AsyncIterator[str]:
    """Yield the reply as it grows, a line of JSON each, then the whole of it."""
    texts: asyncio.Queue[str] = asyncio.Queue()
    asked = replace(memory.asked(chat, said), on_text=texts.put_nowait)
    answer = asyncio.create_task(batcher.reply(asked))
    coming = None
    try:
        while not answer.done() or not texts.empty():
            coming = asyncio.create_task(texts.get())
            await asyncio.wait([coming, answer], return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield json.dumps({"text": coming.result()}, ensure_ascii=False) + "\n"
            else:
                coming.cancel()
                if answer.done():
                    break
        try:
            text = await answer
        except Exception as error:  # said on the page, and the next turn may go well
            yield json.dumps({"error": f"the model failed ({type(error).__name__})"}) + "\n"
            return
        memory.add(said, text, n_kept)
        yield json.dumps({"text": text, "done": True}, ensure_ascii=False) + "\n"
    finally:
        busy.discard(chat)
        if coming:  # the page was closed
            coming.cancel()


def is_chat(asked: dict[str, Any]) -> bool:
    """Return whether a request names a chat."""
    return isinstance(asked.get("chat"), str) and bool(re.fullmatch(r"[\w-]{1,64}", asked["chat"]))
