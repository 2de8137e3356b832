"""What a fetched asset is: where it came from, at which revision, and the checksum of every file.

A JSON file in git beside the metrics. DVC's metrics are numbers only, so it is listed as an output
that is not cached.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import sha256_of, write_json
from genlab.core.progress import progress

Manifest = Annotated[Path, Option(help="JSON of source, revision and checksums")]


def write_manifest(path: Path, source: str, asset: str, revision: str, output: Path, **counts):
    """Describe the file or folder `output` in `path`; `counts` are its rows or parameters.

    `asset` is a hub's name or a path, `revision` the commit that was downloaded, or "none".
    """
    write_json(
        path,
        {"source": source, "asset": asset, "revision": revision, **counts}
        | {"files": describe_files(output)},
    )


def describe_files(
    path: Path, read: Collection[Path] | None = None
) -> dict[str, dict[str, int | str]]:
    """Return {name: {bytes, sha256}} of a file, or of the files below a folder: of those read."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    files = [file for file in files if read is None or file in read]
    return {
        str(file.relative_to(path.parent if file == path else path)): {
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file),
        }
        for file in files
    }


def with_progress(frames: Iterable[pl.DataFrame], what: str, unit: str) -> Iterator[pl.DataFrame]:
    """Yield the frames, and show how many rows went by."""
    with progress(what, unit=unit) as update:
        for frame in frames:
            yield frame
            update(frame.height)
