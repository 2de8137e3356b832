"""Tables and lines for a terminal, and lines that are typed there."""

import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from io import TextIOWrapper

from tabulate import tabulate

COLUMNS = 80  # of a terminal
NOT_SHOWN = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")  # a terminal obeys some of these


def in_one_line(text: str) -> str:
    """Return a text in one line, without control characters."""
    return NOT_SHOWN.sub(" ", text).strip()


@cache
def tell_once(message: str) -> None:
    """Print a message on stderr once, even if a file is read twice."""
    print(message, file=sys.stderr)


def read_line(prompt: str = "") -> str:
    """Return a typed line like `input`, but without bytes that are invalid in its encoding.

    Python would fail on these, or turn them into lone surrogates, on which tokenizers fail.
    """
    if isinstance(sys.stdin, TextIOWrapper) and sys.stdin.errors != "ignore":
        sys.stdin.reconfigure(errors="ignore")  # possible until the first line is read
    return input(prompt)


def table(
    rows: Iterable[Sequence[object] | Mapping[str, object]],
    headers: Sequence[str],
    left: Collection[str] = (),
) -> str:
    """Return rows under their headers as lines: the first column and those of `left` left-aligned.

    A row is a sequence of cells or a mapping from header to cell. Cells are shown as they are
    given: the caller writes numbers with as many digits as they merit.
    """
    cells = [[row[h] for h in headers] if isinstance(row, Mapping) else row for row in rows]
    align = ["left" if h in (headers[0], *left) else "right" for h in headers]
    # As a row the headers are no wider than they need be: tabulate gives a header two spaces more.
    lines = [[str(cell) for cell in line] for line in [headers, *cells]]
    return tabulate(lines, tablefmt="plain", disable_numparse=True, colalign=align)


IN_BRACKETS = "In brackets: 95 % intervals."
NO_WIDTH = "resamples agree"  # the middle 95 % of them, which is no proof that other units would


def with_ends(numbers: dict[str, float], digits: int = 3) -> str:
    """Return {value, low, high} as `3.36 [3.12, 3.60]`, or words for an interval of width 0."""
    value, low, high = (f"{numbers[name]:.{digits}f}" for name in ("value", "low", "high"))
    has_width = numbers["low"] != numbers["high"]
    return f"{value} [{low}, {high}]" if has_width else f"{value} [{NO_WIDTH}]"


def tables_that_fit(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> list[str]:
    """Return a table, split into several below each other if it is wider than a terminal.

    Each begins with the first column and has at least one more, even if that is too wide.
    """
    tables: list[str] = []
    columns = list(range(1, len(headers)))
    while columns or not tables:
        n = len(columns)
        while True:
            chosen = [0, *columns[:n]]
            lines = table([[row[i] for i in chosen] for row in rows], [headers[i] for i in chosen])
            if n <= 1 or max(map(len, lines.splitlines())) <= COLUMNS:
                break
            n -= 1
        tables.append(lines)
        columns = columns[n:]
    return tables
