"""Whole files or none: outputs are written beside their place and renamed when complete."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.core.running import check_not_abandoned


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a sibling of `path` to write a file or a folder to; rename it into place at the end.

    If the block raises, or the dvc that started this stage has ended meanwhile, the sibling is
    removed and `path` stays as it was. An OSError without a file name, such as Arrow's, gets the
    name of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    remove(partial)
    try:
        yield partial
        check_not_abandoned()
        if path.is_dir() or partial.is_dir():
            remove(path)  # only a file can be replaced, by a file, in one step
        os.replace(partial, path)
    except BaseException as error:
        remove(partial)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256_of(file: Path) -> str:
    """Return the hex sha256 of a file's bytes."""
    with open(file, "rb") as stream:  # file_digest reads it in pieces
        return hashlib.file_digest(stream, "sha256").hexdigest()


def md5_of(file: Path) -> str:
    """Return the hex md5 of a file's bytes, by which DVC knows it."""
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest()


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON; ValueError for NaN and infinity, which DVC cannot read."""
    text = as_json(content)
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def as_json(content: object) -> str:
    """Return the text of a JSON file of ours."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
