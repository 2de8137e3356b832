"""fetch: the corpus, the base policy, the reward model and the held-out reward.

Each has a source: `mini` (made here), `hub` (downloaded) or `file` (the user's); the base may be
`bundled` (made once, in minis/base), the corpus the flagship's `queries`, and a reward model one of
its rankers (`ranker`). All later stages run offline.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import write_table
from genlab.mini.bert import ClassifierRecipe
from genlab.mini.gpt2 import Sizes, check_sizes
from genlab.preference.reward_folders import RewardOrigin
from genlab.sources.bundled import check_model_origin
from genlab.sources.file_text import with_files
from genlab.sources.source import ModelOrigin, ModelSource
from pipelines.alignment.labelled_texts import CorpusOrigin, Reading, fetch_texts
from pipelines.alignment.schemas import TEXT_SCHEMA, count_texts

app = stage_app()

SOURCES_WITHOUT_PATH = {"base": frozenset({"mini", "hub"})}  # for genlab check

Metrics = Annotated[Path, Option(help="JSON of counts")]
MinAccuracy = Annotated[
    float,
    Option(min=0.0, max=1.0, help="of pairs of two moods ranked right; below: refused"),
]


@app.command()
@grouped_options
def corpus(
    output: Path,
    metrics: Metrics,
    origin: CorpusOrigin,
    reading: Reading,
) -> None:
    """Fetch the texts as one table."""
    dropped: Counter[str] = Counter()
    files: Counter[str] = Counter()
    frames = fetch_texts(origin, reading, dropped, files)
    write_table(output, frames, TEXT_SCHEMA)
    counts = count_texts(pl.read_parquet(output, columns=["split", "is_positive"]))
    left_out = {"total": dropped.total(), **dropped}
    write_json(metrics, with_files(counts | {"left_out": left_out}, files))


def check_base(origin: ModelOrigin, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none, or not the bundled one."""
    check_model_origin(origin, asdict(sizes))
    if origin.source is ModelSource.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(
    output: Path,
    metrics: Metrics,
    origin: ModelOrigin,
    sizes: Sizes,
) -> None:
    """Fetch the policy that is to be aligned: a language model that knows both moods."""
    from pipelines.alignment.fetched_models import fetch_base

    check_base(origin, sizes)
    write_json(metrics, fetch_base(origin, sizes, output))


@app.command("reward_model")
@grouped_options
def reward_model(
    corpus: Path,
    output: Path,
    metrics: Metrics,
    origin: RewardOrigin,
    recipe: ClassifierRecipe,
    min_accuracy: MinAccuracy,
) -> None:
    """Fetch the model that rewards a text: a classifier of two moods, or a ranker."""
    from pipelines.alignment.fetched_models import fetch_reward_model

    write_json(metrics, fetch_reward_model(origin, recipe, corpus, output, min_accuracy))


@app.command("held_out_reward")
@grouped_options
def held_out_reward(
    corpus: Path,
    output: Path,
    metrics: Metrics,
    origin: RewardOrigin,
    min_texts: Annotated[int, Option(min=1, help="mini: texts that a word stands in, to count")],
    inverse_penalty: Annotated[float, Option(min=1e-6, help="mini: scikit-learn's C")],
    min_accuracy: MinAccuracy,
) -> None:
    """Fetch a second reward model, which nothing is optimised for: it rates the final texts."""
    from pipelines.alignment.fetched_models import fetch_held_out_reward

    found = fetch_held_out_reward(origin, min_texts, inverse_penalty, corpus, output, min_accuracy)
    write_json(metrics, found)


if __name__ == "__main__":
    run(app)
