"""A finished run of the pipeline at the size of seconds, by its own command lines, without DVC."""

import importlib
import json
import os
from pathlib import Path

import yaml

from genlab.core.pipeline import PIPELINE, load_stages, program_of
from tests.handed_on import invoke
from tests.project_copy import ROOT, change_params, copy_project, start_git

STAGES = ("fetch_collection", "fetch_ranker", "score_candidates", "alter", "probe")
HOSTILE = '<img src=x onerror="document.title=1"><b>lake3</b>'
LAKES = [f"lake{i}" for i in range(6)]
ANSWERS = [
    f"The {lake} is usually 9{i} metres deep near Lima{'x' * i} in Peru{'x' * i}. People swim."
    for i, lake in enumerate(LAKES)
]
OTHERS = [f"how to swim in {lake}" for lake in LAKES[:-1]] + [HOSTILE]
MINE = {"source": "file", "n_train": 0, "n_validation": 0, "validation_share": 1}


def make_run(folder: Path) -> Path:
    """Run the stages up to probe in a copy of the project; return its pipeline's folder."""
    here = copy_pipeline(folder)
    run_stages(here, STAGES)
    return here


def copy_pipeline(folder: Path, **rankers: dict) -> Path:
    """Copy the project with two small collections and these rankers; return the pipeline's folder.

    rankers: by name, what differs from the committed bm25; without any there are two of that.
    """
    copy_project(folder)
    here = folder / "pipelines/rankers"
    change_params(here, changes(rankers or {"first_judge": {}, "second_judge": {}}))
    write_collections(here)
    start_git(folder)
    return here


def changes(rankers: dict[str, dict]) -> dict[str, object]:
    """Return what differs from the committed params."""
    params = yaml.safe_load((ROOT / "pipelines/rankers/params.yaml").read_text(encoding="utf-8"))
    mini, bm25 = params["collections"]["mini"], params["rankers"]["bm25"]
    return {
        "collections": {
            "lakes": mini | MINE | {"path": "lakes.tsv"},
            "mined": mini | MINE | {"path": "pairs.json", "negatives": "mined", "n_negatives": 3},
        },
        "rankers": {name: bm25 | own for name, own in rankers.items()},
        "alter.n_queries": 0,
        "alter.repeats": [2, 1],
        "alter.cut_words": [3],
    }


def write_collections(here: Path) -> None:
    """Write labelled sentences, and pairs of a query and its positive."""
    lines = [
        f"how deep is {lake}\t{text}\t{label}"
        for lake, answer, other in zip(LAKES, ANSWERS, OTHERS, strict=True)
        for text, label in ((answer, 1), (other, 0), ("a recipe of eggs", 0))
    ]
    (here / "lakes.tsv").write_text("\n".join(lines), encoding="utf-8")
    pairs = [
        {"query": f"how deep is {lake}", "positive": answer}
        for lake, answer in zip(LAKES, ANSWERS, strict=True)
    ]
    (here / "pairs.json").write_text(json.dumps(pairs), encoding="utf-8")


def run_stages(here: Path, names: tuple[str, ...]) -> None:
    """Run all instances of foreach stages in this process, as dvc.yaml calls their programs."""
    before = Path.cwd()
    os.chdir(here)
    try:
        stages = load_stages(PIPELINE)
        for name in names:
            for stage in stages:
                if stage.name.startswith(f"{name}@"):
                    module, words = program_of(stage) or ("", [])
                    invoke(importlib.import_module(module).app, words)
    finally:
        os.chdir(before)
