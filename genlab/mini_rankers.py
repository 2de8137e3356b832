"""Two small rankers made here, for runs without a network: in LaBSE's place and in USE's.

In: a query table. Out: a model folder as the real ones have it - a sentence-transformers dual
encoder, and a TF-Hub SavedModel that takes raw strings. Both are bags of embeddings that start as
a random projection of tf-idf vectors, so that shared words count from the start, and are then
trained to tell each train query's selected passage from other passages (InfoNCE, van den Oord et
al. 2018), the query's own unselected ones among them: same topic, wrong answer. The training is
short on purpose: rankers that see through every wrong passage would be unlike the real ones.

One loop in PyTorch trains both; the second model's weights are then carried over to TensorFlow.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genlab import bm25
from genlab.program import InputError
from genlab.quiet_tensorflow import import_tensorflow
from genlab.tables import read_batches

if TYPE_CHECKING:
    import tensorflow
    import torch
    from tokenizers import Tokenizer

BATCH_SIZE = 64  # queries; each also meets the other 63's passages
N_HARD = 4  # of the query's own unselected passages, drawn anew in every epoch
TEMPERATURE = 0.05  # sentence-transformers' MultipleNegativesRankingLoss: scale 20
LEARNING_RATE = 0.004  # Adam; embeddings start with variance 1: this decides how much is learned
VOCABULARY = 8_000  # WordPiece; the mini corpus fills about half
ROWS_AT_A_TIME = 2_000
N_MEASURED = 500  # validation queries behind validation_mrr: a standard error of about 0.01
BUCKETS = 2**14  # for hashed words and pairs of words


@dataclass(frozen=True)
class TrainingPairs:
    """For each query its first selected passage, and all its unselected ones (maybe none)."""

    queries: list[str]
    selected: list[str]
    unselected: list[list[str]]

    def texts(self) -> list[str]:
        """Return every text: the queries, the selected passages, the unselected ones."""
        return [*self.queries, *self.selected, *(text for row in self.unselected for text in row)]


def make_ranker(
    kind: str, table: Path, max_queries: int, dim: int, epochs: int, seed: int, output: Path
) -> dict[str, int | float]:
    """Write what a ranker of `kind` needs to the folder `output`; return facts for its manifest.

    BM25 counts every passage of the table; the others learn from at most `max_queries` of its
    train queries. Raises InputError for a kind that is not made here.
    """
    if kind == "bm25":
        return bm25.write_collection(table, output)
    if kind == "cross_encoder":
        raise InputError("a cross_encoder is not made here (source: mini); use source hub or file")
    pairs = read_training_pairs(table, max_queries)
    if kind == "tensorflow_hub":
        return make_tensorflow_hub(pairs, dim, epochs, seed, output / "model")
    return make_sentence_transformer(pairs, dim, epochs, seed, output / "model")


def read_training_pairs(table: Path, max_queries: int) -> TrainingPairs:
    """Return the first `max_queries` answerable train queries of a query table.

    Raises InputError if there are fewer than two: a passage can then not be told from another.
    """
    rows = list(islice(answerable_rows(table, "train"), max_queries))
    if len(rows) < 2:
        raise InputError(
            f"{table}: {len(rows)} train queries with a selected passage, of at most "
            f"max_queries={max_queries}; a ranker cannot be trained on fewer than two"
        )
    texts = [{True: [], False: []} for _ in rows]
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
    for batch in read_batches(table, ROWS_AT_A_TIME):
        yield from batch.filter(
            pl.col("split") == split, pl.col("passages").list.eval(selected).list.any()
        ).iter_rows(named=True)


def mean_reciprocal_rank(
    relevance: Callable[[list[str], list[str]], np.ndarray], table: Path
) -> dict[str, int | float]:
    """Return validation_mrr over the first N_MEASURED answerable validation queries, and how many.

    A query's rank is that of its best selected passage among all its passages; ties count half.
    Empty without such a query.
    """
    rows = list(islice(answerable_rows(table, "validation"), N_MEASURED))
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
    pairs: TrainingPairs, dim: int, epochs: int, seed: int, output: Path
) -> dict[str, float]:
    """Train a StaticEmbedding dual encoder and save it to `output`; return its facts."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = train_tokenizer(pairs.texts())

    def tokenize(texts: list[str]) -> list[np.ndarray]:
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in encoded]

    encoder, loss = train(pairs, tokenize, tokenizer.get_vocab_size(), dim, epochs, seed, layers=0)
    static = StaticEmbedding(tokenizer, embedding_weights=encoder.embedding.weight.detach())
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(
        str(output), create_model_card=False
    )
    return describe(pairs, encoder, loss)


