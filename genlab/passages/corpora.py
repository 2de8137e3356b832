"""Real corpora, from files or the Hugging Face Hub, as frames of `QUERY_SCHEMA`.

In: MS MARCO as on the Hub, MS MARCO's own files, or labelled sentences (WikiQA). Out: frames of at
most BATCH_ROWS queries, in the files' order. Rows are parsed here one by one, not by pandas or
Polars: so a bad row is reported with its file and number, a JSON file of any size needs little
memory, and nothing but JSON, tab-separated text and Parquet is ever interpreted.
"""

import codecs
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from hashlib import blake2b
from itertools import count, groupby
from math import inf
from pathlib import Path
from typing import Any, BinaryIO
from unicodedata import normalize

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from genlab.core.program import InputError
from genlab.core.tables import BATCH_ROWS, QUERY_SCHEMA
from genlab.sources.hub import load_dataset


class CorpusFormat(StrEnum):
    """How the files of a corpus are laid out."""

    auto = "auto"  # decided for each file by its content
    hub = "hub"  # JSON array, JSON Lines, Parquet; passages = {is_selected: [], passage_text: []}
    official = "official"  # columns keyed by row number (v2.1); JSON Lines (v1.1)
    labelled = "labelled"  # question, sentence, label; or WikiQA's seven columns with a header


FORMATS_HELP = (
    "hub (MS MARCO as on the Hub: JSON array, JSON Lines, Parquet), "
    "official (MS MARCO's own JSON) or labelled (tab-separated question, sentence, label)"
)

# How a file can be read: its name in messages, and the formats besides auto that have it.
KINDS = {
    "parquet": ("Parquet", (CorpusFormat.hub,)),
    "array": ("a JSON array", (CorpusFormat.hub, CorpusFormat.official)),
    "columns": ("JSON columns", (CorpusFormat.official,)),
    "lines": ("JSON Lines", (CorpusFormat.hub, CorpusFormat.official)),
    "labelled": ("tab-separated", (CorpusFormat.labelled,)),
}

# In order of preference, for a name that comes with several.
EXTENSIONS = (".parquet", ".jsonl", ".ndjson", ".json", ".tsv", ".txt")

# Names, up to the first dot, of what lies beside the data in published folders.
NOT_DATA = re.compile(
    r"readme.*|licen[cs]e.*|source|notice|copying|citation|changelog|requirements"
    r"|dataset_infos?|dataset_dict|state",
    re.IGNORECASE,
)

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

COLUMNS = ("query_id", "query", "passages")
LABELLED_COLUMNS = ("QuestionID", "Question", "Sentence", "Label")

HEAD_BYTES = 1 << 16  # looked at to recognise a format
PIECE_BYTES = 1 << 20  # read at a time
PARQUET_ROWS = 1_000  # turned into Python objects at a time

# A row longer than 256 MiB is refused: a file without line ends, or a gzip bomb. A frame of long
# texts goes out at the same size, before it has BATCH_ROWS rows.
MAX_ROW_BYTES = 1 << 28
MAX_FRAME_BYTES = 1 << 28

BLANKS = re.compile(r"[ \t\n\r]*")  # JSON's white space

# Where a query was found ("train.jsonl, line 3"), and QUERY_SCHEMA's columns without `split`.
PlacedQuery = tuple[str, dict[str, Any]]


def read_file_corpus(
    path: Path,
    format: str,
    n_train: int,
    n_validation: int,
    validation_share: float,
    max_text_bytes: int,
) -> Iterator[pl.DataFrame]:
    """Yield the queries of a file or folder as frames of QUERY_SCHEMA.

    `format` is a CorpusFormat. n_train and n_validation take the first so many (0: all). In a
    folder the file names tell the split; a single file, or a folder whose names tell nothing, is
    divided by a hash of the query text, `validation_share` (0 to 1) of the texts to validation.
    A text may have `max_text_bytes` bytes of UTF-8. Raises InputError with file and row for what
    cannot be read, and at the end for an empty split or a corpus without a selected passage.
    """
    layout = CorpusFormat(format)
    parts = (
        (str(file), split, read_queries(file, layout, max_text_bytes))
        for file, split in find_data_files(Path(path))
    )
    yield from collect_frames(str(path), parts, n_train, n_validation, validation_share)


