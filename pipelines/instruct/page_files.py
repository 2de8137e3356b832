"""Pages for the base to be pretrained on: made here, or JSON Lines of url and text."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from genlab.core.program import InputError
from genlab.core.seeds import draw
from genlab.sources.data_files import found_files
from genlab.sources.decoding import Encoding
from genlab.sources.source import Source
from pipelines.instruct import mini_crawl
from pipelines.instruct.example_rows import object_rows
from pipelines.instruct.mini_world import read_world
from pipelines.instruct.origins import PageOrigin

EXTENSIONS = (".jsonl", ".ndjson", ".json")


def fetch_pages(origin: PageOrigin, files: Counter) -> list[tuple[str, str]]:
    """Return (url, text) of the pages; files: counts those read, hidden and unread."""
    if origin.source is not Source.mini:
        return read_pages(origin.path, origin.n_pages, origin.seed, origin.encoding, files)
    world = read_world(origin.path)
    return list(mini_crawl.make_crawl(world, origin.n_pages, origin.bad_share, origin.seed))


def read_pages(
    path: Path,
    n_pages: int,
    seed: int,
    encoding: Encoding = Encoding.auto,
    counts: Counter | None = None,
) -> list[tuple[str, str]]:
    """Return (url, text) of at most `n_pages` rows, drawn by seed: a file may be sorted.

    They are those of a file, or of all files of a folder or a zip; `counts` counts files read,
    hidden and unread.
    """
    with found_files(path, EXTENSIONS, counts, "crawl.path") as (_, files):
        rows = (row for file in files for row in page_rows(file, encoding))
        return list(draw(rows, n_pages, seed))


def page_rows(path: Path, encoding: Encoding) -> Iterator[tuple[str, str]]:
    """Yield (url, text) of all rows; raise InputError for one that lacks either."""
    for place, row in object_rows(path, encoding):
        url, text = row.get("url"), row.get("text")
        if not isinstance(url, str) or not isinstance(text, str):
            raise InputError(f"{place}: lacks a url or a text, both strings")
        yield url, text
