"""The text of people's files: plain, in gzip or in zstd, of any encoding, in pieces and in lines.

Lines end in LF, CRLF or CR, and in nothing else that Unicode has.
"""

import codecs
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from genlab.core.program import InputError
from genlab.sources.decoding import (
    DECLARE,
    EITHER,
    END_OF_FILE,
    UTF_8,
    WINDOWS,
    Encoding,
    codec_of,
    doubtful,
    is_contradicted,
    may_be_utf_8,
    windows_of,
)

# First bytes of files that are no corpus, whatever their names say. A pickle can run code when it
# is loaded, so it is only ever recognised.
PICKLE = "a Python pickle, which is never loaded; export it as JSON Lines"
FOREIGN_CONTENT = (
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"PK\x05\x06", "an empty zip archive; give one with the data, unpacked"),
    (b"Rar!\x1a\x07", "a rar archive; unpack it"),
    (b"\x04\x22\x4d\x18", "compressed with lz4; unpack it or use gzip"),
    (b"SQLite format 3\x00", "an SQLite database; export its table as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file; save it as CSV"),
    (b"\x89PNG", "a picture; give the data file"),
    (b"\xff\xd8\xff", "a picture; give the data file"),
    (b"\x89HDF", "an HDF5 file; export its table as CSV"),
    (b"$FL2", "an SPSS file; export its table as CSV"),
    (b"{\\rtf", "an RTF document; save it as plain text"),
    (b"\x93NUMPY", "a NumPy array; export it as JSON Lines"),
    (b"Obj\x01", "an Avro file; export it as Parquet"),
    (b"FEA1", "a Feather file; export it as Parquet"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it or use gzip"),
    (b"BZh91AY&SY", "compressed with bzip2; unpack it or use gzip"),
    (b"\x1f\x8b", "compressed twice; unpack it once"),
    (b"\x28\xb5\x2f\xfd", "compressed twice; unpack it once"),
    *((b"\x80" + bytes([protocol]), PICKLE) for protocol in range(2, 6)),
    (b"PAR1", "Parquet inside gzip or zstd; unpack it"),
    (b"ARROW1", "an Arrow file; export it as Parquet"),
    (b"\xff\xff\xff\xff", "an Arrow stream; export it as Parquet"),
    (b"%PDF", "a PDF; give the data file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data; run `git lfs pull`"),
    (b"/annex/objects/", "a git-annex pointer, not the data; run `git annex get`"),
)
WEB_PAGE = "a web page, not the data; download the file itself"
# In small letters. A single text may well be one of these: markup is taken out of it.
MARKUP = (
    (b"<!doctype html", WEB_PAGE),
    (b"<html", WEB_PAGE),
    (b"mime-version:", WEB_PAGE),
    (b"<table", "a table of a web page, as Excel may write one; save it as CSV"),
    (b"<?xml", "an XML file; export its rows as CSV or JSON Lines"),
)

# Names, up to the first dot, of what lies beside published data.
ABOUT_DATA = re.compile(r"readme.*|licen[cs]e.*|notice|copying|citation|changelog", re.IGNORECASE)

# A frame before the data, which zstd passes over: pzstd and others write one.
SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")

HEAD_BYTES = 1 << 16  # looked at to recognise a format
PIECE_BYTES = 1 << 20  # read at a time
ASCII_BYTES = 1 << 26  # where so much is plain ASCII, the rest is taken for UTF-8
# A row longer than 256 MiB is refused: a file without line ends, or a gzip bomb.
MAX_ROW_BYTES = 1 << 28
# What is done with a row that cannot be read: `stop` raises its error, others may count it.
OnBadRow = Callable[[InputError], None]


class RestLost(InputError):
    """The rest of a file cannot be read, because it is unknown where the next row begins."""


def stop(error: InputError) -> None:
    """Raise the error of a row that cannot be read."""
    raise error


