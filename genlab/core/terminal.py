"""Tables for a terminal."""

from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate


def table(rows: Iterable[Sequence[object] | Mapping[str, object]], headers: Sequence[str]) -> str:
    """Return rows under their headers as lines: the first column left, the others right.

    A row is a sequence of cells or a mapping from header to cell. Cells are shown as they are
    given: the caller writes numbers with as many digits as they merit.
    """
    align = ["left"] + ["right"] * (len(headers) - 1)
    cells = [
        [str(cell) for cell in ([row[h] for h in headers] if isinstance(row, Mapping) else row)]
        for row in rows
    ]
    return tabulate(
        cells, headers, tablefmt="plain", disable_numparse=True, colalign=align if cells else None
    )


def with_ends(numbers: dict[str, float], digits: int = 3) -> str:
    """Return an interval {value, low, high} as `3.36 [3.12, 3.60]`."""
    value, low, high = (f"{numbers[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
