"""Two ways of one work, timed in turns: what the benchmarks share.

In turns, because a machine that is busy for a while must slow both; in seconds of the wall and of
the processor, because a machine that is shared leaves only the latter comparable.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from genlab.experiments.receipts import processor_maker, vector_instructions

HEADER = ["what", "ours", "the other way", "ratio of the best", "median", "by processor", "goal"]

Work = Callable[[], float]  # does the work and returns how many units it was


@dataclass(frozen=True)
class Times:
    """One repetition: units of work, seconds of the wall and of the processor."""

    units: float
    wall: float
    processor: float

    @property
    def rate(self) -> float:
        return self.units / self.wall


def time_in_turns(
    ways: dict[str, Callable[[], Work]], repetitions: int, device: str = "cpu"
) -> dict[str, list[Times]]:
    """Return the times of every way's repetitions; a way prepares, untimed, its work."""
    times: dict[str, list[Times]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, prepare in ways.items():
            work = prepare()
            wall, processor = time.perf_counter(), time.process_time()
            units = work()
            if device == "cuda":
                import torch

                torch.cuda.synchronize()
            took = time.perf_counter() - wall, time.process_time() - processor
            times[name].append(Times(units, *took))
            print(f"{name}: {times[name][-1].rate:,.1f} a second", flush=True)
    return times


def compare(
    what: str, ours: str, other: str, times: dict[str, list[Times]], goal: str = ""
) -> list[str]:
    """Return a row of HEADER: two of the ways that were timed together.

    The median is that of the ratios, repetition by repetition; the processor's is of all of them.
    """
    pairs = list(zip(times[ours], times[other], strict=True))
    best = [max(each.rate for each in times[name]) for name in (ours, other)]
    median = statistics.median(mine.rate / its.rate for mine, its in pairs)
    of_processor = [
        sum(each.units for each in times[name]) / sum(each.processor for each in times[name])
        for name in (ours, other)
    ]
    return [
        what,
        f"{best[0]:,.{int(best[0] < 10)}f} ({ours})",
        f"{best[1]:,.{int(best[1] < 10)}f} ({other})",
        f"{best[0] / best[1]:.2f}",
        f"{median:.2f}",
        f"{of_processor[0] / of_processor[1]:.2f}",
        goal,
    ]


def processor() -> str:
    """Return the processor's maker and its best vector instructions, or its kind elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    return f"{processor_maker(text)}, {vector_instructions(text)}"


def machine(*packages: str) -> str:
    """Return what a measurement stood on: date, cores and how busy they are, versions."""
    import torch

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"Measured {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores ({processor()}), "
        f"{card}, load {os.getloadavg()[0]:.1f} at the start, Python {platform.python_version()}, "
        f"{versions}."
    )
