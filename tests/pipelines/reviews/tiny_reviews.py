"""Mini reviews and classifiers of them, small enough for tests."""

import json
from pathlib import Path

import polars as pl
from typer.testing import CliRunner

from genlab.core.tables import write_table
from pipelines.reviews import mini_reviews
from pipelines.reviews.mini_reviews import make_reviews
from pipelines.reviews.schemas import KEYWORD_SCHEMA
from pipelines.reviews.stages import classify

OPTIONS = {
    "max_reviews": 0,
    "min_rubric_reviews": 5,
    "word_ngrams": 1,
    "char_ngrams": 0,
    "min_texts": 2,
    "max_features": 1000,
    "inverse_penalty": 1.0,
    "min_gain": -1.0,
    "fluency.vocab_size": 400,
    "fluency.n_layer": 1,
    "fluency.n_embd": 16,
    "fluency.n_head": 2,
    "fluency.n_positions": 64,
    "fluency.epochs": 1,
    "fluency.train_batch_size": 16,
    "fluency.learning_rate": 0.02,
    "fluency.embedding_learning_rate": 0.008,
    "batch_size": 64,
    "seed": 17,
}


def run_classify(folder: Path, table: pl.DataFrame, model: Path | None = None, **changes):
    """Run the stage; return its metrics and what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "enrich.parquet", [table], KEYWORD_SCHEMA)
    arguments = [folder / "enrich.parquet", model or folder / "none", folder / "classify"]
    options = [f"--{name}={value}" for name, value in (OPTIONS | changes).items()]
    result = CliRunner().invoke(
        classify.app,
        [*map(str, arguments), f"--metrics={folder / 'classify.json'}", *options],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return json.loads((folder / "classify.json").read_text()), result.output


def make_table(n: int = 600) -> pl.DataFrame:
    """Return mini reviews, two of three in train, the others in test."""
    path = Path(mini_reviews.__file__).with_name("mini_reviews.yaml")
    made = pl.concat(make_reviews(path, n, seed=17)).with_row_index("row")
    split = pl.when(pl.col("row") % 3 < 2).then(pl.lit("train")).otherwise(pl.lit("test"))
    keywords = pl.lit(["зал"], dtype=pl.List(pl.String))
    return made.with_columns(split=split, keywords=keywords).select(KEYWORD_SCHEMA.names())
