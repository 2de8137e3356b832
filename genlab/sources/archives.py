"""Zip archives: their members, read where they lie, one by one.

An archive is hostile until it is checked: members with paths out of the archive, links, and zip
bombs are refused by name.
"""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from genlab.core.program import InputError
from genlab.sources.foreign_files import named_as

MAX_MEMBER_BYTES = 1 << 28  # 256 MiB, as a row may have
MAX_ARCHIVE_BYTES = 1 << 33  # 8 GiB unpacked; the Large Movie Review Dataset has 0.2
# Text packs to a third or a tenth, a log to a hundredth; deflate's utmost is 1,032.
MAX_RATIO = 200
SMALL_BYTES = 1 << 20  # whatever their ratio, so small members do no harm
STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # the second: of an empty one
# Programs' own formats that are zip archives, told by a member's name.
FORMATS = {
    "[content_types].xml": "an Excel, Word or PowerPoint file; save its table as CSV",
    "meta-inf/manifest.xml": "an OpenDocument file; save its table as CSV",
}
# What zipfile raises for a damaged member, or one that it cannot read: encrypted, packed otherwise.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


def is_archive(path: Path) -> bool:
    """Return whether `path` is a zip archive, by its first bytes."""
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(4) in STARTS


def member_names(file: Path) -> list[str]:
    """Return the names of the files in a zip archive, in order; InputError as `member_sizes`."""
    return list(member_sizes(file, MAX_MEMBER_BYTES))


def member_sizes(file: Path, max_member_bytes: int) -> dict[str, int]:
    """Return name -> bytes, unpacked, of the files in a zip archive, in order of name.

    Raises InputError for a damaged archive, a bomb, a name that leads out of it, or one met twice.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError(
            f"{file}: not a zip archive that can be read ({error}); get it again"
        ) from None
    check_format(file, [member.filename for member in members])
    seen: set[PurePosixPath] = set()
    for member in members:
        check_member(file, member, max_member_bytes)
        if member_path(member.filename) in seen:
            raise InputError(f"{file}: {shown_name(member.filename)} is in it twice; pack it again")
        seen.add(member_path(member.filename))
    check_total(file, file.stat().st_size, sum(member.file_size for member in members))
    return dict(sorted((member.filename, member.file_size) for member in members))


def check_format(file: Path, names: list[str]) -> None:
    """Raise InputError for a program's own format that is a zip archive, too."""
    lower = {name.lower() for name in names}
    found = next((what for name, what in FORMATS.items() if name in lower), None)
    if names and all(name.endswith(".npy") for name in lower):
        found = "an archive of NumPy arrays; export it as JSON Lines"
    if found:
        raise InputError(f"{file}: this is {found}")


def check_total(file: Path, packed: int, total: int) -> None:
    """Raise InputError if all members have too many bytes, or more than such an archive can hold.

    Members may overlap in a zip bomb, so checking each one alone is not enough.
    """
    if total > MAX_ARCHIVE_BYTES:
        raise InputError(
            f"{file}: unpacked it would have {total} bytes, {MAX_ARCHIVE_BYTES} are allowed; "
            "give its parts, unpacked"
        )
    if total > max(SMALL_BYTES, MAX_RATIO * packed):
        raise InputError(
            f"{file}: it would grow from {packed} to {total} bytes, and at most {MAX_RATIO} times "
            "are allowed: a zip bomb, or give it unpacked"
        )


def shown_name(name: str) -> str:
    """Return a member's name as a message can show it."""
    return repr(name[:80])


def check_member(file: Path, member: zipfile.ZipInfo, max_bytes: int) -> None:
    """Raise InputError for a member that leads elsewhere or is a bomb."""
    check_name(file, member.filename)
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise no_file(file, member.filename)
    is_bomb = member.file_size > max(SMALL_BYTES, MAX_RATIO * member.compress_size)
    if is_bomb or member.file_size > max_bytes:
        raise InputError(
            f"{file}: {shown_name(member.filename)} would grow from {member.compress_size} to "
            f"{member.file_size} bytes; at most {MAX_RATIO} times and {max_bytes} bytes are "
            "allowed: a zip bomb, or give it unpacked"
        )


def check_name(file: Path, name: str) -> None:
    """Raise InputError for a member's name that leads out of the folder it is unpacked to."""
    path = member_path(name)
    leads_out = path.is_absolute() or ".." in path.parts or not path.parts
    if leads_out or path.parts[0].endswith(":"):
        raise InputError(f"{file}: the name {shown_name(name)} leads out of it; pack it again")


def no_file(file: Path, name: str) -> InputError:
    """Return the error for a member that is a link or the like."""
    return InputError(f"{file}: {shown_name(name)} is a link or no file; pack it again")


def member_path(name: str) -> PurePosixPath:
    """Return a member's name as a path; Windows' own programs may write it with backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def read_members(file: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of these members; a damaged one raises InputError."""
    with zipfile.ZipFile(file) as archive:
        for name in names:
            with opened_member(archive, name) as member:
                content = member.read(MAX_MEMBER_BYTES + 1)
                if len(content) > MAX_MEMBER_BYTES:
                    raise zipfile.BadZipFile("longer than it says")
            yield name, content


@contextmanager
def opened_member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Open a member; what is damaged when the block reads it raises InputError."""
    try:
        with archive.open(name) as member:
            yield member
    except DAMAGE as error:
        raise InputError(
            f"{archive.filename}: {name[:80]!r} in it is damaged or packed as nothing here reads "
            f"({error}); get the archive again, or unpack it"
        ) from None


@contextmanager
def member_file(archive: Path, name: str, content: bytes) -> Iterator[Path]:
    """Give a member's content as a file that bears its name; errors name archive and member."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / member_path(name).name
        try:
            file.write_bytes(content)
        except OSError as error:
            raise InputError(
                f"{archive}: {shown_name(name)} in it cannot be unpacked ({error.strerror}); make "
                "room or unpack it yourself"
            ) from None
        with named_as(file, f"{archive}, {name}"):
            yield file
