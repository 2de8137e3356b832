"""Folders of reward models: trained here, downloaded, or copied.

A reward model is a folder with `reward.json`, which says its kind, and a `model` folder beside it.
`genlab.preference.rewards` loads it.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError
from genlab.mini.bert import ClassifierRecipe, train_classifier
from genlab.models.classifier_inputs import prepare_inputs
from genlab.models.saved import N_SCORED, check_same_scores
from genlab.models.trial import try_rates
from genlab.preference.rewards import (
    classifier_logits,
    load_classifier,
    named_positive,
    ranked_right,
)
from genlab.sources.foreign_files import copy_files, named_as
from genlab.sources.ranker_folders import copy_model, download_model

LONG = 30  # words of a trial's text, a third of them, where a model has no limit to cut at


class RewardSource(StrEnum):
    """Where a reward model comes from."""

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
    positive_label: Annotated[
        str, Option(help="hub, file: the rewarded label's name or number; auto: it is found out")
    ]

    @property
    def asset(self) -> str:
        """Its name on the hub, or its path."""
        return self.hub_id if self.source is RewardSource.hub else str(self.path)


def fetch_reward(
    origin: RewardOrigin, output: Path, group: str, texts: list[str], is_positive: np.ndarray
) -> None:
    """Write a classifier's or a ranker's folder from outside to `output`.

    group: of the params, for messages; texts and bool [n], labelled, may be none. Raises InputError
    if there is no such model, it does not work, or its positive label is not known.
    """
    if origin.source is RewardSource.ranker:
        copy_ranker(origin.path, output)
        return
    with written_whole(output) as folder, named_as(folder / "model", origin.asset):
        if origin.source is RewardSource.hub:
            download_model("classifier", origin.hub_id, origin.revision, folder / "model", group)
        else:
            copy_model("classifier", origin.path, folder / "model")
        # Refuses what is no classifier of two labels.
        model, tokenizer = load_classifier(folder / "model")
        logits = classifier_logits(model, tokenizer, batch_size=64)
        limit = prepare_inputs(model, tokenizer, origin.asset)
        try_rates(logits, limit or LONG, origin.asset)
        names = [str((model.config.id2label or {}).get(number, number)) for number in (0, 1)]
        found = logits(texts) if texts else np.zeros((0, 2), np.float32)
        label = choose_label(names, origin.positive_label, found, is_positive, group)
        write_json(folder / "reward.json", {"kind": "classifier", "positive_label": label})


def choose_label(
    names: list[str], asked: str, found: np.ndarray, is_positive: np.ndarray, group: str
) -> int:
    """Return the number of the label that means positive, of two labels called `names`.

    It is the one that is `asked` for, by name or number, or the one so named; for auto where names
    do not tell, the one whose logits, float32 [n, 2], rate the positive texts higher. Raises
    InputError if labelled texts speak against it, or if nothing tells.
    """
    listed = f"{names[0]} (0) or {names[1]} (1)"
    label = named_positive(dict(enumerate(names)))
    if asked != "auto":
        known = {"0": 0, "1": 1} | {name: number for number, name in enumerate(names)}
        if asked not in known:
            raise InputError(
                f"{group}.positive_label={asked}: there is no such label, only {listed}"
            )
        label = known[asked]
    shares = [ranked_right(found[:, number], is_positive) for number in (0, 1)]
    if label is not None:
        if math.isnan(shares[label]):
            print(f"{group}: {names[label]} is taken for positive; no labelled texts prove it")
        else:
            check_above_chance(shares[label], f"{group}: its label {names[label]}", group)
        return label
    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    best = int(shares[1] > shares[0])
    # Twice the standard deviation of a share that is chance (Mann and Whitney 1947).
    n_pairs = n_positive * n_negative
    if not n_pairs or shares[best] < 0.5 + 2 * math.sqrt((len(is_positive) + 1) / 12 / n_pairs):
        raise InputError(
            f"{group}: neither the names of its labels nor {len(is_positive)} labelled texts tell "
            f"which one is positive; set {group}.positive_label to {listed}"
        )
    print(f"{group}: {names[best]} is positive, by {len(is_positive)} labelled texts")
    return best


def check_above_chance(share: float, what: str, group: str) -> None:
    """Raise InputError if fewer than half of the pairs of texts are ranked right."""
    if share < 0.5:
        raise InputError(
            f"{what} rates negative texts above positive ones ({share:.0%} of the pairs right, "
            f"chance is 50%): it would be rewarded to be negative; set {group}.positive_label to "
            "the other label, or take another model"
        )


def check_accuracy(share: float, said: str, min_accuracy: float, group: str) -> None:
    """Raise InputError if too few of the pairs of texts are ranked right.

    said: how right the model is, in words.
    """
    check_above_chance(share, group, group)
    if share < min_accuracy:
        raise InputError(
            f"{said}, and {group}.min_accuracy={min_accuracy} of the pairs is asked for: what it "
            "rewards is hardly the mood; give more labelled texts or another model, or lower it"
        )


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
    """Train a small classifier, write its folder to `output`, and return its last training loss.

    Raises InputError if it rates a few texts otherwise when it is loaded again.
    """
    tokenizer, model, loss = train_classifier(texts, labels, recipe, group)
    with written_whole(output) as folder:
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        measured, saved = (
            classifier_logits(*each, batch_size=N_SCORED)(texts[:N_SCORED])
            for each in ((model.eval(), tokenizer), load_classifier(folder / "model"))
        )
        check_same_scores(measured, saved, group)
        write_json(folder / "reward.json", {"kind": "classifier"})
    return loss
