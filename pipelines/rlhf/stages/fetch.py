"""fetch: prompts with their purposes, plain text, the base model, and the reward model's base.

One command per asset. Each has a source: `mini` (made here, no network), `hub` (downloaded) or
`file` (a path of the user's); the base may be `bundled` (made once, kept in minis/base), and the
reward model's base the policy's (`policy`). All later stages run offline.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import write_table
from genlab.mini.gpt2 import Sizes, check_sizes
from genlab.sources.bundled import check_bundled
from genlab.sources.decoding import Encoding
from genlab.sources.source import ModelSource, Source
from pipelines.rlhf import foreign_rankings, mini_world
from pipelines.rlhf.purposes import Wanted, assign_purposes
from pipelines.rlhf.schemas import (
    PROMPT_SCHEMA,
    TEXT_SCHEMA,
    BaseSource,
    count_purposes,
    prompt_table,
    text_table,
)

app = stage_app()

SOURCES_WITHOUT_PATH = {"base": frozenset({"mini", "hub"})}  # for genlab check

Metrics = Annotated[Path, Option(help="JSON of counts")]
Revision = Annotated[str, Option(help="hub: commit that is downloaded")]


@app.command()
@grouped_options
def corpus(
    output: Path,
    texts_output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: Annotated[Path, Option(help="mini: the vocabulary; file: rankings, JSON, or zip")],
    texts_path: Annotated[Path, Option(help="hub, file: plain text, a document a line; or none")],
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")],
    hub_id: Annotated[str, Option()],
    hub_name: Annotated[str, Option(help="hub: configuration of the data set; none: its only one")],
    revision: Revision,
    wanted: Wanted,
    n_texts: Annotated[int, Option(min=10, help="mini: plain texts for the base and ptx")],
    validation_share: Annotated[float, Option(min=0.01, max=0.5, help="of the plain texts")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the prompts and the plain text."""
    dropped: Counter[str] = Counter()
    files: Counter[str] = Counter()
    if source is Source.mini:
        rows, texts = mini_world.make_mini(path, wanted, n_texts, seed)
    else:
        if source is Source.file:
            rows = foreign_rankings.read_file_rows(path, dropped, encoding, files)
        else:
            rows = foreign_rankings.read_hub_rows(hub_id, hub_name, revision, dropped)
        texts = foreign_rankings.read_plain_texts(texts_path, encoding, files)
    prompts = assign_purposes(prompt_table(rows), wanted, seed, dropped)
    kept_texts = text_table(texts, validation_share)

    write_table(output, [prompts.select(PROMPT_SCHEMA.names())], PROMPT_SCHEMA)
    write_table(texts_output, [kept_texts], TEXT_SCHEMA)
    left_out = {"total": dropped.total(), **dropped}
    of_texts = {"texts": len(texts), "validation_texts_in_train": len(texts) - kept_texts.height}
    counts = {"rows": len(rows), **count_purposes(prompts), **of_texts, "left_out": left_out}
    write_json(metrics, counts | ({"files": dict(files)} if files else {}))


def check_base(source: ModelSource, path: Path, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none, or not the bundled one."""
    check_bundled(source, path, asdict(sizes))
    if source is ModelSource.mini:
        check_sizes(sizes)


def check_reward_base(source: BaseSource, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    if source is BaseSource.mini:
        check_sizes(sizes, "reward_base")


@app.command()
@grouped_options
def base(
    texts: Path,
    output: Path,
    metrics: Metrics,
    source: Annotated[ModelSource, Option(help="bundled, file: from path; mini: made here; hub")],
    path: Annotated[Path, Option(help="bundled, file: the model's folder; else not read")],
    hub_id: Annotated[str, Option()],
    revision: Revision,
    sizes: Sizes,
) -> None:
    """Fetch the language model that everything starts from."""
    from pipelines.rlhf.base_models import fetch_model

    check_base(source, path, sizes)
    write_json(metrics, fetch_model(texts, None, output, source, path, hub_id, revision, sizes))


@app.command("reward_base")
@grouped_options
def reward_base(
    texts: Path,
    policy: Path,
    output: Path,
    metrics: Metrics,
    source: Annotated[BaseSource, Option()],
    path: Annotated[Path, Option(help="file: a model folder")],
    hub_id: Annotated[str, Option()],
    revision: Revision,
    sizes: Sizes,
) -> None:
    """Fetch the language model that the reward model starts from; it reads the policy's tokens."""
    from pipelines.rlhf.base_models import copy_policy, fetch_reward_base

    check_reward_base(source, sizes)
    if source is BaseSource.policy:
        numbers = copy_policy(policy, output)
    else:
        where = ModelSource(source.value)
        numbers = fetch_reward_base(texts, policy, output, where, path, hub_id, revision, sizes)
    write_json(metrics, numbers)


if __name__ == "__main__":
    run(app)