def train_tokenizer(texts: Iterable[str]) -> "Tokenizer":
    """Return a lower-casing WordPiece tokenizer trained on `texts`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=["[UNK]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make_tensorflow_hub(
    pairs: TrainingPairs, dim: int, epochs: int, seed: int, output: Path
) -> dict[str, float]:
    """Train a deep averaging network and save it as a SavedModel; return its facts.

    As the Universal Sentence Encoder's smaller variant (Cer et al. 2018): embeddings of words and
    pairs of words are averaged and passed through a feed-forward network. No biases, so that the
    empty text is the zero vector.
    """
    tf, _ = import_tensorflow()
    hash_words = make_hash_words(tf)

    def tokenize(texts: list[str]) -> list[np.ndarray]:
        ids = hash_words(tf.constant(texts))
        return np.split(ids.values.numpy(), ids.row_splits.numpy()[1:-1])

    encoder, loss = train(pairs, tokenize, BUCKETS, dim, epochs, seed, layers=2)
    module = tf.Module()
    module.embedding = tf.Variable(encoder.embedding.weight.detach().numpy())
    module.layers = [tf.Variable(layer.weight.detach().numpy()) for layer in encoder.layers]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(texts: "tensorflow.Tensor") -> "tensorflow.Tensor":
        ids = hash_words(texts)
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(tf.gather(module.embedding, ids), axis=1),
            tf.cast(ids.row_lengths(), tf.float32)[:, None],
        )
        first, second = module.layers
        hidden = tf.tanh(tf.matmul(mean, first, transpose_b=True))
        return tf.matmul(hidden, second, transpose_b=True)

    module.__call__ = embed
    tf.saved_model.save(module, str(output))
    return describe(pairs, encoder, loss)


def make_hash_words(tf) -> Callable:
    """Return the function from strings [n] to ragged int64 ids [n, words and pairs of words]."""

    def hash_words(texts):
        lower = tf.strings.lower(texts, encoding="utf-8")
        words = tf.strings.split(tf.strings.regex_replace(lower, r"[^\pL\pM\pN]+", " "))
        pairs = tf.strings.ngrams(words, 2, separator=" ")
        return tf.strings.to_hash_bucket_fast(tf.concat([words, pairs], axis=1), BUCKETS)

    return hash_words


def train(
    pairs: TrainingPairs,
    tokenize: Callable[[list[str]], list[np.ndarray]],
    n_ids: int,
    dim: int,
    epochs: int,
    seed: int,
    layers: int,
) -> tuple["torch.nn.Module", float]:
    """Return an encoder trained on `pairs`, and the mean loss (nats) of its last epoch.

    The encoder maps a list of id arrays to [n, dim]: their mean embedding, through `layers`
    bias-free linear layers with tanh in between.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    bags = iter(tokenize(pairs.texts()))  # all at once: TensorFlow takes 1 ms a call
    queries = [next(bags) for _ in pairs.queries]
    selected = [next(bags) for _ in pairs.selected]
    unselected = [[next(bags) for _ in row] for row in pairs.unselected]
    documents = [*selected, *(ids for row in unselected for ids in row)]

    torch.manual_seed(seed)
    encoder = make_encoder(inverse_frequencies(documents, n_ids), dim, layers)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=LEARNING_RATE, fused=True)
    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(epochs):
        losses = []
        order = rng.permutation(len(queries))
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            hard = [ids for row in rows for ids in draw(unselected[row], N_HARD, rng)]
            asked = normalize(encoder([queries[row] for row in rows]))
            offered = normalize(encoder([selected[row] for row in rows] + hard))
            similarity = asked @ offered.T / TEMPERATURE  # [b, b + hard]; row i's answer is i
            loss = cross_entropy(similarity, torch.arange(len(rows)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return encoder, float(np.mean(losses)) if losses else 0.0


def draw(items: list, n: int, rng: np.random.Generator) -> list:
    """Return `n` of `items`, or all if there are fewer, in random order."""
    return [items[i] for i in rng.permutation(len(items))[:n]]


def make_encoder(weights: np.ndarray, dim: int, layers: int) -> "torch.nn.Module":
    """Return the encoder `train` describes: random embeddings, row i scaled by weights[i].

    The layers start as the identity, so that training starts from the weighted bag of words.
    """
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            table = torch.randn(len(weights), dim) * torch.from_numpy(weights)[:, None]
            self.embedding = torch.nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="mean")
            self.layers = torch.nn.ModuleList(
                torch.nn.Linear(dim, dim, bias=False) for _ in range(layers)
            )
            for layer in self.layers:
                torch.nn.init.eye_(layer.weight)

        def forward(self, bags: list[np.ndarray]) -> torch.Tensor:
            offsets = np.cumsum([0] + [len(ids) for ids in bags[:-1]])
            ids = np.concatenate([np.zeros(0, np.int64), *bags])
            x = self.embedding(torch.from_numpy(ids), torch.from_numpy(offsets))
            for i, layer in enumerate(self.layers):
                x = layer(torch.tanh(x) if i else x)
            return x

    return Encoder()


def inverse_frequencies(documents: list[np.ndarray], n_ids: int) -> np.ndarray:
    """Return float32 [n_ids]: ln(1 + N / documents with the id), divided by its mean.

    An id that no document holds weighs as much as one that a single document holds.
    """
    present = np.concatenate([np.unique(ids) for ids in documents])
    counts = np.maximum(np.bincount(present, minlength=n_ids), 1)
    weights = np.log1p(len(documents) / counts)
    return (weights / weights.mean()).astype(np.float32)


def describe(pairs: TrainingPairs, encoder: "torch.nn.Module", loss: float) -> dict[str, float]:
    """Return the facts that a made ranker's manifest keeps."""
    return {
        "n_train_queries": len(pairs.queries),
        "n_parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "train_loss": round(loss, 4),
    }
