"""Talk to a trained model, in this folder: in the terminal, on a local page, or on Telegram.

    python -m chat console
    python -m chat web --model data/train/baseline
    TELEGRAM_TOKEN=... python -m chat telegram

A model reads at most as many turns as it was trained with. Decoding and cleaning are those of
params.yaml (gen, clean).
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from typer import Option

from genlab.core.params import is_number
from genlab.core.params_file import read_params, text_of
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import scratch_root
from genlab.core.terminal import read_line
from genlab.web.shown_page import Port, show_page

if TYPE_CHECKING:
    from starlette.routing import Route

    from genlab.models.decoding import Decoding
    from genlab.web.streams import Streams
    from pipelines.chitchat.conversation import Responder
    from pipelines.chitchat.dialogue_rules import Rules

app = stage_app()

Model = Annotated[Path, Option(help="folder of a trained arm")]
Params = Annotated[Path, Option(help="params.yaml: how to decode (gen) and clean")]
BatchSize = Annotated[int, Option(min=1, help="chats answered together, at most")]

MODEL, PARAMS = Path("data/train/dialogue"), Path("params.yaml")


def load_responder(model: Path, params: Path) -> "Responder":
    """Return the model in memory, with the values of params.yaml; InputError naming what is not."""
    from pipelines.chitchat.conversation import Responder

    if not model.is_dir():
        raise InputError(f"{model}: no such model; run `dvc repro`, or name one with --model")
    return Responder(model, *read_values(params))


def read_values(params: Path) -> "tuple[Decoding, Rules, int]":
    """Return how params.yaml has texts decoded and cleaned, and the most tokens of a turn.

    Raises InputError for a value that is missing or of another kind.
    """
    from genlab.models.decoding import Decoding
    from pipelines.chitchat.dialogue_rules import Rules

    if not params.is_file():
        raise InputError(f"{params}: no such file; run this in the pipeline's folder")
    values = read_params(text_of(params), str(params)).values
    of_decoding = {
        name: kind for name, kind in get_type_hints(Decoding).items() if name != "ignore_eos"
    }
    decoding = Decoding(**chosen(values, "gen", of_decoding, params))
    rules = Rules(**chosen(values, "clean", get_type_hints(Rules), params))
    of_turns = chosen(values, "tokenize", {"max_turn_tokens": int}, params)
    return decoding, rules, of_turns["max_turn_tokens"]


def chosen(
    values: dict[str, object], group: str, kinds: dict[str, type], path: Path
) -> dict[str, Any]:
    """Return params of a group, each of its kind: whole numbers, numbers, or true or false.

    values: by dotted key. Raises InputError for one that is missing or of another kind.
    """
    found = {}
    for name, wanted in kinds.items():
        key = f"{group}.{name}"
        if key not in values:
            raise InputError(f"{path}: {key} is missing; see the committed file")
        value = values[key]
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        fits = {bool: isinstance(value, bool), int: is_whole, float: is_number(value)}
        if not fits[wanted]:
            said = {bool: "true or false", int: "a whole number", float: "a number"}[wanted]
            raise InputError(f"{path}: {key} is {value}, not {said}")
        found[name] = value
    return found


@app.command()
def console(model: Model = MODEL, params: Params = PARAMS) -> None:
    """Talk in the terminal: a line is a turn; /reset begins anew, an end of input ends."""
    from pipelines.chitchat.conversation import Memory

    responder, memory = load_responder(model, params), Memory()
    shown = sys.stdin.isatty()
    if shown:
        print(f"{model}, {responder.layout.history_turns} turns of history; /reset, Ctrl-D ends")
    while True:
        try:
            said = read_line("> " if shown else "").strip()
        except EOFError:
            return
        if said == "/reset":
            memory.reset()
        elif said:
            [reply] = responder.reply([memory.asked("console", said)])
            memory.add(said, reply, responder.layout.history_turns)
            print(reply, flush=True)


@app.command()
def web(
    model: Model = MODEL,
    params: Params = PARAMS,
    port: Port = 0,
    batch_size: BatchSize = 64,
) -> None:
    """Talk on a page of this machine, which shows replies as they are written."""
    from pipelines.chitchat.chat_page import PAGE, chat_routes

    def load(streams: "Streams") -> "list[Route]":
        return chat_routes(load_responder(model, params), batch_size, str(model))

    show_page(PAGE, port, load)


@app.command()
def telegram(
    model: Model = MODEL,
    params: Params = PARAMS,
    api: Annotated[str, Option(help="another Bot API server, up to the token")] = "",
    per_chat: Annotated[int, Option(min=1, help="messages of a chat that may wait")] = 5,
    batch_size: BatchSize = 64,
) -> None:
    """Talk on Telegram; the bot's token is TELEGRAM_TOKEN in the environment."""
    token = os.environ.get("TELEGRAM_TOKEN", "").strip()
    if not token:
        raise InputError("TELEGRAM_TOKEN is not in the environment; @BotFather gives one")
    if not re.fullmatch(r"\d+:[\w-]+", token):
        raise InputError(
            "TELEGRAM_TOKEN in the environment is no token, which is like 123456:ABC-DEF; copy it "
            "anew from @BotFather"
        )
    from pipelines.chitchat.conversation import Batcher
    from pipelines.chitchat.telegram_bot import Limits, TelegramBot, make_bot, quiet_logging
    from pipelines.chitchat.telegram_journal import Journal

    quiet_logging(token)
    bot = make_bot(token, api)
    journal = Journal(scratch_root() / "telegram" / f"{token.split(':')[0]}.sqlite")
    responder = load_responder(model, params)
    limits = Limits(per_chat=per_chat, history_turns=responder.layout.history_turns)
    batcher = Batcher(responder.reply, batch_size)
    asyncio.run(TelegramBot(bot, journal, batcher.reply, limits).run())


if __name__ == "__main__":
    run(app, "python -m chat")
