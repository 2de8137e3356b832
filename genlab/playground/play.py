"""Try texts on the rankers of a run: a page on this machine.

    python -m genlab play          # in the repository's root, after `dvc repro`

Pick a query, type or paste a text, and see at once where each ranker puts it among the query's real
passages. Buttons do to the text what the probes do, or let a model write one. A pipeline that has
other queries, or no model that writes, has a play.py of its own, which is called in its folder.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.program import run, stage_app
from genlab.web.shown_page import Port, show_page

if TYPE_CHECKING:
    from genlab.playground.playable import Playable

app = stage_app()

PAGE = Path(__file__).with_name("page")


@app.command()
def main(port: Port = 0) -> None:
    """Serve the page until Ctrl-C."""
    show_playground(port, load_flagship)


def load_flagship() -> "dict[str, Playable]":
    """Return the queries of the run in this folder, which are one collection."""
    from genlab.playground.flagship import as_playable
    from genlab.playground.loaded_run import load_run

    return {"": as_playable(load_run())}


def show_playground(port: int, load: "Callable[[], Mapping[str, Playable]]") -> None:
    """Serve the page for the collections that `load` returns, until Ctrl-C.

    Raises InputError if the port is taken, or what `load` raises.
    """
    from genlab.playground.routes import play_routes

    show_page(PAGE, port, lambda streams: play_routes(load(), streams))


if __name__ == "__main__":
    run(app)
