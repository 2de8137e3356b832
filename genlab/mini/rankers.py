"""Two small rankers made here, for runs without a network: in LaBSE's place and in USE's.

Each is trained on a query table and written as a model folder in the real one's layout: a
sentence-transformers dual encoder, and a TF-Hub SavedModel that takes raw strings. Both are bags of
embeddings. They start as a random projection of tf-idf vectors, so that shared words count from
the start, and are then trained to tell each train query's selected passage from other passages
(InfoNCE, van den Oord et al. 2018), the query's own unselected ones among them: same topic, wrong
answer. The training is short on purpose: rankers that see through every wrong passage would be
unlike the real ones.

One loop in PyTorch trains both; the second model's weights are then carried over to TensorFlow.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core import seeds
from genlab.core.numerics import hold_arithmetic
from genlab.core.program import InputError
from genlab.core.tables import read_batches
from genlab.models.quiet_tensorflow import import_tensorflow
from genlab.models.saved import N_SCORED, check_same_scores
from genlab.ranking import bm25

if TYPE_CHECKING:
    import tensorflow
    import torch
    from tokenizers import Tokenizer

BATCH_SIZE = 64  # queries; each also meets the other 63's passages
N_HARD = 4  # of the query's own unselected passages, drawn anew in every epoch
TEMPERATURE = 0.05  # sentence-transformers' MultipleNegativesRankingLoss: scale 20
LEARNING_RATE = 0.004  # Adam; embeddings start with variance 1: this decides how much is learned
VOCABULARY = 8_000  # the mini corpus fills about half
BUCKETS = 2**14  # for hashed words and bigrams
NOT_A_WORD = r"[^\pL\pM\pN]+"  # all but letters, their marks and digits, of any script
ROWS_AT_A_TIME = 2_000  # few, because they become Python objects
N_MEASURED = 500  # validation queries behind validation_mrr: a standard error of about 0.01


@dataclass(frozen=True)
class RankerRecipe:
    """How large a mini ranker is, and how it is trained."""

    max_queries: Annotated[int, Option(min=1, help="mini: training pairs")]
    dim: Annotated[int, Option(min=1, help="mini: embedding size")]
    epochs: Annotated[int, Option(min=1, max=10**4)]
    seed: Annotated[int, Option(min=0)]


@dataclass(frozen=True)
class TrainingPairs:
    """For each query its first selected passage, and all its unselected ones (maybe none)."""

    queries: list[str]
    selected: list[str]
    unselected: list[list[str]]

    def texts(self) -> list[str]:
        """Return every text: the queries, the selected passages, the unselected ones."""
        return [*self.queries, *self.selected, *chain.from_iterable(self.unselected)]


def make_ranker(
    kind: str, table: Path, recipe: RankerRecipe, output: Path
) -> dict[str, int | float]:
    """Write what a ranker of `kind` needs to the folder `output`; return facts for its manifest.

    BM25 counts every passage of the table; the others learn from its train queries. Raises
    InputError for a kind that is not made here.
    """
    if kind == "bm25":
        return bm25.write_collection(table, output)
    if kind == "cross_encoder":
        raise InputError("a cross_encoder is not made here (source: mini); use source hub or file")
    pairs = read_training_pairs(table, recipe.max_queries, recipe.seed)
    if kind == "tensorflow_hub":
        return make_tensorflow_hub(pairs, recipe, output / "model")
    return make_sentence_transformer(pairs, recipe, output / "model")


def read_training_pairs(table: Path, max_queries: int, seed: int) -> TrainingPairs:
    """Return `max_queries` answerable train queries of a query table, drawn by the seed.

    Raises InputError if there are fewer than two: a passage can then not be told from another.
    """
    rows = list(seeds.draw(answerable_rows(table, "train"), max_queries, seed))
    if len(rows) < 2:
        raise InputError(
            f"{table}: {len(rows)} train queries with a selected passage, of at most "
            f"max_queries={max_queries}; a ranker cannot be trained on fewer than two"
        )
    texts: list[dict[bool, list[str]]] = [{True: [], False: []} for _ in rows]
    for row, of_row in zip(rows, texts, strict=True):
        for passage in row["passages"]:
            of_row[passage["is_selected"]].append(passage["text"])
    return TrainingPairs(
        [row["query"] for row in rows],
        [of_row[True][0] for of_row in texts],
        [of_row[False] for of_row in texts],
    )


def answerable_rows(table: Path, split: str) -> Iterator[dict]:
    """Yield the rows of a query table's split that have a selected passage, in order."""
    selected = pl.element().struct.field("is_selected")
    for batch in read_batches(table, ROWS_AT_A_TIME, needed=("query", "passages", "split")):
        yield from batch.filter(
            pl.col("split") == split, pl.col("passages").list.eval(selected).list.any()
        ).iter_rows(named=True)


