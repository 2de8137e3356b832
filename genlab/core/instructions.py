"""Which vector instructions libraries may use, and on how many threads small models compute.

What is asked here needs no library, as it comes before the first of them (genlab.core.numerics says
why, and does the rest).
"""

import os

KERNELS = "ATEN_CPU_CAPABILITY"  # torch's: default | avx2 | avx512
PRODUCTS = "MKL_CBWR"  # MKL's conditional numerical reproducibility
SETTINGS = (KERNELS, PRODUCTS, "ONEDNN_MAX_CPU_ISA")  # of the environment; the last is oneDNN's
SMALL_THREADS = 1  # that a small model takes, on any number of cores


def hold_kernels() -> None:
    """Have torch, which is not imported yet, use AVX2's kernels, unless the user has said which."""
    if has_avx2():
        os.environ.setdefault(KERNELS, "avx2")


def has_avx2() -> bool:
    """Say whether this is a processor with AVX2; False where the system does not say so."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return " avx2 " in file.read()
    except OSError:
        return False
