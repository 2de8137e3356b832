"""How long a reply takes when 1, 10 and 50 chats wait at once, answered in one batch or in turn.

After `dvc repro` in this folder, `python -m benchmark` writes BENCHMARK.md. Every chat asks
at the same moment, with three turns of history; a round's latency is until the last has its reply.
Both ways take turns, so a busy machine slows both.
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


async def time_round(batcher: Batcher, n_chats: int, number: int) -> float:
    """Return the seconds until all chats have their reply."""
    asked = [Asked(f"{chat}", number, HISTORY, "а как моё имя?") for chat in range(n_chats)]
    start = time.perf_counter()
    await asyncio.gather(*map(batcher.reply, asked))
    return time.perf_counter() - start


async def time_all(reply, n_rounds: int) -> dict[tuple[str, int], list[float]]:
    """Return (way, chats) -> seconds of each round, the ways in turns."""
    ways = {"together": 64, "in turn": 1}
    found: dict[tuple[str, int], list[float]] = {(way, n): [] for n in CHATS for way in ways}
    for number in range(n_rounds + 1):
        for (way, n), seconds in found.items():
            took = await time_round(Batcher(reply, ways[way]), n, number)
            seconds += [took] if number else []  # the first warms up
    return found


@app.command()
def main(
    output: Path = OUTPUT,
    rounds: int = typer.Option(20, min=1),
    model: Path = PIPELINE / "data/train/dialogue",
) -> None:
    """Time rounds of chats, and write the table."""
    responder = load_responder(model)
    found = asyncio.run(time_all(responder.reply, rounds))
    medians = {key: 1000 * statistics.median(seconds) for key, seconds in found.items()}
    one = medians["together", 1]
    rows = [
        ["chats at once", "together, ms", "times one chat", "in turn, ms", "in turn / together"]
    ]
    for n in CHATS:
        both = medians["together", n], medians["in turn", n]
        rows.append(
            [
                str(n),
                f"{both[0]:.0f}",
                f"{both[0] / one:.1f}",
                f"{both[1]:.0f}",
                f"{both[1] / both[0]:.1f}",
            ]
        )
    size = responder.model.num_parameters() / 1e6
    stood_on = machine("torch", "transformers")
    text = (
        "# Latency of the chat, until the last of all has its reply\n\n"
        f"`python -m benchmark`, a model of {size:.1f} M parameters, median of "
        f"{rounds} rounds, in turns. {stood_on}\n\n{markdown_table(rows)}\n"
    )
    output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    run(app)
