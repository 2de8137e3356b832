"""Write the rows that comparisons read, for git to keep.

    python -m genlab rows metrics/rows.parquet

A stage of every pipeline. The table that claims.yaml names lies in DVC's cache, and the cache of a
machine holds what that machine made. So the committed run of another machine is read from here:
the unit, the group and the metrics' columns alone, some ten bytes a row and metric.
"""

from pathlib import Path

import polars as pl
import typer

from genlab.core.files import md5_of, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.layout import Layout, read_layout
from genlab.experiments.revisions import NotInCache, hash_in_lock, read_bytes, read_table

RECORD = Path("metrics/rows.parquet")
MADE_FROM = "md5"  # of the whole table: a key in the record's own metadata

app = stage_app()


def write_record(layout: Layout, output: Path) -> None:
    """Write those columns of the table that a comparison reads."""
    if not layout.path.is_file():
        raise InputError(f"{layout.path}: no such file; claims.yaml names it under rows.path")
    rows = pl.read_parquet(layout.path)
    measured = [metric.column for metric in layout.metrics.values()]
    wanted = {layout.unit, layout.group, layout.cluster, layout.sample, "n_candidates", *measured}
    with written_whole(output) as partial:
        rows.select(column for column in rows.columns if column in wanted).write_parquet(
            partial,
            compression="zstd",
            compression_level=19,
            metadata={MADE_FROM: md5_of(layout.path)},
        )


def read_compared(layout: Layout, revision: str | None) -> pl.DataFrame:
    """Return a run's rows: the whole table, or the record in git if DVC's cache has it not.

    Raises InputError if there is neither, or if the record is of another run than dvc.lock.
    """
    try:
        return read_table(layout.path, read_bytes(layout.path, revision), revision)
    except NotInCache as missing:
        try:
            content = read_bytes(RECORD, revision)
        except InputError:
            raise missing from None
    made_from = pl.read_parquet_metadata(content).get(MADE_FROM)
    if made_from != hash_in_lock(layout.path, revision):
        raise InputError(
            f"{RECORD} of {revision} is of another run than its dvc.lock, and {layout.path} is "
            "not in DVC's cache; `dvc pull` it, or run it again"
        )
    return read_table(RECORD, content, revision)


@app.command()
def main(output: Path = typer.Argument(help="Parquet, kept by git and not by DVC")) -> None:
    """Write what comparisons read of this run's rows."""
    write_record(read_layout(Path("claims.yaml")), output)


if __name__ == "__main__":
    run(app)
