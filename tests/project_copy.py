"""A copy of the repository in a folder of its own, for tests that run DVC."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.warm_python import warm_python

ROOT = Path(__file__).resolve().parent.parent


def copy_project(folder: Path) -> None:
    """Copy the files git tracks, as they are now, without the root's committed run."""
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in tracked.split("\0"):
        is_record = name == "dvc.lock" or name.startswith("metrics/")
        there = (ROOT / name).is_file() or (ROOT / name).is_symlink()
        if name and not is_record and there:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)


def change_params(folder: Path, changes: dict[str, object]) -> None:
    """Set dotted keys of the folder's params.yaml; ... removes the key."""
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *groups, last = key.split(".")
        group = params
        for name in groups:
            group = group.setdefault(name, {})
        if value is ...:
            del group[last]
        else:
            group[last] = value
    text = yaml.safe_dump(params, sort_keys=False)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def start_git(folder: Path) -> None:
    """Make the folder a git repository with everything in it committed."""
    call(folder, "git", "init", "--quiet")
    commit(folder)


def commit(folder: Path) -> None:
    call(folder, "git", "add", "--all")
    call(folder, "git", "commit", "--quiet", "--message", "state")


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run dvc in the folder; the result's stdout holds both streams."""
    return subprocess.run(
        ["python", "-m", "dvc", *arguments],
        cwd=folder,
        env=environment(folder),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def stages_run(result: subprocess.CompletedProcess) -> list[str]:
    """Return the names of the stages that dvc ran."""
    lines = result.stdout.splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage '")]


def call(folder: Path, *words: str) -> str:
    """Run a command in the folder and return its stdout; raise if it fails."""
    return subprocess.check_output(words, cwd=folder, env=environment(folder), text=True)


def start_python(words: list[str], folder: Path) -> subprocess.Popen:
    """Start Python with this repository's code in a folder; what it prints is text to be read."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(folder: Path) -> dict[str, str]:
    """Return an environment where `python` is this one, warm, and nothing of the user's counts."""
    beside = folder.parent / f"{folder.name}-dvc"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "DVC_", "PYTHONPATH"))}
    return kept | {
        "PATH": os.pathsep.join(
            map(str, [warm_python(), Path(sys.executable).parent, os.environ["PATH"]])
        ),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(beside / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(beside / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(beside / "system"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@localhost",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@localhost",
    }
