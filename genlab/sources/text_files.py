"""People's files as rows: JSON, JSON Lines and Parquet of any size, plain or in gzip.

Rows are parsed one by one, not by pandas or Polars. So a bad row is reported with its file and
number, a JSON file of any size needs little memory, and nothing is ever interpreted as code.
"""

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from genlab.core.program import InputError

if TYPE_CHECKING:
    from datasets import Dataset

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
# A row longer than 256 MiB is refused: a file without line ends, or a gzip bomb.
MAX_ROW_BYTES = 1 << 28


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


def recognise_start(file: Path, content: str) -> tuple[bool, bytes]:
    """Return whether `file` is Parquet, and its first bytes without byte-order mark and blanks.

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
    foreign = "a tar archive; unpack it" if head[257:262] == b"ustar" else None
    for magic, what in FOREIGN_CONTENT:
        if head.startswith(magic) or start[:64].lower().startswith(magic):
            foreign = what
    if foreign and not is_parquet:
        raise InputError(f"{file}: this is {foreign}")
    return is_parquet, start


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


def check_text(
    place: str, name: str, value: Any, max_text_bytes: int, may_be_blank: bool = True
) -> None:
    """Raise InputError unless `value` is text of at most `max_text_bytes` bytes of UTF-8."""
    if not isinstance(value, str):
        raise InputError(f"{place}: {name} is {shown(value)}, not text; correct it")
    if not may_be_blank and not value.strip():
        raise InputError(f"{place}: {name} is empty; remove the row")
    try:
        n_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: {name} has half a surrogate pair (\\u{ord(value[error.start]):04x}) at "
            f"character {error.start}, which is no text; correct it"
        ) from None
    if n_bytes > max_text_bytes:
        raise InputError(
            f"{place}: {name} has {n_bytes} bytes, corpus.max_text_bytes allows {max_text_bytes}; "
            "shorten the text or raise the parameter"
        )


CheckColumns = Callable[[str, Iterable[str], Iterable[str]], None]


def parquet_rows(
    file: Path, columns: Sequence[str], check: CheckColumns = check_columns
) -> Iterator[tuple[str, Any]]:
    """Yield these columns of a Parquet file's rows with their places; rows count from 0.

    `check(place, columns there, columns needed)` raises InputError for one that is missing.
    """
    number = 0
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:  # see genlab/core/tables.py
            check(str(file), table.schema_arrow.names, columns)
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


def dataset_rows(
    name: str, rows: "Dataset", columns: Sequence[str], check: CheckColumns = check_columns
) -> Iterator[tuple[str, Any]]:
    """Yield these columns of one split of a Hub dataset as `parquet_rows` does."""
    check(name, rows.column_names, columns)
    number = 0
    for table in rows.select_columns(list(columns)).with_format("arrow").iter(PARQUET_ROWS):
        for row in table.to_pylist():
            yield f"{name}, row {number} (counted from 0)", row
            number += 1


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
