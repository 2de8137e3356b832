"""The flagship's run in memory: evaluated queries, rankers, and both models.

What is where, and every value, is read from the command lines that DVC has run: those of the stages
generate, score and probe, as their own programs parse them.
"""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import polars as pl

from genlab.core.commands import group_from, stage_options
from genlab.core.program import InputError
from genlab.core.progress import counted_by, progress
from genlab.core.stand_ins import shown_name
from genlab.core.tables import read_table
from genlab.models.decoding import Decoding
from genlab.playground.playable import KEPT, Judge, check_outputs, check_scored
from genlab.ranking.candidates import evaluated_queries, read_all_candidates
from genlab.ranking.probes import Vocabulary, count_vocabulary
from genlab.sources.ranker_folders import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from genlab.models.loading import Dtype
    from genlab.ranking.rankers import Ranker

STAGES = ("generate", "score", "probe")
MODELS = {"tuned": "the tuned model", "base": "the untuned model"}  # options of generate


@dataclass(frozen=True)
class LoadedRun:
    """What the page needs of the run."""

    queries: pl.DataFrame  # query_id, query, passages
    texts: dict[str, str]  # query_id -> the run's own text
    judges: list[Judge]
    vocabulary: Vocabulary
    models: dict[str, tuple["PreTrainedTokenizerBase", "PreTrainedModel"]]  # by name of MODELS
    decoding: Decoding
    max_len: int  # new tokens of a written text that count
    strip_query: bool
    repeats: list[int]
    seed: int  # of the probes' random words and orders
    writing: Lock  # one text at a time is written


def read_commands() -> dict[str, dict[str, Any]]:
    """Return the options of STAGES; raise InputError where there are no such stages."""
    commands = stage_options(STAGES)
    if not commands.keys() >= {*STAGES} or "rankers_folder" not in commands["score"]:
        raise InputError(
            f"`genlab play` needs a run with the stages {', '.join(STAGES)} and rankers, as the "
            "one in the repository's root is; this pipeline has none to play with"
        )
    return commands


def load_run() -> LoadedRun:
    """Return the run of the pipeline in this folder; raise InputError if it is not whole."""
    commands = read_commands()
    generate, score, probe = (commands[name] for name in STAGES)
    names: list[str] = score["rankers"]
    folders = {name: score["rankers_folder"] / name for name in names}
    candidates = {name: score["candidates_folder"] / f"{name}.parquet" for name in names}
    models = {name: generate[name] for name in MODELS}
    tables = [generate["queries"], generate["output"]]
    check_outputs([*tables, *models.values(), *folders.values(), *candidates.values()])

    queries = evaluated_queries(generate["queries"], generate["n_queries"])
    real = read_all_candidates(score["candidates_folder"], names, queries)
    check_scored(queries, real)
    with progress(f"loading 2 models and {len(names)} rankers"), counted_by(lambda n: None):
        loaded = load_models(models, generate["dtype"])
        rankers = load_rankers(folders, score["batch_size"])
    texts = read_texts(generate["output"], loaded["base"][0], score)
    decoding = group_from(Decoding, generate)
    return LoadedRun(
        queries,
        texts,
        [Judge(*rankers[name], real[name]) for name in names],
        count_vocabulary(queries),
        loaded,
        decoding,
        score["max_len"],
        score["strip_query"],
        sorted({1, *probe["repeats"]}),
        probe["seed"],
        Lock(),
    )


def read_texts(
    path: Path, tokenizer: "PreTrainedTokenizerBase", score: dict[str, Any]
) -> dict[str, str]:
    """Return the text of each query as the stage score placed it; the first of several."""
    from genlab.models.token_texts import cut_texts

    rows = read_table(path).filter(pl.col("sample") == 0)
    texts = cut_texts(rows, tokenizer, score["max_len"], score["strip_query"])
    return dict(zip(rows["query_id"], texts, strict=True))


def load_models(folders: dict[str, Path], dtype: "Dtype") -> dict[str, tuple]:
    """Return tokenizer and model of each folder."""
    from genlab.models.loading import load_for_inference

    return {name: load_for_inference(folder, dtype) for name, folder in folders.items()}


def load_rankers(folders: dict[str, Path], batch_size: int) -> dict[str, tuple[str, "Ranker"]]:
    """Return the label and the ranker of each folder."""
    from genlab.ranking.rankers import load_ranker

    return {
        name: (
            shown_name(name, read_json(folder / "ranker.json")),
            load_ranker(folder, batch_size, KEPT),
        )
        for name, folder in folders.items()
    }
