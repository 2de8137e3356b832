"""Talk to a trained model, in this folder: in the terminal, on a local page, or on Telegram.

    python -m chat console
    python -m chat web --model data/train/baseline
    TELEGRAM_TOKEN=... python -m chat telegram

A model reads at most as many turns as it was trained with. Decoding and cleaning are those of the
stages, by params.yaml here (gen, clean).
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.commands import group_from, stage_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import scratch_root
from genlab.core.terminal import read_line
from genlab.web.shown_page import Port, show_page

if TYPE_CHECKING:
    from starlette.routing import Route

    from genlab.web.streams import Streams
    from pipelines.chitchat.conversation import Responder

app = stage_app()

Model = Annotated[Path, Option(help="folder of a trained arm")]
BatchSize = Annotated[int, Option(min=1, help="chats answered together, at most")]

MODEL = Path("data/train/dialogue")


def load_responder(model: Path) -> "Responder":
    """Return the model in memory, which decodes and cleans as the stages do.

    Raises InputError for a missing folder, or an invalid value in params.yaml.
    """
    from genlab.models.decoding import Decoding
    from pipelines.chitchat.conversation import Responder
    from pipelines.chitchat.dialogue_rules import Rules

    if not model.is_dir():
        raise InputError(f"{model}: no such model; run `dvc repro`, or name one with --model")
    options = stage_options(("clean", "tokenize", "generate"))
    decoding = group_from(Decoding, options["generate"])
    rules = group_from(Rules, options["clean"])
    return Responder(model, decoding, rules, options["tokenize"]["max_turn_tokens"])


@app.command()
def console(model: Model = MODEL) -> None:
    """Talk in the terminal: a line is a turn; /reset begins anew, an end of input ends."""
    from pipelines.chitchat.conversation import Memory

    responder, memory = load_responder(model), Memory()
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
def web(model: Model = MODEL, port: Port = 0, batch_size: BatchSize = 64) -> None:
    """Talk on a page of this machine, which shows replies as they are written."""
    from pipelines.chitchat.chat_page import PAGE, chat_routes

    def load(streams: "Streams") -> "list[Route]":
        return chat_routes(load_responder(model), batch_size, str(model))

    show_page(PAGE, port, load)


@app.command()
def telegram(
    model: Model = MODEL,
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
    responder = load_responder(model)
    limits = Limits(per_chat=per_chat, history_turns=responder.layout.history_turns)
    batcher = Batcher(responder.reply, batch_size)
    asyncio.run(TelegramBot(bot, journal, batcher.reply, limits).run())


if __name__ == "__main__":
    run(app, "python -m chat")