def read_hub_corpus(
    hub_id: str,
    hub_name: str,
    revision: str,
    n_train: int,
    n_validation: int,
    max_text_bytes: int,
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return the train and validation queries of a Hub dataset as frames, and the commit.

    The dataset has MS MARCO's columns; `hub_name` is its configuration ("v2.1"; empty if it has
    one only), `revision` a commit. `hub_id` may be a local folder in the Hub's layout. Limits and
    errors as in `read_file_corpus`; whatever fails on the way to the Hub is one InputError.
    """
    asked = " ".join(part for part in (hub_id, hub_name) if part)
    dataset, commit = load_dataset(
        hub_id,
        hub_name,
        revision,
        ["train", "validation"],
        asked=f"{asked} at revision {revision}",
        instead="download the files and set corpus.source: file",
    )
    parts = (
        (f"{asked}, {split}", split, hub_queries(f"{asked}, {split}", rows, max_text_bytes))
        for split, rows in dataset.items()
    )
    return collect_frames(asked, parts, n_train, n_validation, validation_share=0.0), commit


def collect_frames(
    corpus: str,
    parts: Iterable[tuple[str, str | None, Iterator[PlacedQuery]]],
    n_train: int,
    n_validation: int,
    validation_share: float,
) -> Iterator[pl.DataFrame]:
    """Yield frames from parts (name, split, queries); a part without a split is divided by hash.

    Raises InputError for a query_id met twice, a part without queries, an empty split, and a
    corpus in which no passage is selected.
    """
    limits = {"train": n_train or inf, "validation": n_validation or inf}
    taken = Counter()
    places: dict[str, str] = {}
    rows, n_bytes, any_selected = [], 0, False
    for name, fixed_split, queries in parts:
        splits = [fixed_split] if fixed_split else list(limits)
        n_places = len(places)
        for place, query in queries:
            first = places.setdefault(query["query_id"], place)
            if first is not place:
                raise InputError(
                    f"query_id {shown(query['query_id'])} occurs twice: {first}; and {place}; "
                    "remove one of the two rows or give it another id"
                )
            split = fixed_split or split_by_hash(query["query"], validation_share)
            if taken[split] < limits[split]:
                taken[split] += 1
                rows.append(query | {"split": split})
                n_bytes += sum(len(passage["text"]) for passage in query["passages"])
                any_selected |= any(passage["is_selected"] for passage in query["passages"])
            if len(rows) == BATCH_ROWS or n_bytes > MAX_FRAME_BYTES:
                yield pl.DataFrame(rows, schema=QUERY_SCHEMA)
                rows, n_bytes = [], 0
            if all(taken[split] >= limits[split] for split in splits):
                break
        if len(places) == n_places:
            raise InputError(f"{name}: there are no queries in it; give it rows or remove it")
    for split in limits:
        if not taken[split]:
            raise InputError(
                f"{corpus}: no query for split {split} ({taken.total()} for the other); give a "
                "folder with files named train and dev or validation, or one file with more "
                "queries and a corpus.validation_share well between 0 and 1"
            )
    if not any_selected:
        raise InputError(
            f"{corpus}: none of the {taken.total()} queries has a selected passage (is_selected or "
            "label 1), so nothing can be answered; give the labelled files"
        )
    if rows:
        yield pl.DataFrame(rows, schema=QUERY_SCHEMA)


def split_by_hash(query: str, validation_share: float) -> str:
    """Return "train" or "validation" by the words of `query`, the same in every run.

    Case, punctuation and spacing do not count, so variants of a question stay on one side.
    """
    words = " ".join(re.findall(r"\w+", normalize("NFKC", query).casefold()))
    digest = blake2b(words.encode(), digest_size=8).digest()
    return "validation" if int.from_bytes(digest, "big") < validation_share * 2**64 else "train"


def find_data_files(path: Path) -> list[tuple[Path, str | None]]:
    """Return the corpus files at `path` with their splits, train first; None where names tell none.

    Test files, licences and the like are left out; of one name with several extensions the first
    of EXTENSIONS counts. Raises InputError, listing what is there, if nothing is left.
    """
    if path.is_file():
        return [(path, None)]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct corpus.path")
    if not path.is_dir():
        raise InputError(f"{path}: neither a file nor a folder; correct corpus.path")
    there = sorted(path.iterdir())
    by_stem: dict[str, Path] = {}
    for file in sorted(there, key=lambda file: (extension_rank(file), file.name)):
        if (
            file.is_file()
            and extension_rank(file) < len(EXTENSIONS)
            and not file.name.startswith(".")
            and not NOT_DATA.fullmatch(file.name.split(".")[0])
        ):
            by_stem.setdefault(data_stem(file), file)
    files = sorted(by_stem.values())
    for splits in (("train", "validation"), (None,)):
        found = [
            (file, split) for split in splits for file in files if split_in_name(file) == split
        ]
        if found:
            return found
    names = [file.name + "/" * file.is_dir() for file in there]
    raise InputError(
        f"{path}: no data files in this folder; it holds "
        f"{', '.join(names[:20]) or 'nothing'}{', ...' if len(names) > 20 else ''}; give files "
        f"ending in {' '.join(EXTENSIONS)} (or .gz of these), named train, dev or validation"
    )


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


def split_in_name(file: Path) -> str | None:
    """Return "train", "validation" or "test" if a word of the file's name says so, else None."""
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", data_stem(file)):
        word = word.lower()
        if word.startswith("train") or word.endswith("train"):
            return "train"
        if word.startswith("valid") or word.endswith("dev") or word in ("devset", "val"):
            return "validation"
        if word.startswith("test") or word == "eval":
            return "test"
    return None


