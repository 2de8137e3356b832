"""Rankings that people made at the label desk."""

from pathlib import Path

import polars as pl


def people_ranks(rows: pl.DataFrame, labels: Path) -> pl.DataFrame:
    """Return the answers with the ranks that people gave them; null where nobody has."""
    raise NotImplementedError
