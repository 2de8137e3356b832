"""Where an asset comes from."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option


class Source(StrEnum):
    """The source of a corpus, a model or a ranker."""

    mini = "mini"  # made here, no network
    hub = "hub"  # downloaded at a pinned revision
    file = "file"  # a file or folder of the user's


@dataclass(frozen=True)
class Origin:
    """Where one asset comes from: most of its params group."""

    source: Annotated[Source, Option()]
    path: Annotated[Path, Option(help="mini: what it is made from; file: the asset itself")]
    hub_id: Annotated[str, Option()]
    revision: Annotated[str, Option(help="hub: commit that is downloaded")]

    @property
    def asset(self) -> str:
        """Its name on the hub, or its path."""
        return self.hub_id if self.source is Source.hub else str(self.path)
