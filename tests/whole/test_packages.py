"""pyproject.toml names every package that our code imports, and says why it names another."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version

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


def locked(name: str) -> dict[str, str]:
    """Return distribution -> the lines that a lock has of it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = [each for each in re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE) if "==" in each]
    lines: dict[str, str] = {}
    for entry in entries:
        key = normal(entry.split("==")[0])
        lines[key] = lines.get(key, "") + entry
    return lines


def test_the_locks_pin_every_package_once_with_the_checksums_of_its_files():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    main, for_tests = locked("requirements.lock"), locked("requirements-test.lock")
    assert names(project["dependencies"]) <= main.keys()
    assert names(project["optional-dependencies"]["test"]) <= main.keys() | for_tests.keys()
    assert not main.keys() & for_tests.keys()
    for_gpu = locked("requirements-gpu.lock")
    assert for_gpu.keys() & main.keys() == {"torch"}  # the same release, built with CUDA
    (release,) = re.findall(r"^torch==([\d.]+) ", for_gpu["torch"], re.MULTILINE)
    assert f"torch=={release}+cpu" in main["torch"]
    for entry in [*main.values(), *for_tests.values(), *for_gpu.values()]:
        pins = re.split(r"^(?=\S)", entry, flags=re.MULTILINE)[1:]
        assert all(re.search(r"==[\w.+]+.*\n    --hash=sha256:[0-9a-f]{64}", pin) for pin in pins)


def test_what_is_installed_here_is_what_the_locks_say():
    for package, entry in (locked("requirements.lock") | locked("requirements-test.lock")).items():
        assert f"=={version(package)}" in entry, package
