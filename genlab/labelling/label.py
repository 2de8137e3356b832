"""Ask a person about generated texts, one by one, blind to the arm.

    python -m genlab label --rater NAME      # in the pipeline's folder, once a rater

label.yaml says what is asked, and of how many texts. The answers of a rater are appended to
labels/NAME.jsonl, which is meant for git.
"""

import webbrowser
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Annotated, Literal

from typer import Option

from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import run, stage_app
from genlab.labelling.desk import Desk, doorway, open_desk
from genlab.labelling.label_files import LabelFile, check_rater
from genlab.labelling.questionnaire import (
    add_fingerprints,
    read_questionnaire,
    read_texts,
    sample_texts,
)
from genlab.labelling.terminal import ask_in_terminal
from genlab.web.server import serve

app = stage_app()


@app.command()
def main(
    rater: Annotated[str, Option(help="who labels: names the file and the shares")],
    texts: Path = Option(Path("data/generate.parquet"), help="texts with id and arm"),
    questionnaire: Path = Option(Path("label.yaml"), help="what is asked, of how many"),
    labels: Path = Option(Path("labels"), help="folder of the answers"),
    terminal: bool = Option(False, "--terminal", help="ask here, not in a browser"),
    language: Literal["ru", "en"] = Option("ru", help="of the terminal's questions"),
    port: int = Option(0, min=0, max=65535, help="of the page; 0: last time's, or any"),
    browser: bool = Option(True, help="open the page in this machine's browser"),
) -> None:
    """Ask a rater about the texts that have no answer of theirs yet."""
    if not questionnaire.is_file():
        check_pipeline_here()
    sheet = read_questionnaire(questionnaire)
    known = add_fingerprints(read_texts(texts, sheet), sheet)
    sample = sample_texts(known, sheet, check_rater(rater))
    fingerprints = dict(known.select("text_id", "fingerprint").iter_rows())

    file = LabelFile(labels / f"{rater}.jsonl", sheet, fingerprints)
    desk = Desk(sample, sheet, file)
    if file.notice:
        print(f"notice: {file.notice}")
    n_left = sum(n for _, n in desk.view()["left"])
    print(f"{sample.height - n_left} of {sample.height} texts have an answer in {file.path}")

    if terminal:
        ask_in_terminal(desk, language)
    else:
        show_page(desk, port, browser)
    print(f"\n{what_next(desk)}")


def show_page(desk: Desk, port: int, browser: bool) -> None:
    """Serve the page until Ctrl-C, and open it in this machine's browser if it is wanted."""
    opened = open_desk(desk, port)
    print(f"The page: {opened.address}\nEvery answer is on disk at once; Ctrl-C ends.", flush=True)
    with doorway(opened) as address, suppress(KeyboardInterrupt):
        if browser:
            # A browser that runs in the terminal returns when it ends, and wants the page before.
            Thread(target=webbrowser.open, args=[address], daemon=True).start()
        serve(opened.app, opened.bound)


def what_next(desk: Desk) -> str:
    """Say how many texts have an answer, and what to do with the answers."""
    view, path = desk.view(), desk.file.path
    n_left = sum(n for _, n in view["left"])
    lines = [f"{view['n'] - n_left} of {view['n']} texts have an answer, all in {path}"]
    if n_left:
        lines.append("Next: the same command goes on where this ended.")
    else:
        lines.append(f"Next: `git add {path}`, commit it, and `dvc repro` counts the answers.")
    return "\n".join(lines)


if __name__ == "__main__":
    run(app)
