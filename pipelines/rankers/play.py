"""Try texts on the rankers of the run in this folder: a page on this machine.

    python -m genlab play          # after `dvc repro`

Pick a collection and a query, type or paste a text, and see at once where each ranker puts it among
the query's real passages. Buttons do to the text what the probes do; a real passage can be taken
and altered in its own place.
"""

from genlab.core.program import run, stage_app
from genlab.playground.play import show_playground
from genlab.web.shown_page import Port

app = stage_app()


@app.command()
def main(port: Port = 0) -> None:
    """Serve the page until Ctrl-C."""
    from pipelines.rankers.tried_texts import load_collections

    show_playground(port, load_collections)


if __name__ == "__main__":
    run(app)
