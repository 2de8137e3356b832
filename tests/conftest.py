"""What holds for all tests, and for the programs that they start.

One thread a process: models of a few thousand weights only wait for each other with more. Products
are what genlab/core/numerics.py would make them, in this process too, where some library may have
multiplied before. And no program says that it still works, as it would after three seconds on a
busy machine.
"""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["GENLAB_QUIET"] = "1"

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.project_copy import commit, dvc
from tests.tiny_run import make_project

# A busy machine is no reason to fail.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")


def pytest_collection_finish(session) -> None:
    """Spare the garbage collector the million objects of the libraries that tests import."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """Return the folder of a copy in which `dvc repro` has run and its record is committed.

    Two files of tests share it, as it takes most of a minute: whoever changes it puts it back.
    """
    folder = tmp_path_factory.mktemp("run") / "project"
    make_project(folder)
    result = dvc(folder, "repro")
    assert result.returncode == 0, result.stdout
    commit(folder)
    return folder
