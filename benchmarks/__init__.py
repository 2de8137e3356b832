"""Measurements of what this project claims of time and memory."""

import sys


def show_help(text: str | None, n_words: int = 0) -> None:
    """Print a program's docstring and exit, if --help is asked for or words are missing."""
    words = sys.argv[1:]
    if "--help" in words or "-h" in words or len(words) < n_words:
        print(text)
        sys.exit(0 if len(words) >= n_words or "--help" in words else 2)
