"""Pages from outside, for the base to be pretrained on: a JSON Lines file of url and text."""

from collections.abc import Iterator
from pathlib import Path

from genlab.core.program import InputError
from genlab.core.seeds import draw
from genlab.sources.decoding import Encoding
from pipelines.instruct.task_files import object_rows


def read_pages(
    path: Path, n_pages: int, seed: int, encoding: Encoding = Encoding.auto
) -> list[tuple[str, str]]:
    """Return (url, text) of at most `n_pages` rows, drawn by seed: a file may be sorted."""
    return list(draw(page_rows(path, encoding), n_pages, seed))


def page_rows(path: Path, encoding: Encoding) -> Iterator[tuple[str, str]]:
    """Yield (url, text) of all rows; raise InputError for one that lacks either."""
    for place, row in object_rows(path, encoding):
        url, text = row.get("url"), row.get("text")
        if not isinstance(url, str) or not isinstance(text, str):
            raise InputError(f"{place}: lacks a url or a text, both strings")
        yield url, text
