"""The Makefile: which environment it uses, what it installs, and what it says if it cannot."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project_copy import ROOT

FILES = ("Makefile", "requirements.lock", "requirements-test.lock")
# Notes what it is asked for. A module counts as found if FOUND is set.
PYTHON = """\
#!/bin/sh
echo "$@" >> "$LOG"
case "$*" in *find_spec*) test -n "$FOUND" ;; esac
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return a function that calls make in a folder with the locks, and `python` a script."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    environment = tmp_path / "my environment"
    write_script(environment / "bin/python", PYTHON)
    system = {"PATH": "/usr/bin:/bin", "LOG": str(tmp_path / "log")}

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["make", *words], cwd=tmp_path, env=system | variables, capture_output=True, text=True
        )

    return call


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o755)


def installed(folder: Path) -> list[str]:
    """Return the calls of pip, without what is the same in each."""
    calls = (folder / "log").read_text().splitlines()
    start = "-m pip install --quiet --disable-pip-version-check --require-hashes "
    return [call.removeprefix(start) for call in calls if call.startswith(start)]


def test_an_activated_environment_gets_the_locked_packages_once_and_no_other_is_made(
    make, tmp_path
):
    active = {"VIRTUAL_ENV": str(tmp_path / "my environment")}
    for _ in range(2):
        assert make(f"{tmp_path}/my environment/genlab-packages", **active).returncode == 0
    assert installed(tmp_path) == ["-r requirements.lock"]
    assert not (tmp_path / ".venv").exists()
    assert make(f"{tmp_path}/my environment/genlab-test-packages", **active).returncode == 0
    assert installed(tmp_path)[1:] == ["-r requirements.lock -r requirements-test.lock"]


def test_without_python_3_11_and_uv_make_says_what_to_install(make, tmp_path):
    done = make(".venv/genlab-packages", "PYTHON=python3.11-that-is-not-there")
    assert done.returncode
    assert "error: no python3.11-that-is-not-there here; install Python 3.11 (or uv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_uv_is_asked_for_python_3_11_where_there_is_none(make, tmp_path):
    write_script(tmp_path / "bin/uv", '#!/bin/sh\necho uv "$@" >> "$LOG"\n')
    make(".venv/bin/python", "PYTHON=none", PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    asked = (tmp_path / "log").read_text().splitlines()
    assert asked == ["uv venv --quiet --seed --python 3.11 .venv"]


def test_a_python_that_cannot_make_environments_leaves_it_to_uv(make, tmp_path):
    """As Debian's without python3.11-venv, and hosted notebooks'."""
    python = tmp_path / "bin/python3.11"
    write_script(python, '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\n')
    done = make(".venv/bin/python", f"PYTHON={python}")
    assert done.returncode and "cannot make an environment, as ensurepip is missing" in done.stderr
    (tmp_path / "bin/uv").write_text('#!/bin/sh\necho uv "$@" >> "$LOG"\n')
    (tmp_path / "bin/uv").chmod(0o755)
    make(".venv/bin/python", f"PYTHON={python}", PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    asked = (tmp_path / "log").read_text().splitlines()
    assert asked == ["uv venv --quiet --seed --python 3.11 .venv"]


def test_only_repro_test_and_lint_install_and_the_others_say_what_is_missing(make, tmp_path):
    active = {"VIRTUAL_ENV": str(tmp_path / "my environment")}
    done = make("show", **active)
    assert done.returncode and "error: the packages are not installed; run 'make repro'" in (
        done.stderr
    )
    assert make("show", FOUND="yes", **active).returncode == 0
    assert installed(tmp_path) == []
    assert (tmp_path / "log").read_text().splitlines()[-1] == "-m genlab show"


def test_another_python_than_the_locks_is_refused_before_anything_is_installed(make, tmp_path):
    write_script(tmp_path / "env/bin/python", "#!/bin/sh\nexit 1\n")
    done = make(f"{tmp_path}/env/genlab-packages", VIRTUAL_ENV=str(tmp_path / "env"))
    assert done.returncode and "has another Python than 3.11" in done.stderr
    assert not os.path.exists(tmp_path / "log")
