"""The card of a published model or table: what it is, what it scored, how sure that is.

A card is README.md in the layout of the Hub: YAML for its pages and leaderboards, then Markdown.
Nothing in it is typed by hand: numbers come from metrics/, verdicts from metrics/claims.json,
values from params.yaml, and the words from dvc.yaml's `artifacts` and claims.yaml.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from genlab.core.markdown import markdown_table
from genlab.core.params import did_you_mean
from genlab.core.pipeline import read_pipeline
from genlab.core.program import InputError
from genlab.core.stand_ins import shown_name
from genlab.core.yaml_text import load_yaml
from genlab.report.page import (
    claims_table,
    is_interval,
    number_tables,
    read_metrics,
    with_intervals,
)
from genlab.report.pipeline import CLAIMS, METRICS, PARAMS, PIPELINE, read_question

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

KINDS = ("model", "dataset")
DATA_GROUPS = ("corpus", "tasks")  # of params.yaml: what a model was tuned on
STAND_IN = (
    "It was made from a small world of the project's own, to show the pipeline at work on any "
    "machine. It is no model of a language, and of no use for anything else."
)
USE = """\
```python
from transformers import {loader}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = {loader}.from_pretrained("FOLDER")
```
"""
TASKS = "harness_tasks"  # the folder of a model's tasks
HARNESS = f"""\
The tasks that it was asked are in {TASKS}/, for lm-evaluation-harness. In this folder:

```
lm_eval run --model hf --model_args pretrained=.,dtype=float32 \\
  --include_path {TASKS} --tasks NAME_OF_A_YAML_FILE_THERE --batch_size 1
```"""
LOADERS = {
    "text-generation": "AutoModelForCausalLM",
    "text2text-generation": "AutoModelForSeq2SeqLM",
}


@dataclass(frozen=True)
class Artifact:
    """An entry of dvc.yaml's `artifacts`."""

    name: str
    path: Path
    kind: str  # model | dataset
    description: str
    language: str
    task: str = "text-generation"  # as the Hub calls it
    scores: tuple[str, ...] = ()  # groups of metrics/score.json, like answers.sft; all if ()
    harness: str = ""  # the pipeline's program that writes tasks of lm-evaluation-harness


@dataclass(frozen=True)
class Made:
    """What an artifact was made by: the commit, and the day of it."""

    commit: str
    date: str


def read_artifacts(pipeline: Path) -> dict[str, Artifact]:
    """Return the artifacts of a dvc.yaml by name; InputError for one that is not as cards need."""
    listed = read_pipeline(pipeline).get("artifacts") or {}
    if not isinstance(listed, dict) or not all(isinstance(each, dict) for each in listed.values()):
        raise InputError(f"{pipeline}: artifacts must be a mapping of names to path and type")
    found = {}
    for name, entry in listed.items():
        where, meta = f"{pipeline}: artifacts.{name}", entry.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        for key, there in (("path", entry), ("type", entry), ("desc", entry), ("language", meta)):
            if not isinstance(there.get(key), str):
                raise InputError(f"{where}: no {key}, as text{' under meta' * (there is meta)}")
        if entry["type"] not in KINDS:
            hint = did_you_mean(entry["type"], KINDS)
            raise InputError(f"{where}: type {entry['type']} is none of {', '.join(KINDS)}{hint}")
        scores = meta.get("scores", [])
        if not (isinstance(scores, list) and all(isinstance(each, str) for each in scores)):
            raise InputError(
                f"{where}: meta.scores is {scores}; give a list of groups of metrics/score.json, "
                "like [answers.sft], or leave it out for all"
            )
        found[name] = Artifact(
            name,
            Path(entry["path"]),
            entry["type"],
            entry["desc"],
            meta["language"],
            meta.get("task", Artifact.task),
            tuple(scores),
            meta.get("harness", ""),
        )
    return found


def model_card(artifact: Artifact, pipeline: str, made: Made) -> str:
    """Return a model's README.md, of the pipeline in this folder."""
    from huggingface_hub import ModelCardData

    params = load_yaml(PARAMS.read_text(encoding="utf-8"))
    scores = read_scores(artifact)
    base, data = origin(params.get("base", {})), origin(data_group(params))
    metadata = ModelCardData(
        language=artifact.language,
        license="apache-2.0" if base is None and data is None else "other",
        base_model=base,
        datasets=[data] if data else None,
        library_name="transformers",
        pipeline_tag=artifact.task,
        tags=["genlab"],
        model_name=f"{pipeline}-{artifact.name}",
        eval_results=eval_results(scores, artifact, data or f"{pipeline} (mini)"),
    )
    told = STAND_IN if base is None else "The base model's licence holds for what was made from it."
    loader = LOADERS.get(artifact.task, "AutoModel")
    parts = [
        f"---\n{metadata}\n---",
        f"# {pipeline}: {artifact.name}",
        f"{artifact.description}. {told}",
        USE.format(loader=loader).rstrip(),
        *([HARNESS] if artifact.harness else []),
        *pipeline_parts(params, scores, made),
    ]
    return "\n\n".join(parts) + "\n"


