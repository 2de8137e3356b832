"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(rows: Iterable[Sequence[object]]) -> str:
    """Return rows, the first of them the header, as a Markdown table; a bar ends no cell."""
    header, *body = [[str(cell).replace("|", r"\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
