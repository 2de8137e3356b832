"""What the programs that compare, settle and verify can reach: no pipeline, no ranker, no torch."""

import ast
import subprocess
import sys

import pytest

from genlab.core.deps import modules_used, our_imports, source_of, syntax_tree
from tests.project_copy import ROOT

PROGRAMS = {
    "compare": ["main"],
    "claims": ["main", "run_and_settle"],
    "gates": ["read_gate", "explain_miss"],
    "verify": ["main"],
    "readme": ["main"],
    "receipts": ["make_receipt"],
    "show": ["main"],
    "rows": ["main"],
    "back": ["main"],
}
HEAVY = {"torch", "transformers", "tensorflow"}
ALLOWED = {"core", "statistics"}


def packages_of(module: str) -> set[str]:
    """Return what a module imports, at its top and inside functions, by first name."""
    names = set()
    for node in ast.walk(syntax_tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_about_experiments_reaches_core_and_statistics_and_no_torch(program):
    module = f"genlab.experiments.{program}"
    reached = set().union(*(modules_used([(module, name)]) for name in PROGRAMS[program]))
    assert "genlab.core.program" in reached
    assert {name.split(".")[1] for name in reached} <= ALLOWED | {"experiments"}
    for name in reached:
        assert not packages_of(name) & HEAVY, name


@pytest.mark.parametrize("room, more", [("experiments", set()), ("labelling", {"web"})])
def test_these_rooms_import_core_and_statistics_only_and_the_desk_its_page(room, more):
    files = [path for path in (ROOT / "genlab" / room).glob("*.py") if path.name != "__init__.py"]
    assert len(files) >= 4
    for file in files:
        imported = our_imports([syntax_tree(f"genlab.{room}.{file.stem}")]).values()
        assert {name.split(".")[1] for name, _ in imported} <= ALLOWED | more | {room}, file.name


def test_what_a_function_imports_is_seen():
    assert "torch" in packages_of("genlab.core.processes")
    assert source_of("genlab.ranking.panel").is_file()
    inside = ast.parse("def f():\n    from genlab.ranking import panel\n")
    assert our_imports([inside]) == {"panel": ("genlab.ranking.panel", None)}


def test_nothing_heavy_is_loaded_with_them():
    names = ", ".join(f"genlab.experiments.{program}" for program in PROGRAMS)
    asked = f"import sys, {names}, dvc.repo; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", asked], cwd=ROOT, text=True)
    assert not HEAVY & set(loaded.split())
