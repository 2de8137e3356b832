"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(rows: Iterable[Sequence[object]]) -> str:
    """Return rows, the first of them the header, as a Markdown table; a bar ends no cell."""
    header, *body = [[str(cell).replace("|", r"\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def table_rows(table: str) -> list[list[str]]:
    """Return the rows of a table as `markdown_table` writes it, the first of them the header.

    Sentences above it are passed over.
    """
    header, _, *body = (line for line in table.splitlines() if line.startswith("|"))
    cells = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in (header, *body)]
    return [[cell.replace(r"\|", "|") for cell in row] for row in cells]
