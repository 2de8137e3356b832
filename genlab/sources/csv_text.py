"""Tables of separated values as rows: CSV of any dialect, and TSV, quoted or not.

A CSV has a header, which tells what separates; Excel's `sep=;` before it is obeyed. A quote inside
a field is doubled, or has a backslash before it in the whole file, as Spark and pandas can write
it. Blanks may stand before quoted fields, if they do in the whole file. In a TSV a tab is a tab and
a quote a quote, unless the whole file is quoted as pandas and Excel write it. What separates the
columns decides, not the file's name. A field ="007", as Excel keeps zeros, is 007.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from genlab.core.delimiters import delimiter_of, said_in
from genlab.core.program import InputError
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import (
    MAX_ROW_BYTES,
    OnBadRow,
    RestLost,
    decoded,
    find_codec,
    next_line,
    opened,
    stop,
    text_lines,
    undecoded,
)
from genlab.sources.text_files import check_distinct

N_FIRST = 1_000  # rows by which a file's dialect is suspected
HEADER_LINES = 20  # ours: of a header whose names go on
# Stand for an escaped quote and an escaped backslash while a row is divided. Half a surrogate pair
# is no character, so no text that was decoded holds one.
QUOTE, BACKSLASH = "\ud800", "\ud801"


def csv_rows(
    file: Path, encoding: Encoding = Encoding.auto, on_bad_row: OnBadRow = stop
) -> Iterator[tuple[str, dict | list]]:
    """Yield the rows of a CSV file with a header, with their places: the line they begin on.

    A row of too few or too many fields comes as a list. A quote that is never closed swallows all
    that follows: `on_bad_row` has that as one row. Raises InputError for a column met twice.
    """
    rows = csv_lists(file, encoding, on_bad_row)
    _, names = next(rows)
    for place, row in rows:
        # One that is too short or too long has a quote or a separator too many.
        yield place, dict(zip(names, row, strict=True)) if len(row) == len(names) else row


def csv_lists(
    file: Path, encoding: Encoding, on_bad_row: OnBadRow = stop
) -> Iterator[tuple[str, list[str]]]:
    """Yield header and rows of a CSV file as lists, with their places."""
    escaped = has_escaped_quotes(file, encoding)
    spaced = has_spaced_quotes(file, encoding, escaped)
    lines = file_lines(file, encoding, on_bad_row)
    number, delimiter, names = read_header(file, lines)
    yield f"{file}, line {number}", names
    if delimiter == "\t" and not escaped and not is_quoted(file, encoding):
        rows = tabbed_rows(file, lines)
    else:
        rows = separated_rows(file, lines, delimiter, on_bad_row, escaped, spaced)
    yield from as_said(rows)


def as_said(rows: Iterator[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Yield rows with each field's text, without a formula of Excel's around it (`said_in`)."""
    for place, row in rows:
        yield place, [said_in(field) for field in row]


def tabbed_rows(file: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of lines in which every tab separates and every quote is text."""
    for number, line in lines:
        if line.strip():
            yield f"{file}, line {number}", line.rstrip("\r\n").split("\t")


def has_escaped_quotes(file: Path, encoding: Encoding) -> bool:
    """Return whether a CSV file writes quotes inside its fields as \\", not doubled.

    It does if fewer of its rows are broken so, and at least as many come out whole. A backslash may
    well be the last character of a quoted field: a file without broken rows is read as it stands.
    """
    if not any('\\"' in line for _, line in file_lines(file, encoding, pass_over)):
        return False
    doubled = count_rows(file, encoding, escaped=False)
    if not doubled["broken"]:
        return False
    escaped = count_rows(file, encoding, escaped=True)
    return escaped["broken"] < doubled["broken"] and escaped["whole"] >= doubled["whole"]


def has_spaced_quotes(file: Path, encoding: Encoding, escaped: bool) -> bool:
    """Return whether a CSV file puts blanks before its quoted fields: `5, "a, b"`.

    It does if so read at least as many of its rows come out whole, and no more of them broken. Only
    a file is tried in whose first rows a field begins with a blank and a quote.
    """
    lines = file_lines(file, encoding, pass_over)
    _, delimiter, _ = read_header(file, lines)
    if delimiter == "\t":
        return False
    first = islice(separated_rows(file, lines, delimiter, pass_over, escaped), N_FIRST)
    if not any(re.match(' +"', field) for _, row in first for field in row):
        return False
    plain = count_rows(file, encoding, escaped)
    spaced = count_rows(file, encoding, escaped, spaced=True)
    return spaced["broken"] <= plain["broken"] and spaced["whole"] >= plain["whole"]


def count_rows(file: Path, encoding: Encoding, escaped: bool, spaced: bool = False) -> Counter[str]:
    """Return how many rows of a CSV are whole, with as many fields as the header, or broken."""
    lines = file_lines(file, encoding, pass_over)
    _, delimiter, names = read_header(file, lines)
    counts: Counter[str] = Counter()

    def count_broken(error: InputError) -> None:
        counts["broken"] += 1

    for _, row in separated_rows(file, lines, delimiter, count_broken, escaped, spaced):
        counts["whole" if len(row) == len(names) else "broken"] += 1
    return counts


def pass_over(error: InputError) -> None:
    """Do nothing with a bad row: whoever reads the rows afterwards reports it."""


def read_header(file: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, str, list[str]]:
    """Return the header's line, what separates in it, and the names of the columns."""
    said = None
    for number, line in lines:
        if separator := said_separator(line):
            said = separator
        elif line.strip():
            header = whole_header(f"{file}, line {number}", line, lines)
            delimiter = said or delimiter_of(header)
            fields = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter))
            names = [" ".join(said_in(name).split()) for name in fields]
            check_distinct(f"{file}, line {number}", filter(None, names))
            return number, delimiter, names
    raise InputError(f"{file}: the file has no header; give the columns' names in its first line")


