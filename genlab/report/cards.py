"""The card of a published model or table: what it is, what it scored, how sure that is.

A card is README.md in the layout of the Hub: YAML for its pages and leaderboards, then Markdown.
All of it is generated: numbers come from metrics/, verdicts from metrics/claims.json, values from
params.yaml, and texts from dvc.yaml's `artifacts` and claims.yaml.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from genlab.core.markdown import markdown_table
from genlab.core.shapes import reading
from genlab.core.stand_ins import rankers_of
from genlab.experiments.claims_file import read_asked
from genlab.experiments.layout import read_layout
from genlab.experiments.revisions import read_params
from genlab.report.artifacts import Artifact, read_scores, shown_scores
from genlab.report.page import (
    claims_table,
    is_interval,
    number_tables,
    read_metrics,
)
from genlab.report.pipeline import CLAIMS, METRICS, PIPELINE, read_question

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

DATA_GROUPS = ("corpus", "tasks")  # of params.yaml: what a model was tuned on
STAND_IN = (
    "It was made from a small world of the project's own, to show the pipeline at work on any "
    "machine. It is no model of a language, and of no use for anything else."
)
USE = """\
```python
from transformers import {loader}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{place}")
model = {loader}.from_pretrained("{place}")
```
"""
SCORES = (METRICS / "score.json", METRICS / "score_details.json")
QUERIES_LEFT_OUT = " Its queries are left out: its licence need not let them be published."
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
class Made:
    """The commit that an artifact was made by, and its date."""

    commit: str
    date: str


def model_card(artifact: Artifact, pipeline: str, made: Made, place: str) -> str:
    """Return a model's README.md, of the pipeline in this folder.

    place: what it is loaded from, a repository of the Hub or a folder.
    """
    from huggingface_hub import ModelCardData

    params = read_params(None)
    base_group, group = group_in(params, "base"), data_group(params)
    base, data = hub_id(base_group), hub_id(group)
    with reading(SCORES):
        scores, others = read_scores(artifact), shown_scores(artifact)
        results = eval_results(scores, artifact, data or f"{pipeline} ({tell_origin(group)})")
    metadata = ModelCardData(
        language=artifact.language,
        license="apache-2.0" if is_made_here(base_group) and is_made_here(group) else "other",
        base_model=base,
        datasets=[data] if data else None,
        library_name="transformers",
        pipeline_tag=artifact.task,
        tags=["genlab"],
        model_name=f"{pipeline}-{artifact.name}",
        eval_results=results,
    )
    told = (
        STAND_IN
        if is_made_here(base_group)
        else f"Its base is {tell_origin(base_group)}; the licence of that holds for this, too."
    )
    loader = LOADERS.get(artifact.task, "AutoModel")
    parts = [
        f"---\n{metadata}\n---",
        f"# {pipeline}: {artifact.name}",
        f"{artifact.description}. {told}",
        USE.format(loader=loader, place=place).rstrip(),
        *([HARNESS] if artifact.harness else []),
        *pipeline_parts(params, others | scores, made),
    ]
    return "\n\n".join(parts) + "\n"


def dataset_card(artifact: Artifact, pipeline: str, made: Made, table: Path) -> str:
    """Return the README.md of a published table that was made by the pipeline in this folder."""
    from huggingface_hub import DatasetCardData

    params = read_params(None)
    group = data_group(params)
    data = hub_id(group)
    metadata = DatasetCardData(
        language=artifact.language,
        license="apache-2.0" if is_made_here(group) else "other",
        tags=["genlab"],
        pretty_name=f"{pipeline}: {artifact.name}",
        source_datasets=[data] if data else None,
        configs=[{"config_name": "default", "data_files": artifact.path.name}],
    )
    columns = pl.read_parquet_schema(table)
    with reading(SCORES):
        scores = read_scores(artifact)
    told = "Texts of a small world of the project's own."
    if not is_made_here(group):
        told = f"From {tell_origin(group)}." + QUERIES_LEFT_OUT * (artifact.queries is not None)
    parts = [
        f"---\n{metadata}\n---",
        f"# {pipeline}: {artifact.name}",
        f"{artifact.description}. {told}",
        f"{pl.scan_parquet(table).select(pl.len()).collect().item():,} rows of",
        markdown_table([["column", "type"], *([name, kind] for name, kind in columns.items())]),
        *pipeline_parts(params, scores, made),
    ]
    return "\n\n".join(parts) + "\n"


def pipeline_parts(params: dict, scores: dict, made: Made) -> list[str]:
    """Return the parts that all cards of a pipeline share: question, scores, claims, commands."""
    asked = read_asked(CLAIMS, read_layout(CLAIMS)) if CLAIMS.is_file() else {}
    with reading(SCORES):
        tables = [markdown_table(each) for each in number_tables(scores)]
    with reading([METRICS / "claims.json"], "run `python -m genlab claims`"):
        claims = read_metrics(METRICS, ["claims"]).get("claims", {}).get("claims", {})
        verdicts = markdown_table(claims_table(claims, asked, rankers_of(params)))
    parts = ["## What was asked", read_question(PIPELINE)]
    if scores:
        parts += [
            "## What came out",
            "With 95 % intervals where there are any; they hold for other texts of the same kind.",
            *tables,
        ]
    if claims:
        parts += [
            "## What was claimed, and what became of it",
            "B - A with its 95 % interval. *Supported* and *contradicted* are told from chance "
            "after Holm's correction for all tests of the table; *within M*: the interval lies "
            "within the margin M, so the difference is of no size that matters; *not settled* is "
            "no evidence of absence.",
            verdicts,
        ]
    return [
        *parts,
        "## How it was made",
        f"By `dvc repro` at commit {made.commit} ({made.date}), with these values; each is "
        "explained in params.yaml.",
        f"```yaml\n{as_yaml(without_folders(params))}```",
    ]


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
    """Return (path, number or interval) of every number in nested scores; null is skipped."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in scores.items():
        if isinstance(value, dict) and not is_interval(value):
            found += numbers_in(value, (*above, name))
        elif value is not None:
            found.append(((*above, name), value))
    return found


