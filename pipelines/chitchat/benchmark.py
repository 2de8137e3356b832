"""How long a reply takes when 1, 10 and 50 chats wait at once, answered in one batch or in turn.

After `dvc repro` in this folder, `python -m benchmark` writes BENCHMARK.md. Every chat asks
at the same moment, with three turns of history, and waits until it has its own reply: the median of
all chats and rounds, and of the rounds' last. Both ways take turns, so a busy machine slows both.
"""

import asyncio
import statistics
import time
from pathlib import Path

import typer

import genlab  # noqa: F401  # in this folder: finds the repository
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.program import run, stage_app
from pipelines.chitchat.chat import load_responder
from pipelines.chitchat.conversation import Asked, Batcher

app = stage_app()

PIPELINE = Path(__file__).parent
OUTPUT = PIPELINE / "BENCHMARK.md"
CHATS = (1, 10, 50)
HISTORY = ["привет, меня зовут оля.", "очень приятно, оля.", "какая сегодня погода?"]


async def time_round(batcher: Batcher, n_chats: int, number: int) -> list[float]:
    """Return the seconds until each chat has its reply."""
    start = time.perf_counter()

    async def wait(chat: int) -> float:
        await batcher.reply(Asked(f"{chat}", number, HISTORY, "а как моё имя?"))
        return time.perf_counter() - start

    return await asyncio.gather(*map(wait, range(n_chats)))


async def time_all(reply, n_rounds: int) -> dict[tuple[str, int], list[list[float]]]:
    """Return (way, chats) -> each round's seconds, one for each chat; the ways in turns."""
    ways = {"together": 64, "in turn": 1}
    found: dict[tuple[str, int], list[list[float]]]
    found = {(way, n): [] for n in CHATS for way in ways}
    for number in range(n_rounds + 1):
        for (way, n), rounds in found.items():
            took = await time_round(Batcher(reply, ways[way]), n, number)
            rounds += [took] if number else []  # the first warms up
    return found


def latencies(rounds: list[list[float]]) -> tuple[float, float]:
    """Return the median milliseconds of all chats, and of the last of each round."""
    of_all = statistics.median(seconds for chats in rounds for seconds in chats)
    return 1000 * of_all, 1000 * statistics.median(map(max, rounds))


@app.command()
def main(
    output: Path = OUTPUT,
    rounds: int = typer.Option(20, min=1),
    model: Path = PIPELINE / "data/train/dialogue",
) -> None:
    """Time rounds of chats, and write the table."""
    responder = load_responder(model)
    found = asyncio.run(time_all(responder.reply, rounds))
    one, _ = latencies(found["together", 1])
    rows = [
        [
            "chats at once",
            "a reply, ms",
            "times one chat",
            "the last, ms",
            "in turn: a reply, the last",
        ]
    ]
    for n in CHATS:
        (reply, last), in_turn = latencies(found["together", n]), latencies(found["in turn", n])
        rows.append(
            [
                str(n),
                f"{reply:.0f}",
                f"{reply / one:.1f}",
                f"{last:.0f}",
                ", ".join(f"{each:.0f}" for each in in_turn),
            ]
        )
    size = responder.model.num_parameters() / 1e6
    stood_on = machine("torch", "transformers")
    text = (
        "# Latency of the chat\n\n"
        f"`python -m benchmark`, a model of {size:.1f} M parameters, {rounds} rounds: the median "
        f"of all chats, and of the last of each round. {stood_on}\n\n{markdown_table(rows)}\n"
    )
    output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    run(app)
