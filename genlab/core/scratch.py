"""Folders for work that must survive a kill, such as the checkpoints of a training.

A folder is named by a fingerprint of the command line and its input files, so a changed parameter
or input never resumes from the wrong checkpoint. It lies outside every DVC output,
in the original checkout (DVC_ROOT), so a killed queued experiment finds it again.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from genlab.core.files import remove
from genlab.core.processes import is_first
from genlab.core.program import InputError


def scratch_root() -> Path:
    """Return the folder of all such work, in the original checkout."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".scratch"


@contextmanager
def resumable_folder(
    stage: str, arguments: Iterable[str], inputs: Iterable[Path]
) -> Iterator[Path]:
    """Yield the scratch folder of these arguments and inputs; remove it when the block succeeds.

    Raises InputError if another run is doing the same work now (DVC can be killed and leave its
    stage running). Under `accelerate launch` only the first process checks this.
    """
    folder = scratch_root() / stage / fingerprint(arguments, inputs)
    folder.mkdir(parents=True, exist_ok=True)
    if not is_first():
        yield folder
        return
    with open(folder / "lock", "a+") as lock:
        if not lock_descriptor(lock.fileno(), blocking=False):
            lock.seek(0)
            raise InputError(
                f"{folder}: process {lock.read().strip()} is doing this very {stage} run; "
                "wait for it or stop it"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield folder
        remove(folder)


def fingerprint(arguments: Iterable[str], inputs: Iterable[Path]) -> str:
    """Return 16 hex digits of the arguments and of every name and byte of the input files."""
    digest = hashlib.blake2b(digest_size=8)
    for argument in arguments:
        digest.update(argument.encode() + b"\0")
    for path in inputs:
        files = (
            sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        )
        for file in files:
            digest.update(str(file.relative_to(path)).encode() + b"\0")
            with open(file, "rb") as stream:
                digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
