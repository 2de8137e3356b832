"""Rows of people's files that cannot be used: the first stops the stage, or all are counted."""

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from genlab.core.program import InputError
from genlab.sources.file_text import RestLost

MOST_SHOWN = 10


class BadRow(InputError):
    """A row that cannot be used; it is counted under `reason`, such as the invalid column."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BadRowsAre(StrEnum):
    """What becomes of rows that cannot be used."""

    stop = "stop"
    drop = "drop"


@dataclass
class BadRows:
    """What is done with rows that cannot be used, and how many there were of each reason."""

    are_dropped: bool
    counts: Counter = field(default_factory=Counter)
    names: tuple[str, str] = ("", "")  # of what is read, and as messages have it

    def read_at(self, place: Path, given: Path) -> "BadRows":
        """Return the same counts for files at `place`, which messages call `given`."""
        return replace(self, names=(str(place), str(given)))

    def add(self, error: InputError) -> None:
        """Count a bad row and name the first few on stderr; raise it if rows are not dropped."""
        if not self.are_dropped:
            raise InputError(f"{error}; or leave such rows out with corpus.bad_rows=drop")
        self.counts[reason_of(error)] += 1
        if self.counts.total() <= MOST_SHOWN:
            print(f"left out: {str(error).replace(*self.names)}", file=sys.stderr)
        elif self.counts.total() == MOST_SHOWN + 1:
            print("left out: more, see the counts", file=sys.stderr)


def reason_of(error: InputError) -> str:
    """Return the reason to count a row under; unreadable rows and rests of files have their own."""
    if isinstance(error, BadRow):
        return error.reason
    return "rest_of_file" if isinstance(error, RestLost) else "row"
