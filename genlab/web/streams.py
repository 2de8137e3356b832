"""Answers that are sent while they are made: lines of JSON, from work in a thread of its own.

After its page was closed, or after Ctrl-C, the work is stopped when it sends its next line.
"""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Callable
from threading import Thread
from typing import Any

from starlette.responses import StreamingResponse

from genlab.core.program import InputError

Say = Callable[[dict[str, Any]], None]


class Unheard(Exception):
    """Nobody listens any more."""


class Stream:
    """One answer on its way from a thread to the event loop."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.is_heard = True

    def say(self, line: dict[str, Any] | None) -> None:
        """Send a line, or None for the end; from any thread. Raises Unheard."""
        if not self.is_heard:
            raise Unheard
        self.loop.call_soon_threadsafe(self.lines.put_nowait, line)


class Streams:
    """All answers of a server that are being made; `end` ends them."""

    def __init__(self) -> None:
        self.open: set[Stream] = set()

    def respond(self, work: Callable[[Say], object]) -> StreamingResponse:
        """Return a response of what `work` says, a line each; an InputError becomes the last."""
        return StreamingResponse(self.heard(work), media_type="application/x-ndjson")

    async def heard(self, work: Callable[[Say], object]) -> AsyncIterator[str]:
        stream = Stream()
        self.open.add(stream)
        Thread(target=speak, args=(work, stream)).start()
        try:
            while (line := await stream.lines.get()) is not None:
                yield json.dumps(line, ensure_ascii=False) + "\n"
        finally:
            stream.is_heard = False
            self.open.discard(stream)

    def end(self) -> None:
        """End all answers where they are; in the thread of the event loop."""
        for stream in list(self.open):
            stream.say(None)
            stream.is_heard = False


def speak(work: Callable[[Say], object], stream: Stream) -> None:
    """Do the work of one answer."""
    try:
        try:
            work(stream.say)
        except InputError as error:
            stream.say({"error": str(error)})
        except Unheard:
            raise
        except Exception as error:
            traceback.print_exc()
            stream.say({"error": f"it failed: {type(error).__name__}"})
        finally:
            stream.say(None)
    except Unheard:
        pass
