"""Write the rows that comparisons read, for git to keep.

    python -m genlab rows metrics/rows.parquet

This is a stage of every pipeline. The table that claims.yaml names lies in DVC's cache, which holds
only what this machine has made. This smaller table is in git, so that a run that another machine
has committed can be compared, too. It has only the unit, the group and the metrics, some ten bytes
per row and metric.
"""

from pathlib import Path

import polars as pl
import typer

from genlab.core.files import md5_of, written_whole
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.layout import Layout, read_layout
from genlab.experiments.pairing import SAME_UNIT
from genlab.experiments.revisions import NotInCache, hash_in_lock, named, read_bytes
from genlab.experiments.row_files import may_hold_rows, parse_rows

RECORD = Path("metrics/rows.parquet")
MADE_FROM = "md5"  # of the whole table: a key in the record's own metadata

app = stage_app()


def write_record(layout: Layout, output: Path) -> None:
    """Write those columns of the table that a comparison reads."""
    if not layout.path.is_file():
        raise InputError(f"{layout.path}: no such file; claims.yaml names it under rows.path")
    rows = pl.read_parquet(layout.path)
    wanted = set(columns_of(layout))
    with written_whole(output) as partial:
        rows.select(column for column in rows.columns if column in wanted).write_parquet(
            partial,
            compression="zstd",
            compression_level=19,
            metadata={MADE_FROM: md5_of(layout.path)},
        )


def is_rows_file(run: str | None) -> bool:
    """Return whether a run is given as a file of rows instead of a revision."""
    return run is not None and may_hold_rows(run) and Path(run).is_file()


def read_compared(layout: Layout, run: str | None) -> pl.DataFrame:
    """Return a run's rows: the whole table, or the record in git if DVC's cache lacks it.

    run: a revision, None for the workspace, or a file of rows. Raises InputError if both are
    missing, or if the record belongs to another run than dvc.lock.
    """
    columns = columns_of(layout)
    if run is not None and is_rows_file(run):
        return with_groups(layout, parse_rows(Path(run), Path(run).read_bytes(), columns, ""))
    if run is not None and may_hold_rows(run):
        raise InputError(f"{run}: no such file")
    try:
        found = parse_rows(layout.path, read_bytes(layout.path, run), columns, named(run))
        return with_groups(layout, found)
    except NotInCache as missing:
        try:
            content = read_bytes(RECORD, run)
        except InputError:
            raise missing from None
    made_from = pl.read_parquet_metadata(content).get(MADE_FROM)
    if made_from != hash_in_lock(layout.path, run):
        raise InputError(
            f"{RECORD} of {run} is of another run than its dvc.lock, and {layout.path} is "
            "not in DVC's cache; `dvc pull` it, or run it again"
        )
    return with_groups(layout, parse_rows(RECORD, content, columns, named(run)))


def with_groups(layout: Layout, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with several group columns joined into one."""
    parts = layout.group_columns
    if not parts or set(parts) - set(rows.columns):  # `check_rows` names the missing one
        return rows
    names = [pl.col(column).cast(pl.String).fill_null("") for column in parts]
    return rows.with_columns(pl.concat_str(names, separator=" ").alias(str(layout.group)))


def columns_of(layout: Layout) -> list[str]:
    """Return the columns that a comparison reads."""
    units = (layout.unit, *layout.columns_of_group(), layout.cluster, layout.sample)
    named_ones = (*units, "n_candidates", SAME_UNIT)
    measured = [metric.column for metric in layout.metrics.values()]
    return list(dict.fromkeys(name for name in (*named_ones, *measured) if name))


@app.command()
def main(output: Path = typer.Argument(help="Parquet, kept by git and not by DVC")) -> None:
    """Write what comparisons read of this run's rows."""
    check_pipeline_here()
    write_record(read_layout(Path("claims.yaml")), output)


if __name__ == "__main__":
    run(app)