def data_group(params: dict) -> dict:
    """Return the group of params.yaml that says what a model was tuned on."""
    return group_in(params, *DATA_GROUPS)


def group_in(params: dict, *names: str) -> dict:
    """Return the first of these groups that a params.yaml has; {} if it has none."""
    return next((params[name] for name in names if isinstance(params.get(name), dict)), {})


def is_made_here(group: dict) -> bool:
    """Return whether a base model or a corpus is of the project's own."""
    return group.get("source") not in ("hub", "file")


def hub_id(group: dict) -> str | None:
    """Return the Hub's name of a base model or a corpus; None if it is not from the Hub.

    A local folder's name does not count: the Hub would link an unrelated repository of that name.
    """
    return str(group["hub_id"]) if group.get("source") == "hub" else None


def tell_origin(group: dict) -> str:
    """Return where a base model or a corpus is from, in words, without local paths."""
    return hub_id(group) or ("mini" if is_made_here(group) else "a local folder")


def without_folders(value: Any) -> Any:
    """Return params with paths outside of the repository shortened to their last part.

    This applies to any key, as a pipeline may call a folder `templates`. Of a URL, which may hold a
    password, only its scheme stays. A hub_id that is a plain public URL stays whole.
    """
    if isinstance(value, dict):
        return {
            key: each if key == "hub_id" and is_public(each) else without_folders(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [without_folders(each) for each in value]
    if not isinstance(value, str):
        return value
    if "://" in value:
        return f"{value.partition('://')[0]}://..."
    leads_elsewhere = Path(value).is_absolute() or ".." in Path(value).parts
    return Path(value).name if leads_elsewhere and Path(value).name else value


def is_public(address: object) -> bool:
    """Return whether a value is a web URL without user, password or query."""
    return isinstance(address, str) and bool(re.fullmatch(r"https://[\w./~%-]+", address))


def as_yaml(params: dict) -> str:
    """Return params as YAML without its comments, in their order."""
    import yaml

    return yaml.safe_dump(params, sort_keys=False, allow_unicode=True)
