"""choose: the arms that compared.arms names, and the pairs that these arms are trained on.

Reads params.yaml and writes a file per arm and strategy, which `pairs` and `train` depend on. What
is not wanted costs a second there.
"""

from pathlib import Path

from genlab.core.chosen import write_chosen
from genlab.core.params_file import read_params, text_of
from genlab.core.program import run, stage_app

app = stage_app()


@app.command()
def main(params: Path, output: Path) -> None:
    """Say which arms and which pairs are wanted."""
    content = read_params(text_of(params), str(params)).content
    arms, compared = content["arms"], content["compared"]["arms"]
    needed = {arm["pairs"] for name, arm in arms.items() if name in compared}
    write_chosen(
        output,
        {
            "arms": {name: name in compared for name in arms},
            "pairs": {name: name in needed for name in content["pairs"]},
        },
    )


if __name__ == "__main__":
    run(app)
