"""Rankers: judges of how relevant a text is to a query, each of them one function.

A ranker is a folder with `ranker.json` (kind, where it is from) and either BM25's statistics or a
`model` folder in its library's own layout. stages/fetch.py makes such folders. `load_ranker` needs
no network and runs no code from the folder: weights are safetensors, never pickles. A SavedModel
is a graph of TensorFlow's operations, which can read and write files: take it from a source you
trust.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from genlab.core.processes import map_shared
from genlab.core.program import InputError
from genlab.core.progress import count
from genlab.core.shapes import parse_json
from genlab.models.classifier_inputs import UNLIMITED, prepare_inputs
from genlab.models.loading import (
    check_whole,
    first_line,
    quiet_loading,
    read_tokenizer,
    read_weights,
)
from genlab.models.quiet_tensorflow import import_tensorflow
from genlab.models.trial import TRIAL_TEXTS, try_rates
from genlab.ranking import bm25

BATCHES_A_CALL = 8  # a call of encode costs a millisecond, a batch of the static encoder seven
LONG_TEXT = "word " * 600  # more than the positions of BERT's kind, 512
UNCUT = 30  # words of a trial's text, a third of them, where nothing is cut
PAIRS_AT_A_TIME = 10_000  # 2 x 10,000 x 768 x 4 bytes = 61 MB of gathered embeddings

# Safely and offline. .float() follows: in bfloat16 or float16 scores tie and depend on the batch.
LOADING: dict[str, Any] = {
    "local_files_only": True,
    "trust_remote_code": False,
    "model_kwargs": {"use_safetensors": True},
}

Relevance = Callable[[list[str], list[str]], np.ndarray]
Embed = Callable[[list[str]], np.ndarray]


class RankerKind(StrEnum):
    """What reads a ranker's folder; bm25 has no model."""

    sentence_transformer = "sentence_transformer"
    tensorflow_hub = "tensorflow_hub"
    bm25 = "bm25"
    cross_encoder = "cross_encoder"


@dataclass(frozen=True)
class Ranker:
    """`relevance(queries, texts)`: float32 [n], of texts[i] to queries[i]; higher is better.

    `n_unread(texts)`: int32 [n], how many tokens at each text's end lie beyond the input limit
    (0 where there is none; a cross-encoder's limit holds the query too, so it reads even less).
    """

    name: str
    kind: RankerKind
    relevance: Relevance
    n_unread: Callable[[list[str]], np.ndarray]


