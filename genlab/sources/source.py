"""Where an asset comes from."""

from enum import StrEnum


class Source(StrEnum):
    """The source of a corpus, a model or a ranker."""

    mini = "mini"  # made here, no network
    hub = "hub"  # downloaded at a pinned revision
    file = "file"  # a file or folder of the user's
