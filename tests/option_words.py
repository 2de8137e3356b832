"""Options as a command line has them, and a program that is run with some."""

from collections.abc import Mapping

from typer.testing import CliRunner


def option_words(options: Mapping[str, object]) -> list[str]:
    """Return options as words of a command line; a truth value is --NAME or --no-NAME."""
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name}", str(value)]
    return words


def invoke(app, *positional: object, **options: object) -> str:
    """Run a program in this process and return what it prints; raise what it raises.

    An option with a list is given once for each of its items.
    """
    words = [str(each) for each in positional]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(each)]
    result = CliRunner().invoke(app, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output
