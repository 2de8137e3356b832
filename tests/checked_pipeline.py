"""What tests ask of every pipeline: `genlab check` on a copy of its files, and its claims."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml

from genlab.core import checks, program
from genlab.experiments.claims import read_claims
from genlab.experiments.layout import read_layout
from tests.project_copy import ROOT


def be_in_pipeline(folder: Path, monkeypatch, pipeline: Path, *files: str) -> Path:
    """Copy a pipeline's dvc.yaml, params.yaml and further files into `folder`, and go there."""
    for name in ("dvc.yaml", "params.yaml", *files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pipeline / name, folder / name)
    if (pipeline / "minis/base").is_dir():
        shutil.copytree(pipeline / "minis/base", folder / "minis/base")
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=lambda *_: {"cache", "tmp"})
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["check", "data/check.txt"])
    return folder


def run_check() -> int:
    """Run the check here and return its exit code."""
    with pytest.raises(SystemExit) as exit:
        program.run(checks.app)
    return exit.value.code or 0


def message(capsys) -> str:
    """Run the check, which must fail, and return its message."""
    assert run_check() != 0
    assert not Path("data/check.txt").exists()
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    return output.err.removeprefix("error: ").strip()


def arms_without_claim(pipeline: Path) -> set[str]:
    """Return the arms of a pipeline's claims.yaml, which must be right, that no claim compares."""
    params = yaml.safe_load((pipeline / "params.yaml").read_text(encoding="utf-8"))
    path = pipeline / "claims.yaml"
    content = read_claims(path, read_layout(path), params)
    used = {claim[side] for claim in content["claims"].values() for side in ("a", "b")}
    return set(content["arms"]) - used
