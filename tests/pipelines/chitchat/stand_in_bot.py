"""The Telegram bot with a stand-in for the model, which starts in half a second.

python -m tests.pipelines.chitchat.stand_in_bot API JOURNAL SECONDS: it replies, after some seconds,
with what it was told and how much came before. The token is TELEGRAM_TOKEN in the environment.
"""

import asyncio
import os
import sys
from pathlib import Path

from pipelines.chitchat.conversation import Asked
from pipelines.chitchat.telegram_bot import Limits, TelegramBot, make_bot, quiet_logging
from pipelines.chitchat.telegram_journal import Journal


async def main(api: str, journal: Path, seconds: float) -> None:
    token = os.environ["TELEGRAM_TOKEN"]
    quiet_logging(token)

    async def reply(asked: Asked) -> str:
        await asyncio.sleep(seconds)
        # Of each turn the beginning: replies that quote whole replies grow without end.
        before = " / ".join(turn[:12] for turn in asked.history)
        return f"{asked.number}. {asked.said} <- {before}"

    await TelegramBot(make_bot(token, api), Journal(journal), reply, Limits()).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
