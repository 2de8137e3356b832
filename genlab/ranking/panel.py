"""Run a panel of rankers, each in a process of its own, small ones in parallel.

Importing sentence-transformers or TensorFlow costs a process four to five seconds of one core.
Loaded one after the other, the two imports would delay every experiment by ten seconds. Large
rankers run one after the other, each on all cores: in parallel they would share the cores' caches,
and the activations of both would have to fit into memory at once.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from typer import Option

from genlab.core.interrupts import interrupts_held
from genlab.core.params_file import AS, read_params, text_of
from genlab.core.processes import rank_and_size
from genlab.core.program import InputError, collect_seldom
from genlab.core.progress import counted_whole, listeners, progress
from genlab.ranking.rankers import load_ranker

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

# 16 M parameters in float32. MiniLM, 91 MB, is above it, a mini ranker, 8 MB, below.
LARGE_BYTES = 1 << 26
EVERY = 0.5  # seconds between two looks at what the processes have counted


@dataclass(frozen=True)
class Panel:
    """Which rankers rate the texts; a group of options."""

    rankers: Annotated[list[str], Option(help="names of the rankers, or as_score")]
    batch_size: Annotated[int, Option(min=1, help="texts a ranker encodes at a time")]

    def as_in(self, params: Path) -> "Panel":
        """Return the panel with as_STAGE replaced by that stage's rankers in params.yaml.

        Raises InputError if the stage has none.
        """
        stage = self.rankers[0].removeprefix(AS) if self.rankers else ""
        if len(self.rankers) != 1 or not self.rankers[0].startswith(AS):
            return self
        content = read_params(text_of(params), str(params)).content
        group = content.get(stage)
        if not isinstance(group, dict) or not isinstance(group.get("rankers"), list):
            raise InputError(f"{self.rankers[0]}: {params} has no list {stage}.rankers")
        return replace(self, rankers=group["rankers"])

    def folders(self, root: Path) -> dict[str, Path]:
        """Return ranker -> its folder."""
        return {name: root / name for name in self.rankers}


class Ratings(NamedTuple):
    """One ranker's view of n texts."""

    relevance: np.ndarray  # float32 [n], higher is better
    n_unread: np.ndarray  # int32 [n], tokens beyond the ranker's input limit


def rate_texts(
    folders: dict[str, Path], batch_size: int, queries: list[str], texts: list[str]
) -> dict[str, Ratings]:
    """Return name -> ratings of texts[i] for queries[i], in the order of `folders`.

    If one ranker fails, all are stopped.
    """
    shown = f"scoring with {', '.join(folders)}", len(folders) * len(texts), "texts"
    if len(folders) == 1 or rank_and_size()[1] > 1:  # several processes share every ranker's work
        with progress(*shown):
            return {
                name: rate(folder, batch_size, queries, texts) for name, folder in folders.items()
            }
    ratings: dict[str, Ratings] = {}
    with progress(*shown) as update:
        for group in groups_at_once(folders):
            ratings |= rate_at_once(group, (batch_size, queries, texts), update)
    return {name: ratings[name] for name in folders}


def groups_at_once(folders: dict[str, Path]) -> list[dict[str, Path]]:
    """Return the small rankers together, then each of many weights alone."""
    n_bytes = {
        name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for name, folder in folders.items()
    }
    small = {name: path for name, path in folders.items() if n_bytes[name] < LARGE_BYTES}
    large = [{name: path} for name, path in folders.items() if name not in small]
    return [*([small] if small else []), *large]


def rate_at_once(
    folders: dict[str, Path], work: tuple, update: Callable[[int], object]
) -> dict[str, Ratings]:
    """Return `rate_texts` of rankers in parallel processes; `update` receives their progress."""
    n_cores = os.cpu_count() or 1
    at_once = min(len(folders), n_cores)
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    n_done = context.Value("Q")  # texts, of all rankers
    n_threads = max(1, n_cores // at_once)
    pool = ProcessPoolExecutor(at_once, context, join_panel, (n_threads, n_done))
    with pool:
        try:
            with interrupts_held():  # this process gets them, and decides
                asked = {name: pool.submit(rate, folder, *work) for name, folder in folders.items()}
            n_shown, pending = 0, set(asked.values())
            while pending:
                done, pending = wait(pending, timeout=EVERY, return_when=FIRST_EXCEPTION)
                n_now = n_done.get_obj().value  # without its lock, which a killed process may hold
                update(n_now - n_shown)
                n_shown = n_now
                for each in done:
                    each.result()  # raises its error without waiting for the others
            return {name: ratings.result() for name, ratings in asked.items()}
        except BaseException as error:
            for process in multiprocessing.active_children():
                process.terminate()  # Ctrl-C and errors do not wait for the other rankers
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    f"a process of the rankers {', '.join(folders)} was killed, most likely for "
                    "want of memory; lower the batch_size or name fewer rankers"
                ) from error
            raise


def rate(folder: Path, batch_size: int, queries: list[str], texts: list[str]) -> Ratings:
    """Load one ranker and return its ratings; progress is counted per text."""
    ranker = load_ranker(folder, batch_size)
    with counted_whole(len(texts)):  # equal texts are read once; BM25 reads them all at one time
        relevance = ranker.relevance(queries, texts)
    return Ratings(relevance, ranker.n_unread(texts))


def join_panel(n_threads: int, n_done: "Synchronized") -> None:
    """Prepare this process: limit it to its share of the cores, and end it with its parent."""
    # PyTorch's threads wait spinning: more of them than cores are ten times slower.
    os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))
    collect_seldom()

    def count_for_all(n: int) -> None:
        with n_done.get_lock():
            n_done.value += n

    listeners.append(count_for_all)

    def end_with_parent() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None  # this is a child
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
