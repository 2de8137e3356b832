"""Answers sent while they are made: whole, in order, and ended when nobody listens."""

import asyncio
import json
from threading import Event

from genlab.core.program import InputError
from genlab.web.streams import Streams, Unheard

LONG = 60  # seconds; nothing here takes one


def lines_of(work) -> list[dict]:
    async def main() -> list[dict]:
        return [json.loads(line) async for line in Streams().heard(work)]

    return asyncio.run(main())


def test_lines_arrive_in_order_and_an_error_is_the_last():
    assert lines_of(lambda say: [say({"n": n}) for n in range(50)]) == [{"n": n} for n in range(50)]

    def fail(say) -> None:
        say({"n": 1})
        raise InputError("the prompt is too long")

    assert lines_of(fail) == [{"n": 1}, {"error": "the prompt is too long"}]


def endless(ended: Event):
    """Return work that says lines until it is told that nobody listens."""

    def work(say) -> None:
        try:
            while True:
                say({"text": "more"})
        except Unheard:
            ended.set()
            raise

    return work


def test_after_ctrl_c_the_answer_ends_and_so_does_its_work():
    ended = Event()

    async def main() -> int:
        streams, n = Streams(), 0
        async for _ in streams.heard(endless(ended)):
            n += 1
            if n == 3:
                streams.end()
        return n

    assert asyncio.run(main()) >= 3
    assert ended.wait(LONG)


def test_a_closed_page_ends_the_work_too():
    ended = Event()

    async def main() -> None:
        lines = Streams().heard(endless(ended))
        await anext(lines)
        await lines.aclose()

    asyncio.run(main())
    assert ended.wait(LONG)


def test_a_mistake_of_ours_is_told_on_the_page_and_not_hidden_from_the_terminal(capsys):
    def fail(say) -> None:
        raise ValueError("secret")

    assert lines_of(fail) == [{"error": "it failed: ValueError"}]
    assert "ValueError: secret" in capsys.readouterr().err