def one_line(error: Exception) -> str:
    """Return class and message of an error from a library on one line of about 150 characters."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message[:150]}{'...' if len(message) > 150 else ''}"


def is_hidden(name: str | PurePath) -> bool:
    """Return whether a name below a corpus's folder is hidden, the system's or an open document's.

    Such as .DS_Store, ._a.txt, and ~$a.csv beside a table that Excel has open.
    """
    parts = PurePath(str(name).replace("\\", "/")).parts
    system = {"__macosx", "thumbs.db", "desktop.ini"}
    return any(part.startswith((".", "~$")) or part.lower() in system for part in parts)


def is_about_data(name: str | PurePath) -> bool:
    """Return whether a file says something about the data beside it: README.txt, LICENSE.txt."""
    return ABOUT_DATA.fullmatch(PurePath(name).name.split(".")[0]) is not None


def count_files(counts: Counter, there: Iterable[Path], read: Collection[Path]) -> None:
    """Add to `counts` how many files of a corpus's folder are read, hidden, or not read."""
    counts.update(read=0, hidden=0, unread=0)
    for file in there:
        kind = "read" if file in read else "hidden" if is_hidden(file.name) else "unread"
        counts[kind] += 1


def with_files(numbers: dict, counts: Counter) -> dict:
    """Return the metrics of a corpus with its counts of files; a generated corpus has none."""
    return numbers | ({"files": dict(counts)} if counts else {})


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Open `file` for reading bytes, unpacked as `unpacked` does."""
    with open(file, "rb") as raw, unpacked(raw, str(file)) as stream:
        yield stream


@contextmanager
def unpacked(raw: BinaryIO, place: str) -> Iterator[BinaryIO]:
    """Give the bytes of a stream, unpacked if it is gzip or zstd; a damaged one is an InputError.

    `place` is what messages call it.
    """
    magic = raw.read(4)
    raw.seek(0)
    stream: Any = raw
    if magic[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=raw)
    elif magic == b"\x28\xb5\x2f\xfd" or SKIPPED.fullmatch(magic):
        stream = io.BufferedReader(pa.CompressedInputStream(raw, "zstd"))
    try:
        yield cast(BinaryIO, stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{place}: damaged gzip ({error}); download or compress it again"
        ) from None
    except OSError as error:
        if stream is raw or error.errno:
            raise
        if "too much memory" in str(error):
            raise InputError(
                f"{place}: zstd with a window beyond 128 MiB; unpack it, or pack it without --long"
            ) from None
        raise InputError(
            f"{place}: damaged zstd ({one_line(error)}); download or compress it again"
        ) from None


def recognise_start(
    file: Path, content: str, encoding: Encoding = Encoding.auto
) -> tuple[bool, str]:
    """Return whether `file` is Parquet, and its first characters without blanks before them.

    `content` is what the file should hold, for messages. Raises InputError if the file is empty or
    of a foreign kind.
    """
    with open(file, "rb") as raw:
        is_parquet = raw.read(4) == b"PAR1"
    with opened(file) as stream:
        head = stream.read(HEAD_BYTES)
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise InputError(f"{file}: the file is empty; give one with {content}")
    small = start[:64].lower()
    markup = (what for magic, what in MARKUP if small.startswith(magic))
    foreign = foreign_kind(head) or next(markup, None)
    if foreign and not is_parquet:
        raise InputError(f"{file}: this is {foreign}")
    if is_parquet:
        return True, ""
    text = head.decode(find_codec(file, encoding), errors="replace").lstrip("\ufeff \t\r\n")
    if not text:
        raise InputError(f"{file}: the file is empty; give one with {content}")
    return False, text


def foreign_kind(head: bytes) -> str | None:
    """Return what a file that begins so is, and what to do, if it is no text; None if it may be."""
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it"
    if head and not head.strip(b"\0"):
        return "nothing but zero bytes, as of a download that broke off; get it again"
    if head.startswith(b"ORC") and b"\0" in head:  # a text may begin with this word
        return "an ORC file; export it as Parquet"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    found = (what for m, what in FOREIGN_CONTENT if head.startswith(m) or start.startswith(m))
    return next(found, None)


def find_codec(file: Path, encoding: Encoding = Encoding.auto) -> str:
    """Return the codec of a file: the declared one, or what its first other than ASCII tells.

    Windows-1251 and Windows-1252 are recognised from the whole file. A doubtful file is read as
    UTF-8, so that the reader names the line that is not valid. Raises InputError if all lines are.
    """
    with opened(file) as stream:
        sample = stream.read(HEAD_BYTES)
        codec = codec_of(sample, encoding)
        if encoding is not Encoding.auto:
            return codec or UTF_8
        n_read = len(sample)
        while sample and sample.isascii() and codec == UTF_8 and n_read < ASCII_BYTES:
            sample = stream.read(PIECE_BYTES)
            n_read += len(sample)
            codec = codec_of(sample)
        if codec in (None, UTF_8):
            sample += stream.read(PIECE_BYTES)
            codec = codec_of(sample)
        while codec in WINDOWS and (piece := stream.read(PIECE_BYTES)):
            codec = windows_after(piece, codec)
    if codec is None and may_be_utf_8(sample):
        raise doubtful(str(file))
    return codec or UTF_8


def windows_after(piece: bytes, codec: str) -> str | None:
    """Return the codec of text in one of WINDOWS that goes on with `piece`; None if it clashes."""
    if codec == EITHER:
        return windows_of(piece)
    return None if is_contradicted(piece, codec) else codec


def text_pieces(file: Path, encoding: Encoding) -> Iterator[str]:
    """Yield the text of `file` in pieces; raises InputError with the offset of invalid bytes."""
    codec = find_codec(file, encoding)
    decoder = codecs.getincrementaldecoder(codec)()
    n_read = 0
    with opened(file) as stream:
        while True:
            piece = stream.read(PIECE_BYTES)
            n_read += len(piece)
            try:
                yield decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                offset = n_read - len(error.object) + error.start
                raise InputError(
                    f"{file}: invalid {called(codec)} at byte {offset} ({error.reason}); {DECLARE}"
                ) from None
            if not piece:
                return


def text_lines(
    file: Path,
    encoding: Encoding = Encoding.auto,
    on_bad_row: OnBadRow = stop,
    *,
    keep_blank: bool = False,
) -> Iterator[tuple[str, str]]:
    """Yield the lines of `file` with their places, blank ones if asked; lines count from 1."""
    codec = find_codec(file, encoding)
    with opened(file) as stream:
        lines = decoded(stream, codec, newline=None)
        for number in count(1):
            place = f"{file}, line {number}"
            line = next_line(lines, place, codec)
            if not line:
                return
            if error := undecoded(place, line, codec):
                on_bad_row(error)
            elif keep_blank or line.strip():
                yield place, line.rstrip("\n")


def decoded(stream: BinaryIO, codec: str, newline: str | None) -> io.TextIOWrapper:
    """Return the stream as text; single bytes that are no characters are left for `undecoded`."""
    errors = "strict" if codec.startswith(("utf-16", "utf-32")) else "surrogateescape"
    return io.TextIOWrapper(stream, codec, errors, newline)


def next_line(lines: io.TextIOWrapper, place: str, codec: str) -> str:
    """Return the next line, "" at the end; raise InputError for one without end or damaged.

    DOS's end-of-file character after the last line is dropped.
    """
    try:
        line = lines.readline(MAX_ROW_BYTES + 1)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}: damaged {called(codec)} from here on ({error.reason})"
        ) from None
    if len(line) > MAX_ROW_BYTES:
        raise InputError(f"{place}: longer than {MAX_ROW_BYTES} bytes; one row is one line")
    return line.rstrip(END_OF_FILE)  # only the last line has no line's end behind it


def undecoded(place: str, line: str, codec: str) -> InputError | None:
    """Return the error of a line that holds bytes which are no characters of its encoding."""
    if line.isascii() or not re.search("[\udc80-\udcff]", line):
        return None
    codec = "utf-8" if codec == UTF_8 else codec
    try:
        line.encode(codec, "surrogateescape").decode(codec)
    except UnicodeDecodeError as error:
        return InputError(
            f"{place}: invalid {called(codec)} at byte {error.start} of the line ({error.reason}); "
            f"{DECLARE}"
        )
    return None


def called(codec: str) -> str:
    """Return a codec's name as people write it."""
    return "UTF-8" if codec == UTF_8 else codec.upper() if codec.startswith("utf") else codec
