"""The receipt of a run: hashes of its data and params, seeds, versions, hardware.

It is made from params.yaml and the data files and folders of the run, and goes to
metrics/receipt.json. Git holds it beside the metrics, so that a changed number can be explained.

The same data on the same kind of machine must give the same bytes. So the receipt has no time,
host, user or path, and no git commit: the commit that will contain it does not exist yet. Of the
hardware it names what changes the order in which floats are added, and so the last digits:
- the vector instructions: torch's sums and gradients differ between AVX2 and AVX512 (tried). Flags
  by which libraries choose products are named, too;
- what torch, MKL and oneDNN are told by the environment, as it is;
- the maker of the processor: MKL and OpenBLAS choose their kernels by it;
- the threads torch takes: its sums differ between one and two (tried). Small models take as many
  on any machine (genlab/core/numerics.py);
- the accelerator.
Left out are the processor's model name and clock, which enter no sum; its cache sizes, by which
some libraries cut matrices, but which differ within one kind of machine; and how many processors
there are beyond the threads (TensorFlow and Polars gave the same bytes on one and on two).

Nothing heavy is imported: torch alone would take longer than all the rest.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import tomllib
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from genlab.core.files import as_json, sha256_of
from genlab.core.params import flatten
from genlab.core.processor import SETTINGS, SMALL_THREADS, processor_flags, read_cpuinfo
from genlab.core.program import InputError
from genlab.core.yaml_text import read_yaml_file

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

# torch takes a level's kernels where all of its flags are there; best first.
VECTOR_LEVELS = {
    "AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"},
    "AVX2": {"avx2", "fma"},
    "SVE": {"sve"},
    "NEON": {"asimd"},
}

FLAGS = ("fma", "avx2", "avx512f", "avx512_bf16", "amx_bf16")
UNSET = "unset"

ASK_FOR_ACCELERATORS = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
PATIENCE_SECONDS = 20  # a GPU that was asleep takes some


def make_receipt(params: Path, data: list[Path], left_over: Collection[Path] = ()) -> dict:
    """Return the receipt of a run: params, data by path, Python, packages, hardware.

    data: files or folders below the folder of `params`, named relative to it. left_over: files in
    these folders that are not of this run. Raises InputError for data that are missing or
    elsewhere, and if `params` is not a YAML mapping.
    """
    return {
        "params": describe_params(params),
        "data": {
            name_below(params.parent, path): hash_of(path, left_over)
            for path in sorted(data)
            if path not in left_over
        },
        "python": platform.python_version(),
        "packages": versions_of(required_packages(PYPROJECT.read_text(encoding="utf-8"))),
        "hardware": describe_hardware(),
    }


def name_in_git(receipt: dict) -> str:
    """Return the name under which git keeps a receipt's file, once it is committed: 40 hex digits.

    `git log --find-object=NAME` then shows the commit and the date, which no run can know itself.
    """
    content = as_json(receipt).encode()
    blob = b"blob %d\0%s" % (len(content), content)
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def describe_params(path: Path) -> dict:
    """Return the hash of the parsed values, and every value whose key ends in "seed"."""
    params = read_yaml_file(path, "run this in a pipeline's folder")
    if not isinstance(params, dict):
        raise InputError(f"{path}: must hold groups of values")
    canonical = json.dumps(params, sort_keys=True, default=str)  # str: dates, which YAML knows
    seeds = {k: value for k, value in flatten(params, lists=True).items() if k.endswith("seed")}
    return {
        "sha256": hashlib.sha256(canonical.encode()).hexdigest(),
        "seeds": dict(sorted(seeds.items())),
    }


def name_below(folder: Path, path: Path) -> str:
    """Return `path` relative to `folder`; raise InputError if it lies elsewhere."""
    # Not resolve(): a data folder may be a link to another disk.
    name = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    if name.startswith(".."):
        raise InputError(
            f"{path}: lies outside {folder.absolute()}; a receipt would hold a path that other "
            "machines do not have"
        )
    return Path(name).as_posix()


def hash_of(path: Path, left_over: Collection[Path] = ()) -> str:
    """Return the sha256 of a file's bytes, or of a folder's sorted file names and their sha256.

    left_over: what in the folder does not count.
    """
    if path.is_file():
        return sha256_of(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; `dvc repro` makes it")
    left = {*left_over}
    files = {
        file.relative_to(path).as_posix(): file
        for file in path.rglob("*")
        if file.is_file() and not left & {file, *file.parents}
    }
    lines = [f"{hash_of(file)}  {name}\n" for name, file in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def required_packages(pyproject: str) -> list[str]:
    """Return the names of the packages that a pyproject.toml depends on."""
    required = tomllib.loads(pyproject)["project"]["dependencies"]
    return [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in required]


def versions_of(packages: list[str]) -> dict[str, str]:
    """Return the versions of those of `packages` that are installed."""
    versions = {}
    for package in sorted(packages):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def describe_hardware() -> dict[str, object]:
    """Return the properties of this machine that change numbers; see the module's docstring."""
    cpuinfo = read_cpuinfo()
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "maker": processor_maker(cpuinfo),
        "vector_instructions": vector_instructions(cpuinfo),
        "flags": [flag for flag in FLAGS if flag in processor_flags(cpuinfo)],
        "settings": {name: os.environ.get(name, UNSET) for name in SETTINGS},
        "threads": threads_of_torch(os.environ.get("OMP_NUM_THREADS", ""), usable_processors()),
        "threads_of_small_models": SMALL_THREADS,
        "accelerator": accelerators(),
    }


def usable_processors() -> int:
    """Return how many processors this process may use; a container can limit them."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of_torch(omp_num_threads: str, n_processors: int) -> int:
    """Return how many threads torch takes: as many as it is told to, or all processors."""
    first = omp_num_threads.split(",")[0].strip()  # "4,2": four, and two in each of them
    return min(int(first), n_processors) if first.isdecimal() and int(first) else n_processors


def processor_maker(cpuinfo: str) -> str:
    """Return the vendor in the text of /proc/cpuinfo: "AuthenticAMD", or an ARM vendor's number."""
    found = re.search(r"^(?:vendor_id|CPU implementer)\s*: *(\S+)", cpuinfo, re.MULTILINE)
    return found[1] if found else "unknown"


def vector_instructions(cpuinfo: str) -> str:
    """Return the best of VECTOR_LEVELS that the text of /proc/cpuinfo has, "none" or "unknown"."""
    flags = processor_flags(cpuinfo)
    if not flags:
        return "unknown"
    return next((level for level, needed in VECTOR_LEVELS.items() if needed <= flags), "none")


def accelerators() -> str:
    """Return the names of NVIDIA GPUs, "none", or "unknown" if the driver does not answer."""
    try:
        asked = subprocess.run(
            ASK_FOR_ACCELERATORS, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
    except FileNotFoundError:
        return "none"
    except subprocess.TimeoutExpired:
        return "unknown"
    if asked.returncode:  # the program is there, a working driver is not
        return "none"
    names = sorted(line.strip() for line in asked.stdout.splitlines() if line.strip())
    return ", ".join(names) or "none"
