"""Reward models: a classifier, a bag of words, or a ranker, each a function that rates texts.

`load_reward` makes the function from a folder: rates(prompts, texts) -> float32 [n]; higher is
better. A classifier's reward is the logit of its positive label (which one that is was found out
when it was fetched), a bag of words' the log-odds, and a ranker's the relevance to the prompt.

A held-out reward is a second model that nothing was optimised for. It should differ from the first
in training texts and in build, so that a policy which exploits the first model's blind spot does
not exploit the second's.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.files import write_json, written_whole
from genlab.core.processes import best_device
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.models.classifier_inputs import prepare_inputs
from genlab.models.loading import load_whole, read_tokenizer
from genlab.models.model_files import first_line
from genlab.text import classifier as bag_of_words

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

POSITIVE = {"pos", "positive"}  # in full: "possibly toxic" begins alike

Rates = Callable[[list[str], list[str]], np.ndarray]


def make_bag_of_words(
    texts: list[str], labels: np.ndarray, output: Path, *, min_texts: int, inverse_penalty: float
) -> int:
    """Fit TF-IDF of words and logistic regression; return how many words they see."""
    seen = bag_of_words.Features(1, 0, min_texts, 0, sublinear_tf=False, normal_form=True)
    made = bag_of_words.train_classifier(
        texts,
        labels.tolist(),
        seen,
        inverse_penalty,
        balanced=False,
        source="texts of the held-out half",
        key="held_out_reward.min_texts",
    )
    with written_whole(output) as folder:
        write_json(folder / "reward.json", {"kind": "bag_of_words"})
        bag_of_words.save_classifier(made, folder, "bag_of_words")
    return len(made.terms["word"])


def load_reward(folder: Path, batch_size: int) -> Rates:
    """Return the rates function of a reward model's folder; raise InputError if there is none."""
    path = folder / "reward.json"
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        kind = manifest["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no reward model ({first_line(error)}); run `dvc repro`"
        ) from None
    if kind == "ranker":
        from genlab.ranking.rankers import load_ranker

        return load_ranker(folder / "model", batch_size).relevance
    if kind == "bag_of_words":
        return bag_of_words_rates(folder)
    model, tokenizer = load_classifier(folder / "model")
    # Only those from outside have one written down.
    label = manifest.get("positive_label", positive_label(model.config.id2label or {}))
    logits = classifier_logits(model, tokenizer, batch_size)
    return lambda prompts, texts: logits(texts)[:, label]


def load_classifier(folder: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Return a classifier of two labels, ready to compute on this process's device.

    Raises InputError if the folder holds no classifier, or one of one label or three.
    """
    from transformers import AutoModelForSequenceClassification

    model = load_whole(AutoModelForSequenceClassification, folder, "text classifier")
    tokenizer = read_tokenizer(folder)
    labels = model.config.id2label or {}
    if model.config.num_labels != 2:
        raise InputError(
            f"{folder}: a reward model has two labels, negative and positive, but this one has "
            f"{model.config.num_labels} ({', '.join(labels.values())}); give "
            "another reward_model.path or hub_id"
        )
    return model.eval().to(best_device()), tokenizer


def named_positive(id2label: dict) -> int | None:
    """Return the number of the one label that is named positive, None if the names do not tell."""
    named = [number for number, name in id2label.items() if str(name).lower() in POSITIVE]
    return int(named[0]) if len(named) == 1 else None


def positive_label(id2label: dict) -> int:
    """Return the number of the label that means positive in a model made here: so named, else 1."""
    label = named_positive(id2label)
    return 1 if label is None else label


def classifier_logits(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", batch_size: int
) -> Callable[[list[str]], np.ndarray]:
    """Return a function of texts to float32 [n, 2], their logits; texts are cut at the limit."""
    import torch

    limit = prepare_inputs(model, tokenizer, model.name_or_path)

    def logits(texts: list[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found = np.zeros((len(texts), 2), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                inputs = tokenizer(
                    [texts[i] for i in batch],
                    padding=True,
                    truncation=limit is not None,
                    max_length=limit,
                    return_tensors="pt",
                ).to(model.device)
                found[batch] = model(**with_a_token(inputs, tokenizer)).logits.float().cpu().numpy()
        if not np.isfinite(found).all():
            raise InputError("the reward model's logits are not finite: its weights are broken")
        return found

    return logits


def with_a_token(inputs: "BatchEncoding", tokenizer: "PreTrainedTokenizerBase") -> dict:
    """Return a batch in which a text without any token is one padding token that is read.

    An empty text has no token, where a tokenizer puts none around it.
    """
    import torch

    ids, mask = inputs["input_ids"].long(), inputs["attention_mask"].long()
    if ids.shape[1] == 0:
        ids = torch.full((len(ids), 1), tokenizer.pad_token_id, device=ids.device)
        mask = torch.ones_like(ids)
    mask[mask.sum(1) == 0, 0 if tokenizer.padding_side == "right" else -1] = 1
    return {"input_ids": ids, "attention_mask": mask}


def bag_of_words_rates(folder: Path) -> Rates:
    """Return rates: the log-odds of "positive"."""
    made = bag_of_words.load_classifier(folder, "bag_of_words")
    if made is None:
        raise InputError(f"{folder}: its bag of words is missing; run `dvc repro`")
    return lambda prompts, texts: made.scores(texts)[:, 1].astype(np.float32)


def check_two_models(reward: Path, held_out: Path) -> None:
    """Raise InputError if the held-out reward is the reward model: it would agree with itself."""
    from genlab.core.scratch import fingerprint

    if fingerprint((), [reward]) == fingerprint((), [held_out]):
        raise InputError(
            "the held-out reward is the reward model itself, so it would confirm whatever was "
            "rewarded; give another held_out_reward.source or held_out_reward.path"
        )


def ranked_right(found: np.ndarray, is_positive: np.ndarray) -> float:
    """Return the share of pairs, a positive and a negative text, whose positive one has more.

    Ties count half; 0.5 is chance, wherever zero lies (the area under the ROC curve). NaN without a
    text of either mood.
    """
    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    if not n_positive or not n_negative:
        return math.nan
    _, place, n_equal = np.unique(found, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(n_equal) - (n_equal - 1) / 2)[place]  # of ties the mean
    above = ranks[is_positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def accuracy(found: np.ndarray, is_positive: np.ndarray) -> float:
    """Return the share of texts whose reward [n] is above zero exactly if they are positive."""
    return float(((found > 0) == is_positive).mean())
