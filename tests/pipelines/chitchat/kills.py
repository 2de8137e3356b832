"""Kill a bot between receipt and reply, over and over: is a message lost, is one said too often?

python -m tests.pipelines.chitchat.kills 100
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.project_copy import ROOT
from tests.telegram_server import TelegramServer


def start_bot(server: TelegramServer, journal: Path, seconds: float = 0.0) -> subprocess.Popen:
    """Start the bot with a stand-in for the model."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.pipelines.chitchat.stand_in_bot"),
            *(server.api, str(journal), str(seconds)),
        ],
        cwd=ROOT,
        env=os.environ | {"TELEGRAM_TOKEN": server.token},
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_over_and_over(n_kills: int, folder: Path, seed: int = 17) -> dict[str, int]:
    """Kill bots with SIGKILL after they have received messages; return what became of these.

    Every bot finds three new messages of three chats. It is killed at a random moment from the
    receipt on, up to just after the replies. Then one more bot answers what is left.
    """
    rng = random.Random(seed)
    asked: list[tuple[int, str]] = []
    with TelegramServer() as server:
        server.send_delay = 0.02
        for kill in range(n_kills):
            bot = start_bot(server, folder / "journal.sqlite", seconds=0.1)
            for chat in (1, 2, 3):
                asked.append((chat, f"m{kill}-{chat}"))
                last = server.say(*asked[-1])
            # Received: the next updates were asked for.
            received = server.wait_for(lambda last=last: last in server.confirmed, 120)
            assert received, bot.communicate(timeout=60)
            time.sleep(rng.random() * 0.25)
            bot.kill()
            bot.communicate()
        bot = start_bot(server, folder / "journal.sqlite")

        def said() -> Counter:
            words = (message["text"].split()[1] for message in list(server.sent))
            return Counter(words)

        server.wait_for(lambda: all(said()[text] for _, text in asked), 120)
        time.sleep(0.5)
        bot.terminate()
        bot.communicate(timeout=120)
        counts = said()
    times = [counts[text] for _, text in asked]
    return {
        "kills": n_kills,
        "messages": len(asked),
        "lost": times.count(0),
        "said once": times.count(1),
        "said twice": times.count(2),
        "said more often": sum(n > 2 for n in times),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for what, number in kill_over_and_over(int(sys.argv[1]), Path(name)).items():
            print(f"{what}: {number}")
