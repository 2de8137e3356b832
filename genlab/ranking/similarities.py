"""How alike a query's and a text's embedding are: higher is more alike, whatever the measure.

Most encoders are trained for the cosine. Some are trained for the dot product, in which the length
of a text's vector counts, or for a distance: the cosine would put their texts in another order.
"""

from collections.abc import Callable

import numpy as np

PAIRS_AT_A_TIME = 10_000  # 2 x 10,000 x 768 x 4 bytes = 61 MB of gathered embeddings

Embed = Callable[[list[str]], np.ndarray]


def paired_relevance(
    similarity: str, embed_queries: Embed, embed_texts: Embed, queries: list[str], texts: list[str]
) -> np.ndarray:
    """Return float32 [n]: how alike each query's and its text's embedding are.

    similarity: one of SIMILARITIES. Equal strings are embedded once. A zero vector (an empty
    text's) has the cosine 0 with all.
    """
    prepare, compare = SIMILARITIES[similarity]
    unique_queries, query_at = number_unique(queries)
    unique_texts, text_at = number_unique(texts)
    if not unique_texts:
        return np.zeros(0, np.float32)
    query_vectors = prepare(embed_queries(unique_queries))
    text_vectors = prepare(embed_texts(unique_texts))
    parts = []
    for start in range(0, len(texts), PAIRS_AT_A_TIME):
        pairs = slice(start, start + PAIRS_AT_A_TIME)
        parts.append(compare(query_vectors[query_at[pairs]], text_vectors[text_at[pairs]]))
    return np.concatenate(parts)


def number_unique(items: list) -> tuple[list, np.ndarray]:
    """Return the different items in order of appearance, and int64 [n]: where each one is."""
    numbers: dict = {}
    positions = [numbers.setdefault(item, len(numbers)) for item in items]
    return list(numbers), np.array(positions, dtype=np.int64)


def normalize_rows(vectors: np.ndarray) -> np.ndarray:
    """Return float32 [n, dim] with rows of length 1; zero rows stay zero."""
    vectors = as_float32(vectors)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def as_float32(vectors: np.ndarray) -> np.ndarray:
    """Return float32 [n, dim]."""
    return np.asarray(vectors, dtype=np.float32)


def dots(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the dot product of each pair of rows, float32 [n]."""
    return np.einsum("nd,nd->n", one, other)


def closeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the negative Euclidean distance of each pair of rows, float32 [n]."""
    return -np.linalg.norm(one - other, axis=1)


def city_closeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the negative sum of absolute differences of each pair of rows, float32 [n]."""
    return -np.abs(one - other).sum(axis=1)


# By sentence-transformers' names (similarity_fn_name): what is done to vectors, and to pairs.
SIMILARITIES = {
    "cosine": (normalize_rows, dots),
    "dot": (as_float32, dots),
    "euclidean": (as_float32, closeness),
    "manhattan": (as_float32, city_closeness),
}
