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


class ModelSource(StrEnum):
    """The source of a base model, which may also lie ready in the repository."""

    bundled = "bundled"  # made once by minis/recipe, kept in git
    mini = "mini"  # made here, no network
    hub = "hub"  # downloaded at a pinned revision
    file = "file"  # a folder of the user's


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


@dataclass(frozen=True)
class ModelOrigin:
    """Where a base model comes from: most of its params group."""

    source: Annotated[ModelSource, Option()]
    path: Annotated[Path, Option(help="bundled, file: the model's folder; else not read")]
    made_from: Annotated[Path, Option(help="mini: what its texts are made from")]
    hub_id: Annotated[str, Option(help="hub: name of the model")]
    revision: Annotated[str, Option(help="hub: commit that is downloaded")]

    @property
    def asset(self) -> str:
        """Its name on the hub, or the path it is made from or copied from."""
        if self.source is ModelSource.hub:
            return self.hub_id
        return str(self.made_from if self.source is ModelSource.mini else self.path)

    @property
    def where(self) -> tuple[ModelSource, Path, str, str]:
        """What `fetch_folder` takes first."""
        return self.source, self.path, self.hub_id, self.revision