def read_queries(file: Path, layout: CorpusFormat, max_text_bytes: int) -> Iterator[PlacedQuery]:
    """Yield the checked queries of one file with their places."""
    kind = recognise(file, layout)
    if kind == "labelled":
        yield from labelled_queries(file, max_text_bytes)
        return
    readers = {"parquet": parquet_rows, "array": array_rows, "columns": column_rows}
    for place, row in readers.get(kind, line_rows)(file):
        yield place, check_row(place, row, layout, max_text_bytes)


def recognise(file: Path, layout: CorpusFormat) -> str:
    """Return how `file` is to be read: one of KINDS.

    Content decides; the extension only where the content starts like none of these. Raises
    InputError if the file is empty, of a foreign kind, or not of the layout asked for.
    """
    with open(file, "rb") as raw:
        is_parquet = raw.read(4) == b"PAR1"
    with opened(file) as stream:
        head = stream.read(HEAD_BYTES)
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise InputError(f"{file}: the file is empty; give one with queries")
    foreign = "a tar archive; unpack it" if head[257:262] == b"ustar" else None
    for magic, what in FOREIGN_CONTENT:
        if head.startswith(magic) or start[:64].lower().startswith(magic):
            foreign = what
    if foreign and not is_parquet:
        raise InputError(f"{file}: this is {foreign}")
    fields = start.split(b"\n")[0].strip().split(b"\t")
    if is_parquet:
        kind = "parquet"
    elif b"QuestionID" in fields or (len(fields) == 3 and fields[2] in (b"0", b"1")):
        kind = "labelled"
    elif start.startswith(b"["):
        kind = "array"
    elif re.match(rb'\{\s*"[^"]*"\s*:\s*\{\s*"\d+"', start):
        kind = "columns"
    elif start.startswith(b"{"):
        kind = "lines"
    elif layout is CorpusFormat.labelled or len(fields) > 1:
        kind = "labelled"
    else:
        by_extension = {".parquet": "parquet", ".json": "array", ".tsv": "labelled"}
        by_extension |= {".jsonl": "lines", ".ndjson": "lines"}
        kind = by_extension.get(data_extension(file), "unknown")
    if kind == "unknown":
        raise InputError(
            f"{file}: not recognised as any format; set corpus.format to {FORMATS_HELP}"
        )
    if layout not in (CorpusFormat.auto, *KINDS[kind][1]):
        raise InputError(
            f"{file}: this is {KINDS[kind][0]}, which corpus.format {layout} does not have; set "
            f"corpus.format to auto, or {FORMATS_HELP}"
        )
    return kind


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Open `file` for reading bytes, unpacked if it is gzip; a damaged one raises InputError."""
    with open(file, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            yield gzip.GzipFile(fileobj=raw) if packed else raw
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
            self.at = BLANKS.match(self.text, self.at).end()
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


def column_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a JSON object of columns keyed by row number (MS MARCO v2.1's own files).

    The file is read twice: the ids and queries (about 300 MB in memory for 808,731 of them), then
    the passages, which come before them in the file and would take gigabytes.
    """
    columns: dict[str, dict] = {}
    stream = JsonText(file)
    for column in stream.read_keys():
        stream.part = f"column {shown(column)}"
        columns[column] = {}
        if column not in COLUMNS and stream.peek() != "{":
            stream.value()
            continue
        for key in stream.read_keys():
            value = stream.value()
            if column in ("query_id", "query"):
                columns[column][key] = value
    stream.part = ""
    stream.end()
    check_columns(str(file), columns)

    stream = JsonText(file)
    for column in stream.read_keys():
        if column not in COLUMNS and stream.peek() != "{":
            stream.value()
            continue
        for key in stream.read_keys():
            value = stream.value()
            if column != "passages":
                continue
            row = {"passages": value}
            place = f"{file}, row {shown(key)}"
            for other in ("query_id", "query"):
                if key not in columns[other]:
                    raise InputError(f"{place}: it has passages but no {other}; add it")
                row[other] = columns[other].pop(key)
            yield place, row
    for other in ("query_id", "query"):
        for key in columns[other]:
            raise InputError(
                f"{file}, row {shown(key)}: it has a {other} but no passages; add them"
            )


