"""choose: the arms that compared.arms names.

Reads params.yaml and writes a file per arm, which `train` depends on. An arm that is not wanted
costs a second there, so a run that compares one arm trains one.
"""

from pathlib import Path

from genlab.core.chosen import write_chosen
from genlab.core.params_file import read_params, text_of
from genlab.core.program import run, stage_app

app = stage_app()


@app.command()
def main(params: Path, output: Path) -> None:
    """Say which arms are wanted."""
    content = read_params(text_of(params), str(params)).content
    compared = content["compared"]["arms"]
    write_chosen(output, {"arms": {name: name in compared for name in content["arms"]}})


if __name__ == "__main__":
    run(app)
