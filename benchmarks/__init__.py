"""Measurements of what this project claims of time and memory."""

import sys
import textwrap

from genlab.core.terminal import COLUMNS


def show_help(text: str | None, n_words: int = 0) -> None:
    """Print a program's docstring and exit, if --help is asked for or words are missing."""
    words = sys.argv[1:]
    if "--help" in words or "-h" in words or len(words) < n_words:
        print(fitted(text or ""))
        sys.exit(0 if len(words) >= n_words or "--help" in words else 2)


def fitted(text: str) -> str:
    """Return a docstring with its paragraphs as wide as a terminal; what is indented stays."""
    parts = text.strip().split("\n\n")
    return "\n\n".join(p if p.startswith(" ") else textwrap.fill(p, COLUMNS) for p in parts)
