"""check: read the command line of every stage before any stage runs.

A misspelt, missing, ill-typed or impossible value in params.yaml stops here, in seconds, and not
after an hour of training. The output never changes, so nothing is run again because of it.
"""

from pathlib import Path

import typer

from genlab.files import written_whole
from genlab.preflight import check_params, check_stages, check_writable, load_stages
from genlab.program import run, stage_app

app = stage_app()


@app.command()
def main(
    output: Path,
    pipeline: Path = typer.Option(Path("dvc.yaml"), help="the pipeline to check"),
) -> None:
    """Check every stage's options, and what must hold between them."""
    stages = load_stages(pipeline)

    check_params(pipeline)
    check_stages(stages)
    check_writable([Path("data"), Path("metrics"), Path(".scratch")])

    with written_whole(output) as partial:
        partial.write_text("ok\n")


if __name__ == "__main__":
    run(app)
