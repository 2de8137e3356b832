"""check: read the command line of every stage before any stage runs.

A misspelt, missing, ill-typed or impossible value in params.yaml stops here, in seconds, and not
after an hour of training. The output never changes, so nothing is run again because of it.
"""

from pathlib import Path

from genlab.files import written_whole
from genlab.preflight import check_params, check_stages, check_writable, load_stages
from genlab.program import run, stage_app
from genlab.scratch import scratch_root

PIPELINE = Path("dvc.yaml")  # of the folder that dvc runs in

app = stage_app()


@app.command()
def main(output: Path) -> None:
    """Check every stage's options, and what must hold between them."""
    stages = load_stages(PIPELINE)

    check_params(PIPELINE, stages)
    check_stages(stages)
    check_writable([Path("data"), Path("metrics"), scratch_root()])

    with written_whole(output) as partial:
        partial.write_text("ok\n")


if __name__ == "__main__":
    run(app)
