"""choose: the arms that compared.arms names.

Reads params.yaml and writes a file for each arm, which says whether it is to be trained. An arm
depends on its own file alone, so a change of what is compared trains no other arm again.
"""

from pathlib import Path

from genlab.core.chosen import write_chosen_arms
from genlab.core.program import run, stage_app

app = stage_app()


@app.command()
def main(params: Path, output: Path) -> None:
    """Say which arms are wanted."""
    write_chosen_arms(params, output)


if __name__ == "__main__":
    run(app)
