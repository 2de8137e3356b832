"""Pages from outside, for the base to be pretrained on: a JSON Lines file of url and text."""

from pathlib import Path

from genlab.core.program import InputError
from pipelines.instruct.task_files import object_rows


def read_pages(path: Path, n_pages: int) -> list[tuple[str, str]]:
    """Return (url, text) of the first `n_pages` rows; the others must be objects, too."""
    pages = []
    for place, row in list(object_rows(path))[:n_pages]:
        url, text = row.get("url"), row.get("text")
        if not isinstance(url, str) or not isinstance(text, str):
            raise InputError(f"{place}: lacks a url or a text, both strings")
        pages.append((url, text))
    return pages
