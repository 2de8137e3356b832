"""score_candidates: every real passage under one ranker, once, and how well the ranker ranks them.

Reads the collections. Writes a table of scores for each, which all later stages reuse, and the
ranker's MRR, MAP and nDCG@10 with intervals. How fast it was is no number of the run: it is printed
and kept beside the report.
"""

import time
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import CLUSTERS, write_table
from genlab.core.terminal import table, with_ends
from genlab.ranking import quality
from genlab.ranking.candidates import SCHEMA, count_texts, evaluated_queries, score_candidates
from pipelines.rankers.drawn_units import drawn
from pipelines.rankers.named_assets import check_all_made, ranker_of, tables_in

app = stage_app()


def check(collections: Path, counts: Path, output: Path, made_by: dict[str, dict]) -> None:
    """Raise InputError for a collection or a ranker that params.yaml does not name."""
    check_all_made([collections, counts, output.parent], made_by)


@app.command()
def main(
    collections: Path,
    counts: Path,
    ranker: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="MRR, MAP and nDCG@10 by collection")],
    speed: Annotated[Path, Option(help="texts a second, by collection")],
    batch_size: Annotated[int, Option(min=1, help="texts a ranker encodes at a time")],
    seed: Annotated[int, Option(min=0, help="of the random passages and the bootstrap")],
) -> None:
    """Score and judge every collection's passages."""
    measured, speeds, loaded = {}, {}, None
    with written_whole(output) as folder:
        folder.mkdir()
        for name, path in tables_in(collections).items():
            queries = evaluated_queries(path, 0)
            loaded = ranker_of(ranker, counts / name, batch_size, loaded)
            with progress(f"scoring {name} with {ranker.name}", count_texts(queries), "texts"):
                start = time.perf_counter()
                scored = score_candidates(queries, loaded.relevance, seed)
                seconds = time.perf_counter() - start
            write_table(folder / f"{name}.parquet", [scored], SCHEMA)
            rows = quality.judge(scored).join(
                queries.select("query_id", *CLUSTERS), on="query_id", maintain_order="left"
            )
            measured[name] = quality.summarize(rows, seed) | quality.count_queries(rows)
            speeds[name] = speed_of(queries, seconds)
    write_json(metrics, measured)
    write_json(speed, speeds)
    print(table_of(measured, speeds))


def speed_of(queries: pl.DataFrame, seconds: float) -> dict[str, float]:
    """Return how many pairs were scored, of how many different texts, and both a second.

    The queries are texts, too: an encoder reads each of them once.
    """
    passages = queries["passages"].explode().struct.field("text")
    n, n_distinct = len(passages), passages.n_unique() + queries["query"].n_unique()
    return {
        "pairs": n,
        "distinct_texts": n_distinct,
        "seconds": seconds,
        "pairs_per_second": n / seconds,
        "distinct_texts_per_second": n_distinct / seconds,
    }


def table_of(measured: dict, speeds: dict) -> str:
    """Return the ranker's quality and speed as lines to read in a terminal."""
    rows = [
        [
            name,
            *(with_ends(found[m]) if m in found else "-" for m in quality.MEASURES),
            drawn({key: n for key, n in found.items() if key.startswith("n_")}),
            f"{speeds[name]['pairs_per_second']:,.0f}",
        ]
        for name, found in measured.items()
    ]
    return table(rows, ["collection", *quality.MEASURES, "intervals draw", "pairs a second"])


if __name__ == "__main__":
    run(app)