def mean_reciprocal_rank(
    relevance: Callable[[list[str], list[str]], np.ndarray], table: Path
) -> dict[str, int | float]:
    """Return validation_mrr over N_MEASURED answerable validation queries, and how many they were.

    A query's rank is that of its best selected passage among all its passages; ties count half.
    Empty without such a query.
    """
    rows = list(seeds.draw(answerable_rows(table, "validation"), N_MEASURED, seed=0))
    if not rows:
        return {}
    passages = [passage for row in rows for passage in row["passages"]]
    scores = relevance(
        [row["query"] for row in rows for _ in row["passages"]], [p["text"] for p in passages]
    )
    is_selected = np.array([passage["is_selected"] for passage in passages])
    ends = np.cumsum([len(row["passages"]) for row in rows])[:-1]
    reciprocal_ranks = []
    for own, selected in zip(np.split(scores, ends), np.split(is_selected, ends), strict=True):
        best = own[selected].max()
        n_tied = (own == best).sum() - 1
        reciprocal_ranks.append(1 / (1 + (own > best).sum() + n_tied / 2))
    return {
        "validation_mrr": round(float(np.mean(reciprocal_ranks)), 4),
        "n_validation_queries": len(rows),
    }


def make_sentence_transformer(
    pairs: TrainingPairs, recipe: RankerRecipe, output: Path
) -> dict[str, int | float]:
    """Train a StaticEmbedding dual encoder and save it to `output`; return its facts."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = train_tokenizer(pairs.texts())

    def tokenize(texts: list[str]) -> list[np.ndarray]:
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in encoded]

    weights, loss = train(pairs, tokenize, tokenizer.get_vocab_size(), recipe, 0)
    static = StaticEmbedding(tokenizer, embedding_weights=weights[0])
    model = SentenceTransformer(modules=[static], device="cpu")
    model.save_pretrained(str(output), create_model_card=False)
    few = pairs.selected[:N_SCORED]
    saved = SentenceTransformer(
        str(output), device="cpu", local_files_only=True, trust_remote_code=False
    )
    check_same_scores(
        embed(weights, tokenize(few)).numpy(),
        saved.encode(few, show_progress_bar=False),
        "the sentence transformer made here",
    )
    return describe(pairs, weights, loss)


def train_tokenizer(texts: Iterable[str]) -> "Tokenizer":
    """Return a lower-casing BPE tokenizer trained on `texts`.

    Not WordPiece: its trainer numbers word-internal letters in another order in every run.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["[UNK]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make_tensorflow_hub(
    pairs: TrainingPairs, recipe: RankerRecipe, output: Path
) -> dict[str, int | float]:
    """Train a deep averaging network and save it as a SavedModel; return its facts.

    As the Universal Sentence Encoder's smaller variant (Cer et al. 2018): embeddings of words and
    bigrams are averaged and passed through a feed-forward network. No biases, so that the empty
    text is the zero vector.
    """
    tf, _ = import_tensorflow()

    def hash_words(texts: "tensorflow.Tensor") -> "tensorflow.RaggedTensor":
        """Return ids [n, words and bigrams], int64."""
        lower = tf.strings.lower(texts, encoding="utf-8")
        words = tf.strings.split(tf.strings.regex_replace(lower, NOT_A_WORD, " "))
        bigrams = tf.strings.ngrams(words, 2, separator=" ")
        return tf.strings.to_hash_bucket_fast(tf.concat([words, bigrams], axis=1), BUCKETS)

    def tokenize(texts: list[str]) -> list[np.ndarray]:
        ids = hash_words(tf.constant(texts))
        return np.split(ids.values.numpy(), ids.row_splits.numpy()[1:-1])

    weights, loss = train(pairs, tokenize, BUCKETS, recipe, 2)
    module = tf.Module()
    module.weights = [tf.Variable(weight.numpy()) for weight in weights]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed_texts(texts: "tensorflow.Tensor") -> "tensorflow.Tensor":
        """Return float32 [n, dim]; `embed` in TensorFlow."""
        table, first, second = module.weights
        ids = hash_words(texts)
        lengths = tf.cast(ids.row_lengths(), tf.float32)[:, None]
        mean = tf.math.divide_no_nan(tf.reduce_sum(tf.gather(table, ids), axis=1), lengths)
        return tf.tanh(mean @ first) @ second

    module.__call__ = embed_texts
    tf.saved_model.save(module, str(output))
    # A random id, not needed to load: without it the same training writes the same bytes.
    (output / "fingerprint.pb").unlink(missing_ok=True)
    few = pairs.selected[:N_SCORED]
    saved = tf.saved_model.load(str(output))
    check_same_scores(
        embed(weights, tokenize(few)).numpy(),
        saved(tf.constant(few)).numpy(),
        "the TensorFlow model made here",
    )
    return describe(pairs, weights, loss)


