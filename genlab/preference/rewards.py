"""What rates a text: a classifier of moods, a bag of words, or one of the flagship's rankers.

A reward model is a folder with `reward.json` (its kind) and a model beside it. `load_reward` makes
one function of it: rates(prompts, texts) -> float32 [n], higher is better. The classifier's rate is
the logit of "positive"; the bag of words' the log-odds; a ranker's the relevance to the prompt.

The reward and the held-out reward are trained here on two halves of the corpus and are of two
builds: a small BERT reads the words in their order, the bag of words counts them. So a policy that
found the one's blind spot has not thereby found the other's.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.core.files import write_json, written_whole
from genlab.core.processes import best_device, limit_threads
from genlab.core.program import InputError
from genlab.models.loading import check_model_folder, first_line
from genlab.text import classifier as bag_of_words

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Rates = Callable[[list[str], list[str]], np.ndarray]


def training_texts(texts: "pl.DataFrame", half: str, name: str) -> tuple[list[str], np.ndarray]:
    """Return the train texts of one half and float32 [n]: 1 positive, 0 negative.

    Raises InputError, naming the params group, if they are not of both moods.
    """
    import polars as pl

    mine = texts.filter((pl.col("split") == "train") & (pl.col("half") == half))
    mine = mine.filter(pl.col("is_positive").is_not_null())
    labels = mine["is_positive"].cast(pl.Float32).to_numpy()
    if len(set(labels)) < 2:
        raise InputError(
            f"{name}.source=mini learns from texts of two moods, and the {half} half of the corpus "
            f"has {len(labels)} texts of {len(set(labels))}; give another source"
        )
    return mine["text"].to_list(), labels


def make_classifier(
    texts: list[str],
    labels: np.ndarray,
    output: Path,
    *,
    vocab_size: int,
    hidden_size: int,
    max_tokens: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> float:
    """Train a BERT of one layer from nothing; return its mean loss over the last 20 steps."""
    import random

    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification

    from genlab.mini.gpt2 import END_OF_TEXT, train_tokenizer
    from genlab.mini.training import length_bucketed_batches

    torch.manual_seed(seed)
    tokenizer = train_tokenizer(texts, vocab_size)
    start = tokenizer.eos_token_id  # BERT reads the mood off its first token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, start)]
    )
    tokenizer.pad_token = END_OF_TEXT
    tokenizer.model_max_length = max_tokens
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            num_hidden_layers=1,
            num_attention_heads=max(1, hidden_size // 32),
            intermediate_size=2 * hidden_size,
            max_position_embeddings=max_tokens,
            pad_token_id=start,
            num_labels=2,
            id2label={0: "negative", 1: "positive"},
            label2id={"negative": 0, "positive": 1},
        )
    )
    ids = tokenizer(texts, truncation=True)["input_ids"]
    rng = random.Random(seed)
    lengths = [len(row) for row in ids]
    batches = [b for _ in range(epochs) for b in length_bucketed_batches(lengths, batch_size, rng)]
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / len(batches))
    losses = []
    model.train()
    for batch in batches:
        inputs = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
        target = torch.tensor(labels[batch], dtype=torch.long)
        loss = model(**inputs, labels=target).loss
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    last = sum(losses[-20:]) / len(losses[-20:])
    if not math.isfinite(last):
        raise InputError(f"the loss is {last}: lower reward_model.learning_rate={learning_rate}")
    with written_whole(output) as folder:
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        write_json(folder / "reward.json", {"kind": "classifier"})
    return last


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


def copy_ranker(path: Path, output: Path) -> None:
    """Copy a ranker's folder, as the flagship's fetch makes it, and mark it as a reward model."""
    import shutil

    if not (path / "ranker.json").is_file():
        raise InputError(
            f"{path}: no ranker's folder (ranker.json is missing); run `dvc repro` in the "
            "repository's root, and give one of data/fetch/rankers"
        )
    with written_whole(output) as folder:
        shutil.copytree(path, folder / "model")
        write_json(folder / "reward.json", {"kind": "ranker"})


def load_reward(folder: Path, batch_size: int) -> Rates:
    """Return the rates function of a reward model's folder; raise InputError if there is none."""
    path = folder / "reward.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no reward model ({first_line(error)}); run `dvc repro`"
        ) from None
    if kind == "ranker":
        from genlab.ranking.rankers import load_ranker

        return load_ranker(folder / "model", batch_size).relevance
    if kind == "bag_of_words":
        return bag_of_words_rates(folder)
    return classifier_rates(*load_classifier(folder / "model"), batch_size)


def load_classifier(folder: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Return a classifier of two labels; raise InputError if it has one, or three, or is none."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    check_model_folder(folder)
    try:
        model, found = AutoModelForSequenceClassification.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype="float32",
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # safetensors, json and tokenizers raise their own kinds
        raise InputError(f"{folder}: not a text classifier ({first_line(error)})") from error
    if found["missing_keys"]:
        raise InputError(
            f"{folder}: not a whole text classifier, {len(found['missing_keys'])} weights are "
            f"missing ({sorted(found['missing_keys'])[0]}, ...)"
        )
    if model.config.num_labels != 2:
        raise InputError(
            f"{folder}: a reward model has two labels, negative and positive, but this one has "
            f"{model.config.num_labels} ({', '.join(model.config.id2label.values())}); give "
            "another reward_model.path or hub_id"
        )
    return model.eval(), tokenizer


def positive_label(id2label: dict[int, str]) -> int:
    """Return the number of the label that means positive: the one so named, else 1."""
    named = [number for number, name in id2label.items() if name.lower().startswith("pos")]
    return named[0] if len(named) == 1 else 1


def classifier_rates(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", batch_size: int
) -> Rates:
    """Return rates: the positive label's logit, of texts cut at the model's limit."""
    import torch

    label = positive_label(model.config.id2label)
    limit = getattr(model.config, "max_position_embeddings", None)
    limit_threads(model)
    model.to(best_device())

    def rates(prompts: list[str], texts: list[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found = np.zeros(len(texts), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                inputs = tokenizer(
                    [texts[i] for i in batch],
                    padding=True,
                    truncation=True,
                    max_length=limit,
                    return_tensors="pt",
                ).to(model.device)
                found[batch] = model(**inputs).logits[:, label].float().cpu().numpy()
        if not np.isfinite(found).all():
            raise InputError("the reward model's logits are not finite: its weights are broken")
        return found

    return rates


def bag_of_words_rates(folder: Path) -> Rates:
    """Return rates: the log-odds of "positive"."""
    made = bag_of_words.load_classifier(folder, "bag_of_words")
    if made is None:
        raise InputError(f"{folder}: its bag of words is missing; run `dvc repro`")
    return lambda prompts, texts: made.scores(texts)[:, 1].astype(np.float32)


def check_two_models(reward: Path, held_out_reward: Path) -> None:
    """Raise InputError if both are one model, which would confirm whatever was optimised."""
    from genlab.core.scratch import fingerprint

    if fingerprint((), [reward]) == fingerprint((), [held_out_reward]):
        raise InputError(
            "the held-out reward is the reward model itself, so it would confirm whatever was "
            "rewarded; give another held_out_reward.source or held_out_reward.path"
        )


def accuracy(rates: Rates, texts: "pl.DataFrame", middle: float) -> float:
    """Return the share of labelled texts that lie on their mood's side of `middle`."""
    found = rates(texts["prompt"].to_list(), texts["text"].to_list()) > middle
    return float((found == texts["is_positive"].to_numpy()).mean())
