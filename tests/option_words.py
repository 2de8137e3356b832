"""Options as a command line has them."""

from collections.abc import Mapping


def option_words(options: Mapping[str, object]) -> list[str]:
    """Return options as words of a command line; a truth value is --NAME or --no-NAME."""
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name}", str(value)]
    return words