def train(
    pairs: TrainingPairs,
    tokenize: Callable[[list[str]], list[np.ndarray]],
    n_ids: int,
    recipe: RankerRecipe,
    n_layers: int,
) -> tuple[list["torch.Tensor"], float]:
    """Return `embed`'s weights, trained on `pairs`, and the mean loss (nats) of the last epoch."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    bags = iter(tokenize(pairs.texts()))  # all at once: TensorFlow takes 1 ms a call
    queries = [next(bags) for _ in pairs.queries]
    selected = [next(bags) for _ in pairs.selected]
    unselected = [[next(bags) for _ in row] for row in pairs.unselected]
    idf = inverse_frequencies([*selected, *chain.from_iterable(unselected)], n_ids)

    torch.manual_seed(recipe.seed)
    table = torch.randn(n_ids, recipe.dim) * torch.from_numpy(idf)[:, None]
    layers = [torch.eye(recipe.dim) for _ in range(n_layers)]  # at first they do nothing
    weights = [table, *layers]
    for weight in weights:
        weight.requires_grad_()
    hold_arithmetic(sum(weight.numel() for weight in weights))
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE, fused=True)
    rng = np.random.default_rng(recipe.seed)
    losses: list = []
    for _ in range(recipe.epochs):
        losses = []
        order = rng.permutation(len(queries))
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            hard = [bag for row in rows for bag in draw(unselected[row], N_HARD, rng)]
            asked = normalize(embed(weights, [queries[row] for row in rows]))
            offered = normalize(embed(weights, [selected[row] for row in rows] + hard))
            similarity = asked @ offered.T / TEMPERATURE  # [b, b + hard]; row i's answer is i
            loss = cross_entropy(similarity, torch.arange(len(rows)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return [weight.detach() for weight in weights], float(np.mean(losses))


def embed(weights: list["torch.Tensor"], bags: list[np.ndarray]) -> "torch.Tensor":
    """Return [n, dim]: each bag's mean embedding, through linear layers with tanh between them.

    weights: the embeddings [ids, dim], then any number of layers [dim, dim].
    """
    import torch

    table, *layers = weights
    ids = torch.from_numpy(np.concatenate(bags))
    offsets = torch.from_numpy(np.cumsum([0] + [len(bag) for bag in bags[:-1]]))
    x = torch.nn.functional.embedding_bag(ids, table, offsets, mode="mean")
    for i, layer in enumerate(layers):
        x = (torch.tanh(x) if i else x) @ layer
    return x


def draw(items: list, n: int, rng: np.random.Generator) -> list:
    """Return `n` of `items`, or all if there are fewer, in random order."""
    return [items[i] for i in rng.permutation(len(items))[:n]]


def inverse_frequencies(documents: list[np.ndarray], n_ids: int) -> np.ndarray:
    """Return float32 [n_ids]: ln(1 + N / documents with the id), divided by its mean.

    An id that no document holds weighs as much as one that a single document holds.
    """
    present = np.concatenate([np.unique(ids) for ids in documents])
    counts = np.maximum(np.bincount(present, minlength=n_ids), 1)
    weights = np.log1p(len(documents) / counts)
    return (weights / weights.mean()).astype(np.float32)


def describe(
    pairs: TrainingPairs, weights: list["torch.Tensor"], loss: float
) -> dict[str, int | float]:
    """Return the facts that a made ranker's manifest keeps."""
    return {
        "n_train_queries": len(pairs.queries),
        "n_parameters": sum(weight.numel() for weight in weights),
        "train_loss": round(loss, 4),
    }
