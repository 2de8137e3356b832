"""The whole pipeline at sizes of seconds.

All three rankers are BM25: it needs no TensorFlow or sentence-transformers, whose imports would
take longer than everything else together. tests/ranking/test_rankers.py has the neural ones.
"""

from pathlib import Path

from tests.project_copy import change_params, commit, copy_project, dvc, start_git

SIZES = {
    "corpus.n_train": 120,
    "corpus.n_validation": 24,
    "base.source": "mini",  # the bundled one is of other sizes
    "base.n_passages": 120,
    "base.vocab_size": 400,
    "base.n_layer": 1,
    "base.n_embd": 32,
    "base.n_head": 2,
    "base.n_positions": 256,
    "base.epochs": 1,
    "rankers.labse.kind": "bm25",
    "rankers.use.kind": "bm25",
    "tokenize.block_size": 64,
    "train.epochs": 1,
    "train.save_steps": 4,
    "gen.cap": 24,
    "gen.max_len": 16,
    "forced.cap": 24,
    "forced.n_queries": 12,
    "probe.repeats": [1, 2],
    "probe.cut_tokens": [10, 20],
}


def make_project(folder: Path, changes: dict[str, object] | None = None) -> None:
    """Make a repository of the project at these sizes in a new folder; nothing is run yet."""
    copy_project(folder)
    change_params(folder, SIZES | (changes or {}))
    start_git(folder)


def run_project(folder: Path) -> None:
    """Make such a repository, run `dvc repro` in it and commit the record."""
    make_project(folder)
    result = dvc(folder, "repro")
    assert result.returncode == 0, result.stdout
    commit(folder)
