"""A page from its program's command to Ctrl-C: the address printed, everything loaded, served."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from starlette.routing import BaseRoute
from typer import Option

from genlab.core.startup import end_at_once
from genlab.web.server import bound_socket, new_token, page_app, serve
from genlab.web.streams import Streams

Port = Annotated[int, Option(min=0, max=65535, help="of the page; 0: any free one")]
OnlyArms = Annotated[
    list[str] | None, Option("--arm", help="only this arm; repeat it; all if not given")
]


def show_page(folder: Path, port: int, load: Callable[[Streams], Sequence[BaseRoute]]) -> None:
    """Serve the page in `folder` until Ctrl-C, which ends the process.

    load: returns the routes; it is called when the port is had, and may take its time. Raises
    InputError if the port is taken, or what `load` raises.
    """
    bound, token, streams = bound_socket(port), new_token(), Streams()
    port = bound.getsockname()[1]
    page = page_app(folder, load(streams), token, port)
    print(f"http://127.0.0.1:{port}/#{token}", flush=True)
    print("the address is for you alone; Ctrl-C ends", file=sys.stderr, flush=True)
    try:
        serve(page, bound, streams.end)
    except KeyboardInterrupt:
        end_at_once()  # Python would take TensorFlow and PyTorch apart for seconds
