"""A small BERT classifier of two labels, trained here on labelled texts: no download."""

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from typer import Option

from genlab.core.numerics import hold_arithmetic
from genlab.core.program import InputError
from genlab.mini.gpt2 import END_OF_TEXT, train_tokenizer
from genlab.mini.training import batches_of_epochs

if TYPE_CHECKING:
    from transformers import BertForSequenceClassification, PreTrainedTokenizerBase


@dataclass(frozen=True)
class ClassifierRecipe:
    """The size of a small classifier, and how long and fast it is trained."""

    vocab_size: Annotated[int, Option(min=300, help="mini: tokens, 257 of them bytes and EOS")]
    hidden_size: Annotated[int, Option(min=32)]
    max_tokens: Annotated[int, Option(min=8, help="mini: tokens it reads of a text")]
    epochs: Annotated[int, Option(min=1, max=10**4)]
    batch_size: Annotated[int, Option(min=1)]
    learning_rate: Annotated[float, Option(min=0.0)]
    seed: Annotated[int, Option(min=0)]


def train_classifier(
    texts: list[str], labels: np.ndarray, recipe: ClassifierRecipe, group: str
) -> tuple["PreTrainedTokenizerBase", "BertForSequenceClassification", float]:
    """Return a tokenizer, a BERT of one layer, and its mean loss (nats) over the last 20 steps.

    labels: [n], 1 positive and 0 negative. Raises InputError, naming the params group, if training
    diverges.
    """
    import torch

    torch.manual_seed(recipe.seed)
    tokenizer, model = new_classifier(texts, recipe)
    ids = tokenizer(texts, truncation=True)["input_ids"]
    rng = random.Random(recipe.seed)
    lengths = [len(row) for row in ids]
    batches = batches_of_epochs(lengths, recipe.batch_size, recipe.epochs, rng)
    hold_arithmetic(model.num_parameters())
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=0.01)
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
        raise InputError(f"the loss is {last}: lower {group}.learning_rate={recipe.learning_rate}")
    return tokenizer, model, last


def new_classifier(
    texts: list[str], recipe: ClassifierRecipe
) -> tuple["PreTrainedTokenizerBase", "BertForSequenceClassification"]:
    """Return a tokenizer made from `texts` and a BERT with fresh weights."""
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = train_tokenizer(texts, recipe.vocab_size)
    start = tokenizer.eos_token_id  # BERT classifies by its first token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, start)]
    )
    tokenizer.pad_token = END_OF_TEXT
    tokenizer.model_max_length = recipe.max_tokens
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden_size,
        num_hidden_layers=1,
        # Of 32 numbers or more each; BERT wants them to divide hidden_size.
        num_attention_heads=math.gcd(recipe.hidden_size, max(1, recipe.hidden_size // 32)),
        intermediate_size=2 * recipe.hidden_size,
        max_position_embeddings=recipe.max_tokens,
        pad_token_id=start,
        id2label={0: "negative", 1: "positive"},
        label2id={"negative": 0, "positive": 1},
    )
    return tokenizer, BertForSequenceClassification(config)
