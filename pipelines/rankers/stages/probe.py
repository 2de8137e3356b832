"""probe: where every altered passage stands under one ranker.

Reads the altered passages of every collection and the ranker's candidate scores; no text is scored
twice, and a killed run goes on where it was. Writes a row per collection, query and probe, and
which kind of ranker it is.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.ranking.candidates import evaluated_queries, read_candidates
from pipelines.rankers import probing
from pipelines.rankers.named_assets import check_all_made, ranker_of, tables_in
from pipelines.rankers.remembered import remember

app = stage_app()


def check(altered: Path, output: Path, made_by: dict[str, dict]) -> None:
    """Raise InputError for a collection or a ranker that params.yaml does not name."""
    check_all_made([altered, output.parent], made_by)


@app.command()
def main(
    collections: Path,
    counts: Path,
    ranker: Path,
    candidates_folder: Path,
    altered: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="what kind of ranker it is; texts scored")],
    batch_size: Annotated[int, Option(min=1, help="texts a ranker encodes at a time")],
) -> None:
    """Score and place the altered passages of every collection."""
    placed, kinds, loaded = [], {}, None
    for name, path in tables_in(collections).items():
        queries = evaluated_queries(path, 0)
        candidates = read_candidates(candidates_folder / f"{name}.parquet", queries)
        texts = read_table(altered / f"{name}.parquet")
        loaded = ranker_of(ranker, counts / name, batch_size, loaded)
        kind = probing.find_kind(loaded.relevance, texts)
        asked = kind.asked(texts)
        memory = remember(ranker, counts / name, batch_size)
        what = f"probing {ranker.name} with {name}"
        scored = probing.score_texts(loaded.relevance, asked, queries, candidates, memory, what)
        kinds[name] = {
            "reads_order": int(kind.reads_order),
            "is_symmetric": int(kind.is_symmetric),
            "reads_other_words": int(kind.reads_other_words),
            "n_texts": asked.height,
        }
        placed.append(
            probing.place_texts(scored, candidates).with_columns(
                judge=pl.lit(f"{name} {ranker.name}"),
                collection=pl.lit(name),
                ranker=pl.lit(ranker.name),
            )
        )
    rows = (frame.match_to_schema(probing.SCHEMA, extra_columns="ignore") for frame in placed)
    write_table(output, rows, probing.SCHEMA)
    write_json(metrics, kinds)


if __name__ == "__main__":
    run(app)
