"""Where tasks and pages come from: their params groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.sources.decoding import Encoding
from genlab.sources.source import Source


@dataclass(frozen=True)
class TaskOrigin:
    """Where the tasks' examples come from, and how many are taken."""

    source: Annotated[Source, Option()]
    path: Annotated[
        Path, Option(help="mini: the world's words; file: a folder, or zip, of data sets")
    ]
    hub_sets: Annotated[list[str], Option(help="hub: NAME@COMMIT/CONFIGURATION; repeat it")]
    n_train: Annotated[int, Option(min=2, help="examples of a task, at most")]
    n_test: Annotated[int, Option(min=2, help="examples of a task, at most")]
    seed: Annotated[int, Option(min=0)]


@dataclass(frozen=True)
class PageOrigin:
    """Where the pages come from that the base is pretrained on, and how many are taken."""

    source: Annotated[Source, Option()]
    path: Annotated[Path, Option(help="mini: the world's words; file: JSON Lines of url and text")]
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")]
    n_pages: Annotated[int, Option(min=1, help="mini: pages; file: at most, drawn by seed")]
    bad_share: Annotated[float, Option(min=0.0, max=0.9, help="mini: of spoiled pages")]
    seed: Annotated[int, Option(min=0)]
