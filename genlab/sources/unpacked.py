"""The files of an archive, unpacked while they are read: of a zip, a tar, or those in a folder.

A folder without data files may hold archives, like a download that was unpacked once. They are read
as if they had been unpacked there. So is an archive in an archive; one more level is refused. If
data files lie beside an archive, the archive is not read: they usually are its content, and every
row would count twice.
"""

import shutil
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, BinaryIO, cast

from genlab.core.files import remove
from genlab.core.program import InputError
from genlab.core.scratch import scratch_root
from genlab.sources.archives import (
    MAX_ARCHIVE_BYTES,
    SMALL_BYTES,
    check_name,
    check_total,
    is_archive,
    member_path,
    member_sizes,
    no_file,
    opened_member,
    shown_name,
)
from genlab.sources.file_text import count_files, is_hidden, opened
from genlab.sources.foreign_files import files_in, named_as
from genlab.sources.text_files import some_of

PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.zst")
LEVELS = 2  # an archive, and those that lie in it

# Says of a file or folder that it is to be read as it is.
IsData = Callable[[Path], bool]


@contextmanager
def unpacked_folder(path: Path, counts: Counter, is_data: IsData) -> Iterator[tuple[Path, Path]]:
    """Give the folder of an archive's files while the block reads them; `path` if there is none.

    `path` may be a folder that holds archives and no data. Hidden and system files are left out,
    counted and named. Outer folders that contain a single folder and nothing else are skipped. The
    second path returned is the outermost folder, which messages call `path`; errors raised in the
    block are renamed likewise. The files are unpacked to disk, beside the checkpoints. Raises
    InputError as `member_sizes`, for all archives together, and for two archives with a file of the
    same name.
    """
    if not packed_at(path, is_data):
        yield path, path
        return
    scratch_root().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="unpacked-", dir=scratch_root()) as name:
        top = Path(name)
        with named_as(top, str(path)):
            yield unpack_all(path, top, counts, is_data), top


def packed_at(path: Path, is_data: IsData) -> list[Path]:
    """Return the archive at `path`, or those of the folder there if it holds no data beside them.

    Raises InputError as `files_in`, if there are any.
    """
    if path.is_file():
        return [path] if is_archive(path) or is_tar(path) else []
    there = sorted(path.iterdir()) if path.is_dir() else []
    packed = [file for file in there if is_packed(file)]
    if not packed or any(map(is_data, there)):
        return []
    files_in(path, str(path), deep=False)
    return packed


def hint_at(unread: Iterable[Path], key: str) -> str:
    """Return what to do about archives among files that are not read; "" if there are none.

    key: what params.yaml calls the folder.
    """
    names = [file.name for file in unread if is_packed(file)]
    return (
        f"; {some_of(names)}: not read where data files lie beside; unpack it, or give it alone as "
        f"{key}"
    ) * bool(names)


def hint_below(path: Path, is_data: IsData) -> str:
    """Return advice on a folder without data: the folders below with data, or Arrow's way out."""
    below = sorted(each for each in path.iterdir() if each.is_dir() and not is_hidden(each.name))
    if found := [each.name for each in below if any(map(is_data, each.iterdir()))]:
        return f"; there are data in {some_of([name + '/' for name in found])}: give such a folder"
    if any(each.suffix == ".arrow" for folder in (path, *below) for each in folder.iterdir()):
        return (
            "; its Arrow files are datasets.save_to_disk's: read them by load_from_disk and write "
            "Parquet by to_parquet"
        )
    return ""


def is_packed(file: Path) -> bool:
    """Return whether a file is an archive by its name and its content, and none of the system's."""
    is_named = file.name.lower().endswith(PACKED) and not is_hidden(file.name)
    return is_named and (is_archive(file) or is_tar(file))


def is_tar(file: Path) -> bool:
    """Return whether a file is a tar archive, maybe in gzip or zstd, by its first bytes."""
    if not file.is_file():
        return False
    with opened(file) as stream:
        return stream.read(512)[257:262] == b"ustar"


def unpack_all(path: Path, top: Path, counts: Counter, is_data: IsData) -> Path:
    """Unpack what `packed_at` finds at `path` to `top`; return the folder to read."""
    place, packed = path, packed_at(path, is_data)
    size = Size(path, sum(file.stat().st_size for file in packed))
    for _ in range(LEVELS):
        if packed == [path]:
            unpack(path, top, counts, size)
            place = below_single_folders(top)
        else:
            folder = place if place != path else top
            tell_read(place, packed, counts, are_counted=folder == place and len(packed) > 1)
            place = unpack_together(packed, folder, counts, size, is_data)
        packed = packed_at(place, is_data)
        if not packed:
            return place
    raise InputError(
        f"{packed[0]}: an archive in an archive in an archive; unpack it, and give the folder"
    )


def tell_read(folder: Path, packed: list[Path], counts: Counter, are_counted: bool) -> None:
    """Name on stderr the archives of a folder that are read, and the other files; count these.

    are_counted: with what comes out of the archives, later, as it is brought together there.
    """
    names = [file.name for file in packed]
    print(f"read, as no data file is beside: {len(names)} ({some_of(names)})", file=sys.stderr)
    if not are_counted:
        others = [file for file in sorted(folder.iterdir()) if file not in packed]
        count_files(counts, others, [])
        if others:
            told = [file.name + "/" * file.is_dir() for file in others]
            print(f"not read, beside archives: {len(told)} ({some_of(told)})", file=sys.stderr)


