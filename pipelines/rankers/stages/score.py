"""score: all rankers on all collections in one place, with how sure each number is.

Reads every ranker's candidate scores and placed probes, and the topics of the collections' queries.
Writes a row per collection, ranker and query (its quality, and its place after one copy of the
query), all probes' rows, from which claims are settled, and the means with intervals.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.tables import CLUSTERS, read_table, write_table
from genlab.ranking import quality
from pipelines.rankers import probing, summary
from pipelines.rankers.drawn_units import clusters_in
from pipelines.rankers.named_assets import check_all_made

app = stage_app()


def check(probe_folder: Path, made_by: dict[str, dict]) -> None:
    """Raise InputError for a ranker that params.yaml does not name."""
    check_all_made([probe_folder], made_by)


@app.command()
def main(
    collections: Path,
    candidates_folder: Path,
    probe_folder: Path,
    output: Path,
    probes_output: Path,
    metrics: Annotated[Path, Option(help="headline numbers")],
    details: Annotated[Path, Option(help="every probe, with intervals")],
    ladder: Annotated[Path, Option(help="mean place of every probe, for dvc plots")],
    doses: Annotated[Path, Option(help="mean place by copies of the query, for dvc plots")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Bring all judges together."""
    read = pl.concat([read_table(path) for path in sorted(probe_folder.glob("*.parquet"))])
    queries = {
        name: clusters_in(collections / f"{name}.parquet") for name in read["collection"].unique()
    }
    of_queries = [frame.with_columns(collection=pl.lit(name)) for name, frame in queries.items()]
    key = ["collection", "query_id"]
    placed = read.join(pl.concat(of_queries), on=key, how="left", maintain_order="left")
    rows, scores, beside, rungs, points = [], {}, {}, [], []
    for judge in placed["judge"].unique().sort():
        collection, ranker = judge.split(" ")
        own = placed.filter(pl.col("judge") == judge)
        candidates = read_table(candidates_folder / ranker / f"{collection}.parquet")
        rows.append(summary.headline_rows(judge, candidates, own, queries[collection]))
        qualities = quality.summarize(rows[-1], seed)
        response, probes = summary.measure(own, seed)
        scores[judge] = summary.headline(qualities, response, probes)
        beside[judge] = {"quality": qualities, "doses": response, "probes": probes}
        beside[judge]["counts"] = summary.count_drawn(own)
        rungs += summary.ladder(judge, own, probes)
        points += summary.dose_points(judge, probes)
    write_table(output, rows, summary.ROW_SCHEMA)
    write_table(probes_output, [placed], pl.Schema(probing.SCHEMA | CLUSTERS))
    write_json(metrics, scores)
    write_json(details, beside)
    write_json(ladder, rungs)
    write_json(doses, points)
    print(summary.table_of(beside))


if __name__ == "__main__":
    run(app)
