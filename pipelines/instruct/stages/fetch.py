"""fetch: the tasks with their templates, a crawl, and the base - all that comes from outside.

A command for each. Tasks become one table, whose examples are JSON objects of fields, and their
templates a folder of promptsource's YAML; the crawl a table of pages; the base a model's folder.
"""

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.mini.t5 import Sizes, check_sizes
from genlab.sources.source import Source
from pipelines.instruct.pretraining import Pretraining
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
    path: Annotated[Path, Option(help="mini: the world's words; file: a folder of data sets")],
    templates: Annotated[Path, Option(help="folder of promptsource's templates.yaml")],
    hub_sets: Annotated[list[str], Option(help="hub: NAME@COMMIT/CONFIGURATION; repeat it")],
    n_train: Annotated[int, Option(min=2, help="examples of a task, at most")],
    n_test: Annotated[int, Option(min=2, help="examples of a task, at most")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the examples of all tasks as one table, and their templates."""
    from pipelines.instruct import mini_tasks, task_files
    from pipelines.instruct.mini_world import read_world
    from pipelines.instruct.prompt_templates import read_templates

    known = read_templates(templates)
    if source is Source.mini:
        world = read_world(path)
        names = list(mini_tasks.TASKS)
        found = {
            name: mini_tasks.make_examples(world, name, n_train, n_test, seed) for name in names
        }
    else:
        is_file = source is Source.file
        read = task_files.read_task_folder(path) if is_file else task_files.read_hub_sets(hub_sets)
        found = {
            name: task_files.split_examples(
                splits, n_train, n_test, random.Random(f"{seed}/{name}")
            )
            for name, splits in read.items()
        }
    task_files.check_templates(list(found), known)
    for name, splits in found.items():
        for split, rows in splits.items():
            if len(rows) < 2:
                raise InputError(
                    f"task {name}: {len(rows)} example(s) in split {split}; a task needs two at "
                    "least in each, or nothing can be said of it"
                )
    write_table(output, [task_rows(found)], TASK_SCHEMA)
    with written_whole(templates_output) as folder:
        for file in sorted(templates.rglob("templates.yaml")):
            (folder / file.relative_to(templates)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.relative_to(templates))
    counts = {
        name: {split: len(rows) for split, rows in each.items()} for name, each in found.items()
    }
    write_json(
        metrics, {"examples": {name.replace(".", "_"): each for name, each in counts.items()}}
    )


def task_rows(found: dict[str, dict[str, list[dict]]]) -> pl.DataFrame:
    """Return the table of all tasks' examples."""
    rows = [
        (
            name,
            split,
            f"{name}/{split}/{number}",
            json.dumps(fields, ensure_ascii=False, default=str),
        )
        for name, splits in found.items()
        for split, examples in splits.items()
        for number, fields in enumerate(examples)
    ]
    return pl.DataFrame(rows, TASK_SCHEMA, orient="row")


@app.command()
def crawl(
    output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: Annotated[Path, Option(help="mini: the world's words; file: JSON Lines of url and text")],
    n_pages: Annotated[int, Option(min=1, help="mini: pages; file: at most")],
    bad_share: Annotated[float, Option(min=0.0, max=0.9, help="mini: of spoiled pages")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the pages that the base is pretrained on."""
    check_crawl(source)
    counts: Counter[str] = Counter()
    pages = made_pages(path, n_pages, bad_share, seed) if source is Source.mini else (
        found_pages(path, n_pages)
    )  # fmt: skip

    def frames() -> Iterator[pl.DataFrame]:
        rows = list(pages)
        counts["pages"] = len(rows)
        counts["characters"] = sum(len(text) for _, text in rows)
        yield pl.DataFrame(rows, PAGE_SCHEMA, orient="row")

    write_table(output, frames(), PAGE_SCHEMA)
    write_json(metrics, dict(counts))


def check_crawl(source: Source) -> None:
    """Raise InputError for the Hub, where C4 lies cleaned already."""
    if source is Source.hub:
        raise InputError("crawl.source=hub: must be mini, or file with pages of your own")


def made_pages(path: Path, n_pages: int, bad_share: float, seed: int) -> Iterator[tuple[str, str]]:
    from pipelines.instruct.mini_crawl import make_crawl
    from pipelines.instruct.mini_world import read_world

    return make_crawl(read_world(path), n_pages, bad_share, seed)


def found_pages(path: Path, n_pages: int) -> Iterator[tuple[str, str]]:
    """Yield (url, text) of a JSON Lines file, `n_pages` at most."""
    from pipelines.instruct.task_files import read_lines

    for number, row in enumerate(read_lines(path)[:n_pages], 1):
        page = row.get("url"), row.get("text")
        if not all(isinstance(each, str) for each in page):
            raise InputError(f"{path}: line {number} lacks a url or a text, both strings")
        yield page  # type: ignore[misc]


def check_base(source: Source, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    if source is Source.mini:
        check_sizes(sizes)


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
    from genlab.models.loading import load_text_to_text_model
    from genlab.sources import model_folders
    from pipelines.instruct.mini_world import read_world
    from pipelines.instruct.pretraining import make_base

    check_base(source, sizes)
    counts: dict[str, float] = {}
    if source is Source.mini:
        pages = read_table(path)["text"].to_list()
        words = template_words(tasks_table, templates)
        salient = read_world(world).salient()
        made = make_base(pages, words, salient, output, sizes, pretraining)
        counts = {"pretraining_loss" if name == "loss" else name: n for name, n in made.items()}
    elif source is Source.hub:
        model_folders.download_base(hub_id, revision, None, output, load=load_text_to_text_model)
    else:
        model_folders.copy_base(path, None, output, load_text_to_text_model)
    counts["parameters"] = load_text_to_text_model(output).num_parameters()
    write_json(metrics, counts)


def template_words(tasks_table: Path, templates: Path) -> list[str]:
    """Return texts whose words the tokenizer is to know: of templates, and of examples' fields."""
    from pipelines.instruct.prompt_templates import read_templates

    found = [each for group in read_templates(templates).values() for each in group]
    texts = [f"{each.jinja} {each.answer_choices}" for each in found]
    texts = [re.sub(r"\{[{%].*?[%}]\}|\|", " ", text, flags=re.DOTALL) for text in texts]
    fields = read_table(tasks_table).filter(split="train")["fields"]
    values = [json.loads(each).values() for each in fields.gather_every(3)]
    return texts * 2 + [" ".join(map(str, each)) for each in values]


if __name__ == "__main__":
    run(app)
