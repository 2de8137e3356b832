"""Where an asset comes from, as params say it."""

from enum import StrEnum


class Source(StrEnum):
    mini = "mini"  # made here, without a network
    hub = "hub"  # downloaded
    file = "file"  # a path of the user's
