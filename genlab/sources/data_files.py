"""The data files of a corpus: a file, those of a folder, or those of a zip archive.

Every file that lies there is read, or counted and named.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from genlab.core.program import InputError
from genlab.sources.archives import is_archive, unpacked_folder
from genlab.sources.file_text import count_files, is_about_data, is_hidden
from genlab.sources.foreign_files import check_path, files_in
from genlab.sources.text_files import data_extension, some_of


@contextmanager
def found_files(
    path: Path, extensions: Sequence[str], counts: Counter, key: str = "corpus.path"
) -> Iterator[tuple[Path, list[Path]]]:
    """Give what messages call `path` while the block reads its data files, and these by name.

    That is `path` itself, or where a zip archive is unpacked. Of a folder those files are data that
    end in one of `extensions`, maybe with .gz or .zst. Counts files read, hidden and unread, and
    names those not read on stderr. `key` is what params.yaml calls `path`. Raises InputError if
    there is no data file.
    """
    with unpacked_folder(path, counts) as (place, top):
        yield top, files_at(place, extensions, counts, key)


def files_at(path: Path, extensions: Sequence[str], counts: Counter, key: str) -> list[Path]:
    """Return the file at `path`, or the data files of the folder there in order of name."""
    check_path(path, key)
    if path.is_file():
        count_files(counts, [path], [path])
        return [path]
    there = sorted(path.iterdir())
    files = [
        path / name
        for name in files_in(path, str(path), deep=False)
        if data_extension(name) in extensions and not is_hidden(name) and not is_about_data(name)
    ]
    name_unread(there, files)
    count_files(counts, there, files)
    if not files:
        names = some_of([file.name for file in there]) or "nothing"
        alone = f"; a zip is read if {key} names it" * any(map(is_archive, there))
        raise InputError(
            f"{path}: no data file in it (there: {names}); give files ending in "
            f"{' '.join(extensions)} (or .gz, .zst of these){alone}"
        )
    return files


def name_unread(there: Iterable[Path], files: Iterable[Path]) -> None:
    """Name on stderr what lies in a corpus's folder and is not read."""
    if unread := [file.name + "/" * file.is_dir() for file in there if file not in files]:
        print(
            f"not read, as hidden or no data file: {len(unread)} ({some_of(unread)})",
            file=sys.stderr,
        )
