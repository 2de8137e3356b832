"""fetch: prompts with their purposes, plain text, the base model, and the reward model's base.

One command per asset. Each has a source: `mini` (made here, no network), `hub` (downloaded) or
`file` (a path of the user's). The reward model's base may also be the policy's (`policy`). All
later stages run offline.
"""

import shutil
from collections import Counter
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import remove, write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_table
from genlab.mini.gpt2 import Sizes, check_sizes, pretrain, train_tokenizer
from genlab.sources.source import Source
from pipelines.rlhf import foreign_rankings, mini_world
from pipelines.rlhf.purposes import Wanted, assign_purposes
from pipelines.rlhf.schemas import PROMPT_SCHEMA, PURPOSES, TEXT_SCHEMA, plain_texts

app = stage_app()

Metrics = Annotated[Path, Option(help="JSON of counts")]
Revision = Annotated[str, Option(help="hub: commit that is downloaded")]
SPARE = 1.3  # mini: prompts made for each that is wanted; near-duplicates go


class BaseSource(StrEnum):
    """Where the reward model starts from."""

    policy = "policy"  # the policy's own base
    mini = "mini"
    hub = "hub"
    file = "file"


@app.command()
@grouped_options
def corpus(
    output: Path,
    texts_output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: Annotated[Path, Option(help="mini: the vocabulary; file: rankings, a JSON row a line")],
    texts_path: Annotated[Path, Option(help="hub, file: plain text, a document a line; or none")],
    hub_id: Annotated[str, Option()],
    revision: Revision,
    wanted: Wanted,
    n_texts: Annotated[int, Option(min=10, help="mini: plain texts for the base and ptx")],
    validation_share: Annotated[float, Option(min=0.01, max=0.5, help="of the plain texts")],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Fetch the prompts and the plain text."""
    dropped: Counter[str] = Counter()
    if source is Source.mini:
        rows, texts = make_mini(path, wanted, n_texts, seed)
    else:
        is_file = source is Source.file
        read = foreign_rankings.read_file_rows
        rows = read(path) if is_file else foreign_rankings.read_hub_rows(hub_id, revision, dropped)
        texts = read_plain_texts(texts_path)
    names = [name for name in PROMPT_SCHEMA if name != "purpose"]
    kinds = {name: PROMPT_SCHEMA[name] for name in names}
    prompts = assign_purposes(pl.DataFrame(rows, kinds, orient="row"), wanted, seed, dropped)
    n_validation = max(1, round(validation_share * len(texts)))
    splits = ["validation" if i < n_validation else "train" for i in range(len(texts))]
    table = pl.DataFrame({"text": texts, "split": splits}, TEXT_SCHEMA)

    write_table(output, [prompts.select(PROMPT_SCHEMA.names())], PROMPT_SCHEMA)
    write_table(texts_output, [table], TEXT_SCHEMA)
    counts = {purpose: int((prompts["purpose"] == purpose).sum()) for purpose in PURPOSES}
    left_out = {"total": dropped.total(), **dropped}
    write_json(metrics, {"rows": len(rows), **counts, "texts": len(texts), "left_out": left_out})


def make_mini(path: Path, wanted: Wanted, n_texts: int, seed: int) -> tuple[list[tuple], list[str]]:
    """Return the mini world's rows of PROMPT_SCHEMA without purpose, and its plain texts."""
    world = mini_world.read_world(path)
    n = round(SPARE * sum(map(wanted.of, PURPOSES)))
    rng = Random(seed)
    rows: list[tuple] = [
        (
            f"prompt-{number:06}",
            prompt,
            mini_world.write_answer(world, asked, "helpful", rng, common=False),
            asked.category,
            asked.n,
            [],
        )
        for number, (prompt, asked) in enumerate(mini_world.make_prompts(world, n, rng))
    ]
    return rows, mini_world.make_texts(world, n_texts, Random(seed + 1))


def read_plain_texts(path: Path) -> list[str]:
    """Return the lines of a file that have text, [] for none; InputError if it has none."""
    from genlab.sources.file_text import text_lines

    if str(path) == "none":
        return []
    if not path.is_file():
        raise InputError(f"{path}: no such file; corpus.texts_path is a text a line, or none")
    lines = [line.strip() for _, line in text_lines(path) if line.strip()]
    if not lines:
        raise InputError(f"{path}: no line has text; corpus.texts_path=none goes without")
    return lines


def check_base(source: Source, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    if source is Source.mini:
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
    source: Annotated[Source, Option()],
    path: Annotated[Path, Option(help="file: a model folder")],
    hub_id: Annotated[str, Option()],
    revision: Revision,
    sizes: Sizes,
) -> None:
    """Fetch the language model that everything starts from."""
    check_base(source, sizes)
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
    from genlab.models.loading import load_causal_model
    from pipelines.rlhf.reward_model import check_reads_as

    check_reward_base(source, sizes)
    if source is BaseSource.policy:
        with written_whole(output) as folder:
            shutil.copytree(policy, folder)
        numbers = {"parameters": float(load_causal_model(output).num_parameters())}
    else:
        where = Source(source.value)
        numbers = fetch_model(texts, policy, output, where, path, hub_id, revision, sizes)
        try:
            check_reads_as(output, policy)
        except InputError:
            remove(output)
            raise
    write_json(metrics, numbers)


def fetch_model(
    texts: Path,
    tokenizer_folder: Path | None,
    output: Path,
    source: Source,
    path: Path,
    hub_id: str,
    revision: str,
    sizes: Sizes,
) -> dict[str, float]:
    """Make, download or copy a language model; return its size and, of a made one, its loss."""
    import torch

    from genlab.models.loading import load_causal_model, load_tokenizer
    from genlab.sources import model_folders

    numbers: dict[str, float] = {}
    if source is Source.mini:
        torch.set_num_threads(1)  # as limit_threads, for a model that is not there yet
        train = plain_texts(texts, "train")
        if not train:
            raise InputError("base.source=mini learns from plain text, and there is none")
        tokenizer = (
            load_tokenizer(tokenizer_folder)
            if tokenizer_folder
            else train_tokenizer(train, sizes.vocab_size)
        )
        model, numbers["pretraining_loss"] = pretrain(train, tokenizer, sizes)
        with written_whole(output) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    elif source is Source.hub:
        model_folders.download_base(hub_id, revision, None, output)
    else:
        model_folders.copy_base(path, None, output)
    return numbers | {"parameters": float(load_causal_model(output).num_parameters())}


if __name__ == "__main__":
    run(app)
