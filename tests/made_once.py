"""What all processes of a test session share: made once, by the first that asks for it.

`make test` has two processes. What takes them seconds to make, and which several files of tests
begin with, lies in a folder of the session; a test that changes it takes a copy.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

SESSION = "GENLAB_TEST_SESSION"  # tells pytest's workers the folder of the process above them


def session_folder() -> Path:
    """Return the session's folder, which goes when the process ends that asked for it first."""
    if SESSION not in os.environ:
        folder = tempfile.mkdtemp(prefix="genlab-tests-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[SESSION] = folder
    return Path(os.environ[SESSION])


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder of the session that `make` has filled; for reading, and for copies.

    Where `make` fails the next test that asks tries again.
    """
    place = session_folder() / name
    with FileLock(f"{place}.lock"):
        if not (place / "whole").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place / "project")
            (place / "whole").touch()
    return place / "project"


def copied(folder: Path, new: Path) -> Path:
    """Copy a folder, links as links, and return the copy."""
    return shutil.copytree(folder, new, symlinks=True)
