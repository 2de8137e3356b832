"""Folders of reward models: trained here, downloaded, or copied.

A reward model is a folder with `reward.json`, which says its kind, and a `model` folder beside it.
`genlab.preference.rewards` loads it.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError
from genlab.mini.bert import ClassifierRecipe, train_classifier
from genlab.preference.rewards import load_classifier
from genlab.sources.foreign_files import copy_files
from genlab.sources.ranker_folders import copy_model, download_model


class RewardSource(StrEnum):
    mini = "mini"
    hub = "hub"
    file = "file"
    ranker = "ranker"  # one of the flagship's


@dataclass(frozen=True)
class RewardOrigin:
    """Where a reward model comes from."""

    source: Annotated[RewardSource, Option()]
    path: Annotated[Path, Option(help="mini: the texts it is trained on; else: the model's folder")]
    hub_id: Annotated[str, Option()]
    revision: Annotated[str, Option(help="hub: commit that is downloaded")]


def fetch_reward(origin: RewardOrigin, output: Path, group: str) -> None:
    """Write a classifier's or a ranker's folder from outside to `output`.

    group: of the params, for messages. Raises InputError if there is no such model.
    """
    if origin.source is RewardSource.ranker:
        copy_ranker(origin.path, output)
        return
    with written_whole(output) as folder:
        kind = "cross_encoder"  # the rankers' name for a classifier's folder
        if origin.source is RewardSource.hub:
            download_model(kind, origin.hub_id, origin.revision, folder / "model", group)
        else:
            copy_model(kind, origin.path, folder / "model")
        load_classifier(folder / "model")  # refuses what is no classifier of two labels
        write_json(folder / "reward.json", {"kind": "classifier"})


def copy_ranker(path: Path, output: Path) -> None:
    """Copy a ranker's folder, as the flagship's fetch makes it, and mark it as a reward model."""
    if not (path / "ranker.json").is_file():
        raise InputError(
            f"{path}: no ranker's folder (ranker.json is missing); run `dvc repro` in the "
            "repository's root, and give one of data/fetch/rankers"
        )
    with written_whole(output) as folder:
        copy_files(path, folder / "model", str(path), deep=True)
        write_json(folder / "reward.json", {"kind": "ranker"})


def make_classifier(
    texts: list[str], labels: np.ndarray, recipe: ClassifierRecipe, output: Path, group: str
) -> float:
    """Train a small classifier, write its folder to `output`, and return its last training loss."""
    tokenizer, model, loss = train_classifier(texts, labels, recipe, group)
    with written_whole(output) as folder:
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        write_json(folder / "reward.json", {"kind": "classifier"})
    return loss
