"""People's files as rows: JSON Lines and Parquet, and what any row is checked for.

Rows are parsed one by one, not by pandas or Polars. So a bad row is reported with its file and
number, a file of any size needs little memory, and nothing is ever interpreted as code.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeGuard

import pyarrow as pa
import pyarrow.parquet as pq

from genlab.core.program import InputError
from genlab.core.shapes import distinct_keys
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import OnBadRow, is_about_data, is_hidden, one_line, stop, text_lines

if TYPE_CHECKING:
    from datasets import Dataset

PARQUET_ROWS = 1_000  # turned into Python objects at a time
# An integer of more digits is none that anybody counts with; Python refuses to read 4,301.
MAX_DIGITS = 1_000
MAX_EXACT = 2**53  # from here on not every whole number is a float


def integer_of(digits: str) -> int | float:
    """Return a JSON integer; one of thousands of digits is infinite, so that checks refuse it."""
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


JSON = json.JSONDecoder(object_pairs_hook=distinct_keys, parse_int=integer_of)


def line_rows(
    file: Path, encoding: Encoding, on_bad_row: OnBadRow = stop
) -> Iterator[tuple[str, Any]]:
    """Yield the values of a JSON Lines file with their places."""
    for place, line in text_lines(file, encoding, on_bad_row):
        try:
            row = JSON.decode(line)
        except RecursionError:
            on_bad_row(InputError(f"{place}: broken JSON: nested too deeply"))
        except json.JSONDecodeError as error:
            # An object that goes on below, as programs for people's eyes write it.
            goes_on = error.pos >= len(line.rstrip()) and line.lstrip().startswith(("{", "["))
            on_bad_row(
                InputError(
                    f"{place}: broken JSON at column {error.colno}: {error.msg}; write one whole "
                    "object a line" + (", or a list of rows, not below a key" if goes_on else "")
                )
            )
        except ValueError as error:  # see distinct_keys
            on_bad_row(InputError(f"{place}: {error}; remove one"))
        else:
            yield place, row


def shown(value: Any) -> str:
    """Return a value as an error message can show it: short, and never the inside of a container.

    The inside may be of any depth and size.
    """
    names = {dict: "an object", list: "a list", type(None): "null", bytes: "bytes"}
    if type(value) in names:
        return names[type(value)]
    short = repr(value[:40]) if isinstance(value, str) else repr(value)[:40]
    return short + "..." * (len(value if isinstance(value, str) else repr(value)) > 40)


def check_columns(place: str, there: Iterable[str], needed: Iterable[str]) -> None:
    """Raise InputError naming all of `needed` that are not there, of a row or of its columns."""
    row = there if isinstance(there, dict) else dict.fromkeys(there)
    needed = list(needed)
    missing = [column for column in needed if column not in row]
    refuse_missing(place, row, missing, hint_at_rows(row) if missing == needed else "")


def refuse_missing(
    place: str, there: Iterable[str], columns: Iterable[str], hint: str = ""
) -> None:
    """Raise InputError naming these columns, if any, as missing among what is there."""
    there, missing = list(there), [repr(column) for column in columns]
    if missing:
        has = ", ".join(shown(name) for name in there[:10]) or "none"
        are, add = ("is", "it") if len(missing) == 1 else ("are", "them")
        raise InputError(
            f"{place}: column{'s' * (are == 'are')} {' and '.join(missing)} {are} missing (there: "
            f"{has}); add {add}{hint}"
        )


def hint_at_rows(row: dict) -> str:
    """Say that a row seems to hold all others under a key, as of {"data": [{...}, {...}]}."""
    for name, value in row.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return f", or give the list under {shown(name)} alone, if the rows are in it"
    return ""


def check_distinct(place: str, names: Iterable[str]) -> None:
    """Raise InputError for a column met twice, also if its name differs in case or blanks alone."""
    first: dict[str, str] = {}
    for name in names:
        key = name.strip().lower()
        if key in first:
            other = first[key]
            as_other = f" (as {shown(other)})" * (other != name)
            raise InputError(
                f"{place}: column {shown(name)} occurs twice{as_other}, and one of them would be "
                "left out; rename or remove one"
            )
        first[key] = name


def some_of(names: Sequence[object], most: int = 20) -> str:
    """Return the first of many names as a message can show them."""
    return ", ".join(map(str, names[:most])) + ", ..." * (len(names) > most)


# How programs write a missing value in a table of texts.
NO_VALUE = ("nan", "NaN", "NA", "None", "<NA>", "null", "NULL", "\\N", "#N/A")
# What stands where a text was lost: a spreadsheet's errors, as it takes a text that begins with =
# or - for a formula, and a database's \N. NULL and nan are not here, as they may be real texts.
LOST = {
    *("#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"),
    "\\N",
}
LONGEST_LOST = 12  # characters, with blanks around it; longer texts need not be looked at


def check_text(
    place: str,
    name: str,
    value: Any,
    max_text_bytes: int,
    may_be_blank: bool = True,
    of_table: bool = True,
) -> None:
    """Raise InputError unless `value` is text of at most `max_text_bytes` bytes of UTF-8.

    of_table: the value may come from a table, so one of LOST is refused, too.
    """
    if not isinstance(value, str):
        raise InputError(f"{place}: {name} is {shown(value)}, not text; correct it")
    if not may_be_blank and not value.strip():
        raise InputError(f"{place}: {name} is empty; remove the row")
    if of_table and len(value) <= LONGEST_LOST and value.strip() in LOST:
        raise InputError(
            f"{place}: {name} is {value.strip()}, which a program wrote where a text is missing; "
            "write the text, or remove the row"
        )
    try:
        n_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: {name} has half a surrogate pair (\\u{ord(value[error.start]):04x}) at "
            f"character {error.start}, which is no text; correct it"
        ) from None
    if n_bytes > max_text_bytes:
        raise InputError(
            f"{place}: {name} has {n_bytes} bytes, at most {max_text_bytes} are allowed; shorten "
            "it, or raise max_text_bytes where params.yaml has it"
        )


def text_with_title(place: str, row: dict, max_text_bytes: int) -> str:
    """Return a row's title, if it has one, and its text; raise InputError as `check_text`."""
    title = "" if row.get("title") is None else row["title"]
    for name, value in (("text", row["text"]), ("title", title)):
        check_text(place, name, value, max_text_bytes)
    return f"{title} {row['text']}".strip()


