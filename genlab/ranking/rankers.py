"""Rankers: each is one function that rates how relevant a text is to a query.

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
from genlab.models.loading import (
    ATTENTION_REMEDY,
    asks_for_attention,
    quiet_loading,
    read_tokenizer,
)
from genlab.models.model_files import first_line
from genlab.models.quiet_tensorflow import import_tensorflow
from genlab.models.trial import TRIAL_TEXTS, try_rates
from genlab.ranking import bm25, encoders
from genlab.ranking.similarities import Embed, number_unique, paired_relevance

BATCHES_A_CALL = 8  # a call of encode costs a millisecond, a batch of the static encoder seven
LONG_TEXT = "word " * 600  # more than the positions of BERT's kind, 512
UNCUT = 30  # words of a trial's text, a third of them, where nothing is cut

# Safely and offline. .float() follows: in bfloat16 or float16 scores tie and depend on the batch.
LOADING: dict[str, Any] = {
    "local_files_only": True,
    "trust_remote_code": False,
    "model_kwargs": {"use_safetensors": True, "dtype": "float32"},
}

Relevance = Callable[[list[str], list[str]], np.ndarray]


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

    n_kept: how many queries, texts or pairs are cached, for a page that asks the same again (see
    `keep_last`); BM25 needs no cache. Raises InputError if it does not work. Its `relevance` raises
    InputError for a score that is NaN or infinite.
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
            f"ranker {name}: {origin} does not work as a {kind} {why_not_working(error)}"
        ) from error
    return Ranker(name, kind, relevance, n_unread)


def why_not_working(error: Exception) -> str:
    """Return in brackets why a ranker does not work, and what to do if that is known."""
    if "ignore_mismatched_sizes" in str(error):  # it points to a report above
        return "(its weights have other sizes than config.json says)"
    remedy = f"; {ATTENTION_REMEDY}" if asks_for_attention(error) else ""
    return f"({type(error).__name__}: {first_line(error)}){remedy}"


def try_ranker(ranker: Ranker, shown: str) -> None:
    """Raise InputError, naming `shown`, for a ranker that fails `try_rates` or ignores queries."""

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
    """Return relevance and n_unread of a sentence-transformers model.

    Relevance is what the model itself says: the cosine if it says nothing, else the dot product or
    a negative distance. Its own prompts for queries and for documents, if it has any, are put in
    front.
    """
    from sentence_transformers import SentenceTransformer

    encoders.check_modules(folder)
    for where in encoders.transformer_folders(folder):  # a static one has none
        read_tokenizer(where)
    with quiet_loading():
        model = SentenceTransformer(str(folder), **LOADING).float()
    encoders.prepare_parts(model, folder, "sentence transformer")

    def embedder(task: str, encode: Callable[..., np.ndarray]) -> Embed:
        prompt = encoders.prompt_of(model.prompts, task)
        options = {"prompt": prompt, "batch_size": batch_size, "show_progress_bar": False}
        return keep_last(partial(in_calls, partial(encode, **options), batch_size, len), n_kept)

    embed_queries = embedder("query", model.encode_query)
    embed_texts = embedder("document", model.encode_document)
    similarity = model.similarity_fn_name
    relevance = partial(paired_relevance, similarity, embed_queries, embed_texts)
    return relevance, encoders.unread_counter(model)


def open_cross_encoder(
    folder: Path, batch_size: int, n_kept: int
) -> tuple[Relevance, Callable[[list[str]], np.ndarray]]:
    """Return relevance and n_unread of a cross-encoder: its logit, query and text read together.

    The logit and not its sigmoid, which in float32 is exactly 1 for all good texts: false ties.
    """
    import torch
    from sentence_transformers import CrossEncoder

    for where in encoders.transformer_folders(folder):
        read_tokenizer(where)
    with quiet_loading():
        model = CrossEncoder(str(folder), **LOADING).float()
    encoders.prepare_parts(model, folder, "cross-encoder")
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

    limit = model.max_seq_length  # a prompt stands in front of the query
    return relevance, partial(encoders.count_unread, model.tokenizer, limit)


def open_tensorflow_hub(folder: Path, batch_size: int, n_kept: int) -> Relevance:
    """Return cosine relevance of a SavedModel that maps strings [n] to embeddings [n, dim]."""
    tf, hub = import_tensorflow()
    model = hub.load(str(folder))
    if not callable(model):
        raise ValueError("it cannot be called on a batch of strings (is it of the TF1 format?)")

    def embed(texts: list[str]) -> np.ndarray:
        return model(tf.constant(texts)).numpy()  # [n, dim]

    embed_all = keep_last(partial(in_parts, embed, batch_size, len), n_kept)
    return partial(paired_relevance, "cosine", embed_all, embed_all)


def keep_last(compute: Callable[[list], np.ndarray], n_kept: int) -> Callable[[list], np.ndarray]:
    """Return `compute` with a cache of the last `n_kept` items; unchanged if that is 0.

    With a cache each item is computed alone: in a batch its last bits would depend on the others,
    and so on which of them were cached.
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
    """Return compute(items) [n, ...], computed in parts of similar length, shared among processes.

    The parts are the same for any number of processes; the libraries cut each into batches.
    """
    order = sorted(range(len(items)), key=lambda i: length(items[i]))
    parts = [
        [items[i] for i in order[start : start + part_size]]
        for start in range(0, len(items), part_size)
    ]
    computed = map_shared(compute, parts, lambda part: count(len(part)))
    return np.concatenate(computed)[np.argsort(order)]


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
