"""Functions of (queries, texts) that stand for a ranker's relevance."""

import numpy as np


def shared_words(queries: list[str], texts: list[str]) -> np.ndarray:
    """Return how many words a text shares with its query, and a bit for its length."""
    return np.array(
        [
            len(set(query.split()) & set(text.split())) + len(text) / 1024
            for query, text in zip(queries, texts, strict=True)
        ],
        dtype=np.float32,
    )


def constant(queries: list[str], texts: list[str]) -> np.ndarray:
    """Return one score for all texts."""
    return np.full(len(texts), 0.25, dtype=np.float32)
