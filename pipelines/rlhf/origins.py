"""Where prompts, plain text and base models come from: most of their params groups."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.sources.decoding import Encoding
from genlab.sources.source import ModelSource, Source

Revision = Annotated[str, Option(help="hub: commit that is downloaded")]


@dataclass(frozen=True)
class PromptOrigin:
    """Where prompts, and plain text, come from."""

    source: Annotated[Source, Option()]
    path: Annotated[Path, Option(help="mini: the vocabulary; file: rankings, JSON, or zip")]
    texts_path: Annotated[Path, Option(help="hub, file: plain text, a document a line; or none")]
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")]
    hub_id: Annotated[str, Option()]
    hub_name: Annotated[str, Option(help="hub: configuration of the data set; none: its only one")]
    revision: Revision


@dataclass(frozen=True)
class BaseOrigin:
    """Where the language model comes from that everything starts from."""

    source: Annotated[ModelSource, Option(help="bundled, file: from path; mini: made here; hub")]
    path: Annotated[Path, Option(help="bundled, file: the model's folder; else not read")]
    hub_id: Annotated[str, Option()]
    revision: Revision

    @property
    def where(self) -> tuple[ModelSource, Path, str, str]:
        """What `fetch_folder` takes first."""
        return self.source, self.path, self.hub_id, self.revision


class RewardBaseSource(StrEnum):
    """What the reward model starts from."""

    policy = "policy"  # the policy's own base
    mini = "mini"
    hub = "hub"
    file = "file"


@dataclass(frozen=True)
class RewardBaseOrigin:
    """Where the language model comes from that the reward model starts from."""

    source: Annotated[RewardBaseSource, Option()]
    path: Annotated[Path, Option(help="file: a model folder")]
    hub_id: Annotated[str, Option()]
    revision: Revision

    @property
    def model(self) -> BaseOrigin:
        """The same for a model that is not the policy's."""
        return BaseOrigin(ModelSource(self.source.value), self.path, self.hub_id, self.revision)
