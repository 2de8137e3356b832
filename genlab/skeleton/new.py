"""Make a new pipeline of seven small files that runs at once.

    python -m genlab new NAME      # then: cd pipelines/NAME && dvc repro

The folder becomes a DVC repository of its own. The files are those under genlab/skeleton/files,
with NAME in its place; DVC does not look there (.dvcignore).
"""

import keyword
import re
import shutil
import sys
from pathlib import Path

import typer

from genlab.core.deps import ROOT, write_deps
from genlab.core.files import written_whole
from genlab.core.program import InputError, stage_app

FILES = Path(__file__).with_name("files")
KINDS = {".md", ".py", ".yaml"}
CACHE = "[cache]\n    dir = ../../../.dvc/cache\n"  # from pipelines/NAME/.dvc
PACKAGES = (".", "stages")  # empty __init__.py: an installed package must not win

app = stage_app()


@app.command()
def main(name: str = typer.Argument(help="of the pipeline: small letters, digits and _")) -> None:
    """Make pipelines/NAME."""
    check_name(name)
    folder = ROOT / "pipelines" / name
    with written_whole(folder) as partial:
        for source in sorted(path for path in FILES.rglob("*") if path.suffix in KINDS):
            target = partial / source.relative_to(FILES)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(re.sub(r"\bNAME\b", name, text), encoding="utf-8")
        for package in PACKAGES:
            (partial / package / "__init__.py").touch()
        make_repository(partial)
    write_deps(folder / "dvc.yaml")
    print(f"pipelines/{name} is made; run it: cd pipelines/{name} && dvc repro")


def make_repository(folder: Path) -> None:
    """Make a pipeline's folder a repository of DVC's, with the cache, settings, templates and
    ignored files of the root's: so DVC reads no other pipeline, and shows none."""
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/.gitignore", folder / ".dvc")
    settings = (ROOT / ".dvc/config").read_text(encoding="utf-8")
    (folder / ".dvc/config").write_text(settings + CACHE, encoding="utf-8")
    (folder / ".dvc/plots").symlink_to("../../../.dvc/plots")
    (folder / ".dvcignore").symlink_to("../../.dvcignore")


def check_name(name: str) -> None:
    """Raise InputError for a name that cannot be a pipeline's, or is one's already."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(f"{name}: must be small letters, digits and _, a letter first, no keyword")
    if name in sys.stdlib_module_names:
        raise InputError(f"{name}: is the name of a module of Python's; take another")
    if (ROOT / "pipelines" / name).exists():
        raise InputError(f"{name}: pipelines/{name} is there already; take another name")
