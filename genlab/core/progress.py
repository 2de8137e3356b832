"""How far a long piece of work is, on stderr: a named bar for a person, a few lines for a log.

The piece of work is named where it begins (`progress`), and counted where it is done (`count`),
which may be deep in the call stack or in another process (`counted_by`). Of nested pieces the outer
one is shown. A stage that shows no progress for three seconds prints that it is working
(`working`), unless GENLAB_QUIET is in the environment, for tests that compare output.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

# Seconds that a program may work without a word.
SILENT = threading.TIMEOUT_MAX if "GENLAB_QUIET" in os.environ else 3.0

# Seconds between two lines of a log on one piece of work.
EVERY = threading.TIMEOUT_MAX if "GENLAB_QUIET" in os.environ else 30.0

Item = TypeVar("Item")
Counter = Callable[[int], object]

listeners: list[Counter] = []  # the last one hears of `count`
n_shown = 0  # pieces of work that this process has shown


@contextmanager
def progress(what: str, total: int | None = None, unit: str = "") -> Iterator[Counter]:
    """Show how much of the block's work is done; yield a function that counts n more as done.

    total: the number of items, if it is known. unit: what they are, in the plural. Under
    `accelerate launch` only the first process shows its progress, which is that of its own part.
    """
    if listeners or os.environ.get("RANK", "0") != "0":
        with counted_by(lambda n: None) as update:
            yield update
        return
    global n_shown
    n_shown += 1
    shown = shown_as_bar if sys.stderr.isatty() else shown_as_lines
    with shown(what, total, unit) as update, counted_by(update):
        yield update


@contextmanager
def shown_as_bar(what: str, total: int | None, unit: str) -> Iterator[Counter]:
    """Show a bar in a terminal while the block runs; yield the function that advances it."""
    from tqdm import tqdm

    with tqdm(desc=what, total=total, unit=f" {unit}", mininterval=0.5, dynamic_ncols=True) as bar:
        yield bar.update


@contextmanager
def shown_as_lines(what: str, total: int | None, unit: str) -> Iterator[Counter]:
    """Print a line at the beginning, at the end, and every half minute in between.

    A bar would fill a log with control characters.
    """
    start, done = time.monotonic(), [0]
    said = start

    def update(n: int) -> None:
        nonlocal said
        done[0] += n
        now = time.monotonic()
        if now - said >= EVERY:
            said = now
            how_far = told_so_far(done[0], total, unit, now - start)
            print(f"{what}: {how_far}", file=sys.stderr, flush=True)

    print(what + ("" if total is None else f": {total:,} {unit}"), file=sys.stderr, flush=True)
    yield update
    of_how_many = f"{done[0]:,} {unit}" if done[0] else "done"
    seconds = time.monotonic() - start
    print(f"{what}: {of_how_many} in {seconds:.0f} s", file=sys.stderr, flush=True)


def told_so_far(n: int, total: int | None, unit: str, seconds: float) -> str:
    """Return the progress after some seconds in words and, with a total, the time that is left."""
    of_how_many = f"{n:,}" if total is None else f"{n:,} of {total:,}"
    line = f"{of_how_many} {unit} in {seconds:.0f} s"
    if n == 0 or total is None or total <= n:
        return line
    return f"{line}, about {seconds * (total - n) / n:.0f} s left"


@contextmanager
def counted_by(update: Counter) -> Iterator[Counter]:
    """Pass every count in the block to `update`."""
    listeners.append(update)
    try:
        yield update
    finally:
        listeners.remove(update)


def listener() -> Counter:
    """Return the function that receives counts now; one that does nothing if there is none."""
    return listeners[-1] if listeners else lambda n: None


def count(n: int) -> None:
    """Count n more items as done in the current piece of work, if there is one."""
    listener()(n)


@contextmanager
def counted_whole(total: int) -> Iterator[None]:
    """Have the block count `total` in all, whatever it counts: the rest is counted at its end.

    Who reads equal texts once counts fewer than it was asked about.
    """
    told, left = listener(), total

    def count_some(n: int) -> None:
        nonlocal left
        left, n = max(0, left - n), min(n, left)
        told(n)

    with counted_by(count_some):
        yield
    told(left)


def tracked(items: Iterable[Item], what: str, unit: str, total: int | None) -> Iterator[Item]:
    """Yield the items, and show how many the caller has worked on."""
    with progress(what, total, unit) as update:
        for item in items:
            yield item
            update(1)


@contextmanager
def working(name: str) -> Iterator[None]:
    """Print after three seconds without progress that `name` is working; at the end its time.

    If an error or Ctrl-C ends the block, print that it was stopped.
    """
    ended, before, said = threading.Event(), n_shown, []
    end = "stopped after"

    def speak() -> None:
        if not ended.wait(SILENT) and n_shown == before:
            said.append(True)
            print(f"{name}: working", file=sys.stderr, flush=True)

    start = time.monotonic()
    threading.Thread(target=speak, daemon=True).start()
    try:
        yield
        end = "done in"
    finally:
        ended.set()
        if said:
            seconds = time.monotonic() - start
            print(f"{name}: {end} {seconds:.0f} s", file=sys.stderr, flush=True)
