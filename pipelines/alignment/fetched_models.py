"""The models that this pipeline begins with: the policy's base and the two that rate its texts."""

from pathlib import Path

import polars as pl

from genlab.core.tables import read_table
from genlab.mini.bert import ClassifierRecipe
from genlab.mini.gpt2 import Sizes, train_tokenizer, write_pretrained
from genlab.preference.reward_folders import (
    RewardOrigin,
    RewardSource,
    fetch_reward,
    make_classifier,
)
from genlab.sources.source import ModelOrigin, ModelSource
from pipelines.alignment.known_moods import labelled, validate
from pipelines.alignment.schemas import training_texts


def fetch_base(origin: ModelOrigin, sizes: Sizes, output: Path) -> dict[str, float]:
    """Write the policy's folder; return its size, and of one that was made its training's loss."""
    from genlab.models.loading import load_causal_model
    from genlab.sources.model_folders import fetch_folder

    counts: dict[str, float] = {}
    if origin.source is ModelSource.mini:
        texts = read_table(origin.made_from).filter(pl.col("split") == "train")["text"].to_list()
        tokenizer = train_tokenizer(texts, sizes.vocab_size)
        # BOS stands before each text, as it will when the policy writes: it is all the prompt.
        started = [tokenizer.bos_token + text for text in texts]
        counts["pretraining_loss"] = write_pretrained(output, started, tokenizer, sizes)
    else:
        _, counts = fetch_folder(*origin.where, output)
    return counts | {"parameters": load_causal_model(output).num_parameters()}


def fetch_reward_model(
    origin: RewardOrigin,
    recipe: ClassifierRecipe,
    corpus: Path,
    output: Path,
    min_accuracy: float,
) -> dict:
    """Write the folder of the model that rewards a text; return what it knows of the corpus."""
    counts = {}
    if origin.source is RewardSource.mini:
        texts, labels = training_texts(read_table(origin.path), "reward", "reward_model")
        counts["training_loss"] = make_classifier(texts, labels, recipe, output, "reward_model")
    else:
        fetch_reward(origin, output, "reward_model", *labelled(corpus))
    return counts | validate(output, corpus, "reward_model", min_accuracy)


def fetch_held_out_reward(
    origin: RewardOrigin,
    min_texts: int,
    inverse_penalty: float,
    corpus: Path,
    output: Path,
    min_accuracy: float,
) -> dict:
    """Write the folder of the second one; return what it knows of the corpus."""
    from genlab.preference.rewards import make_bag_of_words

    counts = {}
    if origin.source is RewardSource.mini:
        texts, labels = training_texts(read_table(origin.path), "held_out", "held_out_reward")
        counts["words"] = make_bag_of_words(
            texts, labels, output, min_texts=min_texts, inverse_penalty=inverse_penalty
        )
    else:
        fetch_reward(origin, output, "held_out_reward", *labelled(corpus))
    return counts | validate(output, corpus, "held_out_reward", min_accuracy)