def load_ranker(folder: Path, batch_size: int, n_kept: int = 0) -> Ranker:
    """Return the ranker in `folder`, tried out; it encodes `batch_size` texts at a time.

    n_kept: how many queries, texts or pairs it remembers, for a page that asks the same again (see
    `keep_last`); BM25 encodes none. Raises InputError if it does not work; so does its `relevance`
    if a score is NaN or infinite.
    """
    path = folder / "ranker.json"
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        name, kind = manifest["name"], RankerKind(manifest["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no ranker's manifest ({first_line(error)}); run `dvc repro` to fetch it"
        ) from None
    try:
        model, n_unread = open_model(kind, folder, batch_size, n_kept)
        relevance = partial(finite_relevance, name, model)
        relevance(["a query"] * 3, ["a text", "", LONG_TEXT])
    except InputError:
        raise
    except Exception as error:  # TensorFlow and tokenizers raise bare Exceptions for broken files
        origin = manifest.get("path") or manifest.get("hub_id") or folder
        raise InputError(
            f"ranker {name}: {origin} does not work as a {kind} "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    return Ranker(name, kind, relevance, n_unread)


def try_ranker(ranker: Ranker, shown: str) -> None:
    """Raise InputError, naming `shown`, for a ranker that does not rate texts as one must.

    See `try_rates`; and another query must make a difference to some text.
    """

    def rates(texts: list[str]) -> np.ndarray:
        return ranker.relevance(["a red stone by the river"] * len(texts), texts)

    # Of a model without a limit nothing is cut, and a long text would take a minute.
    is_cut = ranker.n_unread([LONG_TEXT])[0] > 0
    try_rates(rates, len(LONG_TEXT.split()) if is_cut else UNCUT, shown)
    texts = [*TRIAL_TEXTS, *TRIAL_TEXTS]
    queries = [text for query in TRIAL_TEXTS[:2] for text in [query] * len(TRIAL_TEXTS)]
    one, other = np.split(ranker.relevance(queries, texts), 2)
    if np.array_equal(one, other):
        raise InputError(f"{shown}: it rates texts alike for any query; take another")


def open_model(
    kind: RankerKind, folder: Path, batch_size: int, n_kept: int
) -> tuple[Relevance, Callable[[list[str]], np.ndarray]]:
    """Return the unchecked relevance function and n_unread of a ranker of `kind`."""
    if kind is RankerKind.sentence_transformer:
        return open_sentence_transformer(folder / "model", batch_size, n_kept)
    if kind is RankerKind.tensorflow_hub:
        return open_tensorflow_hub(folder / "model", batch_size, n_kept), none_unread
    if kind is RankerKind.cross_encoder:
        return open_cross_encoder(folder / "model", batch_size, n_kept)
    return partial(bm25.score_pairs, bm25.read_collection(folder)), none_unread


def open_sentence_transformer(
    folder: Path, batch_size: int, n_kept: int = 0
) -> tuple[Relevance, Callable[[list[str]], np.ndarray]]:
    """Return cosine relevance and n_unread of a sentence-transformers model.

    A model's own prompts for queries and for documents, if it has any, are put in front.
    """
    from sentence_transformers import SentenceTransformer

    where = transformer_folder(folder)
    if (where / "config.json").is_file():  # a static one has none
        read_tokenizer(where)
    with quiet_loading():
        model = SentenceTransformer(str(folder), **LOADING).float()
    inner = getattr(model[0], "auto_model", None)
    if inner is not None:
        check_weights(inner, where, "sentence transformer")
    limit_input(model, inner, folder)
    options = {"batch_size": batch_size, "show_progress_bar": False}
    embed_queries, embed_texts = (
        keep_last(partial(in_calls, partial(encode, **options), batch_size, len), n_kept)
        for encode in (model.encode_query, model.encode_document)
    )
    relevance = partial(cosine_relevance, embed_queries, embed_texts)
    return relevance, partial(count_unread, model.tokenizer, model.get_max_seq_length())


def transformer_folder(folder: Path) -> Path:
    """Return where a sentence-transformers model has its first module."""
    modules = folder / "modules.json"  # a bare transformer has none, and is pooled by the mean
    listed = parse_json(modules.read_text(encoding="utf-8")) if modules.is_file() else []
    return folder / listed[0]["path"] if listed else folder


def open_cross_encoder(
    folder: Path, batch_size: int, n_kept: int
) -> tuple[Relevance, Callable[[list[str]], np.ndarray]]:
    """Return relevance and n_unread of a cross-encoder: its logit, query and text read together.

    The logit and not its sigmoid, which in float32 is exactly 1 for all good texts: false ties.
    """
    import torch
    from sentence_transformers import CrossEncoder

    read_tokenizer(folder)
    with quiet_loading():
        model = CrossEncoder(str(folder), **LOADING).float()
    check_weights(model.model, folder, "cross-encoder")
    limit_input(model, model.model, folder)
    if model.num_labels != 1:
        raise ValueError(f"it has {model.num_labels} labels; a ranker has one")

    predict = partial(
        model.predict,
        batch_size=batch_size,
        show_progress_bar=False,
        activation_fn=torch.nn.Identity(),
    )
    of_pairs = partial(in_calls, predict, batch_size, lambda pair: len(pair[0]) + len(pair[1]))
    score = keep_last(of_pairs, n_kept)

    def relevance(queries: list[str], texts: list[str]) -> np.ndarray:
        unique, positions = number_unique(list(zip(queries, texts, strict=True)))
        if not unique:
            return np.zeros(0, np.float32)
        scores = score(unique)
        return np.asarray(scores, dtype=np.float32).reshape(-1)[positions]

    return relevance, partial(count_unread, model.tokenizer, model.max_seq_length)


def check_weights(inner: Any, folder: Path, kind: str) -> None:
    """Raise InputError unless the weights in `folder` are those of `inner`, loaded from there.

    sentence-transformers does not hand on what transformers found missing; on the meta device it
    is asked again without reading a weight.
    """
    _, found = read_weights(type(inner), folder, config=inner.config, device_map="meta")
    # Sentences are pooled from the tokens: BERT's own pooler, not always saved, is not used.
    unused = ("pooler.",) if kind == "sentence transformer" else ()
    missing = {key for key in found["missing_keys"] if not key.startswith(unused)}
    check_whole(folder, kind, inner, missing, found["unexpected_keys"])


def limit_input(model: Any, inner: Any, folder: Path) -> None:
    """Let sentence-transformers cut at the positions that `inner`, a model of transformers, has."""
    if inner is None:  # a static one reads texts of any length
        return
    limit = prepare_inputs(inner, model.tokenizer, str(folder))
    if limit is not None:
        model.max_seq_length = min(limit, model.max_seq_length or limit)


def open_tensorflow_hub(folder: Path, batch_size: int, n_kept: int) -> Relevance:
    """Return cosine relevance of a SavedModel that maps strings [n] to embeddings [n, dim]."""
    tf, hub = import_tensorflow()
    model = hub.load(str(folder))
    if not callable(model):
        raise ValueError("it cannot be called on a batch of strings (is it of the TF1 format?)")

    def embed(texts: list[str]) -> np.ndarray:
        return model(tf.constant(texts)).numpy()  # [n, dim]

    embed_all = keep_last(partial(in_parts, embed, batch_size, len), n_kept)
    return partial(cosine_relevance, embed_all, embed_all)


def keep_last(compute: Callable[[list], np.ndarray], n_kept: int) -> Callable[[list], np.ndarray]:
    """Return `compute`, which remembers what it gave for the last `n_kept` items; as it is if 0.

    Each item is computed alone then: in a batch with others its last bits would depend on which of
    them were remembered.
    """
    if not n_kept:
        return compute
    kept = lru_cache(n_kept)(lambda item: compute([item])[0])
    return lambda items: np.array([kept(item) for item in items])


def in_calls(
    compute: Callable[[list], np.ndarray],
    batch_size: int,
    length: Callable[[Any], int],
    items: list,
) -> np.ndarray:
    """Return `in_parts` of a `compute` that cuts what it gets into batches itself."""
    return in_parts(compute, BATCHES_A_CALL * batch_size, length, items)


def in_parts(
    compute: Callable[[list], np.ndarray],
    part_size: int,
    length: Callable[[Any], int],
    items: list,
) -> np.ndarray:
    """Return compute(items) [n, ...], by parts of similar length that the processes share.

    The libraries cut a part into batches, but would do so with whatever one process has; the parts
    are the same for any number of processes.
    """
    order = sorted(range(len(items)), key=lambda i: length(items[i]))
    parts = [
        [items[i] for i in order[start : start + part_size]]
        for start in range(0, len(items), part_size)
    ]
    computed = map_shared(compute, parts, lambda part: count(len(part)))
    return np.concatenate(computed)[np.argsort(order)]


def cosine_relevance(
    embed_queries: Embed, embed_texts: Embed, queries: list[str], texts: list[str]
) -> np.ndarray:
    """Return float32 [n]: the cosine of each query's and its text's embedding.

    Equal strings are embedded once. A zero vector (an empty text's) has the cosine 0 with all.
    """
    unique_queries, query_at = number_unique(queries)
    unique_texts, text_at = number_unique(texts)
    if not unique_texts:
        return np.zeros(0, np.float32)
    query_vectors = normalize_rows(embed_queries(unique_queries))
    text_vectors = normalize_rows(embed_texts(unique_texts))
    parts = []
    for start in range(0, len(texts), PAIRS_AT_A_TIME):
        pairs = slice(start, start + PAIRS_AT_A_TIME)
        parts.append(
            np.einsum("nd,nd->n", query_vectors[query_at[pairs]], text_vectors[text_at[pairs]])
        )
    return np.concatenate(parts)


def number_unique(items: list) -> tuple[list, np.ndarray]:
    """Return the different items in order of appearance, and int64 [n]: where each one is."""
    numbers: dict = {}
    positions = [numbers.setdefault(item, len(numbers)) for item in items]
    return list(numbers), np.array(positions, dtype=np.int64)


def normalize_rows(vectors: np.ndarray) -> np.ndarray:
    """Return float32 [n, dim] with rows of length 1; zero rows stay zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def count_unread(tokenizer, limit: float | None, texts: list[str]) -> np.ndarray:
    """Return int32 [n]: how many tokens of each text lie beyond `limit` (None or huge: none)."""
    if limit is None or limit > UNLIMITED or not texts:
        return none_unread(texts)
    tokens = tokenizer(texts, truncation=False, padding=False, verbose=False)["input_ids"]
    return np.array([max(0, len(ids) - limit) for ids in tokens], dtype=np.int32)


def none_unread(texts: list[str]) -> np.ndarray:
    """Return int32 [n] zeros: of a ranker that reads texts of any length."""
    return np.zeros(len(texts), dtype=np.int32)


def finite_relevance(
    name: str, relevance: Relevance, queries: list[str], texts: list[str]
) -> np.ndarray:
    """Return relevance(queries, texts); raise InputError if a score is NaN or infinite."""
    scores = np.asarray(relevance(queries, texts), dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        query, text = shorten(queries[bad[0]]), shorten(texts[bad[0]])
        raise InputError(
            f"ranker {name}: {bad.size} of {len(texts)} scores are NaN or infinite, the first for "
            f"query {query!r} and text {text!r}; the model is broken, or breaks on such texts"
        )
    return scores


def shorten(text: str, length: int = 60) -> str:
    """Return at most `length` characters of `text`."""
    return text if len(text) <= length else text[: length - 3] + "..."
