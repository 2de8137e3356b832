"""The house: which room may import which, and what must hold of files for the rooms to stay apart.

CONTRIBUTING.md draws the same picture. An import counts wherever it stands: in a function, or
under TYPE_CHECKING.
"""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.project_copy import ROOT, copy_project, environment

# From the ground up; a room may import those before it that its line names.
ROOMS = {
    "core": "",
    "text": "core",
    "statistics": "core",
    "models": "core text statistics",
    "sources": "core text statistics models",
    "passages": "core text statistics models sources",
    "ranking": "core text statistics models sources passages",
    "mini": "core text statistics models sources passages ranking",
    "preference": "core text statistics models sources passages ranking mini",
    "web": "core",
    "labelling": "core statistics web",
    "experiments": "core statistics",
    "report": "core text statistics models sources passages ranking experiments",
    "skeleton": "core",
    "playground": "core text models sources passages ranking web",
}

SKELETON = ROOT / "genlab/skeleton/files"  # copied into a pipeline before it is ever run
PROGRAMS = ("stages", "pipelines", "tests", "benchmarks")
PIPELINES = sorted(path.parent.name for path in ROOT.glob("pipelines/*/dvc.yaml"))


def modules(*folders: str) -> dict[str, Path]:
    """Return our modules in the folders, by their dotted name."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in paths
        if SKELETON not in path.parents
    }


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports, at any place in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its room"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_rooms_stand_in_an_order_without_a_circle():
    names = list(ROOMS)
    for room, below in ROOMS.items():
        assert set(below.split()) <= set(names[: names.index(room)]), room


def test_no_room_imports_one_above_it_or_a_program():
    for module, path in modules("genlab").items():
        room = module.split(".")[1]
        if room in ("__init__", "__main__"):
            continue
        for imported in imports(path):
            top, _, rest = imported.partition(".")
            assert top not in ("stages", "pipelines", "tests", "benchmarks"), (
                f"{module}: {imported}"
            )
            other = rest.split(".")[0]
            if top == "genlab" and other != room:
                assert other in ROOMS[room].split(), f"{module} imports {imported}"


def test_a_pipeline_imports_itself_and_the_library_alone():
    for pipeline in ("stages", *(f"pipelines/{name}" for name in PIPELINES)):
        own = pipeline.replace("/", ".")
        for module, path in modules(pipeline).items():
            for imported in imports(path):
                own_or_shared = imported.startswith((f"{own}.", "benchmarks.side_by_side."))
                if imported.split(".")[0] in PROGRAMS and imported != own:
                    assert own_or_shared, f"{module} imports {imported}"


def test_every_module_of_the_library_lies_in_a_room():
    for module in modules("genlab"):
        parts = module.split(".")
        assert parts[1] in ("__init__", "__main__") or (len(parts) > 2 and parts[1] in ROOMS), (
            module
        )


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_noun_beside_a_dvc_yaml_hides_an_installed_module(pipeline):
    """Its folder comes first on the path of `python -m`, before the standard library."""
    folder = ROOT / "pipelines" / pipeline
    nouns = {path.stem for path in folder.glob("*.py")}
    nouns |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert not nouns & (sys.stdlib_module_names | packages_distributions().keys())


# ---- a pipeline is two folders: pipelines/NAME and tests/pipelines/NAME


def is_of(name: str, pipeline: str) -> bool:
    """Say whether a tracked file belongs to a pipeline."""
    return name.startswith((f"pipelines/{pipeline}/", f"tests/pipelines/{pipeline}/"))


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_nothing_outside_a_pipeline_names_it_but_prose(pipeline):
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    named = re.compile(rf"pipelines[./]{pipeline}\b|pipelines import .*\b{pipeline}\b")
    for name in tracked:
        is_code = name.endswith((".py", ".yaml", ".sh", ".toml")) or Path(name).name == "Makefile"
        if is_code and not is_of(name, pipeline) and (ROOT / name).is_file():
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
            where = [f"{name}:{i}" for i, line in enumerate(lines, 1) if named.search(line)]
            assert not where, where


def test_without_any_pipeline_the_rest_imports_and_its_tests_are_collected(tmp_path):
    """As no pipeline imports another, this holds for each of them alone."""
    copy_project(tmp_path)
    for pipeline in PIPELINES:
        shutil.rmtree(tmp_path / "pipelines" / pipeline)
        shutil.rmtree(tmp_path / "tests/pipelines" / pipeline, ignore_errors=True)
    names = [module.removesuffix(".__init__") for module in modules("genlab", "stages")]
    for words in (
        ["-c", f"import importlib\nfor name in {names}: importlib.import_module(name)"],
        ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--assert=plain"],
    ):
        done = subprocess.run(
            ["python", *words],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_model_and_tokenizer_is_loaded_without_remote_code():
    loaders = {"from_pretrained", "SentenceTransformer", "CrossEncoder"}
    n_calls = 0
    places = ("genlab/**/*.py", "stages/*.py", "pipelines/**/*.py")
    for path in [path for place in places for path in ROOT.glob(place)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name not in loaders or "modules" in given:  # made here, of parts
                continue
            n_calls += 1
            is_safe = given.get("trust_remote_code") == "False" or given.get(None) == "LOADING"
            assert is_safe, f"{path}:{node.lineno}"
    assert n_calls >= 7


def test_rankers_are_loaded_without_remote_code():
    from genlab.ranking.rankers import LOADING

    assert LOADING["trust_remote_code"] is False
    assert LOADING["model_kwargs"]["use_safetensors"] is True
