"""clean: C4's rules on the pages of a crawl; every drop is counted by its reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import BATCH_ROWS, read_batches, write_table
from genlab.text.filtering import flow
from pipelines.instruct.schemas import PAGE_SCHEMA
from pipelines.instruct.web_rules import (
    LINE_REASONS,
    PAGE_REASONS,
    Counts,
    RuleSet,
    clean_pages,
)

app = stage_app()


@app.command()
def main(
    crawl: Path,
    bad_words: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    rules: Annotated[RuleSet, Option(help="whose form of C4's rules")],
) -> None:
    """Clean the pages, count what was dropped and why."""
    words = read_words(bad_words)
    counts = Counts()

    def pages() -> Iterator[tuple[str, str]]:
        for batch in read_batches(crawl):
            yield from batch.iter_rows()

    def frames() -> Iterator[pl.DataFrame]:
        kept: list[tuple[str, str]] = []
        for page in clean_pages(pages(), rules, words, counts):
            kept.append(page)
            if len(kept) == BATCH_ROWS:
                yield pl.DataFrame(kept, PAGE_SCHEMA, orient="row")
                kept = []
        if not kept and not counts.pages[None]:
            why = ", ".join(f"{name} {n}" for name, n in counts.pages.most_common(3))
            raise InputError(f"{crawl}: no page is left ({why}); try another clean.rules")
        yield pl.DataFrame(kept, PAGE_SCHEMA, orient="row")

    write_table(output, frames(), PAGE_SCHEMA)
    write_json(
        metrics,
        {"pages": flow(counts.pages, PAGE_REASONS), "lines": flow(counts.lines, LINE_REASONS)},
    )


def read_words(path: Path) -> list[str]:
    """Return a file's lines that are not empty; of the file `none` there are none."""
    if path.name == "none":
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as words, one a line, in UTF-8 ({error})"
        ) from None
    return [line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    run(app)
