"""People's files as rows: JSON, JSON Lines and Parquet of any size, plain or in gzip.

Rows are parsed one by one, not by pandas or Polars. So a bad row is reported with its file and
number, a JSON file of any size needs little memory, and nothing is ever interpreted as code.
"""

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from genlab.core.program import InputError

# First bytes of files that are no corpus, whatever their names say. A pickle can run code when it
# is loaded, so it is only ever recognised.
PICKLE = "a Python pickle, which is never loaded; export it as JSON Lines"
FOREIGN_CONTENT = (
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it or use gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it or use gzip"),
    (b"BZh91AY&SY", "compressed with bzip2; unpack it or use gzip"),
    (b"\x1f\x8b", "compressed twice; unpack it once"),
    *((b"\x80" + bytes([protocol]), PICKLE) for protocol in range(2, 6)),
    (b"PAR1", "Parquet inside gzip; unpack it"),
    (b"ARROW1", "an Arrow file; export it as Parquet"),
    (b"%PDF", "a PDF; give the data file"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data; run `git lfs pull`"),
    (b"<!doctype html", "a web page, not the data; download the file itself"),
    (b"<html", "a web page, not the data; download the file itself"),
)

HEAD_BYTES = 1 << 16  # looked at to recognise a format
PIECE_BYTES = 1 << 20  # read at a time
PARQUET_ROWS = 1_000  # turned into Python objects at a time
# A row longer than 256 MiB is refused: a file without line ends, or a gzip bomb. A frame of long
# texts goes out at the same size, before it has BATCH_ROWS rows.
MAX_ROW_BYTES = 1 << 28

BLANKS = re.compile(r"[ \t\n\r]*")  # JSON's white space


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Open `file` for reading bytes, unpacked if it is gzip; a damaged one raises InputError."""
    with open(file, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw) if packed else raw)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"{file}: damaged gzip ({error}); download or compress it again"
            ) from None


def text_pieces(file: Path) -> Iterator[str]:
    """Yield the text of `file` in pieces; raises InputError with the offset of invalid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
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
                    f"{file}: invalid UTF-8 at byte {offset} ({error.reason}); save it as UTF-8"
                ) from None
            if not piece:
                return


def text_lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines of `file` that are not blank with their places; lines count from 1."""
    with opened(file) as stream:
        for number in count(1):
            line = stream.readline(MAX_ROW_BYTES + 1)
            place = f"{file}, line {number}"
            if not line:
                return
            if len(line) > MAX_ROW_BYTES:
                raise InputError(f"{place}: longer than {MAX_ROW_BYTES} bytes; one row is one line")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{place}: invalid UTF-8 at byte {error.start} of the line ({error.reason}); "
                    "save it as UTF-8"
                ) from None
            if text.strip():
                yield place, text


class JsonText:
    """The text of a JSON file, decoded value by value: one value at a time is in memory."""

    def __init__(self, file: Path) -> None:
        """Start before the first character of `file`."""
        self.file = file
        self.pieces = text_pieces(file)
        self.decoder = json.JSONDecoder()
        self.text = ""  # what was read and not yet dropped
        self.at = 0  # the next character, in self.text
        self.ended = False
        self.line, self.column = 1, 1  # of self.text[0]
        self.part = ""  # what is being read, for error messages

    def error(self, reason: str, at: int | None = None) -> InputError:
        """Return an InputError that gives line and column of self.text[at] (the next character)."""
        at = self.at if at is None else at
        line, column = self.position(at)
        part = f", in {self.part}" if self.part else ""
        open_string = reason.startswith("Unterminated string")
        if self.ended and (open_string or not self.text[at:].strip()):
            reason += "; the file ends too early: get it again"
        return InputError(
            f"{self.file}: broken JSON at line {line}, column {column}{part}: {reason}"
        )

    def position(self, at: int) -> tuple[int, int]:
        """Return line and column, from 1, of self.text[at]."""
        last_newline = self.text.rfind("\n", 0, at)
        if last_newline < 0:
            return self.line, self.column + at
        return self.line + self.text.count("\n", 0, at), at - last_newline

    def fill(self, n_characters: int = 1) -> None:
        """Drop what was used and read at least so many further characters, or to the end."""
        self.line, self.column = self.position(self.at)
        pieces, self.at, n_read = [self.text[self.at :]], 0, 0
        while n_read < n_characters and not self.ended:
            piece = next(self.pieces, None)
            self.ended = piece is None
            pieces.append(piece or "")
            n_read += len(pieces[-1])
        self.text = "".join(pieces)

    def peek(self) -> str:
        """Return the next character that is not white space, "" at the end."""
        while True:
            blanks = BLANKS.match(self.text, self.at)
            assert blanks is not None  # the pattern matches nothing, too
            self.at = blanks.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if self.ended:
                return ""
            self.fill()

    def take(self, expected: str) -> str:
        """Take one of the characters in `expected`."""
        if not (character := self.peek()) or character not in expected:
            raise self.error(f"{' or '.join(expected)} expected")
        self.at += 1
        return character

    def value(self) -> Any:
        """Take one whole value.

        A value may go on beyond what was read: then decoding fails near the end of self.text or in
        a string that is not closed, or takes 0 for the start of 0.5 or 1 for that of 1e+5. What is
        read is doubled before it is tried again, which keeps the work linear.
        """
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except RecursionError:
                raise self.error("nested too deeply") from None
            except json.JSONDecodeError as error:
                # The longest token that is no string is "-Infinity", the longest escape \uXXXX.
                open_ended = error.pos >= len(self.text) - 12
                if self.ended or not (open_ended or error.msg.startswith("Unterminated string")):
                    raise self.error(error.msg, error.pos) from None
            except ValueError as error:  # a number of thousands of digits
                raise self.error(str(error).split(";")[0]) from None
            else:
                if len(self.text) - end > len("e+") or self.ended:
                    self.at = end
                    return value
            if len(self.text) - self.at > MAX_ROW_BYTES:
                raise self.error(f"one value is longer than {MAX_ROW_BYTES} characters")
            self.fill(len(self.text) - self.at)

    def read_keys(self) -> Iterator[str]:
        """Yield the keys of an object; the caller takes each value before the next key."""
        self.take("{")
        while self.peek() != "}":
            if self.peek() != '"':
                raise self.error("a key in double quotes expected")
            key = self.value()
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return
        self.take("}")

    def end(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise self.error("text after the end; one file is one array or object")


def array_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the values of a JSON array with their places; rows count from 0."""
    stream = JsonText(file)
    stream.take("[")
    if stream.peek() == "]":
        return
    for number in count():
        stream.part = f"row {number} (counted from 0)"
        yield f"{file}, {stream.part}", stream.value()
        if stream.take(",]") == "]":
            break
    stream.part = ""
    stream.end()


