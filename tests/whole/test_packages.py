"""pyproject.toml names every package that our code imports, and says why it names another."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.project_copy import ROOT
from tests.whole.test_house import imports, modules

# Of benchmarks alone, which leave out the rivals that are not there.
RIVALS = {"datatrove"}


def names(requirements: list[str]) -> set[str]:
    """Return the distributions' names, normalised as package indexes do."""
    return {normal(re.split(r"[\[<>=!~ ;]", requirement)[0]) for requirement in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(*folders: str) -> dict[str, set[str]]:
    """Return the third-party modules that the folders import: module -> its distributions."""
    ours = {path.name for path in ROOT.iterdir()}
    found = {name.split(".")[0] for path in modules(*folders).values() for name in imports(path)}
    known = packages_distributions()
    return {
        module: {normal(name) for name in known.get(module, ())}
        for module in found - sys.stdlib_module_names - ours - RIVALS
    }


def test_what_is_imported_is_named_and_what_is_not_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    needed = names(project["dependencies"])
    for_tests = names(project["optional-dependencies"]["test"])
    product = imported("genlab", "stages", "pipelines")
    tests = imported("tests", "benchmarks")
    assert not {module for module, dists in product.items() if not dists & needed}
    assert not {module for module, dists in tests.items() if not dists & (needed | for_tests)}

    explained = set(re.findall(r'^  "([\w.-]+).*",\s+# \S', text, re.MULTILINE))
    reasons = {normal(name) for name in explained}
    assert needed - set().union(*product.values()) <= reasons
    assert for_tests - set().union(*tests.values()) <= reasons
    assert not needed & for_tests
