"""A trained model that talks: what was said before, one batch for all who wait.

A reply depends on the model, the seed, the chat, the number of its turn and what was said, and not
on who else is answered with it: each chat's turn has a random stream of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.core.terminal import in_one_line
from genlab.models.decoding import Decoding, check_positions, decode_batch
from genlab.models.end_of_text import end_tokens
from genlab.models.loading import load_for_inference
from genlab.models.prompts import encode
from genlab.models.token_texts import decode_texts
from pipelines.chitchat.arm_training import load_layout
from pipelines.chitchat.chat_inputs import build_prompt, special_of
from pipelines.chitchat.dialogue_rules import Rules, clean_turns

SILENCE = "…"  # for a reply without a word: an empty message cannot be sent


@dataclass(frozen=True)
class Asked:
    """One turn that waits for its reply."""

    chat: str
    number: int  # of turns that this chat has had
    history: list[str]  # the turns before, the oldest first
    said: str
    on_text: Callable[[str], object] | None = None  # hears the reply as it grows
    on_reply: Callable[[str], object] | None = None  # hears it when it has ended, others' going on


@dataclass
class Memory:
    """What one chat has said: the last turns, and how many there were."""

    turns: list[str] = field(default_factory=list)
    n_turns: int = 0

    def asked(self, chat: str, said: str) -> Asked:
        """Return the next turn to be replied to."""
        return Asked(chat, self.n_turns, list(self.turns), said)

    def add(self, said: str, reply: str, n_kept: int) -> None:
        """Remember a turn and its reply, and forget all but the last `n_kept` turns."""
        self.turns = [*self.turns, said, reply][-n_kept:] if n_kept else []
        self.n_turns += 2

    def reset(self) -> None:
        """Forget what was said. The number goes on, so that the same words get another reply."""
        self.turns = []


class Responder:
    """A trained arm in memory."""

    def __init__(
        self, folder: Path, decoding: Decoding, rules: Rules, max_turn_tokens: int
    ) -> None:
        """Load the model in `folder`; raise InputError if it is none of this pipeline's."""
        if decoding.num_beams > 1:
            raise InputError("gen.num_beams: a chat samples; set it to 1")
        self.layout = load_layout(folder)
        self.tokenizer, self.model = load_for_inference(folder)
        self.special = special_of(self.tokenizer)
        self.ends = end_tokens(self.model, self.tokenizer) | set(self.special.speakers)
        self.decoding, self.rules, self.max_turn_tokens = decoding, rules, max_turn_tokens
        longest = (self.layout.history_turns + 1) * (max_turn_tokens + 1) + 2
        check_positions(self.model, [[0] * longest], ["a chat's longest"], decoding)

    def reply(self, asked: list[Asked]) -> list[str]:
        """Return the replies to turns of different chats, decoded as one batch.

        Who listens hears a reply before the longest of the batch has ended.
        """
        prompts, types = zip(*self.prompts_of(asked), strict=True)
        seed, cap = self.decoding.seed, self.decoding.cap
        streams = np.stack([random_stream(seed, f"{a.chat}/{a.number}", cap) for a in asked])
        said: list[list[int]] = [[] for _ in asked]
        going = set(range(len(asked)))

        def on_step(rows: list[int], tokens: list[int]) -> None:
            for row, token in zip(rows, tokens, strict=True):
                said[row].append(token)
                if (hears := asked[row].on_text) is not None:
                    hears(self.text_of(said[row]))
            for row in going.difference(rows):
                if (hears := asked[row].on_reply) is not None:
                    hears(self.text_of(said[row]) or SILENCE)
            going.intersection_update(rows)

        decode_batch(
            self.model,
            list(prompts),
            streams,
            self.decoding,
            self.ends,
            list(types) if self.layout.token_types else None,
            on_step,
        )
        return [self.text_of(tokens) or SILENCE for tokens in said]

    def prompts_of(self, asked: list[Asked]) -> list[tuple[list[int], list[int]]]:
        """Return token ids and types of all that stands before each reply.

        The turns of all are cleaned and encoded at once: one by one that takes longer than fifty
        replies.
        """
        used = self.layout.history_turns
        texts = [[*(each.history[-used:] if used else []), each.said] for each in asked]
        cleaned = clean_turns(pl.Series("turn", list(chain(*texts))), self.rules)
        ids = iter(encode(self.tokenizer, cleaned.to_list(), read_special_tokens=False))
        prompts = []
        for of_one in texts:
            *history, said = (turn[-self.max_turn_tokens :] for turn in islice(ids, len(of_one)))
            prompts.append(build_prompt(self.layout, self.special, history, said))
        return prompts

    def text_of(self, tokens: list[int]) -> str:
        """Return a reply's text in one line, without half a character at its end."""
        text = decode_texts(self.tokenizer, [tokens])[0].rstrip("\ufffd")
        return in_one_line(text)


class Batcher:
    """Answers all that wait, together: while one batch is decoded the next one gathers.

    A reply is given when it has ended, not when the longest of its batch has.
    """

    def __init__(self, reply: Callable[[list[Asked]], list[str]], batch_size: int) -> None:
        self.decode, self.batch_size = reply, batch_size
        self.waiting: list[tuple[Asked, asyncio.Future[str]]] = []
        self.worker: asyncio.Task | None = None

    async def reply(self, asked: Asked) -> str:
        """Return the reply to one turn; what `on_text` hears, it hears in the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()

        def there(hears: Callable[[str], object]) -> Callable[[str], object]:
            return lambda text: loop.call_soon_threadsafe(hears, text)

        on_text, on_reply = asked.on_text, there(partial(settle, future))
        asked = replace(asked, on_text=on_text and there(on_text), on_reply=on_reply)
        self.waiting.append((asked, future))
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self.work())
        return await future

    async def work(self) -> None:
        """Answer until nobody waits."""
        while self.waiting:
            await asyncio.sleep(0)  # who asks at the same moment is answered at the same moment
            batch = self.waiting[: self.batch_size]
            del self.waiting[: self.batch_size]
            try:
                replies = await asyncio.to_thread(self.decode, [asked for asked, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), text in zip(batch, replies, strict=True):
                settle(future, text)


def settle(future: "asyncio.Future[str]", text: str) -> None:
    """Give a reply to who waits for it, if nobody has and it was not given up."""
    if not future.done():
        future.set_result(text)