def line_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the values of a JSON Lines file with their places."""
    for place, line in text_lines(file):
        try:
            row = json.loads(line)
        except RecursionError:
            raise InputError(f"{place}: broken JSON: nested too deeply") from None
        except json.JSONDecodeError as error:
            raise InputError(
                f"{place}: broken JSON at column {error.colno}: {error.msg}; a line is one whole "
                "object (an object over several lines belongs in a JSON array)"
            ) from None
        except ValueError as error:  # a number of thousands of digits
            raise InputError(f"{place}: broken JSON: {str(error).split(';')[0]}") from None
        yield place, row


def parquet_rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield these columns of a Parquet file's rows with their places; rows count from 0."""
    number = 0
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:  # see genlab/core/tables.py
            check_columns(str(file), table.schema_arrow.names, columns)
            for batch in table.iter_batches(PARQUET_ROWS, columns=list(columns)):
                for row in batch.to_pylist():
                    yield f"{file}, row {number} (counted from 0)", row
                    number += 1
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: invalid UTF-8 within {PARQUET_ROWS} rows from row {number} (counted from 0) "
            f"({error.reason}); write it as UTF-8"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{file}: not a whole Parquet file ({one_line(error)}); get it again"
        ) from None


def shown(value: Any) -> str:
    """Return a value as an error message can show it: short, and never the inside of a container.

    The inside may be of any depth and size.
    """
    names = {dict: "an object", list: "a list", type(None): "null", bytes: "bytes"}
    if type(value) in names:
        return names[type(value)]
    return repr(value[:40]) + "..." * (len(value) > 40) if isinstance(value, str) else repr(value)


def one_line(error: Exception) -> str:
    """Return class and message of an error from a library on one line of about 150 characters."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message[:150]}{'...' if len(message) > 150 else ''}"


def check_columns(place: str, there: Iterable[str], needed: Iterable[str]) -> None:
    """Raise InputError for the first of `needed` that is not there."""
    there = list(there)
    for column in needed:
        if column not in there:
            has = ", ".join(shown(name) for name in there[:10]) or "none"
            raise InputError(f"{place}: column {column!r} is missing (there: {has}); add it")


# In order of preference, for a name that comes with several.
EXTENSIONS = (".parquet", ".jsonl", ".ndjson", ".json", ".tsv", ".txt")


def data_stem(file: Path) -> str:
    """Return the file's name without its data extension and without .gz."""
    stem = re.sub(r"\.gz$", "", file.name, flags=re.IGNORECASE)
    return stem[: -len(Path(stem).suffix)] if Path(stem).suffix.lower() in EXTENSIONS else stem


def data_extension(file: Path) -> str:
    """Return the file's extension in lower case, the one before .gz if it ends so."""
    return Path(file.name.lower().removesuffix(".gz")).suffix


def extension_rank(file: Path) -> int:
    """Return the place of the file's extension in EXTENSIONS, or their number if it has none."""
    extension = data_extension(file)
    return EXTENSIONS.index(extension) if extension in EXTENSIONS else len(EXTENSIONS)
