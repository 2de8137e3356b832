"""Files in a folder of the user's: which of them may be read, and the folder's name in messages.

A link that leads out of the folder could copy a private file into a model that is published.
Reading a named pipe could block for ever.
"""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.core.program import InputError

# DVC's cache, from which it may link: files/md5/ab/cdef...
IN_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?$")


def check_path(path: Path, key: str) -> None:
    """Raise InputError unless there is a file or folder at `path`, which params.yaml calls `key`.

    Its name must be UTF-8: neither DVC nor a table of ours can hold another.
    """
    check_name(path, key)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct {key}")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: neither a file nor a folder; correct {key}")


def check_name(name: Path, shown: str) -> None:
    """Raise InputError for a name that is not UTF-8, as of a file unpacked from an old archive."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{shown}: the name {os.fsencode(name)!r} is not UTF-8; rename it"
        ) from None


def files_in(folder: Path, shown: str, *, deep: bool) -> list[Path]:
    """Return the files in `folder`, `deep`: of its subfolders too, relative to it and sorted.

    Links within the folder are files, and so are those of the Hub's and of DVC's cache into their
    own store. Raises InputError for a link that leads elsewhere or nowhere, for what is neither
    file nor folder, and for a name that is not UTF-8.
    """
    found = []
    roots = [folder.resolve()]
    if folder.resolve().parent.name == "snapshots":  # of the Hub's cache
        roots.append(folder.resolve().parent.parent / "blobs")
    for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
        name = path.relative_to(folder)
        check_name(name, shown)
        if path.is_symlink():
            target = Path(os.path.realpath(path))
            is_inside = any(target.is_relative_to(root) for root in roots)
            if not is_inside and not IN_DVC_CACHE.search(target.as_posix()):
                raise InputError(
                    f"{shown}: {name} is a link that leads out of the folder (to {target}); put "
                    "the file itself there, or remove the link"
                )
            if not target.exists():
                raise InputError(f"{shown}: {name} is a link that leads nowhere; remove it")
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            found.append(name)
        elif not stat.S_ISDIR(mode):
            raise InputError(
                f"{shown}: {name} is neither a file nor a folder (a pipe, a socket or a device); "
                "remove it"
            )
    return found


def copy_files(
    folder: Path,
    output: Path,
    shown: str,
    *,
    deep: bool,
    is_wanted: Callable[[Path], bool] = lambda name: True,
) -> list[Path]:
    """Copy the wanted files of a foreign folder to `output`; return the names of all its files.

    Raises InputError as `files_in`, before anything is copied.
    """
    names = files_in(folder, shown, deep=deep)
    for name in filter(is_wanted, names):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, output / name)
    return names


@contextmanager
def named_as(partial: Path, shown: str) -> Iterator[None]:
    """Make errors of the block name the user's path, not the folder that it is copied to."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(str(partial), shown)) from error
