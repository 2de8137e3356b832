"""choose: the arms that compared.arms names, and those that one of them starts from.

Reads params.yaml and writes a file per arm, which `train` depends on. An arm that is not wanted
costs a second there.
"""

from pathlib import Path, PurePath

from genlab.core.chosen import write_chosen
from genlab.core.params_file import read_params, text_of
from genlab.core.program import run, stage_app

app = stage_app()

TRAINED = PurePath("data/train")  # an arm's model is a folder in it


@app.command()
def main(params: Path, output: Path) -> None:
    """Say which arms are wanted."""
    content = read_params(text_of(params), str(params)).content
    wanted = with_starts(content["arms"], content["compared"]["arms"])
    write_chosen(output, {"arms": {name: name in wanted for name in content["arms"]}})


def with_starts(arms: dict[str, dict], compared: list[str]) -> set[str]:
    """Return the compared arms, the arms whose models they start from, and so on."""
    wanted: set[str] = set()
    more = [name for name in arms if name in compared]
    while more:
        wanted.update(more)
        starts = [PurePath(arms[name]["start"]) for name in more]
        more = [path.name for path in starts if path.parent == TRAINED and path.name in arms]
        more = [name for name in more if name not in wanted]
    return wanted


if __name__ == "__main__":
    run(app)
