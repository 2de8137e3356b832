"""Write a page of two runs side by side, item by item.

`python -m genlab beside BASE [OTHER]` takes the payloads out of the two runs' report/index.html,
each a commit, branch, tag or experiment (OTHER, if not said: the workspace), and writes
report/beside.html. Nothing is scored again and nothing is checked out.
"""

from pathlib import Path

import typer

from genlab.core.files import written_whole
from genlab.core.program import run, stage_app
from genlab.experiments.revisions import named, read_bytes
from genlab.report.texts import read_payload, render_texts

app = stage_app()

REPORT = Path("report/index.html")


def read_report(revision: str | None) -> dict:
    """Return the payload of a run's report; None is the workspace."""
    name = f"{REPORT} of {named(revision)}"
    return read_payload(read_bytes(REPORT, revision).decode("utf-8", errors="replace"), name)


@app.command()
def main(
    base: str = typer.Argument(..., help="commit, branch, tag or experiment"),
    other: str | None = typer.Argument(None, help="the same; the workspace if left out"),
    output: Path = typer.Option(Path("report/beside.html"), help="the page"),
) -> None:
    """Write one page of two runs."""
    first, second = read_report(base), read_report(other)
    page = render_texts(first, other=second, names=(base, named(other)))
    with written_whole(output) as partial:
        partial.write_text(page, encoding="utf-8")
    print(f"{base} beside {named(other)}: open {output} in a browser")


if __name__ == "__main__":
    run(app)
