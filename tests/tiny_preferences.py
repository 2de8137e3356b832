"""A tiny policy, another model of its tokenizer, a corpus of prompt and text, and twenty pairs."""

from itertools import pairwise

import polars as pl

from genlab.core.tables import write_table
from genlab.models.loading import load_tokenizer
from genlab.preference.pairs import PAIR_SCHEMA
from tests.tiny_models import TEXTS, save_base

END = 0
CORPUS = pl.DataFrame({"prompt": "", "text": TEXTS[:9], "split": "train"})


def write_preferences(folder):
    """Write policy, other, pairs.parquet (texts of 3 to 9 tokens) and corpus.parquet; return it."""
    policy = save_base(folder / "policy", n_embd=16, initializer_range=0.1)
    save_base(folder / "other", n_embd=16, initializer_range=0.1, seed=3)
    ids = [ids[:9] for ids in load_tokenizer(policy)(TEXTS[:40])["input_ids"]]
    rows = [
        ("", [END], f"c{i}", won[: 3 + i % 6], i % 3 > 0, 1.0, f"r{i}", lost[:5], True, 0.0)
        for i, (won, lost) in enumerate(list(pairwise(ids))[::2])
    ]
    pairs = pl.DataFrame(rows, PAIR_SCHEMA, orient="row")
    write_table(folder / "pairs.parquet", [pairs], PAIR_SCHEMA)
    write_table(folder / "corpus.parquet", [CORPUS], CORPUS.schema)
    return folder