def whole_number(place: str, name: str, value: Any) -> Any:
    """Return a number with a point that is whole as an integer, anything else as it is.

    pandas writes ids so where one is missing. Raises InputError for one so large that its last
    digits are lost.
    """
    if not isinstance(value, float) or not value.is_integer():
        return value
    if abs(value) >= MAX_EXACT:
        raise InputError(
            f"{place}: {name} is {value}, a number with a point that has lost its last digits; "
            "write it as text"
        )
    return int(value)


# Given a table's place in messages and its columns, those to read; raises InputError without them.
ChooseColumns = Callable[[str, Sequence[str]], Sequence[str]]


def all_of(
    columns: Sequence[str],
    check: Callable[[str, Iterable[str], Iterable[str]], None] = check_columns,
) -> ChooseColumns:
    """Return what chooses these columns, each of which must be there by `check`."""

    def choose(place: str, there: Sequence[str]) -> Sequence[str]:
        check(place, there, columns)
        return columns

    return choose


def parquet_rows(
    file: Path, choose: ChooseColumns, *, by_name: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the chosen columns of a Parquet file's rows with their places; rows count from 0.

    by_name: class labels come as their names, as in `dataset_rows`.
    """
    number = 0
    classes = parquet_classes(file) if by_name else {}
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:  # see genlab/core/tables.py
            there = table.schema_arrow.names
            read = list(choose(str(file), there))
            if twice := [name for name in read if there.count(name) > 1]:
                raise InputError(
                    f"{file}: the column {shown(twice[0])} is there {there.count(twice[0])} times; "
                    "remove or rename all but one"
                )
            named = {column: classes[column] for column in read if column in classes}
            for batch in table.iter_batches(PARQUET_ROWS, columns=read):
                for row in python_rows(batch, f"{file}, row {number} (counted from 0)"):
                    yield f"{file}, row {number} (counted from 0)", with_class_names(row, named)
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


def parquet_classes(file: Path) -> dict[str, list[str]]:
    """Return {column: names of its classes, [] if none} of a Parquet file.

    datasets writes them into the file. One that is not whole has none; `parquet_rows` tells of it.
    """
    try:
        schema = pq.read_schema(file)
        said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (pa.ArrowException, OSError, ValueError, RecursionError):
        return {}
    for key in ("info", "features"):
        said = said.get(key) if isinstance(said, dict) else None
    features = said if isinstance(said, dict) else {}
    of_column = {name: features.get(name) for name in schema.names}
    named = {name: each.get("names") for name, each in of_column.items() if isinstance(each, dict)}
    return {name: names if is_texts(names := named.get(name)) else [] for name in schema.names}


def is_texts(value: Any) -> TypeGuard[list[str]]:
    """Return whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def python_rows(batch: pa.RecordBatch | pa.Table, place: str) -> list[dict]:
    """Return the rows of a batch, whose first is at `place`; InputError for what Python has not.

    Decimals, in which databases export ids and labels, become plain numbers.
    """
    decimals = [field.name for field in batch.schema if pa.types.is_decimal(field.type)]
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:
        raise
    except (OverflowError, ValueError) as error:  # a time beyond the year 9999
        raise InputError(
            f"{place}, or one of the {PARQUET_ROWS} from there on: a value cannot be read "
            f"({one_line(error)}); correct dates beyond the years 1 to 9999, or write them as text"
        ) from None
    for row in rows if decimals else ():
        row |= {name: plain_number(row[name]) for name in decimals}
    return rows


def plain_number(value: Decimal | None) -> int | float | None:
    """Return a decimal as a whole number, or with a point if it has a fraction."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def dataset_rows(
    name: str, rows: "Dataset", choose: ChooseColumns, *, by_name: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the chosen columns of one split of a Hub dataset as `parquet_rows` does.

    by_name: class labels come as their names. Numbered from 0, "5 stars" is 4.
    """
    read = list(choose(name, rows.column_names))
    named = {column: class_names(rows, column) for column in read} if by_name else {}
    number = 0
    for table in rows.select_columns(read).with_format("arrow").iter(PARQUET_ROWS):
        for row in python_rows(table, f"{name}, row {number} (counted from 0)"):
            yield f"{name}, row {number} (counted from 0)", with_class_names(row, named)
            number += 1


def with_class_names(row: dict, classes: dict[str, list[str]]) -> dict:
    """Return a row with the names of its classes in place of their numbers, which may be -1."""
    for column, names in classes.items():
        if names and isinstance(row[column], int) and 0 <= row[column] < len(names):
            row[column] = names[row[column]]
    return row


def class_names(rows: "Dataset", column: str) -> list[str]:
    """Return the names of a column's class labels, in the order of their numbers; [] if none."""
    return list(getattr(rows.features[column], "names", None) or [])


PACKED_ENDING = re.compile(r"\.(?:gz|zst)$", re.IGNORECASE)
# In order of preference, for a name that comes with several.
EXTENSIONS = (".parquet", ".jsonl", ".ndjson", ".json", ".tsv", ".csv", ".txt")
# Further names, up to the first dot, of what lies beside the data in published folders.
NOT_DATA = re.compile(r"source|requirements|dataset_infos?|dataset_dict|state", re.IGNORECASE)


def is_data_file(file: Path, extensions: Sequence[str] = EXTENSIONS) -> bool:
    """Return whether a file may hold data, by its name: no licence, and not hidden."""
    if data_extension(file) not in extensions or is_hidden(file.name) or is_about_data(file):
        return False
    return not NOT_DATA.fullmatch(file.name.split(".")[0])


def data_stem(file: Path, extensions: Sequence[str] = EXTENSIONS) -> str:
    """Return the file's name without its data extension and without .gz or .zst."""
    stem = PACKED_ENDING.sub("", file.name)
    return stem[: -len(Path(stem).suffix)] if Path(stem).suffix.lower() in extensions else stem


def data_extension(file: PurePath) -> str:
    """Return the file's extension in lower case, the one before .gz or .zst if it ends so."""
    return PurePath(PACKED_ENDING.sub("", file.name)).suffix.lower()


def extension_rank(file: Path) -> int:
    """Return the place of the file's extension in EXTENSIONS, or their number if it has none."""
    extension = data_extension(file)
    return EXTENSIONS.index(extension) if extension in EXTENSIONS else len(EXTENSIONS)
