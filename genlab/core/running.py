"""What runs in this clone: no stage twice at a time, beside a queueing, or after its dvc has ended.

`dvc exp run --queue` takes the work tree away for seconds (it stashes it): the outputs of a stage
that runs meanwhile are lost. And a dvc that is killed leaves its stage running, which would write
over what the next run makes. So a stage holds a lock file below .dvc/tmp as long as it runs, and
looks whether the dvc that started it is still there, all the time and before a file is put into its
place. DVC knows of its own runs, in its files rwlock, but of no stage that was started by hand. The
work tree is the clone's: the locks of all its pipelines, each a repository of DVC's, lie together.
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
    """Somebody else works here: says who, and what to do."""


# ---- one at a time


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of this stage in this folder during the block; nothing for other programs.

    Raises Busy if another process runs the same stage here, or experiments are being queued.
    Of the processes of `accelerate launch` the first one speaks for all.
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
    """Return the lock file of this program with these inputs and outputs, whatever its params."""
    options = [i for i, word in enumerate(sys.argv[1:], 1) if word.startswith("-")]
    words = sys.argv[1 : min(options, default=len(sys.argv))]  # DVC's: paths first, then options
    identity = "\0".join([os.getcwd(), module, *words])
    return folder / hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def lock_folder() -> Path | None:
    """Return where this clone's locks lie; None outside of a repository of DVC's."""
    here = Path.cwd()
    above = [here, *here.parents]
    clone = next((i for i, path in enumerate(above) if (path / ".git").exists()), len(above))
    repositories = [path for path in above[: clone + 1] if (path / ".dvc").is_dir()]
    return repositories[-1] / LOCKS if repositories else None


@contextmanager
def locked(path: Path, name: str, patience: float = 0.0) -> Iterator[TextIO | None]:
    """Yield the file, locked for this process and with its number and name; None if it is taken."""
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
    """Return what the process wrote that holds a lock; "" if none does."""
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
    """Hold this clone's work tree during the block, which queues experiments.

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
    """Return the number and the command of every living process in DVC's file of its own runs."""
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
    """Have this process end soon after the dvc that started it, or a program between the two."""
    import psutil

    if watched:
        return
    above = psutil.Process().parents()
    n_below = next((i for i, each in enumerate(above) if is_dvc(each.pid)), 0)
    watched.extend(above[: n_below + 1])  # without a dvc among them the parent alone
    threading.Thread(target=end_with_dvc, daemon=True).start()


def is_dvc(pid: int) -> bool:
    """Say whether a process is a dvc: the program, or `python -m dvc`."""
    import psutil

    try:
        words = psutil.Process(pid).cmdline()[:4]
    except psutil.Error:
        return False
    return any(Path(word).name == "dvc" or word.startswith("dvc.") for word in words)


def is_abandoned() -> bool:
    """Say whether a process between this one and its dvc, or that dvc, has ended."""
    import psutil

    try:
        return any(
            not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in watched
        )
    except psutil.NoSuchProcess:
        return True


ABANDONED = "the dvc that started this stage has ended, so the stage ends and writes nothing"


def check_not_abandoned() -> None:
    """Raise Busy if this stage's dvc has ended: what it would write is the next run's to write."""
    if watched and is_abandoned():
        raise Busy(ABANDONED)


def end_with_dvc() -> None:
    """End this process when its dvc has."""
    while not is_abandoned():
        time.sleep(EVERY)
    os.write(2, f"error: {ABANDONED}\n".encode())
    os._exit(1)
