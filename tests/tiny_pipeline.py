"""A pipeline of one stage in a folder with a DVC repository of its own, for tests of revisions.

Its rows: forty units u00 ... u39 under two judges. Judge "strict" gives unit i the place
1 + i % 10, plus `shift` for the first half of the units; judge "kind" always 1. `good` is 1 where
the place is at most 5. A second table holds each row twice, of kind "plain" and "odd".
"""

import os
import shutil
from pathlib import Path

import yaml

from genlab.skeleton.new import make_repository as make_repository_of_dvc
from tests.made_once import copied, made_once
from tests.project_copy import ROOT, call, change_params, commit, dvc, environment, start_git

MAKE = """\
import sys
from pathlib import Path

import polars as pl

shift = int(sys.argv[1])
places = [1 + i % 10 + shift * (i < 20) for i in range(40)]
units = [f"u{i:02}" for i in range(40)]
Path("data").mkdir(exist_ok=True)
rows = [
    pl.DataFrame({"judge": judge, "unit": units, "place": p, "good": [int(x <= 5) for x in p]})
    for judge, p in (("strict", places), ("kind", [1] * 40))
]
pl.concat(rows).write_parquet("data/rows.parquet")
kinds = [row.with_columns(kind=pl.lit(kind)) for kind in ("plain", "odd") for row in rows]
pl.concat(kinds).write_parquet("data/kinds.parquet")
"""

DVC_YAML = {
    "stages": {
        "rows": {
            "cmd": "python make.py ${rows.shift}",
            "deps": ["make.py"],
            "outs": ["data/rows.parquet", "data/kinds.parquet"],
        }
    }
}

HEAD = """\
rows:
  path: data/rows.parquet
  unit: unit
  group: judge
  units_from: data/kinds.parquet
  metrics:
    mean_place: {column: place, better: lower}
    good: {column: good, better: higher, kind: share}
"""


def make_repository(root: Path) -> Path:
    """Return the pipeline's folder; shift is 0 in HEAD, 1 in the workspace and claim-tiny-one.

    The tag `before` has no run, and no repository but the root's; `unrun` has shift 7 in
    params.yaml, but the rows of shift 0. It is run once a session, and copied.
    """
    return copied(made_once("tiny", run_repository), root) / "pipelines/tiny"


def run_repository(root: Path) -> None:
    """Make the repository and run the pipeline."""
    folder = root / "pipelines/tiny"
    folder.mkdir(parents=True)
    (root / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc" / name)
    shutil.copy(ROOT / ".dvcignore", root)
    (root / ".gitignore").write_text("data/\n*-dvc/\n")
    (folder / "make.py").write_text(MAKE)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(DVC_YAML))
    (folder / "params.yaml").write_text("rows:\n  shift: 0\n")
    (folder / "claims.yaml").write_text(HEAD)
    start_git(root)
    call(root, "git", "tag", "before")
    make_repository_of_dvc(folder)
    commit(root)
    for words in (["repro"], ["exp", "run", "--name", "claim-tiny-one", "-S", "rows.shift=1"]):
        result = dvc(folder, *words)
        assert result.returncode == 0, result.stdout
        if words == ["repro"]:
            change_params(folder, {"rows.shift": 7})
            commit(root)
            call(root, "git", "tag", "unrun")
            change_params(folder, {"rows.shift": 0})
            commit(root)


def enter(folder: Path, monkeypatch) -> None:
    """Go to the folder, with nothing of the user's settings."""
    monkeypatch.chdir(folder)
    for name, value in environment(folder).items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)
