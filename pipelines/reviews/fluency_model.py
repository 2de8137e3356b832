"""The language model that rates how fluent a generated review is; it did not write the review.

It is a fetched model's folder, or a small GPT-2 trained on real train reviews. The trained one
finds fluent what resembles the real reviews. Both are in Hub layout.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Option

from genlab.mini.gpt2 import Sizes
from genlab.models.likelihood import bits_per_byte, mean_loss, perplexity, text_losses
from genlab.models.loading import load_causal_model, load_for_inference
from genlab.models.trial import save_tried
from genlab.sources.source import Origin, Source
from pipelines.reviews.keyword_model import write_without_model

FOLDER = "fluency"  # in the folder of classifiers


@dataclass(frozen=True)
class FluencySizes:
    """The mini language model of fluency; params group `classify.fluency`."""

    vocab_size: Annotated[int, Option("--fluency.vocab_size", min=300)]
    n_layer: Annotated[int, Option("--fluency.n_layer", min=1)]
    n_embd: Annotated[int, Option("--fluency.n_embd", min=8)]
    n_head: Annotated[int, Option("--fluency.n_head", min=1)]
    n_positions: Annotated[int, Option("--fluency.n_positions", min=16)]
    epochs: Annotated[int, Option("--fluency.epochs", min=1, max=10**4)]
    train_batch_size: Annotated[int, Option("--fluency.train_batch_size", min=1)]
    learning_rate: Annotated[float, Option("--fluency.learning_rate", min=0)]
    embedding_learning_rate: Annotated[float, Option("--fluency.embedding_learning_rate", min=0)]

    def sizes(self, seed: int) -> Sizes:
        """Return the sizes of the mini GPT-2; a text is read from its first position on."""
        names = vars(self) | {"batch_size": self.train_batch_size}
        del names["train_batch_size"]
        return Sizes(**names, max_offset=0, seed=seed)


def fetch_fluency_model(origin: Origin, output: Path) -> None:
    """Write the folder of a fluency model; one that says so if classify is to train it."""
    from genlab.sources.model_folders import copy_base, download_base

    if origin.source is Source.mini:
        write_without_model(output, {"source": origin.source.value})
    elif origin.source is Source.hub:
        download_base(origin.hub_id, origin.revision, None, output, "fluency_model")
    else:
        copy_base(origin.path, None, output)


def copy_or_make_model(
    fetched: Path, classifiers: Path, texts: list[str], sizes: Sizes
) -> dict[str, float]:
    """Put the fetched model into the folder of classifiers, or train one if there is none.

    Returns its last training loss, if it was trained.
    """
    from genlab.mini.gpt2 import END_OF_TEXT, pretrain, train_tokenizer

    folder = classifiers / FOLDER
    if (fetched / "config.json").is_file():
        shutil.copytree(fetched, folder)
        return {}
    tokenizer = train_tokenizer(texts, sizes.vocab_size)
    # As it is read later: a text begins after an end-of-text, at the first position.
    begun = [END_OF_TEXT + text for text in texts]
    model, loss = pretrain(begun, tokenizer, sizes)
    save_tried(model, tokenizer, folder, load_causal_model, "the language model of fluency")
    return {"train_loss": loss}


def read_fluency(classifiers: Path, texts: list[str], batch_size: int) -> list[np.ndarray]:
    """Return for each text the loss of each token, in nats, under the fluency model."""
    tokenizer, model = load_for_inference(classifiers / FOLDER)
    return text_losses(model, tokenizer, texts, batch_size)


def measure_fluency(classifiers: Path, texts: list[str], batch_size: int) -> dict[str, float]:
    """Return perplexity and bits per byte of these texts together."""
    losses = read_fluency(classifiers, texts, batch_size)
    return {
        "perplexity": perplexity(mean_loss(losses)),
        "bits_per_byte": bits_per_byte(losses, texts),
    }


def read_each_once(classifiers: Path, texts: list[str], batch_size: int) -> list[np.ndarray]:
    """Return as `read_fluency`, with equal texts read once."""
    different = list(dict.fromkeys(texts))
    losses = dict(zip(different, read_fluency(classifiers, different, batch_size), strict=True))
    return [losses[text] for text in texts]
