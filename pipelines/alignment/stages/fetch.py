"""fetch: the corpus, the base policy, the reward model and the held-out reward.

This stage alone reaches outside. Each command fetches one asset from a source: `mini` (made here,
no network), `hub` (downloaded) or `file` (a path of the user's). The corpus may also be the
flagship's `queries`, and a reward one of its rankers (`ranker`). Everything later runs offline.
"""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.mini.gpt2 import Sizes, check_sizes
from genlab.sources.source import Source
from pipelines.alignment.schemas import SPLITS, TEXT_SCHEMA

app = stage_app()

Metrics = Annotated[Path, Option(help="JSON of counts")]
ModelPath = Annotated[
    Path, Option(help="mini: the texts it is trained on; else: the model's folder")
]
HubId = Annotated[str, Option()]
Revision = Annotated[str, Option(help="hub: commit that is downloaded")]
Seed = Annotated[int, Option(min=0)]


class CorpusSource(StrEnum):
    mini = "mini"
    hub = "hub"
    file = "file"
    queries = "queries"


class RewardSource(StrEnum):
    mini = "mini"
    hub = "hub"
    file = "file"
    ranker = "ranker"


@app.command()
def corpus(
    output: Path,
    metrics: Metrics,
    source: Annotated[CorpusSource, Option()],
    path: Annotated[Path, Option(help="mini: the vocabulary; file, queries: the user's")],
    hub_id: HubId,
    revision: Revision,
    n_texts: Annotated[
        int, Option(min=0, help="0: all there are; mini: at least 2; not of queries")
    ],
    max_words: Annotated[int, Option(min=1, help="a longer text is cut to its first sentences")],
    validation_share: Annotated[float, Option(min=0.0, max=1.0)],
    seed: Seed,
) -> None:
    """Fetch the texts as one table."""
    from pipelines.alignment import labelled_texts, mini_films

    dropped: Counter[str] = Counter()
    limits = (max_words, n_texts, validation_share, dropped)
    if source is CorpusSource.mini:
        frames = mini_films.make_reviews(path, n_texts, validation_share, seed)
    elif source is CorpusSource.hub:
        frames = labelled_texts.read_hub_texts(hub_id, revision, *limits)
    elif source is CorpusSource.file:
        frames = labelled_texts.read_text_files(path, *limits)
    else:
        frames = labelled_texts.read_queries(path)
    counts: Counter[str] = Counter()

    def counted(frame: pl.DataFrame) -> pl.DataFrame:
        moods = {"positive": frame["is_positive"], "negative": ~frame["is_positive"]}
        counts.update({f"{split}_texts": (frame["split"] == split).sum() for split in SPLITS})
        counts.update({mood: int(column.sum()) for mood, column in moods.items()})
        return frame

    write_table(output, map(counted, frames), TEXT_SCHEMA)
    write_json(metrics, dict(counts) | {"left_out": {"total": dropped.total(), **dropped}})


def check_base(source: Source, sizes: Sizes) -> None:
    """Raise InputError for sizes of the mini model that make none."""
    if source is Source.mini:
        check_sizes(sizes)


@app.command()
@grouped_options
def base(
    output: Path,
    metrics: Metrics,
    source: Annotated[Source, Option()],
    path: ModelPath,
    hub_id: HubId,
    revision: Revision,
    sizes: Sizes,
) -> None:
    """Fetch the policy that is to be aligned: a language model that knows both moods."""
    from genlab.mini.gpt2 import pretrain, train_tokenizer
    from genlab.models.loading import load_causal_model
    from genlab.sources import model_folders

    check_base(source, sizes)
    counts = {}
    if source is Source.mini:
        texts = read_table(path).filter(pl.col("split") == "train")["text"].to_list()
        tokenizer = train_tokenizer(texts, sizes.vocab_size)
        # With BOS before it, a text's first token is learned, too: that is all its prompt.
        model, counts["pretraining_loss"] = pretrain(
            [tokenizer.bos_token + text for text in texts],
            tokenizer,
            sizes,
        )
        with written_whole(output) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    elif source is Source.hub:
        model_folders.download_base(hub_id, revision, None, output)
    else:
        model_folders.copy_base(path, None, output)
    counts["parameters"] = load_causal_model(output).num_parameters()
    write_json(metrics, counts)


