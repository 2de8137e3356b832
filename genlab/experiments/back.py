"""Bring back the committed run: params, record and outputs.

    python -m genlab back       # in the pipeline's folder; `make back` in the root

First it looks whether DVC's cache has every output of HEAD. On a machine that never made them it
has not, and then nothing is touched. What git would overwrite is kept with `git stash`.
"""

import subprocess
import sys
from pathlib import Path

from genlab.core.program import InputError, run, stage_app
from genlab.experiments.revisions import opened, path_in

REPLACED = ("params.yaml", "dvc.lock", "metrics")
SHOWN = 3

app = stage_app()


def missing_outputs(revision: str) -> tuple[list[str], int]:
    """Return the outputs of this folder's pipeline that no cache here has whole, and how many
    outputs there are."""
    with opened(revision) as repo:
        folder = path_in(repo, Path())
        file = "dvc.yaml" if folder == "." else f"{folder}/dvc.yaml"
        stages = [each for each in repo.index.stages if each.path_in_repo == file]
        outs = [out for stage in stages for out in stage.outs if out.use_cache]
        if not outs:
            raise InputError(f"dvc.yaml: {revision} has no pipeline in this folder")
        return [out.def_path for out in outs if out.changed_cache()], len(outs)


def git(*words: str) -> str:
    """Return git's stdout; InputError with its message if it fails."""
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"`git {' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout


@app.command()
def main() -> None:
    """Bring HEAD's params, record and outputs back into the workspace, if all are there."""
    missing, n_outputs = missing_outputs("HEAD")
    if missing:
        some = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise InputError(
            f"{len(missing)} of the {n_outputs} outputs of HEAD are not in DVC's cache ({some}), "
            "as on a machine that did not make them; nothing was changed. `dvc pull` them, or make "
            "them here: `git stash push params.yaml && dvc repro`"
        )
    kept = [name for name in REPLACED if git("ls-files", "--", name)]
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *kept)
    if changed:
        git("stash", "push", "--quiet", "--message", "before genlab back", "--", *kept)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "checkout", "dvc.yaml"], stdin=subprocess.DEVNULL
    )
    if done.returncode:
        if changed:
            git("stash", "pop", "--quiet")
        raise InputError("`dvc checkout` failed, as said above; params and record are as they were")
    print("back at the committed run: params.yaml, dvc.lock, metrics/ and every output")
    if changed:
        print("what was there before: `git stash pop`, then `dvc checkout dvc.yaml`")


if __name__ == "__main__":
    run(app)
