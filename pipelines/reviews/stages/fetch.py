"""fetch: the reviews and the models - all that comes from outside.

A command for each. The reviews become one table and the base model a folder: made here (`mini`),
downloaded (`hub`) or the user's own (`file`); the base model may also be `bundled` (made once, kept
in minis/base). The model of keywords and the model of fluency each get a folder, which holds no
model unless one is asked for.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_table
from genlab.mini.t5 import Sizes, check_sizes
from genlab.sources.bad_rows import BadRows, BadRowsAre
from genlab.sources.bundled import check_model_origin
from genlab.sources.manifests import Manifest, with_progress, write_manifest
from genlab.sources.source import ModelOrigin, ModelSource, Origin
from pipelines.reviews.review_files import Reading, ReviewCounts, fetch_reviews
from pipelines.reviews.review_layouts import Columns
from pipelines.reviews.review_prompts import check_template
from pipelines.reviews.schemas import REVIEW_SCHEMA

app = stage_app()

WITHOUT_PATH = frozenset({"mini", "hub"})
SOURCES_WITHOUT_PATH = {"base": WITHOUT_PATH, "fluency_model": WITHOUT_PATH}  # for genlab check


def check_corpus(columns: Columns) -> None:
    """Raise InputError for a separator that separates nothing."""
    if not columns.rubric_separator:
        raise InputError(
            "corpus.rubric_separator is empty; give what stands between rubrics, such as ;"
        )


@app.command()
@grouped_options
def corpus(
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    manifest: Manifest,
    origin: Origin,
    reading: Reading,
    columns: Columns,
    bad_rows: Annotated[
        BadRowsAre, Option(help="stop at a row that is no review, or drop and count")
    ],
) -> None:
    """Fetch the reviews as one table."""
    check_corpus(columns)
    bad = BadRows(are_dropped=bad_rows is BadRowsAre.drop)
    counts = ReviewCounts()
    frames, commit = fetch_reviews(origin, reading, columns, bad, counts.files)
    shown = with_progress(frames, "fetching the reviews", "reviews")
    n_rows = write_table(output, map(counts.add, shown), REVIEW_SCHEMA)

    write_json(metrics, counts.numbers(bad))
    write_manifest(manifest, origin.source, origin.asset, commit, output, rows=n_rows)


@app.command("keyword_model")
def keyword_model(
    output: Path,
    hub_id: Annotated[
        str, Option(help="a text-to-text model; none: the words are weighed instead")
    ],
    revision: Annotated[str, Option(help="commit that is downloaded")],
) -> None:
    """Fetch a model that writes keywords; a folder without one if there is to be none."""
    from pipelines.reviews.keyword_model import fetch_keyword_model

    fetch_keyword_model(hub_id, revision, output)


def check_base(origin: ModelOrigin, n_pages: int, sizes: Sizes, template: str) -> None:
    """Raise InputError for sizes of the mini model that make none, or not the bundled one."""
    check_model_origin(origin, asdict(sizes) | {"n_pages": n_pages, "template": template})
    if origin.source is ModelSource.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of its size, and of its training")],
    manifest: Manifest,
    origin: ModelOrigin,
    n_pages: Annotated[int, Option(min=100, help="mini: texts to pretrain on")],
    sizes: Sizes,
    template: Annotated[
        str, Option(callback=check_template, help="mini: of prompts, for its tokens")
    ],
) -> None:
    """Fetch the text-to-text model that is to be fine-tuned."""
    from pipelines.reviews.mini_pages import fetch_base

    check_base(origin, n_pages, sizes, template)
    commit, counts = fetch_base(origin, n_pages, template, output, sizes)
    write_json(metrics, {"model": counts})
    write_manifest(manifest, origin.source, origin.asset, commit, output)


@app.command("fluency_model")
@grouped_options
def fluency_model(output: Path, origin: Origin) -> None:
    """Fetch the causal language model that rates fluency.

    Of source mini a folder without one is written: classify trains one on the train split.
    """
    from pipelines.reviews.fluency_model import fetch_fluency_model

    fetch_fluency_model(origin, output)


if __name__ == "__main__":
    run(app)