def parquet_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a Parquet file with their places; rows count from 0."""
    number = 0
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:  # see genlab/core/tables.py
            check_columns(str(file), table.schema_arrow.names)
            for batch in table.iter_batches(PARQUET_ROWS, columns=list(COLUMNS)):
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


def labelled_queries(file: Path, max_text_bytes: int) -> Iterator[PlacedQuery]:
    """Yield queries made of consecutive lines with the same question.

    The id is the file's own QuestionID, or "<stem>-<number>" with the query's number from 0.
    """
    rows = labelled_rows(file)
    stem = data_stem(file)
    for number, ((own_id, question), group) in enumerate(groupby(rows, lambda row: row[1:3])):
        passages, first_place = [], ""
        for place, _, _, sentence, label in group:
            first_place = first_place or place
            if label not in ("0", "1"):
                header = "; a three-column file has no header" if place.endswith(" line 1") else ""
                raise InputError(f"{place}: label {shown(label)} is not 0 or 1{header}; correct it")
            check_text(place, "sentence", sentence, max_text_bytes)
            passages.append({"text": sentence, "is_selected": label == "1"})
        check_text(first_place, "question", question, max_text_bytes, may_be_blank=False)
        query_id = (
            f"{stem}-{number}" if own_id is None else check_id(first_place, own_id, max_text_bytes)
        )
        yield first_place, {"query_id": query_id, "query": question, "passages": passages}


def labelled_rows(file: Path) -> Iterator[tuple[str, str | None, str, str, str]]:
    """Yield (place, QuestionID or None, question, sentence, label) for each line."""
    columns = None
    for place, line in text_lines(file):
        fields = line.split("\t")
        if columns is None:
            columns = {"Question": 0, "Sentence": 1, "Label": 2}
            n_columns = 3
            if "QuestionID" in fields:
                check_columns(place, fields, LABELLED_COLUMNS)
                columns = {name: fields.index(name) for name in LABELLED_COLUMNS}
                n_columns = len(fields)
                continue
        if len(fields) != n_columns:
            expected = "question, sentence, label" if n_columns == 3 else "as in the header"
            raise InputError(
                f"{place}: {len(fields)} tab-separated columns, {n_columns} expected ({expected}); "
                "correct the line, or the tabs inside its text"
            )
        own_id = fields[columns["QuestionID"]] if "QuestionID" in columns else None
        question, sentence, label = (
            fields[columns[name]] for name in ("Question", "Sentence", "Label")
        )
        yield place, own_id, question, sentence, label.strip()


def hub_queries(name: str, rows: Any, max_text_bytes: int) -> Iterator[PlacedQuery]:
    """Yield the checked queries of one split (a datasets.Dataset) with their places."""
    check_columns(name, rows.column_names)
    number = 0
    for table in rows.select_columns(list(COLUMNS)).with_format("arrow").iter(PARQUET_ROWS):
        for row in table.to_pylist():
            place = f"{name}, row {number} (counted from 0)"
            yield place, check_row(place, row, CorpusFormat.auto, max_text_bytes)
            number += 1


def check_columns(place: str, there: Iterable[str], needed: Iterable[str] = COLUMNS) -> None:
    """Raise InputError for the first of `needed` that is not there."""
    there = list(there)
    for column in needed:
        if column not in there:
            has = ", ".join(shown(name) for name in there[:10]) or "none"
            raise InputError(f"{place}: column {column!r} is missing (there: {has}); add it")


def check_row(place: str, row: Any, layout: CorpusFormat, max_text_bytes: int) -> dict[str, Any]:
    """Return a raw row as a query, or raise InputError naming what is wrong with it."""
    if not isinstance(row, dict):
        raise InputError(f"{place}: {shown(row)} where an object with {', '.join(COLUMNS)} belongs")
    check_columns(place, row)
    query_id = check_id(place, row["query_id"], max_text_bytes)
    check_text(place, "query", row["query"], max_text_bytes, may_be_blank=False)
    texts, flags = passage_columns(place, row["passages"], layout)
    if not texts:
        raise InputError(f"{place}: the query has no passages; remove the row")
    for number, (text, flag) in enumerate(zip(texts, flags, strict=True)):
        check_text(place, f"passage_text {number} (counted from 0)", text, max_text_bytes)
        # pandas turns 0 and 1 into 0.0 and 1.0, datasets into booleans: all mean the same.
        if not isinstance(flag, int | float) or flag not in (0, 1):
            raise InputError(
                f"{place}: is_selected {number} (counted from 0) is {shown(flag)}, not 0 or 1; "
                "correct it"
            )
    passages = [
        {"text": text, "is_selected": bool(flag)} for text, flag in zip(texts, flags, strict=True)
    ]
    return {"query_id": query_id, "query": row["query"], "passages": passages}


def passage_columns(place: str, passages: Any, layout: CorpusFormat) -> tuple[list, list]:
    """Return the texts and the flags of a row's passages, of the hub's or the official layout."""
    if isinstance(passages, dict) and layout is not CorpusFormat.official:
        check_columns(f"{place}, passages", passages, ("is_selected", "passage_text"))
        texts, flags = passages["passage_text"], passages["is_selected"]
        for name, values in (("passage_text", texts), ("is_selected", flags)):
            if not isinstance(values, list):
                raise InputError(f"{place}: {name} is {shown(values)}, not a list; correct it")
        if len(texts) != len(flags):
            raise InputError(
                f"{place}: {len(flags)} is_selected but {len(texts)} passage_text; there must be "
                "one for each passage"
            )
        return texts, flags
    if isinstance(passages, list) and layout is not CorpusFormat.hub:
        for number, passage in enumerate(passages):
            if not isinstance(passage, dict):
                raise InputError(
                    f"{place}: passage {number} (counted from 0) is {shown(passage)}, not an object"
                )
            check_columns(f"{place}, passage {number}", passage, ("is_selected", "passage_text"))
        return [p["passage_text"] for p in passages], [p["is_selected"] for p in passages]
    expected = {
        CorpusFormat.hub: "an object with lists is_selected and passage_text",
        CorpusFormat.official: "a list of objects with is_selected and passage_text",
    }.get(layout, "a list of objects, or an object of lists, with is_selected and passage_text")
    raise InputError(
        f"{place}: passages is {shown(passages)}, not {expected}; correct it, or set corpus.format"
    )


def check_id(place: str, value: Any, max_text_bytes: int) -> str:
    """Return a query_id as text; whole numbers are written without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InputError(f"{place}: query_id is {shown(value)}, not text or a whole number")
    check_text(place, "query_id", str(value), max_text_bytes)
    return str(value)


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
