"""tests/limits.py: under each limit the libraries take what it says, and a failure is told."""

import json
import os
import subprocess
import sys

import pytest

from genlab.core.processor import has_avx2
from tests.limits import LIMITS, settings
from tests.project_copy import ROOT

ASK = """\
import json
import scipy.linalg
import torch
from numpy._core._multiarray_umath import __cpu_features__
from threadpoolctl import threadpool_info

kernels = torch.backends.cpu.get_cpu_capability()
levels = [name for name in ("X86_V3", "X86_V4") if __cpu_features__[name]]
products = {each["architecture"] for each in threadpool_info() if "architecture" in each}
print(json.dumps([kernels, levels, sorted(products), torch.get_num_threads()]))
"""


@pytest.mark.skipif(not has_avx2(), reason="a processor without AVX2 is under the second limit")
def test_libraries_take_no_wider_instructions_than_the_limit_and_the_threads_it_says():
    expected = {
        "SSE4.2, 1 thread": ["DEFAULT", [], ["Nehalem"], 1],
        "AVX2, 2 threads": ["AVX2", ["X86_V3"], ["Haswell"], 2],
    }
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", ASK],
            env=os.environ | settings()[name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in expected
    }
    found = {name: json.loads(each.communicate()[0]) for name, each in processes.items()}
    assert found == expected


def test_every_limit_is_tried_with_one_thread_and_with_two():
    assert len(LIMITS) == 3
    threads = {name: told["OMP_NUM_THREADS"] for name, told in settings().items()}
    for limit in LIMITS:
        assert (threads[f"{limit}, 1 thread"], threads[f"{limit}, 2 threads"]) == ("1", "2")


def test_a_test_that_fails_under_one_limit_alone_is_told(tmp_path):
    (tmp_path / "test_narrow.py").write_text(
        "import os\n"
        "def test_it():\n"
        "    assert os.environ.get('OPENBLAS_CORETYPE') != 'Haswell' or "
        "os.environ['OMP_NUM_THREADS'] == '1'\n"
    )
    call = [sys.executable, "-m", "tests.limits", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "failed: AVX2, 2 threads"
    told = [line for line in done.stdout.splitlines() if line.startswith("==== ")]
    assert told == [f"==== {name}" for name in settings()]