def unpack_together(
    packed: list[Path], folder: Path, counts: Counter, size: "Size", is_data: IsData
) -> Path:
    """Unpack archives, each to a folder of its name in `folder`; return the folder to read.

    That is where the files of one lie. The data of several are brought together in `folder`.
    Raises InputError for a name that two of them hold.
    """
    homes = []
    for file in packed:
        home = folder / file.name
        if home.exists():  # the archive itself, which was unpacked there from another one
            file = file.rename(file.with_name(f".{file.name}"))
        with named_as(file, str(home)):
            unpack(file, home, counts, size)
        if file.parent == folder:
            remove(file)
        homes.append(home)
    if len(homes) == 1:
        return below_single_folders(homes[0])
    origins: dict[str, str] = {}
    for home in homes:
        for file in sorted(filter(is_data, below_single_folders(home).iterdir())):
            if file.name in origins:
                raise InputError(
                    f"{folder}: both {origins[file.name]} and {home.name} hold "
                    f"{shown_name(file.name)}; give one of the two, or unpack them to one folder"
                )
            origins[file.name] = home.name
            file.rename(folder / file.name)
        if not any(file.is_file() for file in home.rglob("*")):
            remove(home)
    return folder


@dataclass
class Size:
    """The total number of bytes that archives, and those inside them, were unpacked to."""

    path: Path  # as messages call them
    packed: int
    total: int = 0

    def add(self, n_bytes: int) -> None:
        """Count bytes that were unpacked; raise InputError if they are too many."""
        self.total += n_bytes
        check_total(self.path, self.packed, self.total)


@dataclass
class Measured:
    """A stream that counts its bytes: a compressed tar does not say beforehand how large it is."""

    stream: BinaryIO
    size: Size

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes; raise InputError as `Size`."""
        content = self.stream.read(n_bytes)
        self.size.add(len(content))
        return content


def unpack(file: Path, folder: Path, counts: Counter, size: Size) -> None:
    """Write an archive's files to `folder`, piece by piece, but the hidden ones, which it counts.

    Raises InputError for what is not as it should be, or cannot be written.
    """
    folder.mkdir(exist_ok=True)
    hidden = list(unpack_zip(file, folder, size) if is_archive(file) else untar(file, folder, size))
    counts["hidden"] += len(hidden)
    if hidden:
        print(f"not read, as hidden: {len(hidden)} ({some_of(hidden)})", file=sys.stderr)


def unpack_zip(file: Path, folder: Path, size: Size) -> Iterator[str]:
    """Write a zip archive's files to `folder`; yield the names of hidden ones, which are not."""
    sizes = member_sizes(file, MAX_ARCHIVE_BYTES)
    size.add(sum(sizes.values()))
    with zipfile.ZipFile(file) as archive:
        for name in sizes:
            if is_hidden(name):
                yield name
                continue
            with opened_member(archive, name) as member:
                write(file, name, member, folder)


def untar(file: Path, folder: Path, size: Size) -> Iterator[str]:
    """Write a tar archive's files to `folder`; yield the names of hidden ones, which are not."""
    try:
        with opened(file) as stream:
            measured = cast(BinaryIO, Measured(stream, size))
            with tarfile.open(fileobj=measured, mode="r|") as tar:
                for member in tar:
                    yield from untar_member(file, tar, member, folder)
    except tarfile.TarError as error:
        raise InputError(f"{file}: a damaged tar archive ({error}); get it again") from None


def untar_member(
    file: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path
) -> Iterable[str]:
    """Write a member of a tar archive to `folder`; return its name if it is hidden, and is not."""
    if member.isdir():
        return ()
    check_name(file, member.name)
    if not member.isreg() or member.issparse():
        raise no_file(file, member.name)
    if is_hidden(member.name):
        return (member.name,)
    if (folder / member_path(member.name)).is_file():
        raise InputError(f"{file}: {shown_name(member.name)} is in it twice; pack it again")
    content = tar.extractfile(member)
    assert content is not None  # it is a regular file
    write(file, member.name, content, folder)
    return ()


def write(archive: Path, name: str, content: IO[bytes], folder: Path) -> None:
    """Write a member's content to its place in `folder`; raise InputError if that fails."""
    output = folder / member_path(name)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with open(output, "xb") as stream:
            shutil.copyfileobj(content, stream, SMALL_BYTES)
    except OSError as error:
        if error.errno is None:  # a damaged archive, not a disk
            raise
        raise InputError(
            f"{archive}: {shown_name(name)} in it cannot be unpacked to {folder.parent} "
            f"({error.strerror}); make room or unpack it yourself"
        ) from None


def below_single_folders(folder: Path) -> Path:
    """Return `folder`, or the first one below it that holds something else than one folder."""
    inside = list(folder.iterdir())
    is_single = len(inside) == 1 and inside[0].is_dir()
    return below_single_folders(inside[0]) if is_single else folder
