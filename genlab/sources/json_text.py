"""The text of a JSON file of any size, decoded value by value.

One value at a time is in memory, and an error tells line, column and row. The standard library
decodes the values; this only reads on where one is cut off.
"""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from genlab.core.program import InputError
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import (
    MAX_ROW_BYTES,
    OnBadRow,
    RestLost,
    recognise_start,
    stop,
    text_pieces,
)
from genlab.sources.text_files import JSON, line_rows

# A line that is a list of texts begins with [, too, but not so.
ARRAY = re.compile(r"\[\s*[\[{]")
BLANKS = re.compile(r"[ \t\n\r]*")  # JSON's white space


class JsonText:
    """The text of a JSON file, decoded value by value: one value at a time is in memory."""

    def __init__(self, file: Path, encoding: Encoding = Encoding.auto) -> None:
        """Start before the first character of `file`."""
        self.file = file
        self.pieces = text_pieces(file, encoding)
        self.decoder = JSON
        self.text = ""  # what was read and not yet dropped
        self.at = 0  # the next character, in self.text
        self.ended = False
        self.line, self.column = 1, 1  # of self.text[0]
        self.part = ""  # what is being read, for error messages
        self.taken = ""  # the character that `take` took last

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
            + self.hint(at)
        )

    def hint(self, at: int) -> str:
        """Return advice about a comment at self.text[at], or a comma before a bracket there."""
        if re.match(r"//|/\*|#", self.text[at : at + 2]):
            return "; JSON has no comments, remove them"
        before = self.text[:at].rstrip()[-1:] or self.taken
        if before == "," and self.text[at : at + 1] in ("]", "}"):
            return "; JSON has no comma behind the last value, remove it"
        return ""

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
        self.taken = character
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
            except ValueError as error:  # a key met twice
                raise self.error(str(error)) from None
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


def array_rows(
    file: Path, encoding: Encoding = Encoding.auto, on_bad_row: OnBadRow = stop
) -> Iterator[tuple[str, Any]]:
    """Yield the values of a JSON array with their places; rows count from 0.

    Where the JSON is broken, nothing tells where the next row begins: `on_bad_row` has all that
    follows as one row.
    """
    stream = JsonText(file, encoding)
    stream.take("[")
    if stream.peek() == "]":
        return
    for number in count():
        stream.part = f"row {number} (counted from 0)"
        try:
            value = stream.value()
        except InputError as error:
            on_bad_row(RestLost(f"{error}; nothing from there on can be read"))
            return
        yield f"{file}, {stream.part}", value
        try:
            if stream.take(",]") == "]":
                break
        except InputError as error:
            on_bad_row(RestLost(f"{error}; nothing from there on can be read"))
            return
    stream.part = ""
    try:
        stream.end()
    except InputError as error:
        on_bad_row(error)


def json_rows(
    file: Path,
    content: str,
    encoding: Encoding = Encoding.auto,
    on_bad_row: OnBadRow = stop,
) -> Iterator[tuple[str, Any]]:
    """Yield the values of JSON Lines, or of a JSON array of objects or lists, with their places.

    `content` is what the file should hold. Raises InputError for Parquet, and as `recognise_start`.
    """
    is_parquet, start = recognise_start(file, content, encoding)
    if is_parquet:
        raise InputError(
            f"{file}: this is Parquet, which is not read here; export it as JSON Lines"
        )
    read = array_rows if ARRAY.match(start) else line_rows
    yield from read(file, encoding, on_bad_row)
