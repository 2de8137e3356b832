"""Try texts on the rankers of a run: a page on this machine.

    python -m genlab play          # in the repository's root, after `dvc repro`

Pick a query, type or paste a text, and see at once where each ranker puts it among the query's real
passages. Buttons do to the text what the probes do, or let a model write one.
"""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.first_moments import end_at_once
from genlab.core.program import run, stage_app

app = stage_app()

PAGE = Path(__file__).with_name("page")


@app.command()
def main(
    port: Annotated[int, Option(min=0, max=65535, help="of the page; 0: any free one")] = 0,
) -> None:
    """Serve the page until Ctrl-C."""
    from genlab.playground.loaded_run import load_run
    from genlab.playground.routes import play_routes
    from genlab.web.server import bound_socket, new_token, page_app, serve
    from genlab.web.streams import Streams

    bound, token, streams = bound_socket(port), new_token(), Streams()
    port = bound.getsockname()[1]
    page = page_app(PAGE, play_routes(load_run(), streams), token, port)
    print(f"http://127.0.0.1:{port}/#{token}", flush=True)
    print("the address is for you alone; Ctrl-C ends", file=sys.stderr)
    try:
        serve(page, bound, streams.end)
    except KeyboardInterrupt:
        end_at_once()  # Python would take TensorFlow and PyTorch apart for seconds


if __name__ == "__main__":
    run(app)
