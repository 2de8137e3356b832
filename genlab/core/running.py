"""Keep stages from running twice, while experiments are queued, or after their dvc has ended.

`dvc exp run --queue` stashes the work tree for seconds: a stage that runs meanwhile loses its
outputs. And a killed dvc leaves its stage running, which would overwrite the next run's outputs. So
a running stage holds a lock file below .dvc/tmp. All the time, and before it puts a file into
place, it checks that the dvc that started it still runs. DVC's own lock files (rwlock) know only
stages that DVC has started, not those started by hand. The locks of all pipelines lie together, as
these share the clone's work tree although each is a DVC repository of its own.
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from genlab.core.progress import working

if TYPE_CHECKING:
    import psutil

LOCKS = Path(".dvc/tmp/genlab")  # of the clone, and like all of .dvc/tmp not in git
OWN_RUNS = (".dvc/tmp/rwlock", "pipelines/*/.dvc/tmp/rwlock")  # DVC's, of the clone's repositories
QUEUEING = "queueing"
PATIENCE = 2.0  # seconds: a stage whose dvc was killed ends within one
EVERY = 0.5  # seconds between two looks whether dvc is there

watched: "list[psutil.Process]" = []  # from the parent up to the dvc that started this stage


class Busy(Exception):
    """Another process is working here; the message names it and says what to do."""


# ---- one at a time


@contextmanager
def alone() -> Iterator[None]:
    """Hold this stage's lock in this folder during the block; other programs take none.

    Raises Busy if another process runs the same stage here, or experiments are being queued. Under
    `accelerate launch` only the first process takes the lock.
    """
    module = getattr(sys.modules["__main__"].__spec__, "name", "")
    is_stage = "DVC_STAGE" in os.environ or "stages" in module.split(".")
    folder = lock_folder()
    if not is_stage or folder is None or os.environ.get("RANK", "0") != "0":
        yield
        return
    if "DVC_STAGE" in os.environ:
        watch_dvc()
    name = os.environ.get("DVC_STAGE") or module.rpartition(".")[2]
    with working(name), locked(stage_lock(folder, module), name, PATIENCE) as lock:
        if not lock:
            raise Busy(
                f"{name}: process {holder(stage_lock(folder, module))} is running this stage in "
                "this folder; wait for it or stop it"
            )
        if who := holder(folder / QUEUEING):
            raise Busy(
                f"{name}: process {who} is queueing experiments here, which takes the work tree "
                "away for a while; start again when it has ended"
            )
        yield


def stage_lock(folder: Path, module: str) -> Path:
    """Return the lock file of this program with its inputs and outputs; params do not count."""
    options = [i for i, word in enumerate(sys.argv[1:], 1) if word.startswith("-")]
    words = sys.argv[1 : min(options, default=len(sys.argv))]  # DVC's: paths first, then options
    identity = "\0".join([os.getcwd(), module, *words])
    return folder / hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def lock_folder() -> Path | None:
    """Return the folder of this clone's locks; None outside of a DVC repository."""
    here = Path.cwd()
    above = [here, *here.parents]
    clone = next((i for i, path in enumerate(above) if (path / ".git").exists()), len(above))
    repositories = [path for path in above[: clone + 1] if (path / ".dvc").is_dir()]
    return repositories[-1] / LOCKS if repositories else None


@contextmanager
def locked(path: Path, name: str, patience: float = 0.0) -> Iterator[TextIO | None]:
    """Lock a file, write this process's id and `name` to it and yield it; None if it is taken."""
    from filelock import lock_descriptor

    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        end = time.monotonic() + patience
        while not lock_descriptor(file.fileno(), blocking=False):
            if time.monotonic() >= end:
                yield None
                return
            time.sleep(0.05)
        file.truncate(0)
        file.write(f"{os.getpid()} ({name})")
        file.flush()
        yield file


def holder(path: Path) -> str:
    """Return the "id (name)" of the process that holds a lock; "" if none does."""
    from filelock import lock_descriptor

    if not path.is_file():
        return ""
    with open(path, encoding="utf-8") as file:
        if lock_descriptor(file.fileno(), blocking=False):
            return ""
        return file.read() or "?"


# ---- queueing


@contextmanager
def queueing() -> Iterator[None]:
    """Lock this clone's work tree during the block, which queues experiments.

    Raises Busy if a stage, a `dvc repro` or another queueing runs here.
    """
    folder = lock_folder()
    if folder is None:
        yield  # DVC will say that this is no repository
        return
    with locked(folder / QUEUEING, "queueing") as lock:
        others = [] if lock else [holder(folder / QUEUEING)]
        others += [holder(path) for path in sorted(folder.iterdir()) if path.name != QUEUEING]
        clone = folder.parents[len(LOCKS.parts) - 1]
        files = [path for pattern in OWN_RUNS for path in sorted(clone.glob(pattern))]
        others += [f"{pid} ({words})" for file in files for pid, words in runs_of_dvc(file)]
        if found := [each for each in others if each]:
            raise Busy(
                f"process {found[0]} works in this clone, and queueing experiments would take the "
                "work tree away under it; wait for it or stop it"
            )
        yield


def runs_of_dvc(path: Path) -> list[tuple[int, str]]:
    """Return the id and the command of every living process in one of DVC's rwlock files."""
    import psutil

    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        found = [*entries["write"].values(), *chain(*entries["read"].values())]
        runs = {int(each["pid"]): str(each["cmd"]) for each in found}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # there is none yet, or DVC itself will complain of it
    return [(pid, words) for pid, words in runs.items() if is_dvc(pid) and psutil.pid_exists(pid)]


# ---- the dvc that started this stage


def watch_dvc() -> None:
    """Make this process end soon after the dvc that started it, or any process in between."""
    import psutil

    if watched:
        return
    above = psutil.Process().parents()
    n_below = next((i for i, each in enumerate(above) if is_dvc(each.pid)), 0)
    watched.extend(above[: n_below + 1])  # without a dvc among them the parent alone
    threading.Thread(target=end_with_dvc, daemon=True).start()


def is_dvc(pid: int) -> bool:
    """Return whether a process is a dvc: the program, or `python -m dvc`."""
    import psutil

    try:
        words = psutil.Process(pid).cmdline()[:4]
    except psutil.Error:
        return False
    return any(Path(word).name == "dvc" or word.startswith("dvc.") for word in words)


def is_abandoned() -> bool:
    """Return whether this stage's dvc, or a process between the two, has ended."""
    import psutil

    try:
        return any(
            not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in watched
        )
    except psutil.NoSuchProcess:
        return True


ABANDONED = "the dvc that started this stage has ended, so the stage ends and writes nothing"


def check_not_abandoned() -> None:
    """Raise Busy if this stage's dvc has ended: it could overwrite the next run's outputs."""
    if watched and is_abandoned():
        raise Busy(ABANDONED)


def end_with_dvc() -> None:
    """End this process when its dvc has."""
    while not is_abandoned():
        time.sleep(EVERY)
    os.write(2, f"error: {ABANDONED}\n".encode())
    os._exit(1)
