"""Queue experiments, unless a stage or a dvc runs in this clone.

    python -m genlab queue -- --name NAME -S KEY=A,B   # what follows -- is dvc exp run --queue's
    python -m genlab queue                             # only asks whether it can be done now

DVC stashes the work tree while it queues. A stage that runs beside it loses its outputs, and one
that begins beside it finds no inputs; so neither may be.
"""

import subprocess
from typing import Annotated

from typer import Argument

from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.core.running import queueing

GOES_ON = (
    "What is queued goes on in the background: `dvc queue stop --kill` ends it, `dvc queue remove "
    "--queued` drops what has not begun. What was done is kept."
)

app = stage_app()


@app.command()
def main(
    words: Annotated[list[str] | None, Argument(help="of dvc exp run --queue, after --")] = None,
) -> None:
    """Queue experiments while nothing else works in this clone."""
    check_pipeline_here()
    with queueing():
        if words:
            run_dvc("exp", "run", "--queue", *words)
        else:
            print("nothing else works in this clone; experiments can be queued")


def run_dvc(*arguments: str) -> None:
    """Run DVC, its output to the terminal; raise InputError if it fails.

    At Ctrl-C, which DVC gets as well, it is given the time to bring the work tree back.
    """
    dvc = subprocess.Popen(["dvc", *arguments])
    try:
        status = dvc.wait()
    except KeyboardInterrupt:
        dvc.wait()
        raise
    if status:
        raise InputError(f"`dvc {' '.join(arguments)}` failed; its message is above")


if __name__ == "__main__":
    run(app)