def whole_header(place: str, line: str, lines: Iterator[tuple[int, str]]) -> str:
    """Return a header with the lines that a quoted name of it goes on in, as of a form's questions.

    Between tabs a quote is text. Raises InputError for a quote that is not closed soon.
    """
    header = line
    if "\t" in line:
        return header
    for _ in range(HEADER_LINES):
        if header.count('"') % 2 == 0:
            return header
        header += next(lines, (0, ""))[1]
    raise InputError(f"{place}: a quote in the header is not closed; correct its quotes")


def said_separator(line: str) -> str | None:
    """Return what Excel's line `sep=;`, quoted or not, says that separates; None for another."""
    found = re.fullmatch("sep=(.)", line.strip("\r\n\ufeff \"'"), re.IGNORECASE)
    return found[1] if found else None


def fields_of(header: str) -> list[str]:
    """Return the fields of a header, whatever separates them."""
    return next(csv.reader([header], delimiter=delimiter_of(header)), [])


def file_lines(file: Path, encoding: Encoding, on_bad_row: OnBadRow) -> Iterator[tuple[int, str]]:
    """Yield all lines of a file with their numbers and ends; blank ones may be inside a field."""
    csv.field_size_limit(MAX_ROW_BYTES)  # ours: max_text_bytes says what a text may have
    codec = find_codec(file, encoding)
    number = 0
    with opened(file) as stream:
        text = decoded(stream, codec, newline="")
        while line := next_line(text, f"{file}, line {number + 1}", codec):
            number += 1
            if error := undecoded(f"{file}, line {number}", line, codec):
                on_bad_row(error)
            else:
                yield number, line


def separated_rows(
    file: Path,
    lines: Iterator[tuple[int, str]],
    delimiter: str,
    on_bad_row: OnBadRow = stop,
    escaped: bool = False,
    spaced: bool = False,
) -> Iterator[tuple[str, list[str]]]:
    """Yield rows of fields, quoted or not, with their places.

    One in which nothing stands is no row: spreadsheets write such below a table.
    escaped: a quote or a backslash inside a field has a backslash before it. spaced: blanks before
    a field are none of it.
    """
    first = last = 0

    def counted() -> Iterator[str]:
        nonlocal first, last
        for number, line in lines:
            first, last = first or number, number
            yield mask_escapes(line) if escaped else line

    reader = csv.reader(counted(), delimiter=delimiter, strict=True, skipinitialspace=spaced)
    while True:
        first = 0
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"{file}, line {first}: broken CSV ({error}); correct its quotes"
            if "unexpected end" in str(error):
                message += (
                    f": one that opens there is not closed up to line {last}, the last, so nothing "
                    "from there on can be read"
                )
                on_bad_row(RestLost(message))
                return
            swallowed = f": one that opens there swallows all up to line {last}"
            on_bad_row(InputError(message + swallowed * (last > first)))
            continue
        if any(map(str.strip, row)):
            yield f"{file}, line {first}", [unmask(field) for field in row] if escaped else row


def mask_escapes(line: str) -> str:
    """Return a line with its escaped quotes and backslashes masked; other backslashes are text."""
    return re.sub(r'\\(["\\])', lambda found: QUOTE if found[1] == '"' else BACKSLASH, line)


def unmask(field: str) -> str:
    """Return a field of a masked line as it was meant."""
    return field.replace(QUOTE, '"').replace(BACKSLASH, "\\")


def tsv_rows(file: Path, encoding: Encoding = Encoding.auto) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a tab-separated file, with or without a header, with their places."""
    if is_quoted(file, encoding):
        rows = separated_rows(file, file_lines(file, encoding, stop), "\t")
    else:
        rows = ((place, line.split("\t")) for place, line in text_lines(file, encoding))
    yield from as_said(rows)


def is_quoted(file: Path, encoding: Encoding = Encoding.auto) -> bool:
    """Return whether a tab-separated file is quoted as CSV: some fields must be, and all may be.

    A field is quoted for the quotes, tabs or line ends inside it, or as all of the first line are.
    If none is, or a quote does not end where its field does, or more lines than rows have as many
    fields as the first, quotes are part of the text. Excel quotes whatever follows its `sep=`.
    """

    def lines() -> Iterator[str]:
        return (line for _, line in text_lines(file, encoding, pass_over))

    first = next(lines(), "")
    if said_separator(first):
        return True
    if not any(re.search(r'(?:^|\t)"', line) for line in lines()):
        return False
    needs_quotes = all(re.fullmatch('"[^"]+"', field) for field in first.split("\t"))
    n_rows: Counter[int] = Counter()  # by their numbers of fields
    try:
        for _, row in separated_rows(file, file_lines(file, encoding, pass_over), "\t"):
            n_rows[len(row)] += 1
            needs_quotes |= any(re.search(r'["\t\r\n]', field) for field in row)
    except InputError:
        return False
    width = next(iter(n_rows))
    return needs_quotes and n_rows[width] >= sum(line.count("\t") + 1 == width for line in lines())
