"""Try texts on the rankers of a run: a page on this machine.

    python -m genlab play          # in the repository's root, after `dvc repro`

Pick a query, type or paste a text, and see at once where each ranker puts it among the query's real
passages. Buttons do to the text what the probes do, or let a model write one.
"""

from pathlib import Path

from genlab.core.program import run, stage_app
from genlab.web.shown_page import Port, show_page

app = stage_app()

PAGE = Path(__file__).with_name("page")


@app.command()
def main(port: Port = 0) -> None:
    """Serve the page until Ctrl-C."""
    from genlab.playground.loaded_run import load_run
    from genlab.playground.routes import play_routes

    show_page(PAGE, port, lambda streams: play_routes(load_run(), streams))


if __name__ == "__main__":
    run(app)
