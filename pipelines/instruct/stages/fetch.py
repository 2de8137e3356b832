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
from genlab.sources.file_text import with_files
from genlab.sources.source import Origin, Source
from pipelines.instruct.origins import PageOrigin, TaskOrigin
from pipelines.instruct.pretraining import Pretraining, check_spans
from pipelines.instruct.schemas import PAGE_SCHEMA, TASK_SCHEMA

app = stage_app()

SOURCES_WITHOUT_PATH = {"tasks": frozenset({"hub"})}  # for genlab check

Metrics = Annotated[Path, Option(help="JSON of counts")]


@app.command()
@grouped_options
def tasks(
    output: Path,
    templates_output: Path,
    metrics: Metrics,
    origin: TaskOrigin,
    templates: Annotated[Path, Option(help="folder of promptsource's templates.yaml")],
) -> None:
    """Fetch the examples of all tasks as one table, and their templates."""
    from pipelines.instruct import fetched_tasks
    from pipelines.instruct.prompt_templates import copy_templates, read_templates

    known = read_templates(templates)
    files: Counter[str] = Counter()
    found, names = fetched_tasks.fetch_tasks(origin, files, known)
    fetched_tasks.check_tasks(found, names, known)

    write_table(output, [fetched_tasks.task_rows(found)], TASK_SCHEMA)
    copy_templates(templates, templates_output)
    write_json(metrics, with_files({"examples": fetched_tasks.count_examples(found)}, files))


@app.command()
@grouped_options
def crawl(output: Path, metrics: Metrics, origin: PageOrigin) -> None:
    """Fetch the pages that the base is pretrained on."""
    from pipelines.instruct.page_files import fetch_pages

    check_crawl(origin.source)
    files: Counter[str] = Counter()
    pages = fetch_pages(origin, files)
    write_table(output, [pl.DataFrame(pages, PAGE_SCHEMA, orient="row")], PAGE_SCHEMA)
    n_characters = sum(len(text) for _, text in pages)
    write_json(metrics, with_files({"pages": len(pages), "characters": n_characters}, files))


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
    origin: Origin,
    world: Annotated[Path, Option(help="mini: its words say what is salient")],
    sizes: Sizes,
    pretraining: Pretraining,
) -> None:
    """Fetch the model that every arm starts from; one made here reads the pages at its path."""
    from pipelines.instruct.mini_world import read_world
    from pipelines.instruct.pretraining import copy_base, make_base, template_words

    check_base(origin.source, sizes, pretraining)
    if origin.source is Source.mini:
        prompts, salient = template_words(tasks_table, templates), read_world(world).salient()
        numbers = make_base(origin.path, prompts, salient, output, sizes, pretraining)
    else:
        numbers = copy_base(origin, output)
    write_json(metrics, numbers)


if __name__ == "__main__":
    run(app)
