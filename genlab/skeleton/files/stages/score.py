"""Score the texts: how many of each text's first words repeat an earlier word of it.

A row per text is kept, so that two runs can be compared text by text; every number has its 95 %
interval, by the bootstrap over texts.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.statistics.intervals import bootstrap_interval, interval

SCHEMA = pl.Schema({"text_id": pl.String(), "repeated_share": pl.Float64()})

app = stage_app()


def check(max_len: int, n_words: int) -> None:
    """Raise InputError for texts shorter than what is to be scored."""
    if max_len > n_words:
        raise InputError(f"gen.max_len={max_len} is more than fetch.n_words={n_words}; raise that")


def repeated_share(text: str, max_len: int) -> float:
    """Return the share of a text's first words that occurred in it before: "a b a" -> 1/3."""
    words = text.split()[:max_len]
    return 1 - len(set(words)) / len(words)


def measure(texts: pl.DataFrame, max_len: int) -> pl.DataFrame:
    """Return SCHEMA rows of the texts cut to `max_len` words."""
    shares = [repeated_share(text, max_len) for text in texts["text"]]
    return texts.select("text_id").with_columns(repeated_share=pl.Series(shares))


def summarize(rows: pl.DataFrame, seed: int) -> dict[str, float]:
    """Return the mean of the rows with its interval."""
    values = rows["repeated_share"].to_numpy()
    low, high = bootstrap_interval(values, seed=seed, bounds=(0.0, 1.0))
    return interval(values.mean(), low, high)


@app.command()
def main(
    texts: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="The mean and its interval (JSON).")],
    curve: Annotated[Path, Option(help="The mean against the length (JSON).")],
    max_len: Annotated[int, Option(min=1, help="Words of each text that are scored.")],
    n_words: Annotated[int, Option(min=1, help="Words that each text has.")],
    seed: Annotated[int, Option(min=0, help="Seed of the bootstrap.")],
) -> None:
    """Score every text; write the rows, their mean, and the mean at other lengths."""
    check(max_len, n_words)
    table = read_table(texts)

    rows = measure(table, max_len)
    lengths = range(10, n_words + 1, 10)
    summaries = {length: summarize(measure(table, length), seed) for length in lengths}

    write_table(output, [rows], SCHEMA)
    write_json(metrics, {"repeated_share": summarize(rows, seed)})
    points = [
        {"arm": "default", "max_len": n, "repeated_share": found.pop("value"), **found}
        for n, found in summaries.items()
    ]
    write_json(curve, points)


if __name__ == "__main__":
    run(app)
