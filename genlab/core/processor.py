"""The vector instructions that libraries may use (AVX2's), and the threads of a small model.

Libraries read these limits from the environment when they are imported, so this module imports none
of them. genlab.core.numerics explains the limits, and sets those that need the libraries.
"""

import os

CPUINFO = "/proc/cpuinfo"
KERNELS = "ATEN_CPU_CAPABILITY"  # torch's: default | avx2 | avx512
PRODUCTS = "MKL_CBWR"  # MKL's conditional numerical reproducibility
# For libraries that are imported later: no instructions beyond AVX2's, and one thread.
HELD = {
    KERNELS: "avx2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # NumPy's exp, log and powers
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's products: the first with AVX2
    "OPENBLAS_NUM_THREADS": "1",
}
SETTINGS = (PRODUCTS, "ONEDNN_MAX_CPU_ISA", *HELD)  # of the environment; the second is oneDNN's
SMALL_THREADS = 1  # that a small model takes, on any number of cores


def hold_kernels() -> None:
    """Limit torch, NumPy and SciPy to AVX2, unless the user has set their variables."""
    if has_avx2():
        for name, value in HELD.items():
            os.environ.setdefault(name, value)


def has_avx2() -> bool:
    """Return whether the processor has AVX2; False if the system does not tell."""
    return "avx2" in processor_flags(read_cpuinfo())


def read_cpuinfo() -> str:
    """Return the text of /proc/cpuinfo, "" where there is none."""
    try:
        with open(CPUINFO, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def processor_flags(cpuinfo: str) -> set[str]:
    """Return the flags of the text of /proc/cpuinfo, none if it has no line of them."""
    for line in cpuinfo.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):  # the second is ARM's
            return set(flags.split())
    return set()
