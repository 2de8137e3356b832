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
from genlab.sources.file_text import with_files
from genlab.sources.source import ModelSource
from pipelines.rlhf.fetched_prompts import fetch_prompts
from pipelines.rlhf.origins import BaseOrigin, PromptOrigin, RewardBaseOrigin, RewardBaseSource
from pipelines.rlhf.purposes import Wanted, assign_purposes
from pipelines.rlhf.schemas import (
    PROMPT_SCHEMA,
    TEXT_SCHEMA,
    count_purposes,
    prompt_table,
    text_table,
)

app = stage_app()

SOURCES_WITHOUT_PATH = {"base": frozenset({"mini", "hub"})}  # for genlab check

Metrics = Annotated[Path, Option(help="JSON of counts")]


@app.command()
@grouped_options
def corpus(
    output: Path,
    texts_output: Path,
    metrics: Metrics,
    origin: PromptOrigin,
    wanted: Wanted,
    n_texts: Annotated[int, Option(min=10, help="mini: plain texts for the base and ptx")],
    validation_share: Annotated[float, Option(min=0.01, max=0.5, help="of the plain texts")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the prompts and the plain text."""
    dropped: Counter[str] = Counter()
    files: Counter[str] = Counter()
    rows, texts = fetch_prompts(origin, wanted, n_texts, seed, dropped, files)
    prompts = assign_purposes(prompt_table(rows), wanted, seed, dropped)
    kept_texts = text_table(texts, validation_share)

    write_table(output, [prompts.select(PROMPT_SCHEMA.names())], PROMPT_SCHEMA)
    write_table(texts_output, [kept_texts], TEXT_SCHEMA)
    left_out = {"total": dropped.total(), **dropped}
    of_texts = {"texts": len(texts), "validation_texts_in_train": len(texts) - kept_texts.height}
    counts = {"rows": len(rows), **count_purposes(prompts), **of_texts, "left_out": left_out}
    write_json(metrics, with_files(counts, files))


def check_base(origin: BaseOrigin, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none, or not the bundled one."""
    check_bundled(origin.source, origin.path, asdict(sizes))
    if origin.source is ModelSource.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(texts: Path, output: Path, metrics: Metrics, origin: BaseOrigin, sizes: Sizes) -> None:
    """Fetch the language model that everything starts from."""
    from pipelines.rlhf.base_models import fetch_model

    check_base(origin, sizes)
    write_json(metrics, fetch_model(texts, None, output, origin, sizes))


def check_reward_base(origin: RewardBaseOrigin, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    if origin.source is RewardBaseSource.mini:
        check_sizes(sizes, "reward_base")


@app.command("reward_base")
@grouped_options
def reward_base(
    texts: Path,
    policy: Path,
    output: Path,
    metrics: Metrics,
    origin: RewardBaseOrigin,
    sizes: Sizes,
) -> None:
    """Fetch the language model that the reward model starts from; it reads the policy's tokens."""
    from pipelines.rlhf.base_models import fetch_reward_base

    check_reward_base(origin, sizes)
    write_json(metrics, fetch_reward_base(texts, policy, output, origin, sizes))


if __name__ == "__main__":
    run(app)
