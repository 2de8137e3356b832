"""Queue experiments, unless a stage or a dvc runs in this clone.

    python -m genlab queue -- --name NAME -S KEY=A,B   # what follows -- is dvc exp run --queue's
    python -m genlab queue                             # only asks whether it can be done now
    python -m genlab queue --ask -- -S KEY=A,B         # and whether params.yaml has the keys

DVC stashes the work tree while it queues. A stage that runs beside it loses its outputs, and one
that begins beside it finds no inputs; so neither may be.
"""

import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from genlab.core.checks import has_key
from genlab.core.params import did_you_mean, flatten
from genlab.core.params_file import read_params, text_of
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.core.running import queueing

GOES_ON = (
    "What is queued goes on in the background: `dvc queue stop --kill` ends it, `dvc queue remove "
    "--queued` drops what has not begun. What was done is kept."
)

PARAMS = Path("params.yaml")
NEW = ("+", "~")  # DVC's: a key that is added, or taken away

app = stage_app()


@app.command()
def main(
    words: Annotated[list[str] | None, Argument(help="of dvc exp run --queue, after --")] = None,
    ask: Annotated[bool, Option("--ask", help="only look at the words; queue nothing")] = False,
) -> None:
    """Queue experiments while nothing else works in this clone."""
    check_pipeline_here()
    check_keys(words or [])
    with queueing():
        if words and not ask:
            run_dvc("exp", "run", "--queue", *words)
        else:
            print("nothing else works in this clone; experiments can be queued")


def check_keys(words: list[str]) -> None:
    """Raise InputError for a -S without a value, or with a key that is not in params.yaml.

    Before a sweep queues, it removes the experiments of an earlier sweep of its name; DVC's own
    error would come after that.
    """
    given = [after for word, after in pairwise([*words, ""]) if word in ("-S", "--set-param")]
    params = read_params(text_of(PARAMS), str(PARAMS)) if given else None
    for each in given:
        key, equals, _ = each.partition("=")
        if key.startswith(NEW) or ":" in key:  # a new key or one to remove; of another file
            continue
        if not equals:
            raise InputError(f"-S {each}: no value; write it as in -S gen.max_len=50,150")
        if params and not (has_key(params.content, key) or key in flatten(params.content, True)):
            hint = did_you_mean(key, params.values)
            raise InputError(f"-S {each}: no key {key} in {PARAMS}{hint}")


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
