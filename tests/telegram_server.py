"""A Bot API server on the loopback address, for tests and benchmarks of bots.

It speaks HTTP to a real library: getMe, deleteWebhook, getUpdates (offset, long poll, 409 for a
second poller), sendMessage and sendChatAction. Chats are played by the test: `say` puts a message
into the queue, `sent` holds what the bot has sent. `faults` is a script of what goes wrong.
"""

import asyncio
import itertools
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "4242:AAF-a_token_for_tests_0123456789abcdef"
Faults = defaultdict[str, deque]


@dataclass
class TelegramServer:
    """The server and what it has seen; used as `with TelegramServer() as server`.

    faults: {method: what its next calls get}: ("status", 502), ("retry_after", seconds), "cut" (the
    connection breaks before anything is done), "cut_after" (it breaks when all is done), ("slow",
    seconds), "garbage" (no JSON), ("body", status, text).
    """

    token: str = TOKEN
    updates: list[dict] = field(default_factory=list)  # not yet confirmed
    confirmed: list[int] = field(default_factory=list)
    sent: list[dict] = field(default_factory=list)
    actions: list[tuple[float, int]] = field(default_factory=list)  # time, chat
    calls: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=lambda: defaultdict(deque))
    send_delay: float = 0.0  # seconds that sendMessage takes

    def __enter__(self) -> "TelegramServer":
        self.numbers = itertools.count(1_000)
        self.message_numbers = itertools.count(1)
        self.poller: asyncio.Future | None = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.changed = threading.Condition()
        self.port = self.call(self.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.wake)  # ends a long poll
        self.call(asyncio.sleep(0.1))
        self.call(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    @property
    def api(self) -> str:
        """The address that a bot is given: the token follows."""
        return f"http://127.0.0.1:{self.port}/bot"

    def call(self, coroutine: Any) -> Any:
        """Run something in the server's loop and return what it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def start(self) -> int:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self.answer)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return self.runner.addresses[0][1]

    # ---- what a test does

    def say(self, chat_id: int, text: str | None, **message: Any) -> int:
        """Put a private message into the queue; return its update_id."""
        content = {} if text is None else {"text": text}
        content |= {"message_id": 1, "date": 0, "chat": {"id": chat_id, "type": "private"}}
        return self.put({"message": content | message})

    def put(self, update: dict) -> int:
        """Put an update of any form into the queue, with an id; return that."""

        async def put() -> int:
            update_id = next(self.numbers)
            self.updates.append({"update_id": update_id} | update)
            self.wake()
            return update_id

        return self.call(put())

    def wait_for(self, condition: Any, seconds: float = 120.0) -> bool:
        """Wait until condition() holds; return whether it does."""
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def texts(self, chat_id: int) -> list[str]:
        """Return what was sent to a chat."""
        return [message["text"] for message in self.sent if message["chat_id"] == chat_id]

    # ---- what a bot asks

    def wake(self) -> None:
        if self.poller is not None and not self.poller.done():
            self.poller.set_result("new")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        data = dict(await request.post()) if request.can_read_body else dict(request.query)
        with self.changed:
            self.calls.append(method)
            self.changed.notify_all()
        if request.match_info["token"] != self.token:
            return failure(401, "Unauthorized")
        fault = self.faults[method].popleft() if self.faults[method] else None
        if fault == "cut":
            return cut(request)
        if fault == "garbage":
            return web.Response(text="<html>not JSON", content_type="text/html")
        if isinstance(fault, tuple) and fault[0] == "status":
            return failure(fault[1], "Bad Gateway")
        if isinstance(fault, tuple) and fault[0] == "body":
            return web.Response(status=fault[1], text=fault[2], content_type="application/json")
        if isinstance(fault, tuple) and fault[0] == "retry_after":
            return failure(429, "Too Many Requests", {"retry_after": fault[1]})
        if isinstance(fault, tuple):
            await asyncio.sleep(fault[1])
        handler = getattr(self, f"on_{method}", None)
        found = await handler(data) if handler else None
        if found is None:
            return failure(404, "Not Found")
        if fault == "cut_after":
            return cut(request)
        return found if isinstance(found, web.Response) else success(found)

    async def on_getMe(self, _: dict) -> dict:
        return {
            "id": int(self.token.split(":")[0]),
            "is_bot": True,
            "first_name": "Б",
            "username": "b",
        }

    async def on_deleteWebhook(self, _: dict) -> bool:
        return True

    async def on_getUpdates(self, data: dict) -> list | web.Response:
        if self.poller is not None and not self.poller.done():
            self.poller.set_result("conflict")  # Telegram ends the earlier request
        offset = int(data.get("offset", 0))
        with self.changed:
            self.confirmed += [
                u["update_id"] for u in self.updates if u.get("update_id", offset) < offset
            ]
            self.updates = [u for u in self.updates if u.get("update_id", offset) >= offset]
            self.changed.notify_all()
        limit = int(data.get("limit", 100))
        if not self.updates and (seconds := float(data.get("timeout", 0))):
            mine = self.poller = asyncio.get_running_loop().create_future()
            done, _ = await asyncio.wait([mine], timeout=seconds)
            if done and mine.result() == "conflict":
                return failure(409, "Conflict: terminated by other getUpdates request")
        return self.updates[:limit]

    async def on_sendMessage(self, data: dict) -> dict | web.Response:
        text, chat_id = data.get("text", ""), int(data["chat_id"])
        if not text or len(text.encode("utf-16-le")) // 2 > 4096:
            return failure(400, "Bad Request: message is empty or too long")
        if self.send_delay:
            await asyncio.sleep(self.send_delay)
        with self.changed:
            self.sent.append({"chat_id": chat_id, "text": text})
            self.changed.notify_all()
        chat = {"id": chat_id, "type": "private"}
        return {"message_id": next(self.message_numbers), "date": 0, "chat": chat, "text": text}

    async def on_sendChatAction(self, data: dict) -> bool:
        with self.changed:
            self.actions.append((asyncio.get_running_loop().time(), int(data["chat_id"])))
            self.changed.notify_all()
        return True


def success(result: Any) -> web.Response:
    """Return the Bot API's envelope around a result."""
    return web.json_response({"ok": True, "result": result})


def failure(code: int, description: str, parameters: dict | None = None) -> web.Response:
    """Return the Bot API's envelope around an error."""
    body = {"ok": False, "error_code": code, "description": description}
    return web.json_response(body | ({"parameters": parameters} if parameters else {}), status=code)


def cut(request: web.Request) -> web.Response:
    """Break the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
