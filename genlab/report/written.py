"""When a page was written, and the commit of its run, for the page's opening.

A page is written before its run is committed, so it can name that commit only if the same run was
committed before. Otherwise it names the previous commit, and says how to find the one that contains
the run: git finds the receipt by its content.
"""

import subprocess
from datetime import UTC, date, datetime

from genlab.experiments.receipts import name_in_git

SHOWN = ("--abbrev=10", "--format=%h of %cs")  # git's own length grows with a repository


def tell_written(receipt: dict, today: date | None = None) -> tuple[str, str]:
    """Return a label and the words beside it: the commit of a run, or what it was written after.

    today: in UTC, if it is not this day.
    """
    name = name_in_git(receipt)[:12]
    if held := ask_git("log", *SHOWN, f"--find-object={name}"):
        return "commit", held.splitlines()[-1]  # the first to have it; later ones took it away
    on = today or datetime.now(UTC).date()
    head = ask_git("log", "-1", *SHOWN)
    if not head:
        return "written", f"on {on}, outside of git"
    n_changed = len(ask_git("status", "--porcelain").splitlines())
    return "written", (
        f"on {on}, after commit {head} with {n_changed} changed files; not committed then "
        f"(git log --find-object={name} names the commit that holds it)"
    )


def ask_git(*words: str) -> str:
    """Return what a git command says of this folder; "" if it fails, as where there is no git."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
