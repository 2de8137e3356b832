"""fetch: the tasks with their templates, a crawl, and the base - all that comes from outside.

A command for each. Tasks become one table, whose examples are JSON objects of fields, and their
templates a folder of promptsource's YAML; the crawl a table of pages; the base a model's folder.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_table
from genlab.mini.t5 import Sizes, check_sizes
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import with_files
from genlab.sources.source import Source
from pipelines.instruct.pretraining import Pretraining, check_spans
from pipelines.instruct.schemas import PAGE_SCHEMA, TASK_SCHEMA

app = stage_app()

SOURCES_WITHOUT_PATH = {"tasks": frozenset({"hub"})}  # for genlab check

Metrics = Annotated[Path, Option(help="JSON of counts")]


@app.command()
def tasks(
    output: Path,
    templates_output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: Annotated[
        Path, Option(help="mini: the world's words; file: a folder, or zip, of data sets")
    ],
    templates: Annotated[Path, Option(help="folder of promptsource's templates.yaml")],
    hub_sets: Annotated[list[str], Option(help="hub: NAME@COMMIT/CONFIGURATION; repeat it")],
    n_train: Annotated[int, Option(min=2, help="examples of a task, at most")],
    n_test: Annotated[int, Option(min=2, help="examples of a task, at most")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the examples of all tasks as one table, and their templates."""
    from pipelines.instruct import fetched_tasks
    from pipelines.instruct.prompt_templates import copy_templates, read_templates

    known = read_templates(templates)
    files: Counter[str] = Counter()
    found, names = fetched_tasks.fetch_tasks(source, path, hub_sets, n_train, n_test, seed, files)
    fetched_tasks.check_tasks(found, names, known)

    write_table(output, [fetched_tasks.task_rows(found)], TASK_SCHEMA)
    copy_templates(templates, templates_output)
    counts = {"examples": fetched_tasks.count_examples(found)}
    write_json(metrics, with_files(counts, files))


@app.command()
def crawl(
    output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: Annotated[Path, Option(help="mini: the world's words; file: JSON Lines of url and text")],
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")],
    n_pages: Annotated[int, Option(min=1, help="mini: pages; file: at most, drawn by seed")],
    bad_share: Annotated[float, Option(min=0.0, max=0.9, help="mini: of spoiled pages")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the pages that the base is pretrained on."""
    from pipelines.instruct.mini_crawl import make_crawl
    from pipelines.instruct.mini_world import read_world
    from pipelines.instruct.page_files import read_pages

    check_crawl(source)
    files: Counter[str] = Counter()
    if source is Source.mini:
        pages = list(make_crawl(read_world(path), n_pages, bad_share, seed))
    else:
        pages = read_pages(path, n_pages, seed, encoding, files)
    write_table(output, [pl.DataFrame(pages, PAGE_SCHEMA, orient="row")], PAGE_SCHEMA)
    n_characters = sum(len(text) for _, text in pages)
    counts = {"pages": len(pages), "characters": n_characters}
    write_json(metrics, with_files(counts, files))


def check_crawl(source: Source) -> None:
    """Raise InputError for the Hub, where C4 lies cleaned already."""
    if source is Source.hub:
        raise InputError("crawl.source=hub: must be mini, or file with pages of your own")


def check_base(source: Source, sizes: Sizes, pretraining: Pretraining) -> None:
    """Raise InputError for sizes of the mini model that make none, and for too many spans."""
    if source is Source.mini:
        check_sizes(sizes)
        check_spans(pretraining)


@app.command()
@grouped_options
def base(
    tasks_table: Path,
    templates: Path,
    output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: Annotated[Path, Option(help="mini: the cleaned pages; file: a model's folder")],
    world: Annotated[Path, Option(help="mini: its words say what is salient")],
    hub_id: Annotated[str, Option()],
    revision: Annotated[str, Option(help="hub: commit that is downloaded")],
    sizes: Sizes,
    pretraining: Pretraining,
) -> None:
    """Fetch the model that every arm starts from."""
    from pipelines.instruct.mini_world import read_world
    from pipelines.instruct.pretraining import copy_base, make_base, template_words

    check_base(source, sizes, pretraining)
    if source is Source.mini:
        prompts, salient = template_words(tasks_table, templates), read_world(world).salient()
        write_json(metrics, make_base(path, prompts, salient, output, sizes, pretraining))
    else:
        write_json(metrics, copy_base(source, path, hub_id, revision, output))


if __name__ == "__main__":
    run(app)
