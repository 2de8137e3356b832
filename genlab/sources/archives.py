"""The members of a zip archive, read where it lies; a table alone lies on disk while it is read.

An archive is hostile until it is checked: names that lead elsewhere, links, and members that grow
beyond all measure are refused by name.
"""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from genlab.core.program import InputError
from genlab.sources.foreign_files import named_as

MAX_MEMBER_BYTES = 1 << 28  # 256 MiB, as a row may have
MAX_ARCHIVE_BYTES = 1 << 33  # 8 GiB unpacked; the Large Movie Review Dataset has 0.2
# Text packs to a third or a tenth, a log to a hundredth; deflate's utmost is 1,032.
MAX_RATIO = 200
SMALL_BYTES = 1 << 20  # whatever their ratio, so small members do no harm


def member_names(file: Path) -> list[str]:
    """Return the names of the files in a zip archive, in order.

    Raises InputError for a damaged archive, a bomb, a name that leads out of it, or one met twice.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError(
            f"{file}: not a zip archive that can be read ({error}); get it again"
        ) from None
    seen: set[str] = set()
    for member in members:
        check_member(file, member)
        if member.filename in seen:
            raise InputError(f"{file}: {shown_name(member)} is in it twice; pack it again")
        seen.add(member.filename)
    total = sum(member.file_size for member in members)
    if total > MAX_ARCHIVE_BYTES:
        raise InputError(
            f"{file}: unpacked it would have {total} bytes, {MAX_ARCHIVE_BYTES} are allowed; "
            "give its parts, unpacked"
        )
    return sorted(seen)


def shown_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name as a message can show it."""
    return repr(member.filename[:80])


def check_member(file: Path, member: zipfile.ZipInfo) -> None:
    """Raise InputError for a member that leads elsewhere or is a bomb."""
    path = member_path(member.filename)
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or (path.parts[:1] and path.parts[0].endswith(":")):
        raise InputError(f"{file}: the name {shown_name(member)} leads out of it; pack it again")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise InputError(f"{file}: {shown_name(member)} is a link or no file; pack it again")
    is_bomb = member.file_size > max(SMALL_BYTES, MAX_RATIO * member.compress_size)
    if is_bomb or member.file_size > MAX_MEMBER_BYTES:
        raise InputError(
            f"{file}: {shown_name(member)} would grow from {member.compress_size} to "
            f"{member.file_size} bytes; at most {MAX_RATIO} times and {MAX_MEMBER_BYTES} bytes are "
            "allowed: a zip bomb, or give it unpacked"
        )


def member_path(name: str) -> PurePosixPath:
    """Return a member's name as a path; Windows' own programs may write it with backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def read_members(file: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of these members; a damaged one raises InputError."""
    name = ""
    try:
        with zipfile.ZipFile(file) as archive:
            for name in names:
                with archive.open(name) as member:
                    content = member.read(MAX_MEMBER_BYTES + 1)
                if len(content) > MAX_MEMBER_BYTES:
                    raise zipfile.BadZipFile("longer than it says")
                yield name, content
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,
        RuntimeError,  # encrypted
    ) as error:
        raise InputError(
            f"{file}: {name[:80]!r} in it is damaged or packed as nothing here reads ({error}); "
            "get the archive again, or unpack it"
        ) from None


@contextmanager
def member_file(archive: Path, name: str, content: bytes) -> Iterator[Path]:
    """Give a member's content as a file that bears its name; errors name archive and member."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / member_path(name).name
        file.write_bytes(content)
        with named_as(file, f"{archive}, {name}"):
            yield file