@app.command("reward_model")
def reward_model(
    corpus: Path,
    output: Path,
    metrics: Metrics,
    source: Annotated[RewardSource, Option()],
    path: ModelPath,
    hub_id: HubId,
    revision: Revision,
    vocab_size: Annotated[int, Option(min=300, help="mini: tokens, 257 of them bytes and EOS")],
    hidden_size: Annotated[int, Option(min=32)],
    max_tokens: Annotated[int, Option(min=8, help="mini: what it reads of a text")],
    epochs: Annotated[int, Option(min=1)],
    batch_size: Annotated[int, Option(min=1)],
    learning_rate: Annotated[float, Option(min=0.0)],
    seed: Seed,
) -> None:
    """Fetch what rewards a text: a classifier of two moods, or a ranker."""
    from genlab.preference import rewards

    counts = {}
    if source is RewardSource.mini:
        texts, labels = rewards.training_texts(read_table(path), "reward", "reward_model")
        counts["training_loss"] = rewards.make_classifier(
            texts,
            labels,
            output,
            vocab_size=vocab_size,
            hidden_size=hidden_size,
            max_tokens=max_tokens,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
        )
    else:
        fetch_model(source, path, hub_id, revision, output, "reward_model")
    write_json(metrics, counts | measured(output, corpus))


@app.command("held_out_reward")
def held_out_reward(
    corpus: Path,
    output: Path,
    metrics: Metrics,
    source: Annotated[RewardSource, Option()],
    path: ModelPath,
    hub_id: HubId,
    revision: Revision,
    min_texts: Annotated[int, Option(min=1, help="mini: texts that a word stands in, to count")],
    inverse_penalty: Annotated[float, Option(min=1e-6, help="mini: scikit-learn's C")],
) -> None:
    """Fetch what rates the texts in the end, and is not what rewarded them."""
    from genlab.preference import rewards

    counts = {}
    if source is RewardSource.mini:
        texts, labels = rewards.training_texts(read_table(path), "held_out", "held_out_reward")
        counts["words"] = rewards.make_bag_of_words(
            texts, labels, output, min_texts=min_texts, inverse_penalty=inverse_penalty
        )
    else:
        fetch_model(source, path, hub_id, revision, output, "held_out_reward")
    write_json(metrics, counts | measured(output, corpus))


def fetch_model(
    source: RewardSource, path: Path, hub_id: str, revision: str, output: Path, name: str
) -> None:
    """Write a classifier's or a ranker's folder from outside to `output`."""
    from genlab.preference.rewards import copy_ranker, load_classifier
    from genlab.sources.ranker_folders import copy_model, download_model

    if source is RewardSource.ranker:
        copy_ranker(path, output)
        return
    with written_whole(output) as folder:
        kind = "cross_encoder"  # how the flagship calls a classifier's folder
        if source is RewardSource.hub:
            download_model(kind, hub_id, revision, folder / "model", name)
        else:
            copy_model(kind, path, folder / "model")
        load_classifier(folder / "model")  # or one of three labels would stay
        write_json(folder / "reward.json", {"kind": "classifier"})


def measured(folder: Path, corpus: Path) -> dict[str, float]:
    """Return a model's accuracy on the validation texts, if they have moods; it is tried out."""
    from genlab.preference.rewards import accuracy, load_reward

    rates = load_reward(folder, batch_size=64)
    texts = read_table(corpus).filter(pl.col("split") == "validation")
    known = texts.filter(pl.col("is_positive").is_not_null())
    return {"validation_accuracy": accuracy(rates, known, 0.0)} if known.height else {}


if __name__ == "__main__":
    run(app)
