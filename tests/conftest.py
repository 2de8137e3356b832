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

import genlab  # noqa: F401  # holds the kernels of what is started here, too
from tests.made_once import copied, made_once
from tests.tiny_run import run_project
from tests.warm_python import warm_python

# A busy machine is no reason to fail.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")


# Files of tests that take longest, by name: else one of them would run alone at the end.
LONGEST = (
    "test_hard_to_kill",
    "test_end_to_end",
    "test_new",
    "test_remotes",
    "test_pipelines",
    "test_processes",
    "test_house",
    "test_verify",
    "test_hub",
    "test_numerics",
    "test_train",
    "test_rankers",
    "test_stages",
    "test_play",
)


def pytest_configure(config) -> None:
    """Start what the workers share, in the process above them."""
    if getattr(config.option, "numprocesses", None):
        warm_python()


def pytest_collection_modifyitems(items) -> None:
    """Begin with the files that take longest."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (ranks.get(item.path.stem, len(ranks)), str(item.path)))


def pytest_collection_finish(session) -> None:
    """Spare the garbage collector the million objects of the libraries that tests import."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """Return the folder of a copy in which `dvc repro` has run and its record is committed.

    Four files of tests share it, as it takes half a minute: whoever changes it puts it back.
    """
    return copied(made_once("finished", run_project), tmp_path_factory.mktemp("run") / "project")