def dataset_card(artifact: Artifact, pipeline: str, made: Made, table: Path) -> str:
    """Return the README.md of a table that was made by the pipeline in this folder."""
    from huggingface_hub import DatasetCardData

    params = load_yaml(PARAMS.read_text(encoding="utf-8"))
    data = origin(data_group(params))
    metadata = DatasetCardData(
        language=artifact.language,
        license="apache-2.0" if data is None else "other",
        tags=["genlab"],
        pretty_name=f"{pipeline}: {artifact.name}",
        source_datasets=[data] if data else None,
        configs=[{"config_name": "default", "data_files": artifact.path.name}],
    )
    columns = pl.read_parquet_schema(table)
    told = "Texts of a small world of the project's own." if data is None else f"From {data}."
    parts = [
        f"---\n{metadata}\n---",
        f"# {pipeline}: {artifact.name}",
        f"{artifact.description}. {told}",
        f"{pl.scan_parquet(table).select(pl.len()).collect().item():,} rows of",
        markdown_table([["column", "type"], *([name, kind] for name, kind in columns.items())]),
        *pipeline_parts(params, read_scores(artifact), made),
    ]
    return "\n\n".join(parts) + "\n"


def pipeline_parts(params: dict, scores: dict, made: Made) -> list[str]:
    """Return what every card of a pipeline says: the question, scores, claims, how to make it."""
    claims = read_metrics(METRICS, ["claims"]).get("claims", {}).get("claims", {})
    asked = load_yaml(CLAIMS.read_text(encoding="utf-8")) if CLAIMS.is_file() else {}
    parts = ["## What was asked", read_question(PIPELINE)]
    if scores:
        parts += [
            "## What came out",
            "With 95 % intervals where there are any; they hold for other texts of the same kind.",
            *map(markdown_table, number_tables(scores)),
        ]
    if claims:
        parts += [
            "## What was claimed, and what became of it",
            "B - A with its 95 % interval. *Supported* and *contradicted* are told from chance "
            "after Holm's correction for all tests of the table; *within M*: the interval lies "
            "within the margin M, so the difference is of no size that matters; *not settled* is "
            "no evidence of absence.",
            markdown_table(claims_table(claims, asked)),
        ]
    return [
        *parts,
        "## How it was made",
        f"By `dvc repro` at commit {made.commit} ({made.date}), with these values; each is "
        "explained in params.yaml.",
        f"```yaml\n{as_yaml(without_folders(params))}```",
    ]


def read_scores(artifact: Artifact) -> dict:
    """Return the artifact's groups of metrics/score.json, with intervals where there are any."""
    found = read_metrics(METRICS, ["score", "score_details"])
    if "score" not in found:
        raise InputError(f"{METRICS}/score.json: no such file; run `dvc repro`")
    scores = with_intervals(found["score"], found.get("score_details", {}))
    groups = {}
    for name in artifact.scores:
        inside: object = scores
        for part in name.split("."):
            if not isinstance(inside, dict) or part not in inside:
                hint = did_you_mean(part, inside) if isinstance(inside, dict) else ""
                raise InputError(
                    f"{PIPELINE}: artifacts.{artifact.name}: meta.scores: metrics/score.json has "
                    f"no {name}{hint}"
                )
            inside = inside[part]
        groups[name.rpartition(".")[2]] = inside
    return named_stand_ins(groups or scores)


def named_stand_ins(scores: dict) -> dict:
    """Return scores whose groups are rankers under the names that they are shown by."""
    rankers = load_yaml(PARAMS.read_text(encoding="utf-8")).get("rankers", {})
    return {shown_name(name, rankers.get(name, {})): group for name, group in scores.items()}


def eval_results(scores: dict, artifact: Artifact, data: str) -> "list[EvalResult]":
    """Return scores as the Hub's leaderboards read them: those that have an interval, if any has.

    The layout has no place for an interval, so it stands in the metric's name.
    """
    from huggingface_hub import EvalResult

    numbers = numbers_in(scores)
    sure = [each for each in numbers if isinstance(each[1], dict)]
    found = []
    for (*above, metric), value in sure or numbers:
        number, ends = value, ""
        if isinstance(value, dict):
            number, ends = value["value"], f" (95 % {value['low']:.4g} to {value['high']:.4g})"
        found.append(
            EvalResult(
                task_type=artifact.task,
                dataset_type=re.sub(r"\W+", "-", data).strip("-"),
                dataset_name=data,
                metric_type=metric,
                metric_name=" ".join([*above, metric]) + ends,
                metric_value=round(float(number), 6),
            )
        )
    return found


def numbers_in(scores: dict, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return (path, number or interval) of every number in nested scores; null is none."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in scores.items():
        if isinstance(value, dict) and not is_interval(value):
            found += numbers_in(value, (*above, name))
        elif value is not None:
            found.append(((*above, name), value))
    return found


def data_group(params: dict) -> dict:
    """Return the group of params.yaml that says what a model was tuned on."""
    return next((params[name] for name in DATA_GROUPS if name in params), {})


def origin(group: dict) -> str | None:
    """Return where a base model or a corpus is from, for the Hub's links; None if it was made here.

    What lay in files of the user's is told by its last part alone: a path is nobody's business.
    """
    if group.get("source") == "hub":
        return str(group["hub_id"])
    return Path(str(group["path"])).name if group.get("source") == "file" else None


def without_folders(value: Any) -> Any:
    """Return params with paths that lead elsewhere told by their last part alone, as by `origin`.

    Of any key: a pipeline may call a folder `templates`. Of an address, which may hold a password,
    its kind is left.
    """
    if isinstance(value, dict):
        return {key: without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_folders(each) for each in value]
    if not isinstance(value, str):
        return value
    if "://" in value:
        return f"{value.partition('://')[0]}://..."
    leads_elsewhere = Path(value).is_absolute() or ".." in Path(value).parts
    return Path(value).name if leads_elsewhere and Path(value).name else value


def as_yaml(params: dict) -> str:
    """Return params as YAML without its comments, in their order."""
    import yaml

    return yaml.safe_dump(params, sort_keys=False, allow_unicode=True)
